"""From the events of a period to one billable quantity: sum, count, max, unique, latest, time-weighted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from agentmart.billing.waterfall import ZERO, total
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period

_MICROSECOND = timedelta(microseconds=1)
_TEN_PLACES = Decimal("1E-10")


class Aggregation(StrEnum):
    """How the readings of a meter become a quantity."""

    SUM = "sum"
    COUNT = "count"
    MAX = "max"
    UNIQUE = "unique"
    LATEST = "latest"
    WEIGHTED_SUM = "weighted_sum"


@dataclass(frozen=True, slots=True)
class Reading:
    """One metered value at an instant; `key` is what `unique` counts, `id` breaks ties of time."""

    at: datetime
    value: Decimal
    key: str = ""
    id: str = ""


def aggregate(
    how: Aggregation, readings: Iterable[Reading], period: Period, *, initial: Decimal = ZERO
) -> Decimal:
    """Return the quantity of the readings inside a period (its end excluded); 0 without any.

    `initial` is the level at the period's start and counts for `weighted_sum` and `latest` only.
    """
    inside = [reading for reading in readings if period.contains(reading.at)]
    match how:
        case Aggregation.SUM:
            return total(reading.value for reading in inside)
        case Aggregation.COUNT:
            return Decimal(len(inside))
        case Aggregation.MAX:
            return max((reading.value for reading in inside), default=ZERO)
        case Aggregation.UNIQUE:
            return Decimal(len({reading.key for reading in inside}))
        case Aggregation.LATEST:
            last = max(inside, key=lambda reading: (reading.at, reading.id), default=None)
            return initial if last is None else last.value
        case Aggregation.WEIGHTED_SUM:
            return weighted_average(period, initial, ((reading.at, reading.value) for reading in inside))


def weighted_average(
    period: Period, initial: Decimal, changes: Iterable[tuple[datetime, Decimal]]
) -> Decimal:
    """Return the time-weighted average level of a period, to 10 places.

    The level starts at `initial`; every change adds its value from its instant on. Changes before the period
    count for all of it, changes at or after its end not at all.
    """
    length = (period.end - period.start) // _MICROSECOND
    weighted = ZERO
    for at, value in changes:
        if at < period.end:
            lasting = (period.end - max(at, period.start)) // _MICROSECOND
            weighted = CONTEXT.add(weighted, CONTEXT.multiply(value, Decimal(lasting)))
    average = CONTEXT.add(initial, CONTEXT.divide(weighted, Decimal(length)))
    return CONTEXT.quantize(average, _TEN_PLACES)
