"""Reads: what was used, from the hourly sums and from reports; single calls from the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import DecimalField, F, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Trunc

from agentmart.catalog.models import OfferingComponent, PlanComponent
from agentmart.contracts.usage import METERS
from agentmart.infra.actors import Actor
from agentmart.infra.rest import parse_uuid
from agentmart.kit.ids import uuid7_floor
from agentmart.kit.periods import day_start
from agentmart.metering.models import (
    CallFlag,
    ComponentEvent,
    ComponentUsage,
    ComponentUserUsage,
    UsageEvent,
    UsageHour,
)
from agentmart.resources.models import PlanPeriod, Resource

SUMS = ("events", "errors", *METERS)
GRANULARITIES = ("hour", "day", "month")
NO_PLAN = UUID(int=0)
"""The `plan_key` of calls outside of any plan."""
ZERO = Decimal(0)

_METERED = """(
    SELECT sum(CASE metering_component_usage.component_type WHEN 'requests' THEN h.requests
        WHEN 'input_tokens' THEN h.input_tokens WHEN 'output_tokens' THEN h.output_tokens END)
    FROM metering_usage_hour h
    WHERE metering_component_usage.metered
    AND h.resource_id = metering_component_usage.resource_id AND h.plan_key = metering_component_usage.plan_id
    AND h.hour >= metering_component_usage.month::timestamp AT TIME ZONE 'UTC'
    AND h.hour < (metering_component_usage.month + interval '1 month') AT TIME ZONE 'UTC'
)"""
"""The gateway's part of a monthly row."""


def hours(
    resource_ids: Iterable[UUID], start: datetime, end: datetime, *, actor: Actor
) -> QuerySet[UsageHour]:
    """Return the hourly sums of these resources that begin in [start, end)."""
    rows: Any = UsageHour.objects.visible_to(actor)
    return rows.filter(resource_id__in=list(resource_ids), hour__gte=start, hour__lt=end)  # type: ignore[no-any-return]


def totals(rows: QuerySet[UsageHour]) -> dict[str, int]:
    """Return the sums of hourly rows, zero where there are none."""
    found: Mapping[str, Any] = rows.aggregate(**{name: Sum(name) for name in SUMS})
    return {name: int(found[name] or 0) for name in SUMS}


def series(rows: QuerySet[UsageHour], granularity: str) -> list[dict[str, Any]]:
    """Return the sums per hour, day or month (UTC), oldest first."""
    grouped = (
        rows.annotate(at=Trunc("hour", granularity))
        .values("at")
        .annotate(**{f"sum_{name}": Sum(name) for name in SUMS})
        .order_by("at")
    )
    found: list[Any] = list(grouped)
    return [{"at": row["at"], **{name: int(row[f"sum_{name}"]) for name in SUMS}} for row in found]


def events(resource_id: UUID, start: datetime, end: datetime, *, actor: Actor) -> QuerySet[UsageEvent]:
    """Return the single events of a resource in [start, end), oldest first; the id's time prefix is the key."""
    rows: Any = UsageEvent.objects.visible_to(actor)
    found: QuerySet[UsageEvent] = rows.filter(
        resource_id=resource_id, id__gte=uuid7_floor(start), id__lt=uuid7_floor(end)
    ).order_by("id")
    return found


def sums_by_plan(
    customer_id: UUID, start: datetime, end: datetime
) -> dict[tuple[UUID, UUID], dict[str, int]]:
    """Return a customer's sums in [start, end) by resource and plan; calls outside of any plan are left out.

    For billing: reads all of the customer's resources, whoever asks.
    """
    rows: Any = (
        UsageHour.objects.filter(customer_id=customer_id, hour__gte=start, hour__lt=end)
        .exclude(plan_key=NO_PLAN)
        .values("resource_id", "plan_key")
        .annotate(**{f"sum_{name}": Sum(name) for name in METERS})
    )
    return {
        (row["resource_id"], row["plan_key"]): {name: int(row[f"sum_{name}"]) for name in METERS}
        for row in rows
    }


