"""What an order costs in its first period, from prices as they are today (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from agentmart.catalog.pricing import (
    ZERO,
    Fixed,
    Package,
    PackageRounding,
    PerUnit,
    Price,
    Tier,
    Tiered,
    TierMode,
)
from agentmart.kit.money import CONTEXT, round_money


@dataclass(frozen=True, slots=True)
class PricedComponent:
    """One component with its price in a plan."""

    type: str
    billing_type: str
    price: Price


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs with certain limits, each part rounded to the currency."""

    fixed: Decimal = ZERO  # per period, whatever is used
    limits: Decimal = ZERO  # per period, for what is ordered by limit
    activation: Decimal = ZERO  # once
    switch: Decimal = ZERO  # once, for changing to this plan

    @property
    def period(self) -> Decimal:
        """What a full period costs."""
        return self.fixed + self.limits


def cost_of(components: Iterable[PricedComponent], limits: Mapping[str, Any], currency: str) -> Cost:
    """Return the cost of a plan with these limits; usage is not in it."""
    sums = {"fixed": ZERO, "limit": ZERO, "one": ZERO, "few": ZERO}
    for component in components:
        if component.billing_type not in sums:
            continue
        quantity = limits.get(component.type, 0) if component.billing_type == "limit" else None
        amount = amount_of(component.price, None if quantity is None else Decimal(str(quantity)))
        sums[component.billing_type] += round_money(amount, currency)
    return Cost(sums["fixed"], sums["limit"], sums["one"], sums["few"])


def amount_of(price: Price, quantity: Decimal | None) -> Decimal:
    """Return the exact amount of a quantity (None: the price's own amount, of a fixed price) at a price."""
    model = price.model
    if isinstance(model, Fixed):
        return CONTEXT.multiply(model.unit_price, model.amount if quantity is None else quantity)
    counted = max(ZERO, CONTEXT.subtract(Decimal(1) if quantity is None else quantity, price.free_units))
    amount = _usage(model, counted)
    if price.minimum is not None:
        amount = max(amount, price.minimum)
    return amount if price.maximum is None else min(amount, price.maximum)


def _usage(model: Any, quantity: Decimal) -> Decimal:
    """Return the amount of a quantity at a price per unit, per package or in tiers."""
    match model:
        case PerUnit(unit_price=unit):
            return CONTEXT.multiply(unit, quantity)
        case Package(size=size, price=price, rounding=rounding):
            return CONTEXT.multiply(_whole(quantity, size, rounding is PackageRounding.UP), price)
        case Tiered(tiers=tiers, mode=mode):
            return _volume(tiers, quantity) if mode is TierMode.VOLUME else _graduated(tiers, quantity)
        case _:
            return ZERO  # a percentage of something that is not ordered


def _graduated(tiers: tuple[Tier, ...], quantity: Decimal) -> Decimal:
    """Return the amount where each unit costs what its own tier says."""
    total = start = ZERO
    for number, tier in enumerate(tiers):
        if number and quantity <= start:
            break
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        total += _in_tier(tier, max(ZERO, end - start))
        start = end if tier.up_to is None else tier.up_to
    return total


def _volume(tiers: tuple[Tier, ...], quantity: Decimal) -> Decimal:
    """Return the amount where all units cost what the tier that is reached says."""
    reached = next((tier for tier in tiers if tier.up_to is None or quantity <= tier.up_to), tiers[-1])
    return _in_tier(reached, quantity)


def _in_tier(tier: Tier, quantity: Decimal) -> Decimal:
    """Return the amount of a quantity that lies in one tier."""
    counted = quantity if tier.block is None else _whole(quantity, tier.block, True)
    return CONTEXT.add(CONTEXT.multiply(counted, tier.unit_price), tier.flat_price)


def _whole(quantity: Decimal, size: Decimal, up: bool) -> Decimal:
    """Return how many whole packages of `size` a quantity makes."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return CONTEXT.divide(quantity, size).to_integral_value(rounding)
