"""Changes of what a customer holds, in force at the gateway with the commit: blocks, pauses, settings, versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from agentmart.access.services.grants import publish_grants
from agentmart.identity import services as identity
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.infra.actors import Actor
from agentmart.resources import services as resource_services
from agentmart.resources.models import AgentConfig, Resource
from agentmart.resources.states import ResourceState


@transaction.atomic
def set_blocked(
    customer: Customer, blocked: bool, *, reason: str = "", actor: Actor, now: datetime
) -> Customer:
    """Block or unblock a customer, keys included; doing it twice changes nothing."""
    require(actor, "customer.block", customer_id=customer.id)
    held = Resource.objects.filter(customer=customer)
    list(
        held.order_by("pk").select_for_update(no_key=True).values_list("pk")
    )  # resources first, as everybody
    if identity.set_blocked(customer, blocked, reason=reason, actor=actor, now=now):
        publish_grants(held)
    return customer


@transaction.atomic
def set_paused(resource: Resource, paused: bool, *, actor: Actor, now: datetime) -> Resource:
    """Pause a resource, keys included, or let calls in again; doing it twice changes nothing."""
    if resource_services.set_paused(resource, paused, actor=actor, now=now):
        publish_grants(Resource.objects.filter(pk=resource.pk))
    return resource


@transaction.atomic
def update_config(
    config: AgentConfig, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> AgentConfig:
    """Change the buyer's settings of an agent, in force at the gateway with the commit.

    Raises what `resources.services.update_config` raises.
    """
    config = resource_services.update_config(config, changes, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=config.resource_id))
    return config


@transaction.atomic
def switch_version(config_id: str, version_id: str, *, actor: Actor, now: datetime) -> AgentConfig:
    """Note that a deployed version is the one that answers, and tell the gateway."""
    config, version = resource_services.wanted_version(config_id, version_id)
    Resource.objects.select_for_update(no_key=True).get(pk=config.resource_id)
    config = resource_services.use_version(config, version, actor=actor, now=now)
    publish_grants(Resource.objects.filter(pk=config.resource_id))
    return config


@transaction.atomic
def follow_latest(*, actor: Actor, now: datetime) -> int:
    """Ask for the offering's version for agents that follow it and run another; returns how many."""
    behind = AgentConfig.objects.filter(
        follows_latest=True,
        resource__state=ResourceState.OK,
        resource__error_message="",  # the last deployment failed: the buyer asks again, not every minute
        resource__offering__flow_version__isnull=False,
    ).exclude(resource__flow_version=F("resource__offering__flow_version"))
    return sum(
        resource_services.ask_for_version(config, config.resource.offering.flow_version_id)
        for config in behind.select_related("resource__offering")
    )
