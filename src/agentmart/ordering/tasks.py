"""Jobs: carrying out approved orders at the runtime."""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings

from agentmart.adapters import runtimes
from agentmart.adapters.runtimes import Deployment, RuntimeFailure
from agentmart.infra import clock, jobs, tenancy
from agentmart.ordering import services
from agentmart.ordering.states import OrderState, OrderType
from agentmart.resources.selectors import deployment_of

JOB = "ordering.execute_order"


def _give_up(*, error: Exception, order_id: str) -> None:
    """Note after the last try why the order failed."""
    message = error.message if isinstance(error, RuntimeFailure) else "The order could not be carried out."
    with tenancy.as_system(JOB) as actor:
        services.fail_order(services.load(order_id), message, actor=actor, now=clock.now())


@jobs.job(JOB, attempts=6, wait_seconds=2, give_up=_give_up)
def execute_order(*, order_id: str) -> None:
    """Deploy (or remove) the order's flow, then complete the order; safe to run twice."""
    with tenancy.as_system(JOB):
        order = services.load(order_id)
        if order.state != OrderState.EXECUTING:
            return
        creating = order.type == OrderType.CREATE
        kind = order.resource.runtime
        deployment = deployment_of(order.resource) if creating and kind else None
        deployment_id = order.resource.deployment_id
    try:
        if kind:
            async_to_sync(_at_runtime)(kind, deployment, deployment_id)
    except RuntimeFailure as failure:
        if failure.retryable:
            raise
        _give_up(error=failure, order_id=order_id)
        return
    with tenancy.as_system(JOB) as actor:
        services.complete_order(services.load(order_id), actor=actor, now=clock.now())


async def _at_runtime(kind: str, deployment: Deployment | None, deployment_id: str) -> None:
    """Deploy, or remove where there is nothing to deploy."""
    parameters: dict[str, Any] | None = settings.ADAPTERS["runtimes"].get(kind)
    if parameters is None:
        raise RuntimeFailure(
            "unreachable", f"This installation has no runtime {kind}; an operator must set it up."
        )
    runtime = runtimes.build(kind, **parameters)
    try:
        if deployment is not None:
            await runtime.deploy(deployment)
        else:
            await runtime.remove(deployment_id)
    finally:
        await runtime.close()