def flags(call_ids: Iterable[UUID], *, actor: Actor) -> dict[UUID, str]:
    """Return the flagged outcome of those of the calls that have one."""
    rows: Any = CallFlag.objects.visible_to(actor)
    return dict(rows.filter(call_id__in=list(call_ids)).values_list("call_id", "outcome"))


def reported_by_plan(
    customer_id: UUID, start: datetime, end: datetime
) -> dict[tuple[UUID, UUID], dict[str, Decimal]]:
    """Return what people reported of a customer's usage in these months (corrections of metered components too).

    By resource and plan, then by component. For billing: reads all of the customer's resources, whoever asks.
    """
    rows = ComponentUsage.objects.filter(
        customer_id=customer_id, month__gte=start.date(), month__lt=end.date()
    ).values_list("resource_id", "plan_id", "component_type", "amount", "metered")
    found: dict[tuple[UUID, UUID], dict[str, Decimal]] = {}
    for resource_id, plan_id, component_type, amount, metered in rows:
        if amount or not metered:
            found.setdefault((resource_id, plan_id), {})[component_type] = amount
    return found


def with_totals(rows: Any) -> QuerySet[Any]:
    """Return monthly usage with `total`: reported, and what the gateway metered."""
    quantity: DecimalField[Any, Any] = DecimalField(max_digits=40, decimal_places=10)
    metered = Coalesce(RawSQL(_METERED, [], output_field=quantity), ZERO, output_field=quantity)
    found: QuerySet[Any] = rows.annotate(total=F("amount") + metered)
    return found


def shown_usages(rows: Any) -> QuerySet[Any]:
    """Return monthly usage with everything its answer shows."""
    return with_totals(rows.select_related("resource", "offering"))


def total_of(usage: ComponentUsage) -> Decimal:
    """Return the month's usage of a row as it is stored now."""
    row: Any = with_totals(ComponentUsage.objects.filter(pk=usage.pk)).get()
    return Decimal(row.total)


def day_of(usage: ComponentUsage, day: date) -> Decimal:
    """Return the part of a month's usage that fell on one calendar day (UTC)."""
    reported = ComponentEvent.objects.filter(usage=usage, day=day).aggregate(sum=Sum("amount"))["sum"] or ZERO
    if not usage.metered:
        return Decimal(reported)
    start = day_start(day)
    metered = UsageHour.objects.filter(
        resource_id=usage.resource_id,
        plan_key=usage.plan_id,
        hour__gte=start,
        hour__lt=start + timedelta(days=1),
    ).aggregate(sum=Sum(usage.component_type))["sum"]
    return Decimal(reported) + (metered or 0)


def rows_of_month(resource: Resource, component_type: str, month: date) -> list[ComponentUsage]:
    """Return a month's rows of a component, one per plan that the resource had in it, the latest first."""
    rows = ComponentUsage.objects.filter(resource=resource, component_type=component_type, month=month)
    return list(rows.order_by("-created", "-id"))


def used_elsewhere(usage: ComponentUsage, window: tuple[date, date] | None) -> Decimal:
    """Return what the resource used of the component in a limit's period, without this row."""
    rows: Any = ComponentUsage.objects.filter(
        resource_id=usage.resource_id, component_type=usage.component_type
    ).exclude(pk=usage.pk)
    if window is not None:
        rows = rows.filter(month__gte=window[0], month__lt=window[1])
    return Decimal(with_totals(rows).aggregate(sum=Sum("total"))["sum"] or 0)


def events_of(usage: ComponentUsage) -> QuerySet[ComponentEvent]:
    """Return the reports behind a month's usage, in the order they came."""
    rows: Any = ComponentEvent.objects.filter(usage=usage)
    found: QuerySet[ComponentEvent] = rows.order_by("id")
    return found


