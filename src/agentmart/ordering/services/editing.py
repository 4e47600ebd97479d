"""Changing and deleting orders that nobody has carried out yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.infra import audit, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.ordering.models import Order
from agentmart.ordering.services import checks
from agentmart.ordering.services.moves import move
from agentmart.ordering.services.place import price
from agentmart.ordering.services.review import drop, may_decide_as_consumer, require_editable
from agentmart.ordering.states import PENDING, Change, OrderState, OrderType
from agentmart.resources import services as resources

PRICES = ("cost", "fixed_price", "activation_price", "new_cost_estimate")


@transaction.atomic
def edit_order(order: Order, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Order:
    """Change limits, attributes or start date of a pending order; its cost follows.

    What somebody changed who may not approve waits for the buyer's approval again. Raises Forbidden,
    IllegalTransition (409) unless it is pending, Invalid for limits that the offering does not have.
    """
    require_editable(order, actor=actor)
    values = {name: value for name, value in changes.items() if getattr(order, name) != value}
    if "limits" in values:
        values["limits"] = _checked_limits(order, values["limits"])
    if "attributes" in values:
        values["attributes"] = _checked_attributes(order, values["attributes"])
    if "start_date" in values:
        checks.require_future(values["start_date"], now=now)
    if not values:
        return order
    before = snapshot(order, *values)
    for name, value in values.items():
        setattr(order, name, value)
    if "limits" in values:
        price(order, now=now)
        values |= {name: getattr(order, name) for name in PRICES}
    rows = Order.objects.filter(pk=order.pk, state=order.state)
    if not rows.update(**values, modified=now):
        raise transitions.IllegalTransition(
            f"Valid states for operation: {', '.join(PENDING)}.", extra={"raced": True}
        )
    order.modified = now
    audit.record("order.edited", order, actor=actor, now=now, before=before, after=snapshot(order, *values))
    _tell_resource(order, values, actor=actor, now=now)
    _ask_again(order, actor=actor, now=now)
    return order


def _checked_limits(order: Order, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of an order that has some; raises Invalid."""
    if order.type == OrderType.CREATE:
        return checks.checked_limits(order.offering, limits, complete=True)
    if order.subtype != Change.LIMITS:
        raise Invalid("This order is not about limits.", field="limits")
    checked = checks.checked_limits(order.offering, limits, complete=False)
    return {**order.resource.limits, **checked}


def _checked_attributes(order: Order, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order says, or the options that it sets; raises Invalid."""
    if order.type == OrderType.CREATE:
        return checks.checked_attributes(order.offering, attributes)
    if order.subtype == Change.OPTIONS:
        return checks.checked_options(order.resource, attributes)
    return dict(attributes)


def _tell_resource(order: Order, values: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
    """Give the resource of a create order what the order now says."""
    if order.type == OrderType.CREATE:
        kept = {name: values[name] for name in ("limits", "attributes") if name in values}
        if kept:
            with tenancy.elevated():
                resources.restate_resource(order.resource, kept, actor=actor, now=now)


def _ask_again(order: Order, *, actor: Actor, now: datetime) -> None:
    """Put an edited order back to where it must be looked at: the buyer, or a day that is ahead again."""
    if may_decide_as_consumer(actor, order):
        ahead = order.start_date is not None and order.start_date > now.date()
        if not (ahead and order.state == OrderState.PENDING_PROVIDER):
            return
        to, changes = OrderState.PENDING_START_DATE, {}
    else:
        if order.state == OrderState.PENDING_CONSUMER:
            return
        to = OrderState.PENDING_CONSUMER
        changes = {"consumer_reviewed_by": "", "consumer_reviewed_at": None}
    move(order, to, "order.returned", actor=actor, now=now, **changes)


@transaction.atomic
def delete_order(order: Order, *, actor: Actor, now: datetime) -> None:
    """Delete a pending order; a resource that was to be created ends. 409 once it is executing."""
    require_editable(order, actor=actor)
    gone = Order.objects.filter(pk=order.pk, state=order.state)
    if not gone.select_for_update(of=("self",)).exists():
        raise transitions.IllegalTransition(
            f"Valid states for operation: {', '.join(PENDING)}.", extra={"raced": True}
        )
    drop(order, actor=actor, now=now)
    before = {"state": str(order.state), "resource": order.resource_name}
    audit.record("order.deleted", order, actor=actor, now=now, before=before)
    gone.delete()
