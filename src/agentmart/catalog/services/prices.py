"""Writes: what a plan's components cost, from which month on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from agentmart.catalog.models import Offering, OfferingComponent, Plan, PlanComponent, PlanPrice
from agentmart.catalog.price_json import price_from_json, price_to_json
from agentmart.catalog.pricing import ZERO, Fixed, Percentage, PerUnit, Price
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.kit.periods import add_months, month_of

MAX_AMOUNT = 2**31 - 1
SINCE_EVER = date(1970, 1, 1)
BILLED_TYPES = frozenset({"fixed", "usage", "limit", "one", "few"})
"""Billing types that invoices know."""
PER_PERIOD = frozenset({"fixed", "one", "few"})
"""Billing types whose price is multiplied by the plan's amount (its quota)."""


def require_chargeable_price(component: OfferingComponent, price: Price, *, field: str) -> None:
    """Raise Invalid for a price that invoices cannot charge yet."""
    if isinstance(price.model, Percentage):
        raise Invalid("Invoices cannot charge a percentage yet.", field=field)
    if component.billing_type not in BILLED_TYPES:
        raise Invalid(f"Invoices cannot charge {component.billing_type} components yet.", field=field)


def read_price(component: OfferingComponent, item: Mapping[str, Any], *, field: str) -> Price:
    """Return the price that a request gives a component; raises Invalid by key."""
    price = price_from_json(item, path=field, fixed=component.billing_type in PER_PERIOD)
    require_chargeable_price(component, price, field=field)
    if isinstance(price.model, Fixed) and price.model.amount > MAX_AMOUNT:
        raise Invalid(f"The amount may be at most {MAX_AMOUNT}.", field=f"{field}.amount")
    return price


def amount_of(price: Price) -> int:
    """Return how many units of a component the plan holds; none of what is counted or ordered."""
    return int(price.model.amount) if isinstance(price.model, Fixed) else 0


def insert_price(plan: Plan, component: OfferingComponent, price: Price, *, now: datetime) -> PlanComponent:
    """Write the first price of a component in a plan, in force since ever."""
    row = PlanComponent.objects.create(
        plan=plan,
        component=component,
        offering_id=plan.offering_id,
        amount=amount_of(price),
        price=price_to_json(price),
        created=now,
        modified=now,
    )
    _insert_version(row, row.price, SINCE_EVER, now=now)
    return row


def _insert_version(row: PlanComponent, price: dict[str, Any], valid_from: date, *, now: datetime) -> None:
    """Note from when on a price is in force."""
    PlanPrice.objects.create(
        plan_component=row, offering_id=row.offering_id, valid_from=valid_from, price=price, created=now
    )


def first_day_of_change(plan: Plan, *, now: datetime) -> date:
    """Return from when on a price that changes now is in force.

    At once where nobody was charged by the plan this month (and for all time where nobody ever was), else from the
    next month on: a month is charged by one price. The plan is locked, so that nobody orders it meanwhile.
    """
    month = month_of(now)
    with tenancy.elevated():
        Plan.objects.select_for_update().get(pk=plan.pk)
        used = Offering.objects.filter(pk=plan.offering_id, resources__plan_periods__plan=plan)
        open_now = Q(resources__plan_periods__end=None) | Q(resources__plan_periods__end__gt=month.start)
        waiting = plan.resources.exclude(state="Terminated").exists()
        if waiting or used.filter(Q(resources__plan_periods__plan=plan) & open_now).exists():
            return add_months(month.start.date(), 1)
        return month.start.date() if used.exists() else SINCE_EVER


def change_price(row: PlanComponent, price: Price, valid_from: date, *, now: datetime) -> None:
    """Put a new price in force from a day on; what was in force before stays in force until then."""
    today = now.date()
    text = price_to_json(price)
    if row.next_from is not None and row.next_from <= today:
        row.price, row.amount = row.price_on(today), row.next_amount or 0
        row.next_price = row.next_amount = row.next_from = None
    if valid_from <= today:
        row.price, row.amount = text, amount_of(price)
        row.next_price = row.next_amount = row.next_from = None
    else:
        row.next_price, row.next_amount, row.next_from = text, amount_of(price), valid_from
    row.modified = now
    row.save(update_fields=["price", "amount", "next_price", "next_amount", "next_from", "modified"])
    _insert_version(row, text, valid_from, now=now)


def write_prices(plan: Plan, items: Mapping[str, tuple[str, Mapping[str, Any]]], *, now: datetime) -> date:
    """Give components new prices: type → (its place in the request, the price's form); returns from when on.

    A component that the plan did not price yet is free until then. Raises Invalid.
    """
    known = {component.type: component for component in plan.offering.components.all()}
    rows = {row.component.type: row for row in plan.components.select_related("component")}
    prices = {}
    for kind, (field, item) in items.items():
        if kind not in known:
            shown = ", ".join(sorted(known))
            raise Invalid(f"The offering has no component {kind}; it has {shown}.", field=field)
        prices[kind] = read_price(known[kind], item, field=field)
    valid_from = first_day_of_change(plan, now=now)
    for kind, price in prices.items():
        row = rows.get(kind)
        if row is None:
            nothing = Fixed(ZERO) if known[kind].billing_type in PER_PERIOD else PerUnit(ZERO)
            row = insert_price(plan, known[kind], Price(nothing), now=now)
        if price_to_json(price) != row.price_on(valid_from):
            change_price(row, price, valid_from, now=now)
    return valid_from


