"""Jobs: carrying out approved orders at the runtime, and what happens by the calendar."""

from __future__ import annotations

from django.conf import settings

from agentmart.adapters import outgoing
from agentmart.adapters.runtimes import Deployment, RuntimeFailure
from agentmart.infra import clock, jobs, tenancy
from agentmart.kit import webhooks
from agentmart.ordering import services
from agentmart.ordering.services import callbacks
from agentmart.ordering.states import CallbackState, OrderState, OrderType
from agentmart.resources import runtime
from agentmart.resources.selectors import deployment_of

JOB = "ordering.execute_order"
CLEAN_UP = "ordering.clean_up"
RELEASE = "ordering.release_waiting"
ENDS = "ordering.order_ends"
SWEEP = "ordering.sweep_stuck"
GONE = 410
REFUSED = frozenset({"bad_flow", "refused"})
"""Failures by which a runtime says that it took nothing."""


def _give_up(*, error: Exception, order_id: str) -> None:
    """Note after the last try why the order failed."""
    message = error.message if isinstance(error, RuntimeFailure) else "The order could not be carried out."
    with tenancy.as_system(JOB) as actor:
        services.fail_order(
            services.load(order_id),
            message,
            actor=actor,
            now=clock.now(),
            traceback=f"{type(error).__name__}: {error}"[:2000],
            nothing_stands=isinstance(error, RuntimeFailure) and error.code in REFUSED,
        )


@jobs.job(JOB, attempts=6, wait_seconds=2, give_up=_give_up)
def execute_order(*, order_id: str) -> None:
    """Deploy (or remove) the order's flow where it asks for that, then complete the order; safe to run twice."""
    with tenancy.as_system(JOB):
        order = services.load(order_id)
        if order.state != OrderState.EXECUTING or order.fulfilled_outside:
            return
        kind = order.resource.runtime if order.type != OrderType.UPDATE else ""
        starting = order.type != OrderType.TERMINATE
        deployment = deployment_of(order.resource) if starting and kind else None
        deployment_id = order.resource.deployment_id
    try:
        if kind:
            _at_runtime(kind, deployment, deployment_id)
    except RuntimeFailure as failure:
        if failure.retryable:
            raise
        _give_up(error=failure, order_id=order_id)
        return
    with tenancy.as_system(JOB) as actor:
        services.complete_order(services.load(order_id), actor=actor, now=clock.now())


def _at_runtime(kind: str, deployment: Deployment | None, deployment_id: str) -> None:
    """Deploy, or remove where there is nothing to deploy."""
    if deployment is None:
        runtime.remove(kind, deployment_id)
    else:
        runtime.deploy(kind, deployment)


@jobs.job(CLEAN_UP, attempts=8, wait_seconds=2)
def clean_up(*, order_id: str) -> None:
    """Remove what a withdrawn or failed order may have deployed; it runs after that order's own job."""
    with tenancy.as_system(CLEAN_UP):
        order = services.load(order_id)
        kind, deployment_id = order.resource.runtime, order.resource.deployment_id
        if order.state not in (OrderState.CANCELED, OrderState.ERRED) or not kind:
            return
    runtime.remove(kind, deployment_id)


class NotDelivered(Exception):
    """A message to a buyer's address was not taken; it is sent again later."""


def _give_up_calling(*, error: Exception, callback_id: str) -> None:
    """Note after the last try that a message is not sent any more."""
    with tenancy.as_system(callbacks.JOB):
        callbacks.give_up(callback_id, now=clock.now())


@jobs.job(callbacks.JOB, attempts=11, wait_seconds=3, give_up=_give_up_calling)
def call_back(*, callback_id: str) -> None:
    """Send a message to the address that an order's buyer left; for about a day, until it is taken (2xx).

    An address that may not be called, or answers 410 (gone), is not called again.
    """
    with tenancy.as_system(callbacks.JOB):
        message = callbacks.waiting_callback(callback_id)
    if message is None:
        return
    body = message.body.encode()
    secret = callbacks.secret_of(message.customer_id)
    signed = webhooks.headers(secret, message.uuid, int(clock.now().timestamp()), body)
    state, status, error = CallbackState.WAITING, None, ""
    try:
        status = outgoing.post(message.url, body, signed, allowed=settings.CALLBACK_HOSTS).status
        if 200 <= status < 300:
            state = CallbackState.DELIVERED
        else:
            error = f"The address answered {status}."
            state = CallbackState.FAILED if status == GONE else state
    except outgoing.NotCalled as refusal:
        error = str(refusal)
        state = state if refusal.lookup else CallbackState.FAILED
    except outgoing.NoAnswer as failure:
        error = str(failure)
    with tenancy.as_system(callbacks.JOB):
        callbacks.note_attempt(callback_id, state, status=status, error=error, now=clock.now())
    if state == CallbackState.WAITING:
        raise NotDelivered(error)


@jobs.periodic(RELEASE, cron="* * * * *")
def release_waiting() -> None:
    """Let orders go on whose day has come."""
    services.release_waiting(RELEASE, now=clock.now())


@jobs.periodic(ENDS, cron="*/5 * * * *")
def order_ends() -> None:
    """Order the end of resources whose last day has passed."""
    services.order_ends_that_are_due(ENDS, now=clock.now())


@jobs.periodic(SWEEP, cron="*/5 * * * *")
def sweep_stuck() -> None:
    """Find executing orders that no job carries out."""
    with tenancy.as_system(SWEEP) as actor:
        services.find_stuck(actor=actor, now=clock.now())
