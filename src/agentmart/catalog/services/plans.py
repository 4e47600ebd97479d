"""Writes: plans of offerings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from agentmart.catalog.models import Offering, OfferingComponent, Plan
from agentmart.catalog.services.components import insert_component
from agentmart.catalog.services.prices import insert_price, read_price, write_prices
from agentmart.catalog.services.removing import HasDependents, remove
from agentmart.catalog.services.shelves import change_row
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Invalid

PLAIN = (
    "name",
    "description",
    "article_code",
    "max_amount",
    "billing_mode",
    "backend_id",
    "limits",
    "archived",
)
"""What of a plan changes at once, for everybody."""
PERIOD = ("unit", "interval_count", "currency")
"""What of a plan never changes once it was sold."""


class PlanUsed(Conflict):
    """The plan was sold; what was agreed on does not change."""

    code = "has_dependents"


def require_chargeable_period(plan: Mapping[str, Any], *, field: str) -> None:
    """Raise Invalid for a period that invoices cannot charge yet: now its author can change it."""
    if (plan.get("unit", "month"), plan.get("interval_count", 1)) != ("month", 1):
        raise Invalid("Plans are billed by the month; no other period can be charged yet.", field=field)


@transaction.atomic
def create_plan(offering: Offering, plan: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Add a plan: `unit_price` is the base fee; `components` price what is measured.

    Raises Forbidden, or Invalid naming the component and field at fault.
    """
    require(actor, "plan.write", provider_id=offering.customer_id)
    return insert_plan(offering, plan, actor=actor, now=now)


def insert_plan(
    offering: Offering,
    plan: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    path: str = "",
    pending: bool = False,
) -> Plan:
    """Write a plan with its prices; `path` is where it lies in the request ("plans[0]."); `pending`: nobody buys it."""
    require_chargeable_period(plan, field=f"{path}unit")
    row = Plan.objects.create(
        offering=offering,
        **{
            name: plan[name]
            for name in (*PLAIN, *PERIOD)
            if plan.get(name) is not None and name != "archived"
        }
        | {"currency": plan.get("currency") or settings.CURRENCY},
        archived=pending or bool(plan.get("archived")),
        pending=pending,
        created=now,
        modified=now,
    )
    known = {component.type: component for component in offering.components.all()}
    for kind, (field, item) in _price_items(row, plan, known, path=path, now=now).items():
        if kind not in known:
            shown = ", ".join(sorted(known))
            raise Invalid(f"The offering has no component {kind}; it has {shown}.", field=f"{field}.type")
        insert_price(row, known[kind], read_price(known[kind], item, field=field), now=now)
    audit.record(
        "plan.created", row, actor=actor, now=now, customer_id=offering.customer_id, after={"name": row.name}
    )
    return row


def _price_items(
    row: Plan,
    plan: Mapping[str, Any],
    known: dict[str, OfferingComponent],
    *,
    path: str = "",
    now: datetime,
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return the prices in a request: type → (place, form); the base fee's component is added where it lacks."""
    listed = [(f"{path}components[{index}]", item) for index, item in enumerate(plan.get("components", ()))]
    if plan.get("unit_price") is not None:
        if any(item["type"] == "base" for _, item in listed):
            raise Invalid(
                "Give the base fee once: as unit_price, or as component base.", field=f"{path}unit_price"
            )
        if "base" not in known:
            base = {"type": "base", "name": "Base fee", "measured_unit": row.unit, "billing_type": "fixed"}
            known["base"] = insert_component(row.offering, base, now=now)
        listed.insert(0, (f"{path}unit_price", {"type": "base", "price": plan["unit_price"]}))
    items: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for field, item in listed:
        if item["type"] in items:
            raise Invalid(f"The plan prices {item['type']} twice.", field=f"{field}.type")
        items[item["type"]] = (field, item)
    return items


def was_sold(plan: Plan) -> bool:
    """Return whether the plan was ever ordered or run under."""
    with tenancy.elevated():
        return (
            plan.resources.exists()
            or plan.orders.exists()
            or Offering.objects.filter(pk=plan.offering_id, resources__plan_periods__plan=plan).exists()
        )


@transaction.atomic
def update_plan(plan: Plan, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Change a plan; prices (`unit_price`, `components`) as `update_prices` does.

    Raises Forbidden, Invalid, PlanUsed (409) for period and currency of a plan that was sold, Conflict (409) for
    the release of one that waits for review.
    """
    require(actor, "plan.edit", provider_id=plan.offering.customer_id)
    if plan.pending and changes.get("archived") is False:
        raise Conflict(f"{plan.name} waits for an operator's review.", code="wrong_state")
    period = {name: changes[name] for name in PERIOD if name in changes}
    moved = sorted(name for name, value in period.items() if value != getattr(plan, name))
    if moved:
        require_chargeable_period(
            {"unit": plan.unit, "interval_count": plan.interval_count} | period, field="unit"
        )
        if was_sold(plan):
            raise PlanUsed(f"{plan.name} was sold; its {', '.join(moved)} cannot change. Add another plan.")
    plain = {name: changes[name] for name in (*PLAIN, *PERIOD) if name in changes}
    change_row(plan, plain, action="plan.updated", actor=actor, now=now)
    if "unit_price" in changes or "components" in changes:
        require(actor, "plan.price", provider_id=plan.offering.customer_id)
        known = {component.type: component for component in plan.offering.components.all()}
        items = _price_items(plan, changes, known, now=now)
        day = write_prices(plan, items, now=now)
        after = {kind: str(dict(item)) for kind, (_, item) in items.items()}
        audit.record(
            "plan.prices_updated",
            plan,
            actor=actor,
            now=now,
            customer_id=plan.offering.customer_id,
            after={**after, "valid_from": day.isoformat()},
        )
    return plan


@transaction.atomic
def archive_plan(plan: Plan, *, actor: Actor, now: datetime) -> Plan:
    """Sell a plan no longer; who has it keeps it. Raises Forbidden, Conflict (409) where it is archived already."""
    require(actor, "plan.price", provider_id=plan.offering.customer_id)
    if not Plan.objects.filter(pk=plan.pk, archived=False).update(archived=True, modified=now):
        raise Conflict(f"{plan.name} is archived already.", code="wrong_state", extra={"archived": True})
    plan.archived = True
    audit.record("plan.archived", plan, actor=actor, now=now, customer_id=plan.offering.customer_id)
    return plan


@transaction.atomic
def delete_plan(plan: Plan, *, actor: Actor, now: datetime) -> None:
    """Remove a plan that was never sold; raises Forbidden, HasDependents (409)."""
    require(actor, "plan.write", provider_id=plan.offering.customer_id)
    if was_sold(plan):
        raise HasDependents(f"{plan.name} was sold; archive it instead.")
    audit.record(
        "plan.deleted",
        plan,
        actor=actor,
        now=now,
        customer_id=plan.offering.customer_id,
        before=snapshot(plan, "name"),
    )
    remove(plan, because=f"{plan.name} was sold; archive it instead.")