def user_usages_of(usage: ComponentUsage) -> QuerySet[ComponentUserUsage]:
    """Return what single users had of a month's usage."""
    rows: Any = ComponentUserUsage.objects.filter(usage=usage)
    found: QuerySet[ComponentUserUsage] = rows.order_by("username", "id")
    return found


def component_events(
    resource_id: UUID, plan_id: UUID, component_type: str, month: date, *, actor: Actor
) -> QuerySet[ComponentEvent]:
    """Return the reports of a component in a month, in the order they came."""
    rows: Any = ComponentEvent.objects.visible_to(actor)
    found: QuerySet[ComponentEvent] = rows.filter(
        usage__resource_id=resource_id,
        usage__plan_id=plan_id,
        usage__component_type=component_type,
        usage__month=month,
    ).order_by("id")
    return found


def is_metered(component: OfferingComponent) -> bool:
    """Return whether the gateway feeds the component."""
    return component.is_builtin and component.type in METERS


@dataclass(frozen=True, slots=True)
class NamedComponent:
    """A component as a report names it, with the plan where it named a plan's component."""

    component: OfferingComponent
    plan_id: UUID | None = None


class ComponentNames:
    """What the components of an offering are called: by type, by a plan component's URL, uuid or number."""

    def __init__(self, offering_id: UUID) -> None:
        own = OfferingComponent.objects.filter(offering_id=offering_id)
        self._by_id = {component.pk: component for component in own}
        self._by_name: dict[Any, NamedComponent] = {}
        priced = PlanComponent.objects.filter(offering_id=offering_id)
        for uuid, number, plan_id, component_id in priced.values_list(
            "id", "number", "plan_id", "component_id"
        ):
            named = NamedComponent(self._by_id[component_id], plan_id)
            self._by_name[uuid] = self._by_name[str(number)] = named
        self._by_type = {component.type: NamedComponent(component) for component in self._by_id.values()}

    def find(self, name: str) -> NamedComponent | None:
        """Return the component of that name, None if there is none."""
        last = name.rstrip("/").rsplit("/", 1)[-1]
        return self._by_type.get(name) or self._by_name.get(parse_uuid(name)) or self._by_name.get(last)


def visible_plan_period(name: str, *, actor: Actor) -> PlanPeriod | None:
    """Return the plan period of that uuid with its resource, None where the actor sees none."""
    uuid = parse_uuid(name)
    rows: Any = PlanPeriod.objects.filter(resource__in=Resource.objects.visible_to(actor))
    period: PlanPeriod | None = rows.filter(pk=uuid).select_related("resource").first() if uuid else None
    return period


def plans_on(resource: Resource, day: date) -> set[UUID | None]:
    """Return the plans that were in force at some time of a calendar day (UTC)."""
    periods: Any = PlanPeriod.objects.filter(resource=resource, start__lt=day_start(day) + timedelta(days=1))
    return set(periods.exclude(end__lte=day_start(day)).values_list("plan_id", flat=True))


def end_of_service(resource: Resource) -> datetime | None:
    """Return when the resource went out of service (its end was begun, charges stopped), None while it is in it."""
    ends = list(PlanPeriod.objects.filter(resource=resource).values_list("end", flat=True))
    if not ends:
        return resource.terminated_at
    return None if None in ends else max(end for end in ends if end is not None)


def plan_at(resource: Resource, moment: datetime, *, whole_day: bool) -> UUID | None:
    """Return the plan in force at a moment (or last on that day), the resource's present one outside of all periods."""
    until = day_start(moment.date()) + timedelta(days=1) if whole_day else moment + timedelta(microseconds=1)
    periods: Any = PlanPeriod.objects.filter(resource=resource, start__lt=until).exclude(end__lte=moment)
    found = periods.order_by("-start").values_list("plan_id", flat=True).first()
    return found or resource.plan_id
