"""Reads: the facts that invoices are made of, which months are due, and what stands behind a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Min, Prefetch, QuerySet, Sum

from agentmart.billing.invoicing import (
    Billed,
    BilledKey,
    Component,
    Line,
    PlanFacts,
    PlanUse,
    ResourceFacts,
    late_lines,
    month_lines,
)
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem
from agentmart.billing.states import FINAL, MonthState
from agentmart.billing.waterfall import ZERO
from agentmart.catalog.models import Plan, PlanComponent
from agentmart.catalog.price_json import price_from_json
from agentmart.contracts.usage import METERS
from agentmart.infra.actors import Actor
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period, add_months, month_of
from agentmart.metering import selectors as metering
from agentmart.resources.models import PlanPeriod, Resource

INLINE_ITEMS = 1000
LATE_MONTHS = 2
"""Events are accepted up to 35 days back, which never reaches further than two months."""

DUE_MONTHS = """
SELECT first.customer_id, months.day::date
FROM (
    SELECT customer_id, date_trunc('month', min(start) AT TIME ZONE 'UTC') AS day
    FROM resources_plan_period GROUP BY customer_id
) first
CROSS JOIN LATERAL generate_series(first.day, %(last)s::timestamp, interval '1 month') AS months(day)
CROSS JOIN LATERAL (
    SELECT months.day AT TIME ZONE 'UTC' AS since, (months.day + interval '1 month') AT TIME ZONE 'UTC' AS until
) span
LEFT JOIN billing_month done ON done.customer_id = first.customer_id AND done.first_day = months.day::date
WHERE (done.id IS NULL OR (done.state = 'prepared' AND span.until <= %(grace_passed)s))
  AND (
    EXISTS (
        SELECT 1 FROM resources_plan_period p WHERE p.customer_id = first.customer_id
        AND p.start < span.until AND (p."end" IS NULL OR p."end" > span.since)
    ) OR EXISTS (
        SELECT 1 FROM metering_usage_hour u WHERE u.customer_id = first.customer_id
        AND u.hour >= span.since AND u.hour < span.until
    ) OR EXISTS (
        SELECT 1 FROM billing_month before WHERE before.customer_id = first.customer_id
        AND before.first_day < months.day AND before.first_day >= months.day - %(late)s * interval '1 month'
        AND (before.lines > 0 OR EXISTS (
            SELECT 1 FROM metering_usage_hour u WHERE u.customer_id = first.customer_id
            AND u.hour >= before.first_day::timestamp AT TIME ZONE 'UTC'
            AND u.hour < (before.first_day + interval '1 month') AT TIME ZONE 'UTC'
        ))
    )
  )
ORDER BY first.customer_id, months.day
"""


def due_months(*, now: datetime, grace: timedelta) -> list[tuple[UUID, date]]:
    """Return (customer, first day) of the months that are over and wait to be prepared or finalized, oldest first.

    A month waits if a plan was in force, something was used, or one of the two months before may have late usage.
    """
    last = add_months(month_of(now).start.date(), -1)
    with connection.cursor() as cursor:
        cursor.execute(DUE_MONTHS, {"last": last, "grace_passed": now - grace, "late": LATE_MONTHS})
        return list(cursor.fetchall())


def charges(customer_id: UUID, month: Period) -> list[Line]:
    """Return the lines of a customer's month as things stand now, then those of late usage of closed months.

    Raises UnsupportedPlan, Unbillable (409).
    """
    lines = month_lines(month, plan_uses(customer_id, month))
    first = month.start.date()
    earlier = BilledMonth.objects.filter(
        customer_id=customer_id,
        state=MonthState.CLOSED,
        first_day__lt=first,
        first_day__gte=add_months(first, -LATE_MONTHS),
    ).order_by("first_day")
    for closed in earlier:
        period = month_of(datetime.combine(closed.first_day, datetime.min.time(), tzinfo=month.start.tzinfo))
        lines += late_lines(
            period, plan_uses(customer_id, period), billed_usage(customer_id, closed.first_day)
        )
    return lines


def plan_uses(customer_id: UUID, month: Period) -> list[PlanUse]:
    """Return which plans a customer's resources ran under or were used under in a month, by resource name."""
    periods: dict[tuple[UUID, UUID], list[Period]] = defaultdict(list)
    in_force = PlanPeriod.objects.filter(customer_id=customer_id, start__lt=month.end).exclude(
        end__lte=month.start
    )
    for row in in_force.order_by("start", "id"):
        end = row.end or month.end
        if end > row.start:
            periods[row.resource_id, row.plan_id].append(Period(row.start, end))
    usage = metering.sums_by_plan(customer_id, month.start, month.end)
    keys = {*periods, *usage}
    resources = _resources({resource_id for resource_id, _ in keys})
    plans = _plans({plan_id for _, plan_id in keys})
    firsts = dict(
        PlanPeriod.objects.filter(resource_id__in=resources)
        .values_list("resource_id")
        .annotate(first=Min("start"))
        .values_list("resource_id", "first")
    )
    uses = [
        PlanUse(
            resource=resources[resource_id],
            plan=plans[plan_id],
            periods=tuple(periods[resource_id, plan_id]),
            first_start=firsts.get(resource_id),
            quantities={name: Decimal(n) for name, n in usage.get((resource_id, plan_id), {}).items()},
        )
        for resource_id, plan_id in keys
        if resource_id in resources and plan_id in plans
    ]
    return sorted(uses, key=lambda use: _place(use, month))


