"""Writes: orders, from placing to done; the work outside happens in `tasks`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from agentmart.access.services import publish_grants
from agentmart.catalog.models import Offering, Plan
from agentmart.catalog.services import require_orderable
from agentmart.identity.models import Project
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, jobs, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.ordering.models import Order
from agentmart.ordering.states import OPEN, PENDING, TRANSITIONS, OrderState, OrderType
from agentmart.resources import services as resources
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState


class OpenOrderExists(Conflict):
    """Another order for the same thing is not finished yet."""

    code = "open_order_exists"


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
) -> Order:
    """Order an offering for a project; the resource is born with the order and does nothing yet.

    Raises Forbidden, CustomerBlocked, Conflict not_orderable, capacity_reached or open_order_exists (409),
    Invalid for a plan of another offering or a limit that it does not have. Placing is the buyer's approval;
    the provider's may be still to come.
    """
    require(actor, "order.place", customer_id=project.customer_id, project_id=project.id)
    require_not_blocked(project.customer)
    chosen = _chosen_plan(offering, plan)
    require_orderable(offering, chosen)
    _check_limits(offering, limits)
    if chosen is not None:
        _require_capacity(chosen)
    name = attributes.get("name") or offering.name
    resource = resources.create_resource(
        actor=actor, now=now, project=project, offering=offering, plan=chosen, name=name
    )
    order = _insert(
        Order(
            type=OrderType.CREATE,
            state=_first_state(offering),
            customer_id=project.customer_id,
            customer_name=resource.customer_name,
            project=project,
            project_name=project.name,
            provider_customer_id=offering.customer_id,
            offering=offering,
            plan=chosen,
            resource=resource,
            resource_name=name,
            attributes=dict(attributes),
            limits=dict(limits),
            request_comment=comment,
        ),
        actor=actor,
        now=now,
    )
    if order.state == OrderState.EXECUTING:
        jobs.enqueue("ordering.execute_order", order_id=str(order.id))
    return order


def _chosen_plan(offering: Offering, plan: Plan | None) -> Plan | None:
    """Return the ordered plan, the only active one where none was named; raises Invalid (field plan)."""
    active = list(offering.plans.filter(archived=False))
    if plan is None:
        if len(active) > 1:
            raise Invalid("This offering has several plans; say which.", field="plan")
        return active[0] if active else None
    if plan.offering_id != offering.id:
        raise Invalid(f"Plan {plan.name} belongs to another offering.", field="plan")
    if plan.archived:
        raise Invalid(f"Plan {plan.name} is archived.", field="plan")
    return plan


def _check_limits(offering: Offering, limits: Mapping[str, Any]) -> None:
    """Raise Invalid (field limits.TYPE) for a limit of something that is not ordered by limit."""
    if not limits:
        return
    known = set(offering.components.filter(billing_type="limit").values_list("type", flat=True))
    for kind in limits:
        if kind not in known:
            shown = ", ".join(sorted(known)) or "none"
            raise Invalid(f"{offering.name} has no limit {kind}; it has {shown}.", field=f"limits.{kind}")


def _require_capacity(plan: Plan) -> None:
    """Raise Conflict (409 capacity_reached) where the plan is sold as often as it may be.

    The plan's row is locked until the order is written, or two orders would take the last place.
    """
    if plan.max_amount is None:
        return
    with tenancy.elevated():
        Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        taken = plan.resources.exclude(state=ResourceState.TERMINATED).count()
    if taken >= plan.max_amount:
        raise Conflict(
            f"Plan {plan.name} is sold out.", code="capacity_reached", extra={"limit": plan.max_amount}
        )


def _first_state(offering: Offering) -> OrderState:
    """Return where an order starts: with the provider where it asks to approve, else executing."""
    if not offering.requires_provider_approval:
        return OrderState.EXECUTING
    return OrderState.PENDING_PROVIDER


def _insert(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Write the order as reviewed by its placer; raises OpenOrderExists where another one is open."""
    order.created = order.modified = now
    order.created_by_id = actor.user_id
    order.created_by_username = actor.label
    order.consumer_reviewed_by = actor.label
    order.consumer_reviewed_at = now
    try:
        with transaction.atomic():
            order.save(force_insert=True)
    except IntegrityError as error:
        if "one_open" not in str(error):
            raise
        raise OpenOrderExists(
            f"An order for {order.resource_name} is open already; wait for it or withdraw it."
        ) from None
    audit.record(
        "order.placed",
        order,
        actor=actor,
        now=now,
        after={"type": order.type, "state": str(order.state), "resource": order.resource_name},
    )
    return order


