"""Orders about a resource that exists: its plan, limits, options, its restoration and its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.access.services import publish_grants
from agentmart.catalog.models import Plan
from agentmart.identity.models import Project
from agentmart.identity.permissions import require
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.ordering import selectors
from agentmart.ordering.models import Order
from agentmart.ordering.pricing import Cost
from agentmart.ordering.services import checks
from agentmart.ordering.services.place import about, insert
from agentmart.ordering.states import Change, OrderType
from agentmart.resources import services as resources
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState


def require_change(resource: Resource, *, actor: Actor) -> None:
    """Raise what forbids an order that changes a running resource: role, open order, state, block, offering."""
    require(actor, "order.place", customer_id=resource.customer_id, project_id=resource.project_id)
    checks.require_no_open_order(resource)
    resources.require_changeable(resource)
    checks.hold_unblocked(resource.customer_id)
    checks.require_follow_ups(resource.offering)


def require_termination(resource: Resource, *, actor: Actor) -> None:
    """Raise what forbids to order the resource's end: role, an open order, its state."""
    resources.require_end(resource, actor=actor)
    checks.require_no_open_order(resource)
    resources.require_endable(resource)


def _cost(order: Order, cost: Cost, once: Any, old: Cost) -> None:
    """Write the cost of a change into its order: the full period after it, what is due once, what was due before."""
    order.currency = order.plan.currency if order.plan else ""
    order.fixed_price, order.activation_price = cost.fixed, once
    order.new_cost_estimate, order.old_cost_estimate = cost.period, old.period
    order.cost = cost.period + once


def _insert(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Write the order in the project of its resource (which a provider does not see)."""
    with tenancy.elevated():
        project = Project.objects.get(pk=order.project_id)
    return insert(order, project, actor=actor, now=now)


@transaction.atomic
def order_plan(resource: Resource, plan: Plan, *, actor: Actor, now: datetime, comment: str = "") -> Order:
    """Order another plan of the same offering, in force from the moment the order is done.

    Raises Forbidden, Conflict (409: open order, wrong state, blocked, not orderable, sold out), Invalid (plan) for
    the plan it has, one of another offering, or an archived one.
    """
    require_change(resource, actor=actor)
    checks.own_plan(resource.offering, plan)
    if plan.id == resource.plan_id:
        raise Invalid(f"{resource.name} runs under plan {plan.name} already.", field="plan")
    checks.require_capacity(plan)
    order = about(
        resource,
        type=OrderType.UPDATE,
        subtype=Change.PLAN,
        plan=plan,
        old_plan_id=resource.plan_id,
        limits=resource.limits,
        request_comment=comment,
    )
    today = now.date()
    cost = selectors.cost_today(plan, resource.limits, today=today)
    old = selectors.cost_today(resource.plan, resource.limits, today=today)
    _cost(order, cost, cost.switch, old)
    return _insert(order, actor=actor, now=now)


@transaction.atomic
def order_limits(
    resource: Resource, limits: Mapping[str, Any], *, actor: Actor, now: datetime, comment: str = ""
) -> Order:
    """Order other limits; those not named stay as they are.

    Raises Forbidden, Conflict (409), Invalid (limits.TYPE) for what is not ordered by limit or out of its bounds,
    Invalid (limits) where nothing would change.
    """
    require_change(resource, actor=actor)
    checked = checks.checked_limits(resource.offering, limits, complete=False)
    wanted = {**resource.limits, **checked}
    if wanted == resource.limits:
        raise Invalid(f"{resource.name} has these limits already.", field="limits")
    order = about(
        resource,
        type=OrderType.UPDATE,
        subtype=Change.LIMITS,
        plan_id=resource.plan_id,
        old_plan_id=resource.plan_id,
        limits=wanted,
        attributes={"old_limits": resource.limits},
        request_comment=comment,
    )
    today = now.date()
    cost = selectors.cost_today(resource.plan, wanted, today=today)
    old = selectors.cost_today(resource.plan, resource.limits, today=today)
    _cost(order, cost, 0, old)
    return _insert(order, actor=actor, now=now)


@transaction.atomic
def change_options(
    resource: Resource, options: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Order | None:
    """Change the resource's options: at once (returns None), or by an order where the offering asks for one."""
    if resource.offering.plugin_options.get("create_orders_on_resource_option_change"):
        return order_options(resource, options, actor=actor, now=now)
    require_change(resource, actor=actor)
    wanted = checks.checked_options(resource, options)
    with tenancy.elevated():
        resources.change_options(resource, wanted, actor=actor, now=now)
    return None


@transaction.atomic
def order_options(resource: Resource, options: Mapping[str, Any], *, actor: Actor, now: datetime) -> Order:
    """Order other options; those not named stay as they are."""
    require_change(resource, actor=actor)
    wanted = checks.checked_options(resource, options)
    order = about(
        resource,
        type=OrderType.UPDATE,
        subtype=Change.OPTIONS,
        plan_id=resource.plan_id,
        old_plan_id=resource.plan_id,
        limits=resource.limits,
        attributes=wanted,
    )
    cost = selectors.cost_today(resource.plan, resource.limits, today=now.date())
    _cost(order, cost, 0, cost)
    return _insert(order, actor=actor, now=now)


@transaction.atomic
def order_restoration(resource: Resource, *, actor: Actor, now: datetime) -> Order:
    """Order that an erred resource is made to run once more; charges go on from when it does.

    Raises Forbidden, IllegalTransition (409) unless it is Erred, OpenOrderExists, CustomerBlocked (409).
    """
    require(actor, "order.review_as_provider", provider_id=resource.provider_customer_id)
    checks.require_no_open_order(resource)
    if resource.state != ResourceState.ERRED:
        raise checks.wrong_state(resource.state, ResourceState.ERRED)
    resources.begin_restoration(resource, actor=actor, now=now)
    checks.hold_unblocked(resource.customer_id)
    checks.require_follow_ups(resource.offering)
    order = about(
        resource,
        type=OrderType.RESTORE,
        plan_id=resource.plan_id,
        old_plan_id=resource.plan_id,
        limits=resource.limits,
    )
    cost = selectors.cost_today(resource.plan, resource.limits, today=now.date())
    _cost(order, cost, 0, cost)
    return _insert(order, actor=actor, now=now)


@transaction.atomic
def order_termination(
    resource: Resource,
    *,
    actor: Actor,
    now: datetime,
    attributes: Mapping[str, Any] | None = None,
    comment: str = "",
) -> Order:
    """Order the end of a resource; begun at once, no approval needed.

    Raises Forbidden, IllegalTransition (409) unless the resource is OK or Erred, OpenOrderExists (409).
    """
    require_termination(resource, actor=actor)
    resources.begin_termination(resource, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=resource.pk))
    order = about(
        resource,
        type=OrderType.TERMINATE,
        plan_id=resource.plan_id,
        old_plan_id=resource.plan_id,
        limits=resource.limits,
        attributes=dict(attributes or {}),
        termination_comment=comment,
        cost=0,
    )
    order.currency = resource.plan.currency if resource.plan else ""
    return _insert(order, actor=actor, now=now)
