"""Carrying an order out: begun, done, failed, tried once more, or reported by the provider who did the work."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from agentmart.access.services import publish_grants
from agentmart.identity.permissions import require
from agentmart.infra import audit, jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict
from agentmart.ordering.models import Order
from agentmart.ordering.services.checks import OpenOrderExists, hold_unblocked, wrong_state
from agentmart.ordering.services.moves import move
from agentmart.ordering.states import OPEN, Change, OrderState, OrderType
from agentmart.resources import services as resources
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState

JOB = "ordering.execute_order"
CLEAN_UP_JOB = "ordering.clean_up"


class CarriedOutHere(Conflict):
    """The installation itself carries the order out, and says when it is done."""

    code = "carried_out_here"


def lock_of(order: Order) -> str:
    """Return the name under which jobs for the order's resource run one after the other."""
    return f"resource:{order.resource_id.hex}"


def begin(order: Order, *, actor: Actor, now: datetime) -> None:
    """Begin what an order that has just become executing asks for; the work itself is a job or the provider's."""
    if order.type == OrderType.UPDATE:
        with tenancy.elevated():
            resources.begin_update(order.resource, actor=actor, now=now)
    if not order.fulfilled_outside:
        jobs.enqueue(JOB, lock=lock_of(order), order_id=str(order.id))


def load(order_id: str) -> Order:
    """Return an order for its job, its row locked so that two workers do not interleave."""
    return (
        Order.objects.select_for_update(of=("self",))
        .select_related("offering", "plan", "resource__flow_version__agent")
        .get(pk=UUID(order_id))
    )


@transaction.atomic
def complete_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Note that the order's work is done; the resource runs, is changed, or has ended.

    A second call changes nothing, nor does one for an order that was withdrawn meanwhile.
    """
    if order.state != OrderState.EXECUTING:
        return order
    resource = order.resource
    match order.type:
        case OrderType.TERMINATE:
            resources.finish_termination(resource, actor=actor, now=now)
        case OrderType.UPDATE:
            _apply(order, actor=actor, now=now)
        case _:
            resources.activate_resource(resource, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=order.resource_id))
    move(
        order,
        OrderState.DONE,
        "order.done",
        actor=actor,
        now=now,
        completed_at=now,
    )
    return order


def _apply(order: Order, *, actor: Actor, now: datetime) -> None:
    """Change the resource as an Update order says."""
    resource = order.resource
    match order.subtype:
        case Change.PLAN:
            assert order.plan is not None
            resources.change_plan(resource, order.plan, limits=resource.limits, actor=actor, now=now)
        case Change.LIMITS:
            resources.change_limits(resource, order.limits, actor=actor, now=now)
        case Change.OPTIONS:
            resources.change_options(resource, order.attributes, actor=actor, now=now)
    resources.end_update(resource, actor=actor, now=now)


@transaction.atomic
def fail_order(
    order: Order,
    message: str,
    *,
    actor: Actor,
    now: datetime,
    traceback: str = "",
    nothing_stands: bool = False,
) -> Order:
    """Note why the order's work failed, in a sentence; it can be retried. A change that failed changes nothing.

    `nothing_stands`: of a resource that was to be created, nothing exists outside; it ends, and so no retry.
    """
    if order.state != OrderState.EXECUTING:
        return order
    if nothing_stands and order.type == OrderType.CREATE:
        resources.drop_resource(order.resource, message, actor=actor, now=now)
        if order.resource.runtime:  # an earlier try may have left something
            jobs.enqueue(CLEAN_UP_JOB, lock=lock_of(order), order_id=str(order.id))
    elif order.type == OrderType.UPDATE:
        resources.end_update(order.resource, actor=actor, now=now)
    elif order.resource.state not in (ResourceState.ERRED, ResourceState.TERMINATED):
        resources.fail_resource(order.resource, message, actor=actor, now=now)
    move(
        order,
        OrderState.ERRED,
        "order.erred",
        actor=actor,
        now=now,
        error_message=message[:500],
        error_traceback=traceback,
    )
    return order


def _require_provider(actor: Actor, order: Order) -> None:
    """Raise Forbidden unless the actor decides for the provider."""
    require(actor, "order.review_as_provider", provider_id=order.provider_customer_id)


@transaction.atomic
def retry_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Carry out an erred order once more; its resource goes back to where the order left it.

    409 where the order is not erred, its customer is blocked, or the resource has another open order or has ended.
    """
    _require_provider(actor, order)
    if order.state != OrderState.ERRED:
        raise wrong_state(order.state, OrderState.ERRED)
    if Order.objects.filter(resource_id=order.resource_id, state__in=OPEN).exists():
        raise OpenOrderExists(f"Another order for {order.resource_name} is open; wait for it.")
    try:
        with transaction.atomic():
            move(
                order,
                OrderState.EXECUTING,
                "order.retried",
                actor=actor,
                now=now,
                error_message="",
                error_traceback="",
                executing_since=now,
            )
    except IntegrityError as error:
        if "one_open" not in str(error):
            raise
        raise OpenOrderExists(f"An order for another {order.resource_name} is open; wait for it.") from None
    if order.type != OrderType.UPDATE:
        creating = order.type != OrderType.TERMINATE
        resources.resume_resource(order.resource, creating=creating, actor=actor, now=now)
    if order.type != OrderType.TERMINATE:
        hold_unblocked(order.customer_id)
    begin(order, actor=actor, now=now)
    return order


