"""Writes on customers and projects that reach what runs in them: keys, resources, counters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agentmart.access import services as access
from agentmart.access.models import ApiKey
from agentmart.agents.models import Agent
from agentmart.catalog import services as catalog
from agentmart.identity import quotas
from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Project
from agentmart.identity.permissions import require
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor
from agentmart.resources.models import Resource
from agentmart.resources.services import naming
from agentmart.resources.states import ResourceState


@transaction.atomic
def update_customer(
    customer: Customer,
    changes: Mapping[str, Any],
    *,
    limits: Mapping[str, int],
    actor: Actor,
    now: datetime,
) -> Customer:
    """Change a customer; where that blocks or unblocks it, its keys follow with the commit; a new name is passed on.

    Raises what `identity.services.update_customer` raises.
    """
    was_blocked, was_named, was_limited = customer.blocked, customer.name, customer.call_limits
    held = Resource.objects.filter(customer=customer)
    if changes.get("blocked", was_blocked) != was_blocked or "call_limits" in changes:
        # Whoever writes Grants locks resources first, then the customer.
        list(held.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    customer = identity.update_customer(customer, changes, limits=limits, actor=actor, now=now)
    if customer.blocked != was_blocked or customer.call_limits != was_limited:
        access.publish_grants(held)
    if customer.name != was_named:
        _pass_name_on(customer, now=now)
    return customer


def _pass_name_on(customer: Customer, *, now: datetime) -> None:
    """Write a customer's new name where those read it who do not see the customer: buyers, and its providers."""
    catalog.rename_provider(customer, now=now)
    naming.rename_customer(customer, now=now)


@transaction.atomic
def delete_project(project: Project, *, actor: Actor, now: datetime) -> None:
    """Remove a project in which nothing runs any more; raises Forbidden, HasDependents (409) with live resources."""
    require(actor, "project.delete", customer_id=project.customer_id, project_id=project.id)
    identity.lock_customer(project.customer_id)  # customer first, as whoever places an order or gives a role
    identity.lock_project(project.id)
    live = Resource.objects.filter(project=project).exclude(state=ResourceState.TERMINATED).count()
    if live:
        raise identity.HasDependents(
            f"{project.name} still has {live} resources; terminate them first.",
            extra={"dependents": {"resources": live}},
        )
    identity.delete_project(project, actor=actor, now=now)


@transaction.atomic
def recount(customer_id: UUID, *, now: datetime) -> int:
    """Count what the customer has anew, for all its quotas; returns how many counters were wrong.

    Nobody claims or releases meanwhile, so the counts are exact.
    """
    with tenancy.elevated():
        quotas.lock(customer_id)
        counted: dict[str, QuerySet[Any]] = {
            quotas.RESOURCES: Resource.objects.exclude(state=ResourceState.TERMINATED),
            quotas.API_KEYS: ApiKey.objects.counted(now),
            quotas.AGENTS: Agent.objects.all(),
        }
        wrong = quotas.recount(customer_id, now=now)
        for name, rows in counted.items():
            usage = rows.filter(customer_id=customer_id).count()
            wrong += quotas.correct(customer_id, name, usage=usage, now=now)
    return wrong
