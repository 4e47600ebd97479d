"""What a change of plan or seats in the middle of a period credits and charges."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agentmart.billing.proration import Share
from agentmart.billing.rating import Discount
from agentmart.billing.waterfall import ZERO
from agentmart.kit.money import CONTEXT, round_money


@dataclass(frozen=True, slots=True)
class PlanChange:
    """Credit for the old plan's unused time and charge for the new plan, each rounded to the currency."""

    credit: Decimal
    charge: Decimal

    @property
    def net(self) -> Decimal:
        """What is due now; negative where the credit is larger."""
        return CONTEXT.subtract(self.charge, self.credit)

    @property
    def account_credit(self) -> Decimal:
        """What the charge does not use up of the credit."""
        return max(ZERO, CONTEXT.subtract(self.credit, self.charge))


@dataclass(frozen=True, slots=True)
class SeatChange:
    """`due` now for the rest of the period (negative = credit), and the price of the next full cycle."""

    due: Decimal
    next_cycle: Decimal


def change_plan(
    old: Decimal,
    new: Decimal,
    currency: str,
    *,
    unused: Share,
    charged: Share | None,
    old_discount: Discount | None = None,
    new_discount: Discount | None = None,
) -> PlanChange:
    """Return credit and charge of a change that takes effect now; discounts come off the full prices first.

    `unused` is the rest of the old period. `charged` is the part of the new plan's period that is due: the same
    rest where the interval stays; None (the full price) where the interval changes, which resets the billing
    anchor, or where the plan asks for the full price now.
    """
    old_price = _discounted(old, old_discount)
    new_price = _discounted(new, new_discount)
    return PlanChange(
        credit=round_money(unused.of(old_price), currency),
        charge=round_money(new_price if charged is None else charged.of(new_price), currency),
    )


def change_seats(
    price: Decimal, old_seats: int, new_seats: int, currency: str, *, unused: Share, next_price: Decimal
) -> SeatChange:
    """Return what a change of seats costs: now at the current price, in the next cycle at `next_price`.

    The two differ while a change of plan waits for the period's end.
    """
    delta = CONTEXT.multiply(Decimal(new_seats - old_seats), price)
    return SeatChange(
        due=round_money(unused.of(delta), currency),
        next_cycle=round_money(CONTEXT.multiply(Decimal(new_seats), next_price), currency),
    )


def _discounted(price: Decimal, discount: Discount | None) -> Decimal:
    return price if discount is None else CONTEXT.subtract(price, discount.on(price))