def _place(use: PlanUse, month: Period) -> tuple[str, str, datetime, str]:
    start = use.periods[0].start if use.periods else month.end
    return use.resource.name, use.resource.id.hex, start, use.plan.id.hex


def _resources(ids: Collection[UUID]) -> dict[UUID, ResourceFacts]:
    """Return the billable resources."""
    rows = Resource.objects.filter(id__in=ids, offering__billable=True).select_related(
        "offering__service_provider"
    )
    return {
        row.id: ResourceFacts(
            id=row.id,
            name=row.name,
            project_id=row.project_id,
            project_name=row.project_name,
            provider_customer_id=row.provider_customer_id,
            offering_id=row.offering_id,
            offering_name=row.offering.name,
            offering_type=row.offering.type,
            service_provider_id=row.offering.service_provider_id,
            service_provider_name=row.offering.service_provider.name,
        )
        for row in rows
    }


def _plans(ids: Collection[UUID]) -> dict[UUID, PlanFacts]:
    priced = PlanComponent.objects.select_related("component").order_by("created", "component__type")
    rows: Iterable[Any] = Plan.objects.filter(id__in=ids).prefetch_related(
        Prefetch("components", queryset=priced)
    )
    return {
        plan.id: PlanFacts(
            id=plan.id,
            name=plan.name,
            unit=plan.unit,
            interval_count=plan.interval_count,
            currency=plan.currency,
            components=tuple(_component(row) for row in plan.components.all()),
        )
        for plan in rows
    }


def _component(row: PlanComponent) -> Component:
    component = row.component
    return Component(
        id=row.id,
        type=component.type,
        name=component.name,
        billing_type=component.billing_type,
        measured_unit=component.measured_unit,
        price=price_from_json(row.price),
    )


def billed_usage(customer_id: UUID, first_day: date) -> dict[BilledKey, Billed]:
    """Return what final invoices hold of a month's usage, with the price version of its first line."""
    items = InvoiceItem.objects.filter(
        customer_id=customer_id, usage_month=first_day, billing_type="usage", invoice__state__in=FINAL
    ).order_by("late", "created", "id")
    found: dict[BilledKey, Billed] = {}
    for item in items:
        key = (item.resource_id, item.plan_id, item.component_type)
        before = found.get(key) or Billed(ZERO, ZERO, price_from_json(item.details["price"]))
        found[key] = Billed(
            CONTEXT.add(before.quantity, item.quantity), CONTEXT.add(before.amount, item.price), before.price
        )
    return found


def with_items(invoices: QuerySet[Any]) -> QuerySet[Any]:
    """Return invoices with their first lines as `shown_items` (one more than are shown, to tell if there are more)."""
    items = InvoiceItem.objects.order_by("position")[: INLINE_ITEMS + 1]
    return invoices.prefetch_related(Prefetch("items", queryset=items, to_attr="shown_items"))


def items_of(invoice: Invoice) -> QuerySet[InvoiceItem]:
    """Return the lines of an invoice in order."""
    return InvoiceItem.objects.filter(invoice=invoice).order_by("position")


@dataclass(frozen=True, slots=True)
class Usage:
    """The metered usage behind a line: by hour, and call by call.

    `events` may be cut (`more` come after them), `event_count` is not.
    """

    hours: list[tuple[datetime, int]]
    events: list[Mapping[str, Any]]
    more: bool
    event_count: int
    quantity: int
    billed_quantity: Decimal


def usage_of(
    item: InvoiceItem, *, actor: Actor, hour: datetime | None, after: UUID | None, most: int
) -> Usage | None:
    """Return the usage a line came from, None for a line that is not about usage.

    `hour` narrows the events (not the sums) to one hour; at most `most` events are returned, those behind the event
    `after`. `billed_quantity` is what all lines of final invoices and this one hold of the same component and month.
    """
    meter = item.component_type
    if item.billing_type != "usage" or meter not in METERS:
        return None
    month = month_of(datetime.combine(item.usage_month, datetime.min.time(), tzinfo=item.start.tzinfo))
    hours = (
        metering.hours([item.resource_id], month.start, month.end, actor=actor)
        .filter(plan_key=item.plan_id)
        .order_by("hour")
        .values_list("hour", meter)
    )
    calls = metering.events(item.resource_id, month.start, month.end, actor=actor).filter(
        plan_id=item.plan_id
    )
    quantity = calls.aggregate(sum=Sum(meter))["sum"] or 0
    if hour is not None:
        calls = calls.filter(occurred_at__gte=hour, occurred_at__lt=hour + timedelta(hours=1))
    shown = calls if after is None else calls.filter(id__gt=after)
    events = list(shown.values("id", "occurred_at", "status", meter)[: most + 1])
    return Usage(
        hours=list(hours),
        events=events[:most],
        more=len(events) > most,
        event_count=calls.count(),
        quantity=int(quantity),
        billed_quantity=_billed_quantity(item),
    )


def _billed_quantity(item: InvoiceItem) -> Decimal:
    same = InvoiceItem.objects.filter(
        resource_id=item.resource_id,
        plan_id=item.plan_id,
        component_type=item.component_type,
        usage_month=item.usage_month,
        invoice__state__in=FINAL,
    ).exclude(pk=item.pk)
    others = same.aggregate(sum=Sum("quantity"))["sum"] or ZERO
    return CONTEXT.add(others, item.quantity)
