"""What a price is: frozen models of one plan component's price; `billing.rating` turns them into amounts.

Amounts are major units of the plan's currency, exact and unrounded. Tier bounds are cumulative and inclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class TierMode(StrEnum):
    """How a tiered price is read; a tiered price always names it."""

    GRADUATED = "graduated"  # each unit at its own tier's price
    VOLUME = "volume"  # all units at the price of the tier that is reached
    PACKAGE = "package"  # whole packages of a size at one price each


class PackageRounding(StrEnum):
    """What a started package costs: `up` the whole price, `down` nothing."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to `up_to` (inclusive, counted from zero; None = without end) at a price each.

    `flat_price` is added once when the tier is reached. With a `block` size the tier counts started blocks of
    that many units, and `unit_price` is the price of a block.
    """

    up_to: Decimal | None
    unit_price: Decimal = ZERO
    flat_price: Decimal = ZERO
    block: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """`unit_price` × `amount` once per billing period, whatever is used."""

    unit_price: Decimal
    amount: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class PerUnit:
    """Every unit at one price."""

    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Tiered:
    """Units at prices that change with the quantity; at least one tier, ascending.

    `flat_at_zero`: the first tier's flat price is due without any usage (default); off = zero usage is free.
    """

    mode: TierMode
    tiers: tuple[Tier, ...]
    flat_at_zero: bool = True


@dataclass(frozen=True, slots=True)
class Package:
    """Whole packages of `size` units at `price` each."""

    size: Decimal
    price: Decimal
    rounding: PackageRounding = PackageRounding.UP


@dataclass(frozen=True, slots=True)
class Percentage:
    """`rate` percent of a metered value, plus a fixed amount per event.

    Free are the first `free_events` events or the first `free_amount` of value, whichever ends first (None =
    no such limit; both None = nothing is free). With `min_per_event` or `max_per_event` each event's charge is
    clamped by itself; that needs the single events' values and excludes the two free limits.
    """

    rate: Decimal
    fixed_per_event: Decimal = ZERO
    free_events: int | None = None
    free_amount: Decimal | None = None
    min_per_event: Decimal | None = None
    max_per_event: Decimal | None = None

    @property
    def per_event(self) -> bool:
        """Whether each event is charged by itself."""
        return self.min_per_event is not None or self.max_per_event is not None


Model = Fixed | PerUnit | Tiered | Package | Percentage


@dataclass(frozen=True, slots=True)
class Price:
    """One component's price: a model, and what lies around it.

    `free_units` (the plan's included allowance) are taken off the quantity before the model sees it; an
    amount below `minimum` is topped up to it (true-up), one above `maximum` is cut.
    """

    model: Model
    free_units: Decimal = ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None
