"""REST: monthly usage by component, and the reports it is made of (marketplace-component-usages)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    BadFilter,
    Filter,
    HexUUIDField,
    Relation,
    by_choice,
    by_exact,
    by_number,
    by_uuid,
)
from agentmart.kit.money import decimal_text
from agentmart.metering import selectors, services
from agentmart.metering.dates import ReportDate
from agentmart.metering.models import ComponentEvent, ComponentUsage, ComponentUserUsage
from agentmart.resources.models import PlanPeriod, Resource

POLICIES = ("none", "reuse", "zero")
MOST_DIGITS, MOST_PLACES = 20, 10
FIRST_YEAR, LAST_YEAR = 2000, 2999
_time = serializers.DateTimeField().to_representation
MOST_REPORTS = 300


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number", "minimum": 0}]})
class QuantityField(serializers.DecimalField):
    """A quantity of at least 0 with at most 20 digits, 10 of them after the point; text or a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, min_value=Decimal(0), **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the exact quantity."""
        if isinstance(data, bool):
            self.fail("invalid")
        number = super().to_internal_value(data)
        if not number:
            return Decimal(0)
        if number.adjusted() >= MOST_DIGITS or number.adjusted() < -MOST_PLACES:
            raise serializers.ValidationError(_DIGITS)
        text = decimal_text(abs(number))
        places = len(text.partition(".")[2])
        if places > MOST_PLACES or len(text.replace(".", "").lstrip("0")) > MOST_DIGITS:
            raise serializers.ValidationError(_DIGITS)
        return number


_DIGITS = f"At most {MOST_DIGITS} digits, {MOST_PLACES} of them after the point."


@extend_schema_field({"type": "string", "description": "A day (YYYY-MM-DD, UTC) or a time (RFC 3339)."})
class ReportDateField(serializers.Field[ReportDate, Any, str, Any]):
    """A calendar day or a moment."""

    def to_internal_value(self, data: Any) -> ReportDate:
        """Return the day or moment, in UTC."""
        try:
            if isinstance(data, str) and len(data) == 10:
                when = ReportDate(
                    datetime.combine(date.fromisoformat(data), time.min, tzinfo=UTC), whole_day=True
                )
            else:
                moment = serializers.DateTimeField(default_timezone=UTC).run_validation(data)
                when = ReportDate(moment.astimezone(UTC))
        except (ValueError, OverflowError):
            raise serializers.ValidationError("Give a day (YYYY-MM-DD) or a time (RFC 3339).") from None
        if not FIRST_YEAR <= when.moment.year <= LAST_YEAR:
            raise serializers.ValidationError(f"Give a time from {FIRST_YEAR} to {LAST_YEAR}.")
        return when

    def to_representation(self, value: ReportDate) -> str:
        """Return the moment."""
        return value.moment.isoformat()


def number_of(value: Decimal) -> int | float:
    """Return a quantity as the JSON number this contract's clients read; whole ones have no fraction."""
    return int(value) if value == value.to_integral_value() else float(value)


class ComponentUsageSerializer(ApiSerializer):
    """What a resource used of one component in one month."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-component-usage-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    type = serializers.CharField(source="component_type", read_only=True)
    name = serializers.CharField(source="component_name", read_only=True)
    measured_unit = serializers.CharField(read_only=True)
    usage = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()
    date = serializers.SerializerMethodField()
    billing_period = serializers.DateField(source="month", read_only=True)
    description = serializers.CharField(read_only=True)
    recurring = serializers.SerializerMethodField()
    missing_usage_policy = serializers.ChoiceField(choices=POLICIES, read_only=True)
    metered_by_gateway = serializers.BooleanField(source="metered", read_only=True)
    resource = Relation(view_name="marketplace-resource-detail", read_only=True)
    resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_name = serializers.CharField(source="resource.name", read_only=True)
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    offering_name = serializers.CharField(source="offering.name", read_only=True)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(source="resource.project_name", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="resource.customer_name", read_only=True)
    plan_uuid = HexUUIDField(source="plan_id", read_only=True)
    modified_by = serializers.CharField(read_only=True)

    def get_usage(self, row: Any) -> float:
        """Return the month's total as a number."""
        return number_of(row.total)

    def get_amount(self, row: Any) -> str:
        """Return the same total, exact."""
        return decimal_text(row.total)

    @extend_schema_field({"type": "string", "format": "date-time"})
    def get_date(self, row: ComponentUsage) -> str:
        """Return the time the last report was for; of metered usage, the month's first hour."""
        return str(_time(row.reported_for or row.created))

    def get_recurring(self, row: ComponentUsage) -> bool:
        """Return whether the month's usage is taken for the next one where nothing is reported."""
        return row.missing_usage_policy == "reuse"


