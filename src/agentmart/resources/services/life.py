"""A resource's life: born of an order, running, erred, ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agentmart.agents.models import FlowVersion
from agentmart.agents.services import exposed_tweaks
from agentmart.catalog.models import Offering, Plan
from agentmart.identity import quotas
from agentmart.identity.models import Project
from agentmart.infra import audit, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.states import check_transition
from agentmart.resources.models import AgentConfig, PlanPeriod, Resource
from agentmart.resources.services.periods import open_period
from agentmart.resources.states import TRANSITIONS, ResourceState


@transaction.atomic
def create_resource(
    *,
    actor: Actor,
    now: datetime,
    project: Project,
    offering: Offering,
    plan: Plan | None,
    name: str,
    attributes: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> Resource:
    """Add the resource that an order asks for, in state Creating; nothing runs yet.

    Raises quotas.QuotaExceeded (409) where the customer has as many as it may.
    """
    quotas.claim(project.customer_id, quotas.RESOURCES, now=now)
    resource = Resource.objects.create(
        customer_id=project.customer_id,
        customer_name=project.customer.name,
        project=project,
        project_name=project.name,
        provider_customer_id=offering.customer_id,
        offering=offering,
        plan=plan,
        flow_version_id=offering.flow_version_id,
        version=_number(offering.flow_version_id),
        runtime=settings.RUNTIME if offering.flow_version_id else "",
        name=name,
        attributes=dict(attributes or {}),
        limits=dict(limits or {}),
        created=now,
        modified=now,
    )
    audit.record("resource.created", resource, actor=actor, now=now, after={"name": name})
    return resource


def _number(version_id: UUID | None) -> int | None:
    """Return a version's number; the versions themselves are the provider's."""
    if version_id is None:
        return None
    with tenancy.elevated():
        return FlowVersion.objects.values_list("version", flat=True).get(pk=version_id)


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
        activated_at=resource.activated_at or now,
        error_message="",
    )
    if not PlanPeriod.objects.filter(resource=resource, end=None).exists():
        open_period(resource, now=now)
    if resource.flow_version is not None and not AgentConfig.objects.filter(resource=resource).exists():
        AgentConfig.objects.create(
            resource=resource,
            customer_id=resource.customer_id,
            name=resource.name,
            tweakable=exposed_tweaks(resource.flow_version.agent, resource.flow_version),
            created=now,
            modified=now,
        )
    return resource


def _move(
    resource: Resource, to: ResourceState, action: str, *, actor: Actor, now: datetime, **changes: Any
) -> Resource:
    """Move the resource, audited; raises IllegalTransition (409)."""
    transitions.move(resource, to, transitions=TRANSITIONS, actor=actor, now=now, action=action, **changes)
    return resource


@transaction.atomic
def fail_resource(resource: Resource, message: str, *, actor: Actor, now: datetime) -> Resource:
    """Note that the resource could not be made, changed or ended; `message` says why, for people."""
    return _move(
        resource, ResourceState.ERRED, "resource.erred", actor=actor, now=now, error_message=message[:500]
    )


@transaction.atomic
def resume_resource(resource: Resource, *, creating: bool, actor: Actor, now: datetime) -> Resource:
    """Put an erred resource back into Creating, or Terminating, because its order is tried once more."""
    to = ResourceState.CREATING if creating else ResourceState.TERMINATING
    return _move(resource, to, "resource.resumed", actor=actor, now=now, error_message="")


@transaction.atomic
def begin_restoration(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Put an erred resource back into Creating: it is made to run once more."""
    return _move(resource, ResourceState.CREATING, "resource.restoring", actor=actor, now=now)


@transaction.atomic
def revive_resource(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Call an erred resource OK on an operator's word; charges go on from now where they had ended.

    Raises IllegalTransition (409) unless it is Erred and ran before.
    """
    if resource.state != ResourceState.ERRED or resource.activated_at is None:
        raise transitions.IllegalTransition(
            "Valid states for operation: Erred, of a resource that ran before.",
            extra={"state": str(resource.state)},
        )
    return activate_resource(resource, actor=actor, now=now)


@transaction.atomic
def drop_resource(resource: Resource, message: str = "", *, actor: Actor, now: datetime) -> Resource:
    """End a resource that never ran: its order was rejected, canceled, or failed (`message` says why)."""
    _move(
        resource,
        ResourceState.TERMINATED,
        "resource.dropped",
        actor=actor,
        now=now,
        terminated_at=now,
        error_message=message[:500],
    )
    quotas.release(resource.customer_id, quotas.RESOURCES, now=now)
    return resource


def require_endable(resource: Resource) -> None:
    """Raise IllegalTransition (409) unless the resource's end can be ordered."""
    check_transition(TRANSITIONS, ResourceState(resource.state), ResourceState.TERMINATING)


@transaction.atomic
def begin_termination(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Take the resource out of service: no calls from now on, charges end now."""
    _move(resource, ResourceState.TERMINATING, "resource.terminating", actor=actor, now=now)
    PlanPeriod.objects.filter(resource=resource, end=None).update(end=now, modified=now)
    return resource


@transaction.atomic
def finish_termination(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Note that nothing of the resource runs any more."""
    if resource.state == ResourceState.TERMINATED:
        return resource
    _move(resource, ResourceState.TERMINATED, "resource.terminated", actor=actor, now=now, terminated_at=now)
    quotas.release(resource.customer_id, quotas.RESOURCES, now=now)
    return resource
