"""Placing an order, and where it starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from agentmart.catalog.models import Offering, Plan
from agentmart.catalog.pricing import ZERO
from agentmart.catalog.services import require_orderable
from agentmart.identity.models import Project, User
from agentmart.identity.permissions import require
from agentmart.identity.services import lock_project
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.ordering import selectors
from agentmart.ordering.models import ApprovalRule, Order
from agentmart.ordering.services import checks
from agentmart.ordering.services.carry_out import begin
from agentmart.ordering.services.checks import OpenOrderExists
from agentmart.ordering.states import OrderState, OrderType
from agentmart.resources import services as resources
from agentmart.resources.models import Resource

AT_ONCE = frozenset({OrderType.TERMINATE, OrderType.RESTORE})
"""Orders that whoever may place them carries through: nobody else is asked."""


@transaction.atomic
def place_order(
    *,
    actor: Actor,
    now: datetime,
    project: Project,
    offering: Offering,
    plan: Plan | None,
    attributes: Mapping[str, Any],
    limits: Mapping[str, Any],
    comment: str = "",
    accepting_terms: bool = False,
    callback_url: str = "",
    start_date: date | None = None,
    slug: str = "",
) -> Order:
    """Order an offering for a project; the resource is born with the order and does nothing yet.

    Raises Forbidden, CustomerBlocked, QuotaExceeded, Conflict project_deleted, not_orderable, capacity_reached or
    open_order_exists (409), Invalid for a plan of another offering, a limit that it does not have, terms not
    accepted. Placing is the buyer's approval where the actor may give it; the provider's may be still to come.
    """
    require(actor, "order.place", customer_id=project.customer_id, project_id=project.id)
    checks.hold_unblocked(project.customer_id)
    lock_project(project.id)  # or it could be deleted under the order
    chosen = checks.chosen_plan(offering, plan)
    require_orderable(offering, chosen)
    checks.require_terms(offering, accepting_terms)
    checks.require_future(start_date, now=now)
    ordered = checks.checked_limits(offering, limits, complete=True)
    if chosen is not None:
        checks.require_capacity(chosen)
    said = checks.checked_attributes(offering, attributes)
    name = said.get("name") or offering.name
    resource = resources.create_resource(
        actor=actor,
        now=now,
        project=project,
        offering=offering,
        plan=chosen,
        name=name,
        attributes=said,
        limits=ordered,
    )
    order = about(
        resource,
        type=OrderType.CREATE,
        offering=offering,
        plan=chosen,
        attributes=said,
        limits=ordered,
        request_comment=comment,
        callback_url=callback_url,
        start_date=start_date,
        slug=slug,
    )
    price(order, now=now)
    return insert(order, project, actor=actor, now=now)


def about(resource: Resource, **values: Any) -> Order:
    """Return an order about a resource, not yet written."""
    return Order(
        customer_id=resource.customer_id,
        customer_name=resource.customer_name,
        project_id=resource.project_id,
        project_name=resource.project_name,
        provider_customer_id=resource.provider_customer_id,
        resource=resource,
        resource_name=resource.name,
        **{"offering_id": resource.offering_id, **values} if "offering" not in values else values,
    )


def price(order: Order, *, now: datetime) -> None:
    """Write what the order costs at today's prices into it: the full first period and what is due once."""
    cost = selectors.cost_today(order.plan, order.limits, today=now.date())
    order.currency = order.plan.currency if order.plan else ""
    once = {OrderType.CREATE: cost.activation}.get(OrderType(order.type), ZERO)
    order.fixed_price, order.activation_price = cost.fixed, once
    order.new_cost_estimate = cost.period
    order.cost = cost.period + once


def insert(order: Order, project: Project, *, actor: Actor, now: datetime) -> Order:
    """Write an order in its first state and begin it where nobody has to be asked.

    Raises OpenOrderExists (409) where another one is open.
    """
    _sign(order, actor=actor, now=now)
    order.state = _first_state(order, project, actor=actor, now=now)
    if order.state == OrderState.EXECUTING:
        order.executing_since = now
    try:
        with transaction.atomic():
            order.save(force_insert=True)
    except IntegrityError as error:
        if "one_open" not in str(error):
            raise
        raise OpenOrderExists(
            f"An order for {order.resource_name} is open already; wait for it or withdraw it."
        ) from None
    after = {"type": order.type, "state": str(order.state), "resource": order.resource_name}
    if order.auto_approved:
        after["rule"] = str(order.auto_approved_by_rule_id)
    audit.record("order.placed", order, actor=actor, now=now, after=after)
    if order.state == OrderState.EXECUTING:
        begin(order, actor=actor, now=now)
    return order


def _sign(order: Order, *, actor: Actor, now: datetime) -> None:
    """Note who places the order and when."""
    order.created = order.modified = now
    order.created_by_id = actor.user_id
    order.created_by_username = actor.label
    person = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    order.created_by_full_name = person.get_full_name() if person else ""


def _first_state(order: Order, project: Project, *, actor: Actor, now: datetime) -> OrderState:
    """Return where an order starts: each side is skipped where it has approved already, by person or by rule."""
    if order.type in AT_ONCE:
        order.consumer_reviewed_by, order.consumer_reviewed_at = actor.label, now
        return OrderState.EXECUTING
    offering = order.offering
    if selectors.may_approve_as_consumer(
        actor, customer_id=order.customer_id, project_id=order.project_id, shared=offering.shared
    ):
        order.consumer_reviewed_by, order.consumer_reviewed_at = actor.label, now
    else:
        rule = _matching(selectors.consumer_rules(project, offering, actor), order)
        if rule is None:
            return OrderState.PENDING_CONSUMER
        _note_rule(order, rule)
        order.consumer_reviewed_by, order.consumer_reviewed_at = "approval rule", now
    return approve_by_rule(order, checks.state_after_consumer(order, project, now=now), now=now)


def approve_by_rule(order: Order, state: OrderState, *, now: datetime) -> OrderState:
    """Return the state that the provider's rules make of one that waits for the provider."""
    if state != OrderState.PENDING_PROVIDER:
        return state
    with tenancy.elevated():  # the provider's rules are its own
        rule = _matching(selectors.provider_rules(order.customer, order.offering), order)
    if rule is None:
        return state
    _note_rule(order, rule)
    order.provider_reviewed_by, order.provider_reviewed_at = "approval rule", now
    return OrderState.EXECUTING


def _matching(rules: list[ApprovalRule], order: Order) -> ApprovalRule | None:
    """Return the first rule whose cost limit the order keeps."""
    cost = order.cost or 0
    return next((rule for rule in rules if rule.cost_limit is None or cost <= rule.cost_limit), None)


def _note_rule(order: Order, rule: ApprovalRule) -> None:
    """Note on the order that a rule approved it."""
    order.auto_approved = True
    order.auto_approved_by_rule_id = rule.id
    order.auto_approved_cost_limit = rule.cost_limit
