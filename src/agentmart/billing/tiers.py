"""Quantities through tiers and packages: graduated, volume, blocks, and graduated by prorated events."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agentmart.billing.waterfall import ZERO, Step, StepKind
from agentmart.catalog.pricing import Package, PackageRounding, Tier, Tiered, TierMode
from agentmart.kit.errors import DomainError
from agentmart.kit.money import CONTEXT, decimal_text

_add = CONTEXT.add
_subtract = CONTEXT.subtract
_multiply = CONTEXT.multiply


class QuantityBeyondTiers(DomainError):
    """The quantity is above the last tier's finite bound, so the price does not say what it costs."""

    code = "quantity_beyond_tiers"
    status = 409


def tier_steps(price: Tiered, quantity: Decimal) -> list[Step]:
    """Return the steps of a quantity ≥ 0 through a tiered price.

    A bound belongs to its tier, anything above it, however small, to the next. Raises QuantityBeyondTiers.
    """
    if not quantity and not price.flat_at_zero:
        return []
    if price.mode is TierMode.VOLUME:
        index, start = _reached(price.tiers, quantity)
        return [_tier_step(price.tiers[index], index + 1, start, quantity)]
    steps: list[Step] = []
    start = ZERO
    for number, tier in enumerate(price.tiers, 1):
        up_to = tier.up_to
        if up_to is None or quantity <= up_to:
            steps.append(_tier_step(tier, number, start, _subtract(quantity, start)))
            return steps
        steps.append(_tier_step(tier, number, start, _subtract(up_to, start)))
        start = up_to
    raise _beyond(price.tiers, quantity)


def package_count(quantity: Decimal, size: Decimal, rounding: PackageRounding = PackageRounding.UP) -> int:
    """Return the whole packages of `size` units in a quantity; a started one counts if rounding up."""
    packages = int(CONTEXT.divide_int(quantity, size))
    if rounding is PackageRounding.UP and CONTEXT.remainder(quantity, size):
        packages += 1
    return packages


def package_step(price: Package, quantity: Decimal) -> Step:
    """Return the step of a quantity ≥ 0 in whole packages."""
    packages = package_count(quantity, price.size, price.rounding)
    return Step(
        StepKind.PACKAGE,
        _multiply(Decimal(packages), price.price),
        quantity=quantity,
        unit_price=price.price,
        facts=(
            ("size", decimal_text(price.size)),
            ("packages", packages),
            ("rounding", str(price.rounding)),
        ),
    )


def volume_at_level(price: Tiered, level: Decimal, quantity: Decimal) -> list[Step]:
    """Return the steps of a quantity at the volume tier that another quantity, the `level`, reaches.

    For prorated units: the full units choose the tier, the prorated units pay, the flat price stays whole.
    """
    if not level and not price.flat_at_zero:
        return []
    index, start = _reached(price.tiers, level)
    return [_tier_step(price.tiers[index], index + 1, start, quantity)]


def graduated_events(tiers: Sequence[Tier], units: Sequence[Decimal], prorated: Sequence[Decimal]) -> Decimal:
    """Return the exact amount of events that walk the tiers one after the other, floored at zero.

    `units[i]` moves the level (negative = back down; below zero the first tier's price holds); each part of
    the move pays its tier's unit price on its share of `prorated[i]`. The flat price of every tier ever reached
    is added once, the first one's always.
    """
    amount, level, highest = ZERO, ZERO, 0
    for full, share in zip(units, prorated, strict=True):
        target = _add(level, full)
        for index, part in _walk(tiers, level, target):
            highest = max(highest, index)
            moved = _multiply(_multiply(part, share), tiers[index].unit_price)
            amount = _add(amount, CONTEXT.divide(moved, full))
        level = target
    for tier in tiers[: highest + 1]:
        amount = _add(amount, tier.flat_price)
    return max(ZERO, amount)


def _walk(tiers: Sequence[Tier], level: Decimal, target: Decimal) -> list[tuple[int, Decimal]]:
    """Return (tier index, signed units) of a move between two levels; the signs are the move's."""
    low, high = min(level, target), max(level, target)
    parts: list[tuple[int, Decimal]] = []
    start: Decimal | None = None  # the first tier has no floor: levels below zero are its own
    for index, tier in enumerate(tiers):
        bottom = low if start is None else max(low, start)
        top = high if tier.up_to is None else min(high, tier.up_to)
        if top > bottom:
            part = _subtract(top, bottom)
            parts.append((index, part if target > level else part.copy_negate()))
        start = tier.up_to
        if start is None:
            return parts
    if start is not None and high > start:
        raise _beyond(tiers, high)
    return parts


def _reached(tiers: Sequence[Tier], quantity: Decimal) -> tuple[int, Decimal]:
    """Return the index and lower bound of the tier that holds a quantity."""
    start = ZERO
    for index, tier in enumerate(tiers):
        if tier.up_to is None or quantity <= tier.up_to:
            return index, start
        start = tier.up_to
    raise _beyond(tiers, quantity)


def _tier_step(tier: Tier, number: int, start: Decimal, quantity: Decimal) -> Step:
    flat, unit_price = tier.flat_price, tier.unit_price
    if tier.block is None:
        amount = _add(_multiply(quantity, unit_price), flat)
        return Step(StepKind.TIER, amount, number, start, tier.up_to, quantity, unit_price, flat)
    packages = package_count(quantity, tier.block)
    amount = _add(_multiply(Decimal(packages), unit_price), flat)
    facts = (("size", decimal_text(tier.block)), ("packages", packages))
    return Step(StepKind.TIER, amount, number, start, tier.up_to, quantity, unit_price, flat, facts)


def _beyond(tiers: Sequence[Tier], quantity: Decimal) -> QuantityBeyondTiers:
    last = tiers[-1].up_to
    return QuantityBeyondTiers(
        f"The price covers quantities up to {decimal_text(last or ZERO)}, not {decimal_text(quantity)}; "
        "add an open last tier (up_to null).",
        extra={"quantity": decimal_text(quantity), "up_to": decimal_text(last or ZERO)},
    )
