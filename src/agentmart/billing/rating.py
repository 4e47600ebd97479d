"""From a price and a quantity to an exact amount, and from there to a rounded invoice line; pure, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from agentmart.billing.percentage import Events, percent_of, percentage_steps
from agentmart.billing.proration import Share, minimum_true_up
from agentmart.billing.tiers import package_step, tier_steps
from agentmart.billing.waterfall import ZERO, Rated, RatedLine, Step, StepKind, total
from agentmart.catalog.pricing import Fixed, Model, Package, Percentage, PerUnit, Price, Tiered
from agentmart.kit.errors import DomainError
from agentmart.kit.money import CONTEXT, exact, round_money

_HUNDRED = Decimal(100)
# A prorated share may have no end of digits; its step shows 12 places, the rounding step takes up the rest.
_SHOWN = Decimal("1E-12")


class NegativeQuantity(DomainError):
    """Corrections took a period's usage below zero; it cannot be priced."""

    code = "negative_quantity"
    status = 409


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage or an amount off, exactly one of them; an amount takes off no more than there is."""

    percent: Decimal | None = None
    amount: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("a discount is either a percentage or an amount")
        if self.percent is not None and not 0 <= self.percent <= _HUNDRED:
            raise ValueError(f"a discount lies between 0 and 100 %, not {self.percent}")
        if self.amount is not None and self.amount < 0:
            raise ValueError(f"a discount is not negative: {self.amount}")

    def on(self, price: Decimal) -> Decimal:
        """Return what is taken off a price, exact; nothing off a negative one."""
        if price <= 0:
            return ZERO
        if self.percent is not None:
            return percent_of(price, self.percent)
        return min(price, self.amount or ZERO)


def rate(price: Price, quantity: Decimal, *, events: Events | None = None) -> Rated:
    """Return the exact amount of a quantity, with the steps that add up to it.

    Free units come off first, then the model, then minimum and maximum. A fixed price ignores the quantity. A
    percentage price takes the metered value as the quantity and may need the `events` behind it. Raises
    NegativeQuantity, QuantityBeyondTiers; TypeError for a quantity that is not exact.
    """
    quantity = _checked(quantity)
    chargeable, steps = _without_free(price, quantity)
    steps += _model_steps(price.model, chargeable, events)
    amount = total(step.amount for step in steps)
    return _bounded(price, quantity, amount, steps, billed_before=ZERO, final=True)


def rate_increment(
    price: Price,
    before: Decimal,
    new: Decimal,
    *,
    billed_before: Decimal | None = None,
    final: bool = True,
) -> Rated:
    """Return what `new` units cost on top of `before` units that earlier bills of the period already took.

    It is the bill of all minus the bill of the earlier ones, so that tiers and packages go on where they stood.
    Minimum and maximum see `billed_before` (default: the earlier units' own bill); the minimum only applies when
    this is the period's `final` bill.
    """
    earlier = rate(Price(price.model, price.free_units), before)
    quantity = CONTEXT.add(_checked(before), _checked(new))
    chargeable, steps = _without_free(price, quantity)
    steps += _model_steps(price.model, chargeable, None)
    steps.append(Step(StepKind.ALREADY_RATED, earlier.amount.copy_negate(), quantity=before))
    amount = total(step.amount for step in steps)
    billed = earlier.amount if billed_before is None else billed_before
    return _bounded(price, new, amount, steps, billed_before=billed, final=final)


def rate_line(
    price: Price,
    quantity: Decimal,
    currency: str,
    *,
    events: Events | None = None,
    discount: Discount | None = None,
    share: Share | None = None,
) -> RatedLine:
    """Return an invoice line: rated, then discounted, then prorated, then rounded once to the currency.

    `share` is the part of the period that is charged (`proration.share_of`); None is all of it.
    """
    return finish_line(rate(price, quantity, events=events), currency, discount=discount, share=share)


def finish_line(
    rated: Rated, currency: str, *, discount: Discount | None = None, share: Share | None = None
) -> RatedLine:
    """Return the invoice line of an exact amount: discounted, then prorated, then rounded half-up once."""
    steps = list(rated.steps)
    amount = rated.amount
    if discount is not None:
        off = discount.on(amount)
        steps.append(Step(StepKind.DISCOUNT, off.copy_negate()))
        amount = CONTEXT.subtract(amount, off)
    if share is not None and share.used != share.full:
        part = share.of(amount)
        change = CONTEXT.quantize(CONTEXT.subtract(part, amount), _SHOWN)
        steps.append(Step(StepKind.PRORATION, change, facts=share.facts()))
        amount = part
    rounded = round_money(amount, currency)
    rest = CONTEXT.subtract(rounded, total(step.amount for step in steps))
    if rest:
        steps.append(Step(StepKind.ROUNDING, rest))
    return RatedLine(currency, rated.quantity, amount, rounded, tuple(steps))


def top_up(amount: Decimal, minimum: Decimal | None, billed_before: Decimal = ZERO) -> Decimal:
    """Return what must be added so that all bills of a period reach the minimum (0 or more)."""
    return ZERO if minimum is None else minimum_true_up(minimum, CONTEXT.add(billed_before, amount))


def cut(amount: Decimal, maximum: Decimal | None, billed_before: Decimal = ZERO) -> Decimal:
    """Return what must be taken off so that all bills of a period keep to the maximum (0 or more)."""
    if maximum is None:
        return ZERO
    allowed = max(ZERO, CONTEXT.subtract(maximum, billed_before))
    return max(ZERO, CONTEXT.subtract(amount, allowed))


def _without_free(price: Price, quantity: Decimal) -> tuple[Decimal, list[Step]]:
    """Return the quantity after free units, and the step that says so."""
    if not price.free_units or isinstance(price.model, Fixed):
        return quantity, []
    free = min(quantity, price.free_units)
    return CONTEXT.subtract(quantity, free), [Step(StepKind.FREE, ZERO, quantity=free)]


def _model_steps(model: Model, quantity: Decimal, events: Events | None) -> Sequence[Step]:
    """Return the steps of one price model."""
    match model:
        case Tiered():
            return tier_steps(model, quantity)
        case PerUnit(unit_price):
            amount = CONTEXT.multiply(quantity, unit_price)
            return [Step(StepKind.UNIT, amount, quantity=quantity, unit_price=unit_price)]
        case Fixed(unit_price, units):
            amount = CONTEXT.multiply(units, unit_price)
            return [Step(StepKind.FIXED, amount, quantity=units, unit_price=unit_price)]
        case Package():
            return [package_step(model, quantity)]
        case Percentage():
            return percentage_steps(model, quantity, events)


def _bounded(
    price: Price,
    quantity: Decimal,
    amount: Decimal,
    steps: list[Step],
    *,
    billed_before: Decimal,
    final: bool,
) -> Rated:
    """Return the amount between minimum and maximum, with the step that brought it there."""
    if final and (missing := top_up(amount, price.minimum, billed_before)):
        steps.append(Step(StepKind.MINIMUM, missing))
        amount = CONTEXT.add(amount, missing)
    if excess := cut(amount, price.maximum, billed_before):
        steps.append(Step(StepKind.MAXIMUM, excess.copy_negate()))
        amount = CONTEXT.subtract(amount, excess)
    return Rated(quantity, amount, tuple(steps))


def _checked(quantity: Decimal) -> Decimal:
    """Return an exact quantity of at least zero."""
    number = exact(quantity)
    if number < 0:
        raise NegativeQuantity(
            f"A quantity of {number} cannot be priced: corrections exceed the usage of the period.",
            extra={"quantity": str(number)},
        )
    return number
