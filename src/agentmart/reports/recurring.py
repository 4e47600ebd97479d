"""Recurring revenue: what a subscription is worth per month, how that moves, and the ratios around it; pure.

A subscription is one resource under one plan. Its monthly recurring revenue (MRR) comes from the plan's recurring
prices, never from invoices; usage and one-time charges are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise
from uuid import UUID

from agentmart.kit.money import CONTEXT, round_money

ZERO = Decimal(0)
RATIO_PLACES = Decimal("0.0001")

_PER_MONTH: dict[str, tuple[int, int]] = {
    "month": (1, 1),
    "quarter": (1, 3),
    "half_month": (2, 1),
    "day": (365, 12),
    "hour": (365 * 24, 12),
}
"""A plan's unit → how often it is charged in a month, as a fraction; a unit that is not here does not recur."""


def monthly(price: Decimal, unit: str, interval_count: int, currency: str) -> Decimal:
    """Return a price per `interval_count` units as a month's amount, rounded half-up once; zero where none recurs."""
    if unit not in _PER_MONTH:
        return ZERO
    often, months = _PER_MONTH[unit]
    per_month = CONTEXT.divide(
        CONTEXT.multiply(price, Decimal(often)), Decimal(months * max(interval_count, 1))
    )
    return round_money(per_month, currency)


@dataclass(frozen=True, slots=True)
class Version:
    """A price from one moment on; the oldest holds for all time before it, too."""

    since: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a plan's price does not change: from `since` to before `until`; None is without bound."""

    since: datetime | None
    until: datetime | None
    amount: Decimal


def stretches(components: Sequence[Sequence[Version]]) -> list[Stretch]:
    """Return a plan's sum over its components, cut where one of them has a new price.

    Each component's versions come oldest first; of two for the same moment the last counts.
    """
    cuts = sorted({version.since for versions in components for version in versions[1:]})
    bounds: list[datetime | None] = [None, *cuts, None]
    found: list[Stretch] = []
    for since, until in pairwise(bounds):
        amount = ZERO
        for versions in components:
            amount = CONTEXT.add(amount, _in_force(versions, since))
        if found and found[-1].amount == amount:
            found[-1] = Stretch(found[-1].since, until, amount)
        else:
            found.append(Stretch(since, until, amount))
    return found


def _in_force(versions: Sequence[Version], moment: datetime | None) -> Decimal:
    """Return the price at a moment, the oldest where that lies before all of them."""
    if not versions:
        return ZERO
    begun = [version for version in versions if moment is not None and version.since <= moment]
    oldest = min(version.since for version in versions)
    return (begun or [version for version in versions if version.since == oldest])[-1].amount


def yearly(mrr: Decimal) -> Decimal:
    """Return the annual figure (ARR) of a month's: twelve times it."""
    return CONTEXT.multiply(mrr, Decimal(12))


def average(mrr: Decimal, customers: int, currency: str) -> Decimal:
    """Return the MRR per paying customer (ARPU), rounded; zero without any."""
    return round_money(CONTEXT.divide(mrr, Decimal(customers)), currency) if customers else ZERO


def ratio(part: int, whole: int) -> Decimal | None:
    """Return part ÷ whole to four places, half-up; None where there is nothing to divide by."""
    if not whole:
        return None
    return CONTEXT.quantize(CONTEXT.divide(Decimal(part), Decimal(whole)), RATIO_PLACES)


@dataclass(frozen=True, slots=True)
class Movement:
    """Where a change of MRR comes from; contraction and churn are negative, so the five add up to the change."""

    new: Decimal = ZERO
    expansion: Decimal = ZERO
    contraction: Decimal = ZERO
    churn: Decimal = ZERO
    reactivation: Decimal = ZERO

    def __add__(self, other: Movement) -> Movement:
        return Movement(
            *(CONTEXT.add(getattr(self, part.name), getattr(other, part.name)) for part in fields(self))
        )

    @property
    def change(self) -> Decimal:
        """The sum of the parts."""
        total = ZERO
        for part in fields(self):
            total = CONTEXT.add(total, getattr(self, part.name))
        return total


def movement(before: Decimal, after: Decimal, *, paid_earlier: bool) -> Movement:
    """Return how one customer's MRR moved between two month ends.

    From nothing it is `new`, or a `reactivation` where the customer had paid plans in an earlier month; to nothing
    it is `churn`; between two amounts above zero `expansion` or `contraction`.
    """
    change = CONTEXT.subtract(after, before)
    if not change:
        return Movement()
    if not before:
        return Movement(reactivation=change) if paid_earlier else Movement(new=change)
    if not after:
        return Movement(churn=change)
    return Movement(expansion=change) if change > 0 else Movement(contraction=change)


@dataclass(frozen=True, slots=True)
class Change:
    """What began (`up`) and ended (`down`) of a customer's MRR in one stretch of time, and the net of subscriptions.

    Stretch 0 is all time before the report, stretch n its n-th month.
    """

    currency: str
    customer_id: UUID
    stretch: int
    up: Decimal
    down: Decimal
    subscriptions: int


@dataclass(slots=True)
class Month:
    """One currency's MRR in one month: at its beginning, what moved it, at its end."""

    opening: Decimal = ZERO
    closing: Decimal = ZERO
    moved: Movement = field(default_factory=Movement)
    customers: int = 0
    subscriptions: int = 0


@dataclass(frozen=True, slots=True)
class Course:
    """One currency's MRR over a report: before it, and month by month."""

    currency: str
    opening: Month
    months: tuple[Month, ...]

    @property
    def last(self) -> Month:
        """The state at the end."""
        return self.months[-1] if self.months else self.opening

    @property
    def moved(self) -> Movement:
        """The months' movements together: they add up to the change from opening to closing."""
        total = Movement()
        for month in self.months:
            total += month.moved
        return total


def courses(changes: Iterable[Change], months: int) -> list[Course]:
    """Return the course of every currency; `changes` come ordered by currency, customer and stretch."""
    return [
        _course(currency, list(rows), months) for currency, rows in groupby(changes, lambda row: row.currency)
    ]


def empty(currency: str, months: int) -> Course:
    """Return the course of a currency in which nothing was sold."""
    return _course(currency, [], months)


def _course(currency: str, changes: Sequence[Change], months: int) -> Course:
    steps = [Month() for _ in range(months + 1)]
    customers = [0] * (months + 1)
    for _, rows in groupby(changes, lambda row: row.customer_id):
        _add_customer(steps, customers, list(rows))
    running, paying, subscriptions = ZERO, 0, 0
    for step, entered in zip(steps, customers, strict=True):
        step.opening = running
        running = step.closing = CONTEXT.add(running, step.moved.change)
        paying = step.customers = paying + entered
        subscriptions = step.subscriptions = subscriptions + step.subscriptions
    return Course(currency, steps[0], tuple(steps[1:]))


def _add_customer(steps: list[Month], customers: list[int], changes: Sequence[Change]) -> None:
    """Add one customer's changes: movements, and in which month it began or ceased to pay."""
    before, paid_earlier = ZERO, False
    for change in changes:
        step = steps[change.stretch]
        after = CONTEXT.add(before, CONTEXT.subtract(change.up, change.down))
        step.moved += movement(before, after, paid_earlier=paid_earlier)
        step.subscriptions += change.subscriptions
        customers[change.stretch] += bool(after) - bool(before)
        before, paid_earlier = after, paid_earlier or bool(change.up)
