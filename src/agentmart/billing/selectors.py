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
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform

from agentmart.billing.history import History
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
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem, Payment
from agentmart.billing.states import FINAL, InvoiceState, MonthState
from agentmart.billing.waterfall import ZERO
from agentmart.catalog.models import Offering, Plan, PlanComponent
from agentmart.catalog.price_json import price_from_json
from agentmart.catalog.selectors import prices_for, prices_on
from agentmart.contracts.usage import METERS
from agentmart.identity.models import Customer
from agentmart.infra.actors import Actor
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period, add_months, month_of
from agentmart.metering import selectors as metering
from agentmart.metering.models import ComponentEvent, ComponentUsage
from agentmart.resources.models import PlanPeriod, Resource

INLINE_ITEMS = 1000
LATE_MONTHS = 2
"""Metered and providers' usage comes up to 35 days late, which never reaches further than two months."""
SAME_TIME = timedelta(hours=1)
"""A report this little older than a close may have been committed after it."""

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
        SELECT 1 FROM metering_component_usage r WHERE r.customer_id = first.customer_id
        AND r.month = months.day::date
    ) OR EXISTS (
        SELECT 1 FROM metering_component_usage r JOIN billing_month closed
        ON closed.customer_id = r.customer_id AND closed.first_day = r.month AND closed.state = 'closed'
        WHERE r.customer_id = first.customer_id AND r.month < months.day::date
        AND r.modified >= span.since AND r.modified < span.until
        AND r.modified > closed.modified - interval '1 hour'
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

    A month waits if a plan was in force, something was used or reported, one of the two months before may have late
    usage, or usage of a closed month was reported in it. Months before the customer's first plan (imported history)
    are billed when somebody asks for them.
    """
    last = add_months(month_of(now).start.date(), -1)
    with connection.cursor() as cursor:
        cursor.execute(DUE_MONTHS, {"last": last, "grace_passed": now - grace, "late": LATE_MONTHS})
        return list(cursor.fetchall())


def charges(customer_id: UUID, month: Period) -> list[Line]:
    """Return the lines of a customer's month as things stand now, then those of late usage of closed months.

    The two months before are looked at, and every earlier one for which usage was reported after its close. Raises
    UnsupportedPlan, Unbillable (409).
    """
    lines = month_lines(month, plan_uses(customer_id, month))
    first = month.start.date()
    changed = ComponentUsage.objects.filter(
        customer_id=customer_id, month=OuterRef("first_day"), modified__gt=OuterRef("modified") - SAME_TIME
    )
    earlier = BilledMonth.objects.filter(
        Q(first_day__gte=add_months(first, -LATE_MONTHS)) | Q(Exists(changed)),
        customer_id=customer_id,
        state=MonthState.CLOSED,
        first_day__lt=first,
    ).order_by("first_day")
    for closed in earlier:
        period = month_of(datetime.combine(closed.first_day, datetime.min.time(), tzinfo=month.start.tzinfo))
        lines += late_lines(
            period, plan_uses(customer_id, period), billed_usage(customer_id, closed.first_day)
        )
    return lines


def plan_uses(customer_id: UUID, month: Period) -> list[PlanUse]:
    """Return which plans a customer's resources ran under or were used under in a month, by resource name.

    Prices are those in force when the month began.
    """
    in_force = PlanPeriod.objects.filter(customer_id=customer_id, start__lt=month.end).exclude(
        end__lte=month.start
    )
    keys = set(in_force.values_list("resource_id", "plan_id"))
    usage = usage_by_plan(customer_id, month)
    keys |= set(usage)
    resources = resource_facts({resource_id for resource_id, _ in keys})
    plans = _plans({plan_id for _, plan_id in keys}, month.start.date())
    histories = _histories(resources, month)
    nothing = History()
    uses = [
        PlanUse(
            resource=resources[resource_id],
            plan=plans[plan_id],
            periods=tuple(part.period for part in history.of(plan_id)),
            first_start=history.first_start,
            quantities=usage.get((resource_id, plan_id), {}),
            ordered=tuple(history.of(plan_id)),
            switches=tuple(history.switches.get(plan_id, ())),
        )
        for resource_id, plan_id in keys
        if resource_id in resources and plan_id in plans
        for history in (histories.get(resource_id, nothing),)
    ]
    return sorted(uses, key=lambda use: _place(use, month))


def usage_by_plan(customer_id: UUID, month: Period) -> dict[tuple[UUID, UUID], dict[str, Decimal]]:
    """Return a customer's usage in a month by resource and plan, then by component: metered and reported."""
    metered = metering.sums_by_plan(customer_id, month.start, month.end)
    usage = {key: {name: Decimal(n) for name, n in sums.items()} for key, sums in metered.items()}
    for key, reported in metering.reported_by_plan(customer_id, month.start, month.end).items():
        known = usage.setdefault(key, {})
        for name, amount in reported.items():
            known[name] = CONTEXT.add(known.get(name, ZERO), amount)
    return usage


def _histories(resource_ids: Collection[UUID], month: Period) -> dict[UUID, History]:
    """Return the plan periods of resources up to the end of a month."""
    rows = PlanPeriod.objects.filter(resource_id__in=resource_ids, start__lt=month.end)
    found: dict[UUID, History] = defaultdict(History)
    for row in rows.order_by("start", "id"):
        found[row.resource_id].add(row, month)
    return found


def _place(use: PlanUse, month: Period) -> tuple[str, str, datetime, str]:
    start = use.periods[0].start if use.periods else month.end
    return use.resource.name, use.resource.id.hex, start, use.plan.id.hex


def resource_facts(ids: Collection[UUID]) -> dict[UUID, ResourceFacts]:
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


def _plans(ids: Collection[UUID], day: date) -> dict[UUID, PlanFacts]:
    """Return plans with the prices in force on a day."""
    return _priced(_plan_rows(ids), prices_for(ids, day))


def plans_by_month(ids: Collection[UUID], days: Collection[date]) -> dict[date, dict[UUID, PlanFacts]]:
    """Return plans with the prices in force on each of the days, in three queries."""
    rows = list(_plan_rows(ids))
    return {day: _priced(rows, prices) for day, prices in prices_on(ids, days).items()}


def _plan_rows(ids: Collection[UUID]) -> Iterable[Any]:
    priced = PlanComponent.objects.select_related("component").order_by("created", "component__type")
    rows: Any = Plan.objects.filter(id__in=ids)
    found: Iterable[Any] = rows.prefetch_related(Prefetch("components", queryset=priced))
    return found


def _priced(rows: Iterable[Any], versions: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, PlanFacts]:
    return {
        plan.id: PlanFacts(
            id=plan.id,
            name=plan.name,
            unit=plan.unit,
            interval_count=plan.interval_count,
            currency=plan.currency,
            components=tuple(
                _component(row, versions.get(row.id, row.price)) for row in plan.components.all()
            ),
        )
        for plan in rows
    }


def _component(row: PlanComponent, price: Mapping[str, Any]) -> Component:
    component = row.component
    return Component(
        id=row.id,
        type=component.type,
        name=component.name,
        billing_type=component.billing_type,
        measured_unit=component.measured_unit,
        price=price_from_json(price),
        article_code=component.article_code,
        limit_period=component.limit_period,
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
    return invoices.select_related("credit_note").prefetch_related(
        Prefetch("items", queryset=items, to_attr="shown_items")
    )


def items_of(invoice: Invoice) -> QuerySet[InvoiceItem]:
    """Return the lines of an invoice in order."""
    return InvoiceItem.objects.filter(invoice=invoice).order_by("position")


def sums_by_offering(invoice: Invoice) -> QuerySet[Any]:
    """Return an invoice's sums by offering and provider, the largest first."""
    rows: QuerySet[Any] = (
        InvoiceItem.objects.filter(invoice=invoice)
        .values(
            "offering_id",
            "offering_name",
            "provider_customer_id",
            provider_uuid=KeyTextTransform("service_provider_uuid", "details"),
            provider_name=KeyTextTransform("service_provider_name", "details"),
        )
        .annotate(sum_price=Sum("price"), sum_tax=Sum("tax"), sum_total=Sum("total"))
        .order_by("-sum_total", "offering_id")
    )
    return rows


def category_titles(offering_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return on which shelf offerings stand."""
    rows = Offering.objects.filter(id__in=list(offering_ids))
    return dict(rows.values_list("id", "category__title"))


@dataclass(frozen=True, slots=True)
class Growth:
    """Invoiced sums of some months, oldest first: of everybody, of the largest customers by name, of the others."""

    months: list[date]
    whole: list[Decimal]
    customers: list[tuple[str, list[Decimal]]]
    others: list[Decimal]


def growth(*, actor: Actor, now: datetime, currency: str, months: int, customers: int) -> Growth:
    """Return what was invoiced (drafts as last calculated, no canceled ones) in the months up to now, by customer."""
    last = now.date().replace(day=1)
    days = [add_months(last, -back) for back in range(months - 1, -1, -1)]
    first = days[0]
    rows = (
        Invoice.objects.visible_to(actor)
        .filter(Q(year__gt=first.year) | Q(year=first.year, month__gte=first.month), currency=currency)
        .exclude(state=InvoiceState.CANCELED)
        .values_list("customer_id", "customer__name", "year", "month")
        .annotate(sum=Sum("total"))
    )
    place = {(day.year, day.month): index for index, day in enumerate(days)}
    by_customer: dict[UUID, tuple[str, list[Decimal]]] = {}
    for customer_id, name, year, number, amount in rows:
        _, sums = by_customer.setdefault(customer_id, (name, [ZERO] * months))
        if (year, number) in place:
            sums[place[year, number]] += amount
    ranked = sorted(by_customer.values(), key=lambda row: (-sum(row[1]), row[0]))
    return Growth(
        months=days,
        whole=_added(sums for _, sums in ranked) or [ZERO] * months,
        customers=ranked[:customers],
        others=_added(sums for _, sums in ranked[customers:]) or [ZERO] * months,
    )


def _added(rows: Iterable[list[Decimal]]) -> list[Decimal]:
    """Return the sums of columns."""
    return [sum(column, ZERO) for column in zip(*rows, strict=True)]


def addresses_of(customer: Customer) -> list[str]:
    """Return where a customer's invoices are sent."""
    named = [customer.email, *customer.notification_emails.split(",")]
    return list(dict.fromkeys(address.strip() for address in named if address.strip()))


def payment_of(invoice: Invoice, payment_id: UUID) -> Payment | None:
    """Return one payment of an invoice, None if it has no such."""
    return Payment.objects.filter(invoice=invoice, pk=payment_id).first()


def payments_of(invoice: Invoice) -> QuerySet[Payment]:
    """Return the payments of an invoice, the first one first, without their files."""
    return Payment.objects.filter(invoice=invoice).defer("proof").order_by("created", "id")


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage behind a line: metered by hour and call by call, and what people reported.

    `events` and `reports` may be cut (`more` events come after them); `event_count` and `report_count` are not.
    """

    hours: list[tuple[datetime, int]]
    events: list[Mapping[str, Any]]
    more: bool
    event_count: int
    metered: int
    reports: list[ComponentEvent]
    report_count: int
    reported: Decimal
    billed_quantity: Decimal

    @property
    def from_events(self) -> Decimal:
        """Return the sum of calls and reports."""
        return CONTEXT.add(Decimal(self.metered), self.reported)

    @property
    def from_hours(self) -> Decimal:
        """Return the sum of hours and reports."""
        return CONTEXT.add(Decimal(sum(quantity for _, quantity in self.hours)), self.reported)


def usage_of(
    item: InvoiceItem, *, actor: Actor, hour: datetime | None, after: UUID | None, most: int
) -> Usage | None:
    """Return the usage a line came from, None for a line that is not about usage.

    `hour` narrows the events (not the sums) to one hour; at most `most` events are returned, those behind the event
    `after`. `billed_quantity` is what all lines of final invoices and this one hold of the same component and month.
    """
    if item.billing_type != "usage":
        return None
    meter = item.component_type
    month = month_of(datetime.combine(item.usage_month, datetime.min.time(), tzinfo=item.start.tzinfo))
    hours: list[tuple[datetime, int]] = []
    events: list[Mapping[str, Any]] = []
    metered = count = 0
    if meter in METERS:
        sums = metering.hours([item.resource_id], month.start, month.end, actor=actor)
        hours = list(sums.filter(plan_key=item.plan_id).order_by("hour").values_list("hour", meter))
        calls = metering.events(item.resource_id, month.start, month.end, actor=actor).filter(
            plan_id=item.plan_id
        )
        metered = int(calls.aggregate(sum=Sum(meter))["sum"] or 0)
        if hour is not None:
            calls = calls.filter(occurred_at__gte=hour, occurred_at__lt=hour + timedelta(hours=1))
        count = calls.count()
        shown = calls if after is None else calls.filter(id__gt=after)
        events = list(shown.values("id", "occurred_at", "status", meter)[: most + 1])
    reports = metering.component_events(item.resource_id, item.plan_id, meter, item.usage_month, actor=actor)
    return Usage(
        hours=hours,
        events=events[:most],
        more=len(events) > most,
        event_count=count,
        metered=metered,
        reports=list(reports[:most]),
        report_count=reports.count(),
        reported=reports.aggregate(sum=Sum("amount"))["sum"] or ZERO,
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
