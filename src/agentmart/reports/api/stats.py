"""REST: statistics over the whole marketplace, for operators; JSON, or CSV for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import require
from agentmart.identity.selectors import operator_customer
from agentmart.infra.renderers import CsvRenderer, JsonRenderer
from agentmart.infra.rest import ApiViewSet
from agentmart.kit import csv_lines
from agentmart.reports.api import answers, bodies
from agentmart.reports.api.parameters import (
    CSV,
    CURRENCY,
    EXPORT,
    MONTH,
    PAGED,
    RANGE,
    grouped,
    read_choice,
    read_days,
    read_scope,
    scoped,
)
from agentmart.reports.ranges import Range
from agentmart.reports.recurring import Course, empty
from agentmart.reports.selectors import orders as order_reads
from agentmart.reports.selectors import revenue as revenue_reads
from agentmart.reports.selectors import usage as usage_reads
from agentmart.reports.selectors.customers import customers
from agentmart.reports.selectors.kpis import Kpis, kpis
from agentmart.reports.selectors.scope import Scope

_EVERYTHING = scoped("customer", "provider", "offering", "plan", "project", "resource")
_USAGE = {
    **RANGE,
    **_EVERYTHING,
    "component": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Only this component: its type, uuid or URL; repeated: any of them.",
    },
    **EXPORT,
}


class _Without:
    """Hides an action of the base from routers."""

    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError


class StatsViewSet(ApiViewSet):
    """Statistics and key figures. Each answer carries the definition of its figures."""

    list = _Without()
    retrieve = _Without()
    renderer_classes = (JsonRenderer, CsvRenderer)
    operations = {"revenue": "stats.revenue", "kpis": "stats.revenue"}
    """By action: what it takes to read it; `stats.usage` for all others."""
    answers = {
        "revenue": answers.RevenueReportSerializer,
        "usage": answers.UsageReportSerializer,
        "orders": answers.OrdersReportSerializer,
        "order_stats": answers.OrderStatsReportSerializer,
        "customers": answers.CustomersReportSerializer,
        "kpis": answers.KpisReportSerializer,
        "component_usages": answers.ComponentUsageStatsSerializer(many=True),
        "component_usages_per_month": answers.ComponentUsagePerMonthSerializer(many=True),
    }
    queries: Mapping[str, Mapping[str, Any]] = {
        "revenue": {**RANGE, **_EVERYTHING, **CURRENCY, **grouped(revenue_reads.GROUPS, "month"), **EXPORT},
        "usage": {**_USAGE, **grouped(usage_reads.GROUPS, "month"), **PAGED},
        "orders": {**RANGE, **_EVERYTHING, **CURRENCY, **grouped(order_reads.GROUPS, "day"), **EXPORT},
        "order_stats": {**RANGE, **_EVERYTHING, **CURRENCY, **EXPORT},
        "customers": {**RANGE, **EXPORT},
        "kpis": {
            **RANGE,
            **MONTH,
            **scoped("customer", "provider", "offering", "plan"),
            **CURRENCY,
            **EXPORT,
        },
        "component_usages": _USAGE,
        "component_usages_per_month": _USAGE,
    }

    def check_permissions(self, request: Request) -> None:
        """Refuse whoever may not read the report before its parameters are looked at."""
        super().check_permissions(request)
        if self.action is not None:
            require(self.actor, self.operations.get(self.action, "stats.usage"))

    def handle_exception(self, exc: Exception) -> Response:
        """Answer errors as JSON, whatever form the report was asked in."""
        self.request.accepted_renderer = JsonRenderer()
        self.request.accepted_media_type = JsonRenderer.media_type
        return super().handle_exception(exc)

    @action(detail=False, methods=["get"])
    def revenue(self, request: Request) -> HttpResponseBase:
        """Return what was invoiced, by currency, kind of charge and group."""
        days, group_by = self._days(), self._group_by(revenue_reads.GROUPS, "month")
        found = revenue_reads.revenue(days, self._scope(), group_by=group_by)
        body = bodies.revenue_body(days, group_by, found)
        return self._report(days, body, bodies.REVENUE_COLUMNS, bodies.revenue_rows(body))

    @action(detail=False, methods=["get"])
    def usage(self, request: Request) -> HttpResponseBase:
        """Return what was used, by component and group; with `page` or `page_size` that many components at a time.

        The totals are those of all components, whatever the page.
        """
        days, group_by = self._days(), self._group_by(usage_reads.GROUPS, "month")
        found = usage_reads.usage(days, self._scope(), group_by=group_by)
        if self._wants_csv() or not {"page", "page_size"} & set(request.query_params):
            body = bodies.usage_body(days, group_by, found, found)
            return self._report(days, body, bodies.USAGE_COLUMNS, bodies.usage_rows(body))
        page: Any = self.paginate_queryset(found)
        body = bodies.usage_body(days, group_by, found, page)
        return self.get_paginated_response(
            answers.UsageReportSerializer(body, context=self.get_serializer_context()).data
        )

    @action(detail=False, methods=["get"])
    def orders(self, request: Request) -> HttpResponseBase:
        """Return how many orders were placed, what became of them and how long they took."""
        days, group_by = self._days(), self._group_by(order_reads.GROUPS, "day")
        found = order_reads.orders(days, self._scope(), group_by=group_by)
        body = bodies.orders_body(days, group_by, found)
        return self._report(days, body, bodies.ORDERS_COLUMNS, bodies.orders_rows(body))

    @action(detail=False, methods=["get"])
    def order_stats(self, request: Request) -> HttpResponseBase:
        """Return orders by state, type and day, with their cost."""
        days = self._days()
        found = order_reads.daily_orders(days, self._scope())
        body = bodies.order_stats_body(days, found)
        answer = self._report(days, body, bodies.ORDER_STATS_COLUMNS, bodies.order_stats_rows(found))
        answer.headers["X-Result-Count"] = str(len(found.items))
        return answer

    @action(detail=False, methods=["get"])
    def customers(self, request: Request) -> HttpResponseBase:
        """Return how many customers there are and have a plan, who came and who went."""
        days = self._days()
        body = bodies.customers_body(days, customers(days, now=self.now))
        return self._report(days, body, bodies.CUSTOMERS_COLUMNS, bodies.customers_rows(body))

    @action(detail=False, methods=["get"])
    def kpis(self, request: Request) -> HttpResponseBase:
        """Return recurring revenue and its movement, churn, revenue per customer and order completion."""
        days, scope = self._days(), self._scope()
        found = kpis(days, scope, now=self.now)
        body = bodies.kpis_body(days, found, _main(found, scope))
        return self._report(days, body, bodies.KPIS_COLUMNS, bodies.kpis_rows(body))

    @action(detail=False, methods=["get"])
    def component_usages(self, request: Request) -> HttpResponseBase:
        """Return what was used, one row per component of an offering."""
        return self._component_usages(by_month=False)

    @action(detail=False, methods=["get"])
    def component_usages_per_month(self, request: Request) -> HttpResponseBase:
        """Return what was used, one row per component of an offering and month."""
        return self._component_usages(by_month=True)

    def _component_usages(self, *, by_month: bool) -> HttpResponseBase:
        days = self._days()
        found = usage_reads.usage(days, self._scope(), group_by="month")
        rows = bodies.ComponentUsageRows(found, by_month=by_month)
        if self._wants_csv():
            columns = tuple(self._serializer().child.fields)
            return self._csv(days, columns, ([row[name] for name in columns] for row in rows))
        page: Any = self.paginate_queryset(rows)
        serializer = type(self._serializer().child)(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    # -- what all reports share

    def _declared(self) -> Mapping[str, Any]:
        return self.queries[str(self.action)]

    def _serializer(self) -> Any:
        return self.answers[str(self.action)]

    def _days(self) -> Range:
        return read_days(self.request.query_params, self._declared(), today=self.now.date())

    def _scope(self) -> Scope:
        return read_scope(self.request.query_params, self._declared())

    def _group_by(self, groups: Sequence[str], default: str) -> str:
        return read_choice(self.request.query_params, "group_by", groups, default)

    def _wants_csv(self) -> bool:
        renderer: Any = self.request.accepted_renderer
        return read_choice(self.request.query_params, "export", (CSV, "json"), renderer.format) == CSV

    def _report(
        self, days: Range, body: dict[str, Any], columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> HttpResponseBase:
        """Return the report in the form that is asked for."""
        if self._wants_csv():
            return self._csv(days, (*columns, "definition"), bodies.defined(body, rows))
        serializer: serializers.BaseSerializer[Any] = self._serializer()(
            body, context=self.get_serializer_context()
        )
        return Response(serializer.data)

    def _csv(
        self, days: Range, columns: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> StreamingHttpResponse:
        """Return a table, written while it is sent."""
        name = f"{self.action}-{days.start}-{days.end}.csv"
        return StreamingHttpResponse(
            csv_lines.lines(columns, rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _main(found: Kpis, scope: Scope) -> Course:
    """Return the course that stands for all: of the asked currency, the only one, or the operator's own."""
    if len(found.courses) == 1:
        return found.courses[0]
    asked = scope.currency or ()
    currency = asked[0] if len(asked) == 1 else operator_customer().currency
    courses = {course.currency: course for course in found.courses}
    return courses.get(currency) or empty(currency, len(found.months))
