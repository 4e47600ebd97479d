"""What a resource costs in any range of days, by the same rating that makes its invoices.

The cost of a range within a month is what the month's lines come to when they are cut at the range's end, less what
they come to when they are cut at its start. So the costs of adjoining ranges add up, tiers and free units count from
the month's first day, and a whole month costs to the cent what its invoice charges for the resource, net of tax.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, Sum
from django.db.models.functions import TruncMonth

from agentmart.billing import selectors
from agentmart.billing.history import History
from agentmart.billing.invoicing import PlanFacts, PlanUse, ResourceFacts, month_lines
from agentmart.billing.waterfall import ZERO
from agentmart.contracts.usage import METERS
from agentmart.infra import tenancy
from agentmart.kit.errors import DomainError
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period, add_months, month
from agentmart.metering.models import ComponentEvent, UsageHour
from agentmart.metering.selectors import NO_PLAN
from agentmart.resources.models import PlanPeriod

Quantities = dict[UUID, dict[str, Decimal]]
"""By plan, then by component."""


@dataclass(frozen=True, slots=True)
class CutPeriod:
    """A plan period as it stood at a moment."""

    plan_id: UUID
    limits: Mapping[str, Any]
    start: datetime
    end: datetime | None


@dataclass(slots=True)
class Facts:
    """All that the costs of one resource in a range are made of."""

    resource: ResourceFacts
    periods: list[PlanPeriod]
    used: dict[date, Quantities] = field(default_factory=dict)  # in the range, by month
    used_before: Quantities = field(default_factory=dict)  # in its first month, before the range
    plans: dict[date, dict[UUID, PlanFacts]] = field(default_factory=dict)  # with the prices of each month


def of_resource(resource_id: UUID, start: datetime, end: datetime) -> dict[str, Decimal] | None:
    """Return what a resource costs in [start, end), bounds at midnight UTC, by currency and net of tax.

    What is not billed costs nothing ({}); None where a plan or a quantity cannot be rated. The number of queries does
    not depend on the range. For resources that the caller may see.
    """
    months = list(_months(start, end))
    with tenancy.elevated():  # plans and offerings may have been withdrawn from the buyer's view
        facts = _facts(resource_id, start, end, months)
    if facts is None:
        return {}
    costs: dict[str, Decimal] = defaultdict(Decimal)
    try:
        for period in months:
            first_day = period.start.date()
            before = facts.used_before if period.start < start else {}
            upto_end = _added(before, facts.used.get(first_day, {}))
            _add_lines(costs, facts, period, min(period.end, end), upto_end, sign=1)
            if period.start < start:
                _add_lines(costs, facts, period, start, before, sign=-1)
    except DomainError:
        return None
    return dict(costs)


def _months(start: datetime, end: datetime) -> Iterable[Period]:
    """Return the calendar months that a range touches."""
    day = start.date().replace(day=1)
    while (period := month(day.year, day.month)).start < end:
        yield period
        day = add_months(day, 1)


def _facts(resource_id: UUID, start: datetime, end: datetime, months: list[Period]) -> Facts | None:
    """Read everything, in a constant number of queries; None for what is not billed."""
    resource = selectors.resource_facts({resource_id}).get(resource_id)
    if resource is None:
        return None
    rows = PlanPeriod.objects.filter(resource_id=resource_id, start__lt=end).order_by("start", "id")
    facts = Facts(resource, list(rows))
    _read_metered(facts, start, end)
    _read_reported(facts, start, end)
    plan_ids = {row.plan_id for row in facts.periods} | set(facts.used_before)
    plan_ids |= {plan_id for used in facts.used.values() for plan_id in used}
    facts.plans = selectors.plans_by_month(plan_ids, [period.start.date() for period in months])
    return facts


def _before(column: str, bound: Any) -> ExpressionWrapper[Any]:
    return ExpressionWrapper(Q(**{f"{column}__lt": bound}), output_field=BooleanField())


def _read_metered(facts: Facts, start: datetime, end: datetime) -> None:
    first = start.replace(day=1)
    hours: Any = UsageHour.objects.filter(resource_id=facts.resource.id, hour__gte=first, hour__lt=end)
    rows = (
        hours.exclude(plan_key=NO_PLAN)
        .annotate(first=TruncMonth("hour"), before=_before("hour", start))
        .values("first", "before", "plan_key")
        .annotate(**{f"sum_{name}": Sum(name) for name in METERS})
    )
    for row in rows:
        amounts = {name: Decimal(int(row[f"sum_{name}"])) for name in METERS}
        _note(facts, row["first"].date(), row["before"], row["plan_key"], amounts)


def _read_reported(facts: Facts, start: datetime, end: datetime) -> None:
    first = start.date().replace(day=1)
    events: Any = ComponentEvent.objects.filter(
        resource_id=facts.resource.id, month__gte=first, day__lt=end.date(), month__lt=end.date()
    )
    rows = (
        events.annotate(before=_before("day", start.date()))
        .values("month", "before", "plan_id", "component_type")
        .annotate(sum=Sum("amount"))
    )
    for row in rows:
        amounts = {row["component_type"]: Decimal(row["sum"])}
        _note(facts, row["month"], row["before"], row["plan_id"], amounts)


def _note(facts: Facts, first_day: date, before: bool, plan_id: UUID, amounts: Mapping[str, Decimal]) -> None:
    place = facts.used_before if before else facts.used.setdefault(first_day, {})
    known = place.setdefault(plan_id, {})
    for name, amount in amounts.items():
        known[name] = CONTEXT.add(known.get(name, ZERO), amount)


def _added(one: Quantities, other: Quantities) -> Quantities:
    """Return the sum of two usages."""
    return {
        plan_id: {
            name: CONTEXT.add(one.get(plan_id, {}).get(name, ZERO), other.get(plan_id, {}).get(name, ZERO))
            for name in one.get(plan_id, {}).keys() | other.get(plan_id, {}).keys()
        }
        for plan_id in one.keys() | other.keys()
    }


def _add_lines(
    costs: dict[str, Decimal], facts: Facts, period: Period, cut: datetime, used: Quantities, *, sign: int
) -> None:
    """Add (or take away) what the month's lines come to when it is cut at a moment."""
    history = History()
    for row in facts.periods:
        if row.start < cut:
            end = cut if cut < period.end and (row.end is None or row.end > cut) else row.end
            history.add(CutPeriod(row.plan_id, row.limits, row.start, end), period)
    plans = facts.plans[period.start.date()]
    uses = [
        PlanUse(
            resource=facts.resource,
            plan=plans[plan_id],
            periods=tuple(part.period for part in history.of(plan_id)),
            first_start=history.first_start,
            quantities=used.get(plan_id, {}),
            ordered=tuple(history.of(plan_id)),
            switches=tuple(history.switches.get(plan_id, ())),
        )
        for plan_id in sorted(history.ordered.keys() | used.keys())
        if plan_id in plans
    ]
    for line in month_lines(period, uses):
        amount = line.amount if sign > 0 else line.amount.copy_negate()
        costs[line.plan.currency] = CONTEXT.add(costs[line.plan.currency], amount)
