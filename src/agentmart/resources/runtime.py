"""Deploying at, and removing from, the runtime a resource runs in; for jobs, outside any transaction.

Where a runtime stands in for others, it holds their flows too. What goes wrong there keeps nobody from selling: the
gateway then finds the flow only where it belongs.
"""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings

from agentmart.adapters import runtimes
from agentmart.adapters.runtimes import Deployment, RuntimeFailure

logger = logging.getLogger("agentmart.resources")


def deploy(kind: str, deployment: Deployment) -> None:
    """Deploy, in place of what stands there under the same id; raises RuntimeFailure."""
    async_to_sync(_at_runtime)(kind, deployment, deployment.deployment_id)
    _at_fallback(kind, deployment, deployment.deployment_id)


def remove(kind: str, deployment_id: str) -> None:
    """Remove a deployment; one that is not there is no failure. Raises RuntimeFailure."""
    async_to_sync(_at_runtime)(kind, None, deployment_id)
    _at_fallback(kind, None, deployment_id)


def _at_fallback(kind: str, deployment: Deployment | None, deployment_id: str) -> None:
    """Do the same where another runtime stands in for this one."""
    fallback: str = settings.FALLBACK_RUNTIME
    if not fallback or fallback == kind:
        return
    try:
        async_to_sync(_at_runtime)(fallback, deployment, deployment_id)
    except RuntimeFailure as failure:
        facts = {"runtime": fallback, "deployment_id": deployment_id, "code": failure.code}
        logger.warning("the runtime that stands in is not in step", extra=facts)


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
