"""Approving, rejecting and withdrawing orders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.catalog.states import OfferingState
from agentmart.identity.models import Project
from agentmart.identity.permissions import permitted, require
from agentmart.infra import jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Forbidden
from agentmart.ordering import selectors
from agentmart.ordering.models import Order
from agentmart.ordering.services.carry_out import CLEAN_UP_JOB, begin, lock_of
from agentmart.ordering.services.checks import hold_unblocked, state_after_consumer, wrong_state
from agentmart.ordering.services.moves import move
from agentmart.ordering.services.place import approve_by_rule
from agentmart.ordering.states import PENDING, OrderState, OrderType
from agentmart.resources import services as resources

CONSUMER, PROVIDER = OrderState.PENDING_CONSUMER, OrderState.PENDING_PROVIDER
NOT_CARRIED_OUT = frozenset({OfferingState.ARCHIVED, OfferingState.UNAVAILABLE})


def may_decide_as_consumer(actor: Actor, order: Order, *, own: bool = False) -> bool:
    """Return whether the actor decides for the buyer; `own`: also for the order that it placed itself."""
    if own and actor.user_id is not None and actor.user_id == order.created_by_id:
        return True
    return selectors.may_approve_as_consumer(
        actor, customer_id=order.customer_id, project_id=order.project_id, shared=order.offering.shared
    )


def require_consumer(actor: Actor, order: Order, *, own: bool = False) -> None:
    """Raise Forbidden unless the actor decides for the buyer (see `may_decide_as_consumer`)."""
    if not may_decide_as_consumer(actor, order, own=own):
        operation = (
            "order.review_as_consumer" if order.offering.shared else "order.review_as_consumer_private"
        )
        require(actor, operation, customer_id=order.customer_id, project_id=order.project_id)


def require_provider(actor: Actor, order: Order) -> None:
    """Raise Forbidden unless the actor decides for the provider."""
    require(actor, "order.review_as_provider", provider_id=order.provider_customer_id)


def require_step(actor: Actor, order: Order, *, own: bool = False) -> None:
    """Raise Forbidden unless the actor decides the step that is pending; 409 where none is."""
    if order.state == CONSUMER:
        require_consumer(actor, order, own=own)
    elif order.state == PROVIDER:
        require_provider(actor, order)
    else:
        provider = permitted(actor, "order.review_as_provider", provider_id=order.provider_customer_id)
        if not provider and not may_decide_as_consumer(actor, order, own=own):
            raise Forbidden(
                "You do not have permission to perform this action.",
                extra={"operation": "order.review_as_consumer"},
            )
        raise wrong_state(order.state, CONSUMER, PROVIDER)


def require_editable(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may change the order, 409 unless it is pending."""
    require_consumer(actor, order, own=True)
    if order.state not in PENDING:
        raise wrong_state(order.state, *PENDING)


