"""Shares of a period's price: by seconds (default) or by local calendar days, and the credit rules beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from agentmart.billing.waterfall import ZERO
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period, add_months


class Basis(StrEnum):
    """What a share of a period is counted in."""

    SECOND = "second"
    DAY = "day"  # local calendar dates, never blocks of 24 hours


@dataclass(frozen=True, slots=True)
class Share:
    """`used` of `full` seconds or days; `full` is at least 1, `used` between 0 and `full`."""

    used: int
    full: int
    basis: Basis = Basis.SECOND

    def __post_init__(self) -> None:
        if self.full < 1 or not 0 <= self.used <= self.full:
            raise ValueError(f"no share of a period: {self.used} of {self.full} {self.basis}s")

    def of(self, amount: Decimal) -> Decimal:
        """Return the exact share of an amount; the one division is the last step and is not rounded."""
        return ratio_of(amount, self.used, self.full)

    def facts(self) -> tuple[tuple[str, str | int], ...]:
        """Return the share for a step of a line."""
        return (("used", self.used), ("full", self.full), ("basis", str(self.basis)))


def share_of(used: Period, full: Period, basis: Basis = Basis.SECOND, tz: str = "UTC") -> Share:
    """Return the share of `full` that `used` covers; what lies outside of `full` does not count.

    By day, the date of the start counts and the date of the end does not: on a change of plan the day belongs to
    the new one. Raises ValueError for a full period within one second or one date.
    """
    inside = used.intersect(full)
    if basis is Basis.SECOND:
        return Share(inside.seconds if inside else 0, full.seconds, basis)
    return Share(inside.days(tz) if inside else 0, full.days(tz), basis)


def prorate(
    amount: Decimal, used: Period, full: Period, basis: Basis = Basis.SECOND, tz: str = "UTC"
) -> Decimal:
    """Return the exact, unrounded share of an amount; parts that fill a period add up to the whole."""
    return share_of(used, full, basis, tz).of(amount)


def ratio_of(amount: Decimal, used: int, full: int) -> Decimal:
    """Return amount × used ÷ full to 80 digits."""
    return CONTEXT.divide(CONTEXT.multiply(amount, Decimal(used)), Decimal(full))


def minimum_true_up(minimum: Decimal, used: Decimal) -> Decimal:
    """Return what is missing to a minimum commitment (0 once it is reached)."""
    return max(ZERO, CONTEXT.subtract(minimum, used))


def capped_credit(potential: Decimal, paid: Decimal, earlier_credits: Decimal = ZERO) -> Decimal:
    """Return a credit that gives back at most what was paid and not yet credited, and is never negative."""
    return max(ZERO, min(potential, CONTEXT.subtract(paid, earlier_credits)))


def without_trial(amount: Decimal, period_days: int, trial_days: int) -> Decimal:
    """Return the exact price of the days of a period that lie after a trial."""
    return ratio_of(amount, max(0, period_days - trial_days), period_days)


def fixed_month_ratio(start: date, end: date, days: int = 30) -> Fraction:
    """Return the share of a month of fixed length between two dates (the end exclusive).

    A convention of other products, for imported plans; ours counts real seconds or days. Where the dates lie in
    different months, the start's month counts `days` instead of its own length.
    """
    used = (end - start).days
    if (start.year, start.month) != (end.year, end.month):
        first = start.replace(day=1)
        used += days - (add_months(first, 1) - first).days
    return Fraction(used, days)


def monthly_cycles(start: date, end: date, cycle_day: int) -> Fraction:
    """Return how many monthly cycles lie between two dates (the end exclusive), anchored at `cycle_day`.

    A broken cycle counts its days over the length of the cycle it falls in.
    """
    cycles = Fraction(0)
    bound = add_months(start.replace(day=1), 0, cycle_day)
    if bound > start:
        bound = add_months(bound, -1, cycle_day)
    while bound < end:
        after = add_months(bound, 1, cycle_day)
        cycles += Fraction((min(end, after) - max(start, bound)).days, (after - bound).days)
        bound = after
    return cycles


def to_decimal(ratio: Fraction, places: int) -> Decimal:
    """Return a fraction rounded half-up to some decimal places."""
    value = CONTEXT.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
    return CONTEXT.quantize(value, Decimal(1).scaleb(-places))