def _audit(
    plan: Plan, action: str, values: Mapping[str, Any], day: date, *, actor: Actor, now: datetime
) -> None:
    """Note a change of prices and from when on it counts."""
    after = {**{name: str(value) for name, value in values.items()}, "valid_from": day.isoformat()}
    audit.record(action, plan, actor=actor, now=now, customer_id=plan.offering.customer_id, after=after)


@transaction.atomic
def update_prices(plan: Plan, prices: Mapping[str, Any], *, actor: Actor, now: datetime) -> date:
    """Change prices of components by type: a number, or an object in the form of a plan's `components`.

    Returns from when on they are in force (see `first_day_of_change`). Raises Forbidden, Invalid naming the
    component: unknown, negative, finer than 10⁻¹⁰, or a plain number for a price that has tiers.
    """
    require(actor, "plan.price", provider_id=plan.offering.customer_id)
    rows = {row.component.type: row for row in plan.components.select_related("component")}
    items = {}
    for kind, value in prices.items():
        field = f"prices.{kind}"
        row = rows.get(kind)
        before = row.price_on(now.date()) if row else {}
        if not isinstance(value, Mapping):
            if before.get("model") not in (None, "fixed", "per_unit"):
                raise Invalid(
                    f"{kind} is priced by {before['model']}; give the whole price as an object.", field=field
                )
            value = {**before, "price": value} if value not in (None, "") else {"price": None}
        items[kind] = (field, value)
    day = write_prices(plan, items, now=now)
    _audit(plan, "plan.prices_updated", prices, day, actor=actor, now=now)
    return day


@transaction.atomic
def update_quotas(plan: Plan, quotas: Mapping[str, int], *, actor: Actor, now: datetime) -> date:
    """Change how many units of its fixed components a plan holds, by type; returns from when on.

    Raises Forbidden, Invalid for a component that is unknown, not priced by the plan, or counted or ordered.
    """
    require(actor, "plan.price", provider_id=plan.offering.customer_id)
    rows = {row.component.type: row for row in plan.components.select_related("component")}
    items = {}
    for kind, amount in quotas.items():
        row = rows.get(kind)
        if row is None:
            shown = ", ".join(sorted(rows)) or "nothing"
            raise Invalid(f"The plan does not price {kind}; it prices {shown}.", field=f"quotas.{kind}")
        if row.component.billing_type not in PER_PERIOD:
            raise Invalid(
                f"{kind} is charged by {row.component.billing_type}; only fixed components have an amount.",
                field=f"quotas.{kind}",
            )
        items[kind] = (f"quotas.{kind}", {**row.price_on(now.date()), "amount": amount})
    day = write_prices(plan, items, now=now)
    _audit(plan, "plan.quotas_updated", quotas, day, actor=actor, now=now)
    return day


@transaction.atomic
def update_discounts(
    plan: Plan, discounts: Mapping[str, Mapping[str, Any]], *, actor: Actor, now: datetime
) -> date:
    """Give components of usage a volume discount by type: `{discount_threshold, discount_rate}`; returns from when on.

    From the threshold on *all* units cost `rate` percent less: a price of two volume tiers. An empty discount takes
    it away. Raises Forbidden, Invalid for what is unknown, not priced per unit, or discounted by a formula.
    """
    require(actor, "plan.price", provider_id=plan.offering.customer_id)
    rows = {row.component.type: row for row in plan.components.select_related("component")}
    items = {}
    for kind, discount in discounts.items():
        field = f"discounts.{kind}"
        row = rows.get(kind)
        if row is None:
            shown = ", ".join(sorted(rows)) or "nothing"
            raise Invalid(f"The plan does not price {kind}; it prices {shown}.", field=field)
        if row.component.billing_type != "usage":
            raise Invalid("Only what is charged by usage can have a discount.", field=field)
        items[kind] = (field, _discounted(row.price_on(now.date()), discount, field=field))
    day = write_prices(plan, items, now=now)
    _audit(plan, "plan.discounts_updated", discounts, day, actor=actor, now=now)
    return day


STEP = Decimal(1).scaleb(-10)
"""The finest quantity: what ends just below a threshold ends this much below it."""


def _discounted(price: Mapping[str, Any], discount: Mapping[str, Any], *, field: str) -> dict[str, Any]:
    """Return the form of a price with (or without) its volume discount; raises Invalid."""
    unit = _full_unit_price(price, field=field)
    kept = {key: price[key] for key in ("free_units", "minimum", "maximum") if key in price}
    threshold, rate = discount.get("discount_threshold"), discount.get("discount_rate")
    if not threshold or not rate:
        return {**kept, "price": str(unit)}
    reduced = (unit * (100 - rate) / 100).normalize()
    return {
        **kept,
        "tier_mode": "volume",
        "tiers": [
            {"up_to": str(threshold - STEP), "unit_price": str(unit)},
            {"up_to": None, "unit_price": f"{reduced:f}"},
        ],
    }


def _full_unit_price(price: Mapping[str, Any], *, field: str) -> Decimal:
    """Return the price of a unit before any discount; raises Invalid where a price is not per unit."""
    if price.get("model") == "per_unit":
        return Decimal(price["price"])
    tiers = price.get("tiers", [])
    if price.get("tier_mode") == "volume" and len(tiers) == 2 and not Decimal(tiers[0]["flat_price"]):
        return Decimal(tiers[0]["unit_price"])
    raise Invalid("Only a price per unit can have a discount; write tiers instead.", field=field)