class BookedUsageSerializer(ComponentUsageSerializer):
    """The month after a report; `duplicate` where the report had been booked before."""

    duplicate = serializers.BooleanField(read_only=True)


class UsageCreateSerializer(serializers.Serializer[Any]):
    """One component's usage: of a calendar day, or added once under a transaction id."""

    resource = Relation(view_name="marketplace-resource-detail", queryset=Resource.objects)
    component = serializers.CharField(max_length=300)
    usage = QuantityField()
    date = ReportDateField(required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    transaction_id = serializers.CharField(required=False, allow_blank=True, max_length=200)


class UsageItemSerializer(serializers.Serializer[Any]):
    """The month's total of one component."""

    type = serializers.CharField(max_length=300)
    amount = QuantityField()
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    missing_usage_policy = serializers.ChoiceField(choices=POLICIES, required=False)
    recurring = serializers.BooleanField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read the old name of `missing_usage_policy: reuse`."""
        if "missing_usage_policy" not in attrs and attrs.get("recurring") is not None:
            attrs["missing_usage_policy"] = "reuse" if attrs["recurring"] else "none"
        return attrs


class SetUsageSerializer(serializers.Serializer[Any]):
    """Totals of a month, for a resource or one of its plan periods."""

    usages = UsageItemSerializer(many=True, allow_empty=False, max_length=MOST_REPORTS)  # type: ignore[call-arg]
    resource = Relation(view_name="marketplace-resource-detail", queryset=Resource.objects, required=False)
    plan_period = serializers.CharField(required=False, max_length=300)
    date = ReportDateField(required=False)


class SetUsageAnswerSerializer(serializers.Serializer[Any]):
    """The months after a report."""

    detail = serializers.CharField()
    usages = ComponentUsageSerializer(many=True)


class UserUsageSerializer(serializers.Serializer[Any]):
    """What one user had of a month's usage."""

    username = serializers.CharField(max_length=254)
    usage = QuantityField()


class UserUsageAnswerSerializer(serializers.Serializer[Any]):
    """What one user had of a month's usage."""

    uuid = HexUUIDField(source="id")
    username = serializers.CharField()
    usage = serializers.SerializerMethodField()
    modified = serializers.DateTimeField()

    def get_usage(self, row: ComponentUserUsage) -> str:
        """Return the quantity, exact."""
        return decimal_text(row.amount)


class ComponentEventSerializer(serializers.Serializer[Any]):
    """One report: the difference it made and the month's total after it."""

    uuid = HexUUIDField()
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    kind = serializers.CharField()
    amount = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()
    transaction_id = serializers.CharField()
    description = serializers.CharField()
    reported_by = serializers.CharField()

    def get_amount(self, event: ComponentEvent) -> str:
        """Return the difference, exact."""
        return decimal_text(event.amount)

    def get_total(self, event: ComponentEvent) -> str:
        """Return the month's total after it, exact."""
        return decimal_text(event.total)


def by_month_day(lookup: str) -> Filter:
    """Return a filter on the billing month by a day."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        try:
            days = [date.fromisoformat(value) for value in values]
        except ValueError:
            raise BadFilter("Enter a valid date.") from None
        wanted: Any = days if lookup == "in" else days[-1]
        return rows.filter(**{f"month__{lookup}": wanted})

    return Filter(
        apply, {"type": "string", "format": "date"}, "The first day of the month, as billing_period."
    )


class ComponentUsageViewSet(ApiViewSet):
    """Usage by component and month: seen by both sides of a sale, reported by the provider."""

    queryset = ComponentUsage.objects.all()
    serializer_class = ComponentUsageSerializer
    ordering = ("-month", "component_type", "id")
    orderings = {
        "created": "created",
        "billing_period": "month",
        "usage": "total",
        "missing_usage_policy": "missing_usage_policy",
    }
    filters = {
        "resource": by_uuid("resource_id"),
        "resource_uuid": by_uuid("resource_id"),
        "offering_uuid": by_uuid("offering_id"),
        "project_uuid": by_uuid("project_id"),
        "customer_uuid": by_uuid("customer_id"),
        "type": by_exact("component_type"),
        "missing_usage_policy": by_choice("missing_usage_policy", {name: (name,) for name in POLICIES}),
        "billing_period": by_month_day("in"),
        "billing_period_year": by_number("month__year"),
        "billing_period_month": by_number("month__month"),
        "date_after": by_month_day("gte"),
        "date_before": by_month_day("lte"),
    }
    bodies = {
        "create": UsageCreateSerializer,
        "set_usage": SetUsageSerializer,
        "set_user_usage": UserUsageSerializer,
    }
    answers = {
        "create": [(201, BookedUsageSerializer), (200, BookedUsageSerializer)],
        "set_usage": (201, SetUsageAnswerSerializer),
        "set_user_usage": (201, UserUsageAnswerSerializer),
        "events": ComponentEventSerializer(many=True),
        "user_usages": UserUsageAnswerSerializer(many=True),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the visible months with everything they show."""
        return selectors.shown_usages(super().visible())

    def create(self, request: Request) -> Response:
        """Report one component's usage; the same `transaction_id` again changes nothing and answers 200."""
        name = self.payload.get("component")
        self._check_may_report(self.named(UsageCreateSerializer, "resource"), [name])
        body = self.body(UsageCreateSerializer)
        usage, duplicate = services.add_usage(
            body["resource"],
            body["component"],
            body["usage"],
            actor=self.actor,
            now=self.now,
            when=body.get("date"),
            transaction_id=body.get("transaction_id", ""),
            description=body.get("description", ""),
        )
        row = self.visible().get(pk=usage.pk)
        return self.answer(row, status=200 if duplicate else 201, duplicate=duplicate)

    @action(detail=False, methods=["post"])
    def set_usage(self, request: Request) -> Response:
        """Set the totals of a month for the named components; others stay as they are."""
        items = self.payload.get("usages")
        names = (
            [item.get("type") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        )
        period = self._plan_period()
        self._check_may_report(
            period.resource if period else self.named(SetUsageSerializer, "resource"), names[:MOST_REPORTS]
        )
        body = self.body(SetUsageSerializer)
        resource = self._resource(body, period)
        reports = [
            services.Report(
                item["type"], item["amount"], item.get("description", ""), item.get("missing_usage_policy")
            )
            for item in body["usages"]
        ]
        when = body.get("date") or self._now_within(period)
        booked = services.set_usage(
            resource, reports, actor=self.actor, now=self.now, when=when, period=period
        )
        rows = self.visible().filter(pk__in=[usage.pk for usage in booked]).order_by("component_type", "id")
        shown = self.get_serializer(rows, many=True).data
        return Response({"detail": "Usage has been recorded.", "usages": shown}, status=201)

    @action(detail=True, methods=["post"])
    def set_user_usage(self, request: Request, **kwargs: Any) -> Response:
        """Note what one user had of this usage."""
        usage = self.get_object()
        require(self.actor, "usage.report", provider_id=usage.provider_customer_id)
        body = self.body(UserUsageSerializer)
        row = services.set_user_usage(
            usage, actor=self.actor, now=self.now, username=body["username"], amount=body["usage"]
        )
        return Response(UserUsageAnswerSerializer(row).data, status=201)

    @action(detail=True, methods=["get"])
    def events(self, request: Request, **kwargs: Any) -> Response:
        """List the reports behind this month as they came, each with its difference and the total after it."""
        usage = self.get_object()
        page = self.page_of(selectors.events_of(usage))
        return self.get_paginated_response(ComponentEventSerializer(page, many=True).data)

    @action(detail=True, methods=["get"])
    def user_usages(self, request: Request, **kwargs: Any) -> Response:
        """List what single users had of this usage."""
        page = self.page_of(selectors.user_usages_of(self.get_object()))
        return self.get_paginated_response(UserUsageAnswerSerializer(page, many=True).data)

    def _check_may_report(self, resource: Resource | None, names: list[Any]) -> None:
        """Raise 403 or 409 before the body is looked at; what is no resource the actor sees is a 400 later."""
        if resource is not None:
            named = [name for name in names if isinstance(name, str) and len(name) <= 300]
            services.check_may_report(resource, named, actor=self.actor)

    def _plan_period(self) -> PlanPeriod | None:
        """Return the plan period that the body names; raises 400 where the actor sees none of that name."""
        given = self.payload.get("plan_period")
        if not isinstance(given, str) or not given:
            return None
        period = selectors.visible_plan_period(given, actor=self.actor)
        if period is None:
            raise serializers.ValidationError({"plan_period": ["Invalid hyperlink - Object does not exist."]})
        return period

    def _resource(self, body: dict[str, Any], period: PlanPeriod | None) -> Resource:
        """Return the resource that the body is about; raises 400 where it names none, or two."""
        named: Resource | None = body.get("resource")
        if period is None:
            if named is None:
                raise serializers.ValidationError({"resource": ["Give a resource or a plan_period."]})
            return named
        if named is not None and named.pk != period.resource_id:
            raise serializers.ValidationError({"plan_period": ["This is a period of another resource."]})
        return period.resource

    def _now_within(self, period: PlanPeriod | None) -> ReportDate:
        """Return now, or the last moment of a plan period that is over."""
        if period is not None and period.end is not None and period.end < self.now:
            return ReportDate(period.end - timedelta(microseconds=1))
        return ReportDate(self.now)
