"""How an amount came about: steps that add up to it, JSON-ready, so that a reader can recompute a line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from agentmart.kit.money import CONTEXT, decimal_text, money_text

ZERO = Decimal(0)


class StepKind(StrEnum):
    """What a step does to the amount."""

    FREE = "free"  # units taken off before pricing
    FIXED = "fixed"
    UNIT = "unit"
    TIER = "tier"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    ALREADY_RATED = "already_rated"  # what earlier bills of the same period took
    MINIMUM = "minimum"  # topped up to the minimum (true-up)
    MAXIMUM = "maximum"  # cut down to the maximum
    DISCOUNT = "discount"
    PRORATION = "proration"
    ROUNDING = "rounding"  # to the currency's minor unit, once, always the last


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `amount` is what it adds (negative = takes off).

    For kinds `unit`, `tier`, `fixed`: amount = quantity × unit_price + flat; with a `size`, whole packages or
    blocks are counted instead: packages × unit_price + flat. `start` and `up_to` are the tier's bounds (above
    start, up to and with up_to, None = open). `facts` are further named values (`size`, `packages`, `used`).
    """

    kind: StepKind
    amount: Decimal
    tier: int | None = None
    start: Decimal | None = None
    up_to: Decimal | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    flat: Decimal | None = None
    facts: tuple[tuple[str, str | int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the step with decimals as text; keys that mean nothing for the kind are left out."""
        out: dict[str, Any] = {"kind": str(self.kind)}
        if self.tier is not None:
            out |= {
                "tier": self.tier,
                "from": _text(self.start),
                "up_to": _text(self.up_to),
            }
        for key in ("quantity", "unit_price", "flat"):
            value: Decimal | None = getattr(self, key)
            if value is not None:
                out[key] = decimal_text(value)
        out |= dict(self.facts)
        out["amount"] = decimal_text(self.amount)
        return out


@dataclass(frozen=True, slots=True)
class Rated:
    """An exact, unrounded amount and the steps that add up to it."""

    quantity: Decimal
    amount: Decimal
    steps: tuple[Step, ...]

    def of_kind(self, kind: StepKind) -> Decimal:
        """Return what all steps of a kind add together (0 where there is none)."""
        return total(step.amount for step in self.steps if step.kind is kind)

    def to_json(self) -> dict[str, Any]:
        """Return quantity, amount and steps with decimals as text."""
        return {
            "quantity": decimal_text(self.quantity),
            "amount": decimal_text(self.amount),
            "steps": [step.to_json() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class RatedLine:
    """An invoice line: `amount` in whole minor units, `exact` before rounding; the steps sum to `amount`."""

    currency: str
    quantity: Decimal
    exact: Decimal
    amount: Decimal
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the line with decimals as text, as an invoice item stores it."""
        return {
            "currency": self.currency,
            "quantity": decimal_text(self.quantity),
            "amount": money_text(self.amount, self.currency),
            "steps": [step.to_json() for step in self.steps],
        }


def total(amounts: Any) -> Decimal:
    """Return the exact sum of an iterable of Decimals."""
    out = ZERO
    for amount in amounts:
        out = CONTEXT.add(out, amount)
    return out


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