@transaction.atomic
def set_executing(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Begin an erred order once more, on the provider's word; pending ones are approved instead (`review`)."""
    return retry_order(order, actor=actor, now=now)


@transaction.atomic
def set_done(order: Order, *, actor: Actor, now: datetime) -> Order:
    """Note, on the provider's word, that an executing order's work is done.

    Raises CarriedOutHere (409) where the installation's own runtime carries it out.
    """
    _require_provider(actor, order)
    if order.state != OrderState.EXECUTING:
        raise wrong_state(order.state, OrderState.EXECUTING)
    with tenancy.elevated():  # the buyer's settings are born with its resource
        locked = load(str(order.id))
        if locked.state != OrderState.EXECUTING:
            raise wrong_state(locked.state, OrderState.EXECUTING)
        if locked.resource.runtime and locked.type != OrderType.UPDATE:
            raise CarriedOutHere(f"{locked.resource_name} is deployed by this installation; wait for it.")
        return complete_order(locked, actor=actor, now=now)


@transaction.atomic
def set_erred(order: Order, message: str, *, actor: Actor, now: datetime, traceback: str = "") -> Order:
    """Note, on the provider's word, that an executing order's work failed.

    What was to be created ends, unless the provider had named it in its own system (`set_backend_id`).
    """
    _require_provider(actor, order)
    if order.state != OrderState.EXECUTING:
        raise wrong_state(order.state, OrderState.EXECUTING)
    with tenancy.elevated():
        locked = load(str(order.id))
        if locked.state != OrderState.EXECUTING:
            raise wrong_state(locked.state, OrderState.EXECUTING)
        failed = fail_order(
            locked,
            message or "The provider could not carry it out.",
            actor=actor,
            now=now,
            traceback=traceback,
            nothing_stands=locked.fulfilled_outside and not (locked.backend_id or locked.resource.backend_id),
        )
        publish_grants(Resource.objects.filter(pk=order.resource_id))
    return failed


@transaction.atomic
def set_backend_id(order: Order, backend_id: str, *, actor: Actor, now: datetime) -> Order:
    """Note the name under which the provider's system knows the order, and what it creates."""
    _require_provider(actor, order)
    before = {"backend_id": order.backend_id}
    Order.objects.filter(pk=order.pk).update(backend_id=backend_id, modified=now)
    order.backend_id, order.modified = backend_id, now
    after = {"backend_id": backend_id}
    audit.record("order.backend_id_set", order, actor=actor, now=now, before=before, after=after)
    if order.type == OrderType.CREATE:
        resources.note_backend_id(order.resource, backend_id, actor=actor, now=now)
    return order