@transaction.atomic
def order_termination(resource: Resource, *, actor: Actor, now: datetime) -> Order:
    """Order the end of a resource; carried out at once, no approval needed.

    Raises Forbidden, IllegalTransition (409) unless the resource is OK or Erred, OpenOrderExists (409).
    """
    require(
        actor,
        "resource.terminate",
        customer_id=resource.customer_id,
        project_id=resource.project_id,
        provider_id=resource.provider_customer_id,
    )
    if Order.objects.filter(resource=resource, state__in=OPEN).exists():
        raise OpenOrderExists(f"An order for {resource.name} is open already; wait for it or withdraw it.")
    resources.begin_termination(resource, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=resource.pk))
    order = _insert(
        Order(
            type=OrderType.TERMINATE,
            state=OrderState.EXECUTING,
            customer_id=resource.customer_id,
            customer_name=resource.customer_name,
            project_id=resource.project_id,
            project_name=resource.project_name,
            provider_customer_id=resource.provider_customer_id,
            offering_id=resource.offering_id,
            plan_id=resource.plan_id,
            resource=resource,
            resource_name=resource.name,
        ),
        actor=actor,
        now=now,
    )
    jobs.enqueue("ordering.execute_order", order_id=str(order.id))
    return order


def _require_provider(actor: Actor, order: Order) -> None:
    """Raise Forbidden unless the actor decides for the provider."""
    require(actor, "order.review_as_provider", provider_id=order.provider_customer_id)


@transaction.atomic
def approve_as_provider(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Approve for the provider; the work starts with the commit. 409 unless the order waits for the provider."""
    _require_provider(actor, order)
    if order.state != OrderState.PENDING_PROVIDER:
        raise transitions.IllegalTransition(
            "Valid states for operation: pending-provider.", extra={"state": str(order.state)}
        )
    transitions.move(
        order,
        OrderState.EXECUTING,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.approved",
        provider_reviewed_by=actor.label,
        provider_reviewed_at=now,
    )
    jobs.enqueue("ordering.execute_order", order_id=str(order.id))
    return order


@transaction.atomic
def reject_as_provider(order: Order, comment: str, *, actor: Actor, now: datetime) -> Order:
    """Reject for the provider; a resource that was to be created ends."""
    _require_provider(actor, order)
    if order.state != OrderState.PENDING_PROVIDER:
        raise transitions.IllegalTransition(
            "Valid states for operation: pending-provider.", extra={"state": str(order.state)}
        )
    transitions.move(
        order,
        OrderState.REJECTED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.rejected",
        provider_reviewed_by=actor.label,
        provider_reviewed_at=now,
        provider_rejection_comment=comment,
        completed_at=now,
    )
    _drop(order, actor=actor, now=now)
    return order


@transaction.atomic
def cancel_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Withdraw a pending order; whoever placed it always may. 409 once it is executing."""
    if actor.user_id != order.created_by_id:
        operation = "order.withdraw" if order.offering.shared else "order.withdraw_private"
        require(actor, operation, customer_id=order.customer_id, project_id=order.project_id)
    if order.state not in PENDING:
        raise transitions.IllegalTransition(
            f"Valid states for operation: {', '.join(PENDING)}.", extra={"state": str(order.state)}
        )
    transitions.move(
        order,
        OrderState.CANCELED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.canceled",
        completed_at=now,
    )
    _drop(order, actor=actor, now=now)
    return order


def _drop(order: Order, *, actor: Actor, now: datetime) -> None:
    """End the resource of a create order that will not be carried out."""
    if order.type == OrderType.CREATE:
        with tenancy.elevated():
            resources.drop_resource(order.resource, actor=actor, now=now)


@transaction.atomic
def retry_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Carry out an erred order once more; its resource goes back to where the order left it.

    409 where the order is not erred, or the resource has another open order or has ended meanwhile.
    """
    _require_provider(actor, order)
    if order.state != OrderState.ERRED:
        raise transitions.IllegalTransition(
            "Valid states for operation: erred.", extra={"state": str(order.state)}
        )
    if Order.objects.filter(resource_id=order.resource_id, state__in=OPEN).exists():
        raise OpenOrderExists(f"Another order for {order.resource_name} is open; wait for it.")
    transitions.move(
        order,
        OrderState.EXECUTING,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.retried",
        error_message="",
    )
    creating = order.type == OrderType.CREATE
    resources.resume_resource(order.resource, creating=creating, actor=actor, now=now)
    jobs.enqueue("ordering.execute_order", order_id=str(order.id))
    return order


def load(order_id: str) -> Order:
    """Return an order for its job, its row locked so that two workers do not interleave."""
    return (
        Order.objects.select_for_update(of=("self",))
        .select_related("resource__flow_version__agent")
        .get(pk=UUID(order_id))
    )


@transaction.atomic
def complete_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Note that the order's work is done; the resource runs, or has ended. A second call changes nothing."""
    if order.state == OrderState.DONE:
        return order
    if order.type == OrderType.CREATE:
        resources.activate_resource(order.resource, actor=actor, now=now)
    else:
        resources.finish_termination(order.resource, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=order.resource_id))
    transitions.move(
        order,
        OrderState.DONE,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.done",
        completed_at=now,
    )
    return order


@transaction.atomic
def fail_order(order: Order, message: str, *, actor: Actor, now: datetime) -> Order:
    """Note why the order's work failed, in a sentence; it can be retried."""
    if order.state != OrderState.EXECUTING:
        return order
    if order.resource.state not in (ResourceState.ERRED, ResourceState.TERMINATED):
        resources.fail_resource(order.resource, message, actor=actor, now=now)
    transitions.move(
        order,
        OrderState.ERRED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="order.erred",
        error_message=message[:500],
    )
    return order