def require_provider_step(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor decides for the provider, 409 unless that is the step that is pending."""
    require_provider(actor, order)
    if order.state != PROVIDER:
        raise wrong_state(order.state, PROVIDER)


def require_consumer_step(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may reject for the buyer, 409 unless that is the step that is pending."""
    require_consumer(actor, order, own=True)
    if order.state != CONSUMER:
        raise wrong_state(order.state, CONSUMER)


def require_executing(order: Order, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor decides for the provider, 409 unless the order is being carried out."""
    require_provider(actor, order)
    if order.state != OrderState.EXECUTING:
        raise wrong_state(order.state, OrderState.EXECUTING)


def approve(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Approve the step that is pending, with that step's permission; 409 where none is."""
    require_step(actor, order)
    decide = approve_as_consumer if order.state == CONSUMER else approve_as_provider
    return decide(order, actor=actor, now=now)


@transaction.atomic
def approve_as_consumer(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Approve for the buyer; the order goes on to its day, the provider, or its work.

    409 unless it waits for the buyer, for a blocked customer, and for an offering that is no longer carried out.
    """
    require_consumer(actor, order)
    if order.state != CONSUMER:
        raise wrong_state(order.state, CONSUMER)
    go_on(
        order,
        "order.approved_by_consumer",
        actor=actor,
        now=now,
        consumer_reviewed_by=actor.label,
        consumer_reviewed_at=now,
    )
    return order


def go_on(order: Order, action: str, *, actor: Actor, now: datetime, **changes: Any) -> None:
    """Move an order that its buyer has approved to its next state, and begin it where that is its work."""
    project = Project.objects.get(pk=order.project_id)
    after = approve_by_rule(order, state_after_consumer(order, project, now=now), now=now)
    if after == order.state:
        return
    if order.auto_approved:
        names = ("auto_approved", "auto_approved_by_rule_id", "auto_approved_cost_limit")
        changes |= {name: getattr(order, name) for name in names}
        changes |= {
            "provider_reviewed_by": order.provider_reviewed_by,
            "provider_reviewed_at": order.provider_reviewed_at,
        }
    if after == OrderState.EXECUTING:
        changes["executing_since"] = now
    move(order, after, action, actor=actor, now=now, **changes)
    require_still_sold(order)
    if after == OrderState.EXECUTING:
        begin(order, actor=actor, now=now)


def require_still_sold(order: Order) -> None:
    """Raise CustomerBlocked or Conflict not_orderable (409) where the order may not be carried out any more."""
    if order.offering.state in NOT_CARRIED_OUT:
        raise Conflict(
            f"{order.offering.name} takes no orders now.",
            code="not_orderable",
            extra={"state": order.offering.state},
        )
    hold_unblocked(order.customer_id)


@transaction.atomic
def approve_as_provider(
    order: Order, *, actor: Actor, now: datetime, attributes: dict[str, Any] | None = None
) -> Order:
    """Approve for the provider; the work starts with the commit. 409 unless the order waits for the provider.

    `attributes` are added to what the buyer said.
    """
    require_provider_step(order, actor=actor)
    changes: dict[str, Any] = {"attributes": {**order.attributes, **attributes}} if attributes else {}
    move(
        order,
        OrderState.EXECUTING,
        "order.approved",
        actor=actor,
        now=now,
        provider_reviewed_by=actor.label,
        provider_reviewed_at=now,
        executing_since=now,
        **changes,
    )
    require_still_sold(order)
    begin(order, actor=actor, now=now)
    return order


def reject(order: Order, comment: str, *, actor: Actor, now: datetime) -> Order:
    """Reject the step that is pending, with that step's permission; 409 where none is."""
    require_step(actor, order, own=True)
    decide = reject_as_consumer if order.state == CONSUMER else reject_as_provider
    return decide(order, comment, actor=actor, now=now)


@transaction.atomic
def reject_as_consumer(order: Order, comment: str, *, actor: Actor, now: datetime) -> Order:
    """Reject for the buyer; a resource that was to be created ends. 409 unless the order waits for the buyer."""
    require_consumer_step(order, actor=actor)
    move(
        order,
        OrderState.REJECTED,
        "order.rejected_by_consumer",
        actor=actor,
        now=now,
        consumer_reviewed_by=actor.label,
        consumer_reviewed_at=now,
        consumer_rejection_comment=comment,
        completed_at=now,
    )
    drop(order, actor=actor, now=now)
    return order


@transaction.atomic
def reject_as_provider(order: Order, comment: str, *, actor: Actor, now: datetime) -> Order:
    """Reject for the provider; a resource that was to be created ends. 409 unless it waits for the provider."""
    require_provider_step(order, actor=actor)
    move(
        order,
        OrderState.REJECTED,
        "order.rejected",
        actor=actor,
        now=now,
        provider_reviewed_by=actor.label,
        provider_reviewed_at=now,
        provider_rejection_comment=comment,
        completed_at=now,
    )
    drop(order, actor=actor, now=now)
    return order


@transaction.atomic
def cancel_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Withdraw an order that is pending, or that is still being carried out; whoever placed it always may.

    409 once it is done, and for an ordered end that has begun: calls and charges have stopped then.
    """
    require_consumer(actor, order, own=True)
    executing = order.state == OrderState.EXECUTING and order.type in (OrderType.CREATE, OrderType.UPDATE)
    if order.state not in PENDING and not executing:
        raise wrong_state(order.state, *PENDING, OrderState.EXECUTING)
    move(order, OrderState.CANCELED, "order.canceled", actor=actor, now=now, completed_at=now)
    drop(order, actor=actor, now=now)
    if executing:
        _undo(order, actor=actor, now=now)
    return order


def _undo(order: Order, *, actor: Actor, now: datetime) -> None:
    """Put right what a withdrawn order had begun: the resource, and what may stand at the runtime already."""
    if order.type == OrderType.UPDATE:
        with tenancy.elevated():
            resources.end_update(order.resource, actor=actor, now=now)
    elif order.resource.runtime:
        jobs.enqueue(CLEAN_UP_JOB, lock=lock_of(order), order_id=str(order.id))


def drop(order: Order, *, actor: Actor, now: datetime) -> None:
    """End the resource of a create order that will not be carried out."""
    if order.type == OrderType.CREATE:
        with tenancy.elevated():
            resources.drop_resource(order.resource, actor=actor, now=now)
