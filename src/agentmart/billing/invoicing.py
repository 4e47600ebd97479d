"""From the facts of a month (plan periods, prices, usage sums) to rated invoice lines; pure, no database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from agentmart.billing.percentage import percent_of
from agentmart.billing.proration import Share, share_of
from agentmart.billing.rating import rate_line
from agentmart.billing.waterfall import ZERO, RatedLine, Step, StepKind
from agentmart.catalog.pricing import Fixed, Package, Percentage, PerUnit, Price, Tiered
from agentmart.kit.errors import Conflict, DomainError
from agentmart.kit.money import CONTEXT, decimal_text, round_money
from agentmart.kit.periods import Period

ONE = Decimal(1)
USAGE_UNIT = "quantity"
COUNTED = ("usage", "limit")
"""Billing types whose quantity is counted or ordered; the others' is the plan's."""
ONCE = ("usage", "one", "few")
"""Billing types that are not charged by time."""
MOST = Decimal("1E12")
MOST_UNITS = Decimal("1E20")
"""What no line reaches in earnest, amount and quantity; the columns hold more."""


class UnsupportedPlan(Conflict):
    """A plan's period or one of its components cannot be billed yet; the message names them."""

    code = "unsupported_plan"


class Unbillable(Conflict):
    """A quantity or price that cannot be rated; the message names resource, plan, component and reason."""

    code = "unbillable"


@dataclass(frozen=True, slots=True)
class Component:
    """One priced component of a plan; `id` is the plan component's."""

    id: UUID
    type: str
    name: str
    billing_type: str
    measured_unit: str
    price: Price
    article_code: str = ""
    limit_period: str = ""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """A plan with its prices."""

    id: UUID
    name: str
    unit: str
    interval_count: int
    currency: str
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """A resource with the names that its lines carry."""

    id: UUID
    name: str
    project_id: UUID
    project_name: str
    provider_customer_id: UUID
    offering_id: UUID
    offering_name: str
    offering_type: str
    service_provider_id: UUID
    service_provider_name: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """What was ordered by limit for a time; `most_before` is the most of each that was ordered earlier."""

    period: Period
    limits: Mapping[str, Decimal]
    most_before: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanUse:
    """One resource under one plan in one month.

    `periods`: when the plan was in force, oldest first (they may reach beyond the month; none where only usage
    arrived after the end). `first_start`: when the resource's very first plan period began. `quantities`: the
    month's sums by component type, metered and reported. `ordered`: the limits, period by period. `switches`: when
    the resource came to this plan from another one.
    """

    resource: ResourceFacts
    plan: PlanFacts
    periods: tuple[Period, ...] = ()
    first_start: datetime | None = None
    quantities: Mapping[str, Decimal] | None = None
    ordered: tuple[Ordered, ...] = ()
    switches: tuple[datetime, ...] = ()

    def quantity(self, component: Component) -> Decimal:
        """Return the month's sum of a component, 0 without any."""
        return (self.quantities or {}).get(component.type, ZERO)


@dataclass(frozen=True, slots=True)
class Billed:
    """What final invoices hold of one component's usage of a month; `price` is the version they were rated by."""

    quantity: Decimal
    amount: Decimal
    price: Price


BilledKey = tuple[UUID, UUID, str]
"""Resource, plan, component type."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rated line. `month` is the calendar month it rates, `period` the part of it that it is about."""

    resource: ResourceFacts
    plan: PlanFacts
    component: Component
    month: Period
    period: Period
    rated: RatedLine
    price: Price
    share: Share | None = None
    late: bool = False

    @property
    def amount(self) -> Decimal:
        """The line's amount, rounded to the currency."""
        return self.rated.amount

    @property
    def units(self) -> Decimal:
        """How many are charged: units used or ordered, or a fixed component's (the share of time is not in it)."""
        return self.rated.quantity if self.component.billing_type in COUNTED else _units(self.component)

    @property
    def unit(self) -> str:
        """What the quantity counts: units of the plan's period, or of usage."""
        once = self.component.billing_type == "limit" and self.component.limit_period == "total"
        return USAGE_UNIT if once or self.component.billing_type in ONCE else self.plan.unit

    @property
    def name(self) -> str:
        """What the invoice calls the line."""
        name = f"{self.resource.name} ({self.plan.name}): {self.component.name}"
        return f"{name}, late for {self.month.start:%Y-%m}" if self.late else name


def month_lines(month: Period, uses: Iterable[PlanUse]) -> list[Line]:
    """Return the lines of a month, in the order of `uses` and of their plans' components.

    Raises UnsupportedPlan (409) naming every plan that cannot be billed, Unbillable (409) naming the line.
    """
    uses = list(uses)
    _require_supported(uses)
    return [
        line for use in uses for component in use.plan.components for line in _lines(month, use, component)
    ]


