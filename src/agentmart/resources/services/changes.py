"""What changes of a running resource: its plan, limits, options, words about it, and whether it is paused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction

from agentmart.catalog.models import Plan
from agentmart.identity.permissions import require
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.resources.models import Resource
from agentmart.resources.services.periods import change_period
from agentmart.resources.states import TRANSITIONS, ResourceState


def require_changeable(resource: Resource) -> None:
    """Raise IllegalTransition (409) unless the resource is OK."""
    if resource.state != ResourceState.OK:
        raise transitions.IllegalTransition(
            "Valid states for operation: OK.", extra={"state": str(resource.state)}
        )


def require_editable(resource: Resource) -> None:
    """Raise IllegalTransition (409) once the resource has ended, or is ending."""
    if resource.state in (ResourceState.TERMINATING, ResourceState.TERMINATED):
        valid = ", ".join(state for state in ResourceState if state not in ("Terminating", "Terminated"))
        raise transitions.IllegalTransition(
            f"Valid states for operation: {valid}.", extra={"state": str(resource.state)}
        )


@transaction.atomic
def begin_update(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Put a running resource into Updating; it goes on answering."""
    transitions.move(
        resource,
        ResourceState.UPDATING,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="resource.updating",
    )
    return resource


@transaction.atomic
def end_update(resource: Resource, *, actor: Actor, now: datetime) -> Resource:
    """Put an updating resource back to OK; one that is OK stays so."""
    if resource.state == ResourceState.UPDATING:
        transitions.move(
            resource,
            ResourceState.OK,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="resource.updated",
        )
    return resource


@transaction.atomic
def change_plan(
    resource: Resource, plan: Plan, *, limits: Mapping[str, Any], actor: Actor, now: datetime
) -> Resource:
    """Run the resource under another plan from now on: a new plan period begins."""
    values = {"plan_id": plan.id, "limits": dict(limits)}
    _change(resource, values, "resource.plan_changed", actor=actor, now=now)
    change_period(resource, now=now)
    return resource


@transaction.atomic
def change_limits(resource: Resource, limits: Mapping[str, Any], *, actor: Actor, now: datetime) -> Resource:
    """Give the resource other limits from now on: a new plan period begins, so the old ones stay known."""
    _change(resource, {"limits": dict(limits)}, "resource.limits_changed", actor=actor, now=now)
    change_period(resource, now=now)
    return resource


@transaction.atomic
def change_options(
    resource: Resource, options: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Resource:
    """Set the resource's options."""
    return _change(resource, {"options": dict(options)}, "resource.options_changed", actor=actor, now=now)


@transaction.atomic
def describe_resource(
    resource: Resource, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Resource:
    """Change name, description or end date. Raises Forbidden, IllegalTransition (409) once it has ended,
    Invalid for an end date that has passed.
    """
    require(actor, "resource.edit", customer_id=resource.customer_id, project_id=resource.project_id)
    require_editable(resource)
    return _describe(resource, changes, actor=actor, now=now)


def _describe(resource: Resource, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Resource:
    """Write what differs of name, description and end date; raises Invalid for an end date that has passed."""
    values = {name: value for name, value in changes.items() if getattr(resource, name) != value}
    end = values.get("end_date")
    if end is not None and end < now.date():
        raise Invalid("The end date has passed already.", field="end_date")
    if "end_date" in values:
        values |= {"end_date_requested_by": actor.label if end else "", "end_date_updated_at": now}
    return _change(resource, values, "resource.edited", actor=actor, now=now) if values else resource


@transaction.atomic
def set_end_date(resource: Resource, day: date | None, *, actor: Actor, now: datetime) -> Resource:
    """Set the resource's last day, for whoever may order its end, the provider too.

    Raises Forbidden, IllegalTransition (409) once it has ended, Invalid for a day that has passed.
    """
    require_end(resource, actor=actor)
    require_editable(resource)
    return _describe(resource, {"end_date": day}, actor=actor, now=now)


def require_end(resource: Resource, *, actor: Actor) -> None:
    """Raise Forbidden unless the actor may order the resource's end."""
    require(
        actor,
        "resource.terminate",
        customer_id=resource.customer_id,
        project_id=resource.project_id,
        provider_id=resource.provider_customer_id,
    )


@transaction.atomic
def set_paused(resource: Resource, paused: bool, *, actor: Actor, now: datetime) -> bool:
    """Let no calls in, or let them in again; returns whether that changed anything. Staff only.

    The resource's keys are `access`'s to flip.
    """
    require(actor, "resource.pause")
    return _set_flag(resource, "paused", paused, actor=actor, now=now)


@transaction.atomic
def set_downscaled(resource: Resource, downscaled: bool, *, actor: Actor, now: datetime) -> bool:
    """Mark the resource as downscaled, or not; returns whether that changed anything. Staff only."""
    require(actor, "resource.pause")
    return _set_flag(resource, "downscaled", downscaled, actor=actor, now=now)


def _set_flag(resource: Resource, flag: str, value: bool, *, actor: Actor, now: datetime) -> bool:
    """Write a yes/no column by one conditional update; raises IllegalTransition (409) once it has ended."""
    if resource.state == ResourceState.TERMINATED:
        raise transitions.IllegalTransition(
            "A terminated resource does not change any more.", extra={"state": str(resource.state)}
        )
    rows = Resource.objects.filter(pk=resource.pk, **{flag: not value})
    moved = rows.update(**{flag: value, "modified": now})
    if moved:
        setattr(resource, flag, value)
        resource.modified = now
        action = f"resource.{flag}" if value else f"resource.not_{flag}"
        audit.record(action, resource, actor=actor, now=now, before={flag: not value}, after={flag: value})
    return bool(moved)


@transaction.atomic
def restate_resource(
    resource: Resource, values: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Resource:
    """Give a resource that does not run yet the limits and attributes of its changed order."""
    return _change(resource, values, "resource.restated", actor=actor, now=now)


@transaction.atomic
def note_backend_id(resource: Resource, backend_id: str, *, actor: Actor, now: datetime) -> Resource:
    """Note the name under which an outside system knows the resource; the caller has checked who asks."""
    return _change(resource, {"backend_id": backend_id}, "resource.backend_id_set", actor=actor, now=now)


@transaction.atomic
def note_of_provider(resource: Resource, name: str, value: Any, *, actor: Actor, now: datetime) -> Resource:
    """Note what the provider says of its system's side of the resource; raises Forbidden.

    `name` is one of backend_id, backend_metadata, access_points, report, last_sync.
    """
    require(actor, "order.review_as_provider", provider_id=resource.provider_customer_id)
    return _change(resource, {name: value}, f"resource.{name}_set", actor=actor, now=now)


def _change(
    resource: Resource, values: Mapping[str, Any], action: str, *, actor: Actor, now: datetime
) -> Resource:
    """Write columns of the resource, audited; the passed row is updated in place."""
    before = snapshot(resource, *values)
    Resource.objects.filter(pk=resource.pk).update(**values, modified=now)
    for name, value in values.items():
        setattr(resource, name, value)
    resource.modified = now
    audit.record(action, resource, actor=actor, now=now, before=before, after=snapshot(resource, *values))
    return resource
