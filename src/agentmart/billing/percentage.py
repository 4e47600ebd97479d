"""A percentage of a metered value, with a fixed part per event, free limits, or bounds per event."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agentmart.billing.waterfall import ZERO, Step, StepKind
from agentmart.catalog.pricing import Percentage
from agentmart.kit.money import CONTEXT, decimal_text

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Events:
    """The single events behind a metered value, as far as a percentage price needs them.

    `running_totals`: cumulative values of the first events, in order (as many as may be free); `values`: each
    event's own value, for a price with bounds per event.
    """

    count: int
    running_totals: tuple[Decimal, ...] = ()
    values: tuple[Decimal, ...] = ()


def percentage_steps(price: Percentage, value: Decimal, events: Events | None) -> list[Step]:
    """Return the steps of a metered value; raises ValueError where the price needs events and has none."""
    if events is None:
        if price.fixed_per_event or price.per_event or _has_free(price):
            raise ValueError("this percentage price needs the events behind the value")
        events = Events(0)
    if price.per_event:
        return [_clamped_step(price, events)]
    free_value, free_events = free_part(price, value, events)
    charged = CONTEXT.subtract(value, free_value)
    count = max(0, events.count - free_events)
    steps = []
    if free_value or free_events:
        steps.append(Step(StepKind.FREE, ZERO, quantity=free_value, facts=(("events", free_events),)))
    fixed = CONTEXT.multiply(Decimal(count), price.fixed_per_event)
    amount = CONTEXT.add(percent_of(charged, price.rate), fixed)
    steps.append(Step(StepKind.PERCENTAGE, amount, quantity=charged, flat=fixed, facts=_facts(price, count)))
    return steps


def percent_of(amount: Decimal, rate: Decimal) -> Decimal:
    """Return `rate` percent of an amount, exact."""
    return CONTEXT.multiply(CONTEXT.multiply(amount, rate), _HUNDREDTH)


def free_part(price: Percentage, value: Decimal, events: Events) -> tuple[Decimal, int]:
    """Return the value and the number of events that are free.

    The free value is the smaller of `free_amount` and the running total at event `free_events`; the free
    events are the smaller of `free_events` and the events whose running total is below `free_amount`.
    """
    if not _has_free(price):
        return ZERO, 0
    totals = events.running_totals
    free_value, free_events = value, events.count
    if price.free_amount is not None:
        free_value = min(free_value, price.free_amount)
        free_events = min(free_events, sum(total < price.free_amount for total in totals))
    if price.free_events is not None:
        free_events = min(free_events, price.free_events)
        free_value = min(free_value, _total_at(price.free_events, value, events))
    return free_value, free_events


def _total_at(number: int, value: Decimal, events: Events) -> Decimal:
    """Return the running total after the first `number` events."""
    if number == 0:
        return ZERO
    if number <= len(events.running_totals):
        return events.running_totals[number - 1]
    if number >= events.count:
        return value
    raise ValueError(f"running totals of {number} events are needed, {len(events.running_totals)} given")


def _clamped_step(price: Percentage, events: Events) -> Step:
    """Return the sum of every event's own charge between the bounds."""
    if len(events.values) != events.count:
        raise ValueError(f"a price with bounds per event needs all {events.count} values")
    amount = value = ZERO
    for single in events.values:
        charge = CONTEXT.add(percent_of(single, price.rate), price.fixed_per_event)
        if price.min_per_event is not None:
            charge = max(charge, price.min_per_event)
        if price.max_per_event is not None:
            charge = min(charge, price.max_per_event)
        amount = CONTEXT.add(amount, charge)
        value = CONTEXT.add(value, single)
    return Step(StepKind.PERCENTAGE, amount, quantity=value, facts=_facts(price, events.count))


def _has_free(price: Percentage) -> bool:
    return price.free_events is not None or price.free_amount is not None


def _facts(price: Percentage, count: int) -> tuple[tuple[str, str | int], ...]:
    """Return what a reader needs to recompute the step."""
    facts: list[tuple[str, str | int]] = [("rate_percent", decimal_text(price.rate)), ("events", count)]
    for key in ("fixed_per_event", "min_per_event", "max_per_event"):
        value: Decimal | None = getattr(price, key)
        if value:
            facts.append((key, decimal_text(value)))
    return tuple(facts)