def late_lines(month: Period, uses: Iterable[PlanUse], billed: Mapping[BilledKey, Billed]) -> list[Line]:
    """Return what usage of a closed month costs that its final invoices do not hold yet.

    A line is the rate of everything, rounded, minus what was billed: all bills together are to the cent what
    one bill would have been. Corrections that took usage back give a negative line. Raises Unbillable (409).
    """
    found = []
    for use in uses:
        for component in use.plan.components:
            if component.billing_type != "usage":
                continue
            before = billed.get((use.resource.id, use.plan.id, component.type))
            known = before.quantity if before else ZERO
            if use.quantity(component) != known:
                with _named(use, component):
                    found.append(_late_line(month, use, component, before))
    return found


def unit_price_of(price: Price) -> Decimal | None:
    """Return the price of one unit (of the first tier where there are tiers), None for a percentage."""
    match price.model:
        case Fixed(unit_price=unit_price) | PerUnit(unit_price=unit_price):
            return unit_price
        case Package(price=package_price):
            return package_price
        case Tiered(tiers=tiers):
            return tiers[0].unit_price
        case _:
            return None


def tax_of(amount: Decimal, percent: Decimal, currency: str) -> Decimal:
    """Return the tax on a line's amount, rounded like the line; the invoice's tax is the sum of its lines'."""
    return round_money(percent_of(amount, percent), currency) if percent else ZERO


def _require_supported(uses: Iterable[PlanUse]) -> None:
    problems: dict[str, None] = {}
    for use in uses:
        plan = use.plan
        place = f"plan {plan.name} ({plan.id.hex}) of {use.resource.offering_name}"
        if plan.unit != "month" or plan.interval_count != 1:
            problems[f"{place} is charged per {plan.interval_count} × {plan.unit}"] = None
        for component in plan.components:
            if component.billing_type not in _KINDS:
                problems[f"{place} charges {component.type} by {component.billing_type}"] = None
            if isinstance(component.price.model, Percentage):
                problems[f"{place} charges {component.type} by a percentage"] = None
    if problems:
        raise UnsupportedPlan(f"Only monthly plans without percentages can be billed: {'; '.join(problems)}.")


def _lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    with _named(use, component):
        return _KINDS[component.billing_type](month, use, component)


@contextmanager
def _named(use: PlanUse, component: Component) -> Iterator[None]:
    """Say in a refusal of rating which line it is about."""
    try:
        yield
    except DomainError as refusal:
        place = f"{use.resource.name}, plan {use.plan.name}, {component.name}"
        raise Unbillable(f"{place}: {refusal.message}", code=refusal.code, extra=refusal.extra) from refusal


def _fixed_lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    """Return a line per plan period, prorated by the seconds it covers of the month."""
    lines = []
    for period in _joined(use.periods):
        inside = period.intersect(month)
        share = share_of(period, month)
        if inside is None or not share.used:
            continue
        rated = rate_line(component.price, _units(component), use.plan.currency, share=share)
        lines.append(_line(month, inside, use, component, rated, share=share))
    return [line for line in lines if line.rated.exact]


def _joined(periods: Iterable[Period]) -> list[Period]:
    """Return the periods with those that touch made one: new limits do not cut the plan's own fee."""
    joined: list[Period] = []
    for period in periods:
        if joined and joined[-1].end == period.start:
            period = Period(joined.pop().start, period.end)
        joined.append(period)
    return joined


def _limit_lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    """Return a line per time that a limit was in force, prorated by it.

    A limit for the resource's whole life (`total`) is charged once instead, when it is ordered, and again what it
    is raised by; nothing is given back when it is lowered.
    """
    price = _by_unit(component.price)
    if component.limit_period == "total":
        return _raised_lines(month, use, component, price)
    lines = []
    for period, limit in _limits(use, component):
        inside = period.intersect(month)
        share = share_of(period, month)
        if inside is None or not share.used or not limit:
            continue
        rated = rate_line(price, limit, use.plan.currency, share=share)
        lines.append(_line(month, inside, use, component, rated, price=price, share=share))
    return [line for line in lines if line.rated.exact]


def _raised_lines(month: Period, use: PlanUse, component: Component, price: Price) -> list[Line]:
    lines = []
    for ordered in use.ordered:
        before = ordered.most_before.get(component.type, ZERO)
        raised = CONTEXT.subtract(ordered.limits.get(component.type, ZERO), before)
        inside = ordered.period.intersect(month)
        if raised > 0 and inside is not None and month.contains(ordered.period.start):
            rated = rate_line(price, raised, use.plan.currency)
            lines.append(_line(month, inside, use, component, rated, price=price))
    return [line for line in lines if line.rated.exact]


