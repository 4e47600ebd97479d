"""Writes: resources and the buyer's settings of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from agentmart.agents.services import exposed_tweaks
from agentmart.catalog.models import Offering, Plan
from agentmart.contracts.grants import Tweakable
from agentmart.contracts.tweaks import check_tweaks
from agentmart.identity.models import Project
from agentmart.identity.permissions import require
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.resources.models import AgentConfig, PlanPeriod, Resource
from agentmart.resources.states import TRANSITIONS, ResourceState


def tweakables(rows: list[dict[str, Any]]) -> tuple[Tweakable, ...]:
    """Return stored rows as the contract's Tweakables."""
    return tuple(Tweakable(**{**row, "options": tuple(row.get("options", ()))}) for row in rows)


@transaction.atomic
def create_resource(
    *, actor: Actor, now: datetime, project: Project, offering: Offering, plan: Plan | None, name: str
) -> Resource:
    """Add the resource that an order asks for, in state Creating; nothing runs yet."""
    resource = Resource.objects.create(
        customer_id=project.customer_id,
        customer_name=project.customer.name,
        project=project,
        project_name=project.name,
        provider_customer_id=offering.customer_id,
        offering=offering,
        plan=plan,
        flow_version_id=offering.flow_version_id,
        runtime=settings.RUNTIME if offering.flow_version_id else "",
        name=name,
        created=now,
        modified=now,
    )
    audit.record("resource.created", resource, actor=actor, now=now, after={"name": name})
    return resource


@transaction.atomic
def activate_resource(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Note that the resource runs: state OK, its plan period opened, the buyer's settings born."""
    if resource.state == ResourceState.OK:
        return resource
    transitions.move(
        resource,
        ResourceState.OK,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.activated",
        activated_at=now,
        error_message="",
    )
    if resource.plan_id is not None:
        PlanPeriod.objects.create(
            resource=resource,
            customer_id=resource.customer_id,
            provider_customer_id=resource.provider_customer_id,
            plan_id=resource.plan_id,
            start=now,
            created=now,
            modified=now,
        )
    if resource.flow_version is not None:
        AgentConfig.objects.create(
            resource=resource,
            customer_id=resource.customer_id,
            name=resource.name,
            tweakable=exposed_tweaks(resource.flow_version.agent, resource.flow_version),
            created=now,
            modified=now,
        )
    return resource


@transaction.atomic
def fail_resource(resource: Resource, message: str, *, actor: Actor, now: datetime) -> Resource:
    """Note that the resource could not be made, changed or ended; `message` says why, for people."""
    transitions.move(
        resource,
        ResourceState.ERRED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.erred",
        error_message=message[:500],
    )
    return resource


@transaction.atomic
def resume_resource(resource: Resource, *, creating: bool, actor: Actor, now: datetime) -> Resource:
    """Put an erred resource back into Creating, or Terminating, because its order is tried once more."""
    transitions.move(
        resource,
        ResourceState.CREATING if creating else ResourceState.TERMINATING,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.resumed",
        error_message="",
    )
    return resource


@transaction.atomic
def drop_resource(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """End a resource that never ran (its order was rejected or canceled)."""
    transitions.move(
        resource,
        ResourceState.TERMINATED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.dropped",
        terminated_at=now,
    )
    return resource


@transaction.atomic
def begin_termination(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Take the resource out of service: no calls from now on, charges end now."""
    transitions.move(
        resource,
        ResourceState.TERMINATING,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.terminating",
    )
    PlanPeriod.objects.filter(resource=resource, end=None).update(end=now, modified=now)
    return resource


@transaction.atomic
def finish_termination(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Note that nothing of the resource runs any more."""
    if resource.state == ResourceState.TERMINATED:
        return resource
    transitions.move(
        resource,
        ResourceState.TERMINATED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.terminated",
        terminated_at=now,
    )
    return resource


@transaction.atomic
def update_config(
    config: AgentConfig, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> AgentConfig:
    """Change the buyer's name and tweaks of an agent.

    Raises Invalid with the tweak's field (`tweaks.NODE.FIELD`) for what the offering does not expose.
    """
    require(actor, "config.edit", customer_id=config.customer_id, project_id=config.resource.project_id)
    values = dict(changes)
    if "tweaks" in values:
        values["tweaks"] = check_tweaks(values["tweaks"], tweakables(config.tweakable))
    before = snapshot(config, *values)
    for name, value in values.items():
        setattr(config, name, value)
    config.modified = now
    config.save(update_fields=[*values, "modified"])
    audit.record(
        "agent_config.updated", config, actor=actor, now=now, before=before, after=snapshot(config, *values)
    )
    return config
