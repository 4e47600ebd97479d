"""Jobs: another version of an agent for a buyer; answers kept for a day; last uses; counters of quotas set right."""

from __future__ import annotations

import logging

from agentmart.access import services, tenants
from agentmart.adapters.runtimes import RuntimeFailure
from agentmart.identity import selectors
from agentmart.infra import clock, jobs, tenancy
from agentmart.resources import runtime
from agentmart.resources import services as resources
from agentmart.resources.selectors import deployment_of
from agentmart.resources.states import ResourceState

logger = logging.getLogger("agentmart.access")

JOB = "access.deploy_version"
FOLLOW = "access.follow_latest"


def _give_up(*, error: Exception, config_id: str, version_id: str) -> None:
    """Note after the last try why the version could not be deployed; the old one goes on."""
    message = error.message if isinstance(error, RuntimeFailure) else "The version could not be deployed."
    with tenancy.as_system(JOB) as actor:
        config, _ = resources.wanted_version(config_id, version_id)
        resources.deploy_failed(config.resource, message, actor=actor, now=clock.now())


@jobs.job(JOB, attempts=6, wait_seconds=2, give_up=_give_up)
def deploy_version(*, config_id: str, version_id: str) -> None:
    """Deploy a version in place of the one that runs, then switch settings and keys over; safe to run twice."""
    with tenancy.as_system(JOB):
        config, version = resources.wanted_version(config_id, version_id)
        resource = config.resource
        if resource.state not in (ResourceState.OK, ResourceState.UPDATING) or not resource.runtime:
            return
        kind = resource.runtime
        resource.flow_version = version
        deployment = deployment_of(resource)
    try:
        runtime.deploy(kind, deployment)
    except RuntimeFailure as failure:
        if failure.retryable:
            raise
        _give_up(error=failure, config_id=config_id, version_id=version_id)
        return
    with tenancy.as_system(JOB) as actor:
        services.switch_version(config_id, version_id, actor=actor, now=clock.now())


@jobs.periodic(FOLLOW, cron="* * * * *")
def follow_latest() -> None:
    """Deploy what the offering has moved on to, for those buyers who asked for that."""
    with tenancy.as_system(FOLLOW) as actor:
        services.follow_latest(actor=actor, now=clock.now())


@jobs.periodic("access.sweep_idempotent_calls", cron="41 * * * *")
def sweep_idempotent_calls() -> None:
    """Delete answers kept under idempotency keys once their day is over."""
    services.sweep_idempotent_calls(now=clock.now())


@jobs.periodic("access.note_uses", cron="* * * * *")
def note_uses() -> None:
    """Write down when keys were last used."""
    services.note_uses(now=clock.now())


@jobs.periodic("access.recount_quotas", cron="29 3 * * *")
def recount_quotas() -> None:
    """Count every customer's projects, resources, people, keys and agents anew, one transaction per customer."""
    with tenancy.as_system("access.recount_quotas"):
        customers = selectors.all_customer_ids()
    for customer_id in customers:
        with tenancy.as_system("access.recount_quotas"):
            wrong = tenants.recount(customer_id, now=clock.now())
        if wrong:
            logger.warning(
                "quota counters were wrong", extra={"customer": customer_id.hex, "counters": wrong}
            )