def _limits(use: PlanUse, component: Component) -> list[tuple[Period, Decimal]]:
    """Return how much of a component was ordered when; times of the same limit that touch are one."""
    found: list[tuple[Period, Decimal]] = []
    for ordered in use.ordered:
        period, limit = ordered.period, ordered.limits.get(component.type, ZERO)
        if found and found[-1][0].end == period.start and found[-1][1] == limit:
            period = Period(found.pop()[0].start, period.end)
        found.append((period, limit))
    return found


def _by_unit(price: Price) -> Price:
    """Return a price that counts what was ordered, also where it was written as a fixed one."""
    model = price.model
    return replace(price, model=PerUnit(model.unit_price)) if isinstance(model, Fixed) else price


def _switch_lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    """Return the charge of every switch to this plan in the month."""
    lines = []
    for moment in use.switches:
        started = [period for period in use.periods if period.start == moment]
        inside = started[0].intersect(month) if started and month.contains(moment) else None
        if inside is not None:
            rated = rate_line(component.price, _units(component), use.plan.currency)
            lines.append(_line(month, inside, use, component, rated))
    return [line for line in lines if line.rated.exact]


def _one_time_lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    """Return the charge of activation, in the month in which the resource's first plan period began."""
    first = use.first_start
    if first is None or not month.contains(first):
        return []
    starting = [period for period in use.periods if period.start == first]
    rated = rate_line(component.price, _units(component), use.plan.currency)
    inside = starting[0].intersect(month) if starting else None
    return [_line(month, inside, use, component, rated)] if inside and rated.exact else []


def _usage_lines(month: Period, use: PlanUse, component: Component) -> list[Line]:
    """Return the line of the month's usage; none where there is neither usage nor anything to pay without."""
    rated = rate_line(component.price, use.quantity(component), use.plan.currency)
    if not rated.quantity and not rated.amount:
        return []
    return [_line(month, _span(month, use), use, component, rated)]


_KINDS: dict[str, Callable[[Period, PlanUse, Component], list[Line]]] = {
    "fixed": _fixed_lines,
    "one": _one_time_lines,
    "few": _switch_lines,
    "limit": _limit_lines,
    "usage": _usage_lines,
}


def _late_line(month: Period, use: PlanUse, component: Component, before: Billed | None) -> Line:
    billed = before or Billed(ZERO, ZERO, component.price)
    quantity = use.quantity(component)
    whole = rate_line(billed.price, quantity, use.plan.currency)
    rated = RatedLine(
        currency=whole.currency,
        quantity=CONTEXT.subtract(quantity, billed.quantity),
        exact=CONTEXT.subtract(whole.exact, billed.amount),
        amount=CONTEXT.subtract(whole.amount, billed.amount),
        steps=_with_billed(whole.steps, billed),
    )
    return _line(month, _span(month, use), use, component, rated, price=billed.price, late=True)


def _with_billed(steps: tuple[Step, ...], billed: Billed) -> tuple[Step, ...]:
    """Return the steps with what was billed before, ahead of the rounding (always the last)."""
    step = Step(StepKind.ALREADY_RATED, billed.amount.copy_negate(), quantity=billed.quantity)
    if steps and steps[-1].kind is StepKind.ROUNDING:
        return (*steps[:-1], step, steps[-1])
    return (*steps, step)


def _line(
    month: Period,
    period: Period,
    use: PlanUse,
    component: Component,
    rated: RatedLine,
    *,
    price: Price | None = None,
    share: Share | None = None,
    late: bool = False,
) -> Line:
    if abs(rated.amount) >= MOST or abs(rated.quantity) >= MOST_UNITS:
        text = f"{decimal_text(rated.quantity)} units for {decimal_text(rated.amount)} {rated.currency}"
        raise Conflict(f"{text} is more than an invoice can hold; check the price and the usage.")
    return Line(
        use.resource,
        use.plan,
        component,
        month,
        period,
        rated,
        price or component.price,
        share=share,
        late=late,
    )


def _units(component: Component) -> Decimal:
    """Return how many units of a fixed component are charged."""
    model = component.price.model
    return model.amount if isinstance(model, Fixed) else ONE


def _span(month: Period, use: PlanUse) -> Period:
    """Return from when to when the plan was in force within the month; the month where it no longer was."""
    inside = [part for part in (period.intersect(month) for period in use.periods) if part]
    if not inside:
        return month
    return Period(min(part.start for part in inside), max(part.end for part in inside))
