"""The steps of an invoice line in words, for people who check a bill; pure, no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentmart.billing.waterfall import StepKind

Row = Mapping[str, Any]


def in_words(step: Row, *, unit: str, currency: str) -> str:
    """Return one sentence for a step as `Step.to_json` wrote it; `unit` is what is counted, in the plural."""
    return f"{_WORDS[StepKind(step['kind'])](step, unit or 'units')} = {step['amount']} {currency}"


def _tier(step: Row, unit: str) -> str:
    bound = f"up to {step['up_to']}" if step["up_to"] is not None else "and more"
    above = "from 0" if step["from"] in (None, "0") else f"above {step['from']}"
    return f"Tier {step['tier']} ({above} {bound}): {_product(step, unit)}"


def _product(step: Row, unit: str) -> str:
    """Return quantity × price, in packages where the price is for packages."""
    if "packages" in step:
        text = f"{step['quantity']} {unit} = {step['packages']} × {step['size']} at {step['unit_price']} each"
    else:
        text = f"{step['quantity']} {unit} × {step['unit_price']}"
    flat = step.get("flat")
    return text if flat in (None, "0") else f"{text} + {flat} flat"


def _percentage(step: Row, unit: str) -> str:
    return f"{step['rate_percent']} % of {step['quantity']} for {step['events']} events"


def _proration(step: Row, unit: str) -> str:
    return f"In force for {step['used']} of the period's {step['full']} {step['basis']}s, the rest is not charged"


_WORDS: dict[StepKind, Callable[[Row, str], str]] = {
    StepKind.FREE: lambda step, unit: f"{step['quantity']} {unit} included",
    StepKind.FIXED: lambda step, unit: f"{step['quantity']} × {step['unit_price']} per period",
    StepKind.UNIT: _product,
    StepKind.TIER: _tier,
    StepKind.PACKAGE: _product,
    StepKind.PERCENTAGE: _percentage,
    StepKind.ALREADY_RATED: lambda step, unit: f"{step['quantity']} {unit} are on an earlier invoice",
    StepKind.MINIMUM: lambda step, unit: "Topped up to the minimum",
    StepKind.MAXIMUM: lambda step, unit: "Cut to the maximum",
    StepKind.DISCOUNT: lambda step, unit: "Discount",
    StepKind.PRORATION: _proration,
    StepKind.ROUNDING: lambda step, unit: "Rounded half-up, once, to the currency's smallest unit",
}
