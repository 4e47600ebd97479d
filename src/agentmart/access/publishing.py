"""Writes to the catalogue that reach keys: stopping an offering, and what a plan allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.access.services import publish_grants
from agentmart.agents.models import Agent
from agentmart.catalog import services as catalog
from agentmart.catalog.models import Offering, Plan
from agentmart.catalog.states import OfferingState
from agentmart.infra.actors import Actor
from agentmart.resources.models import Resource


@transaction.atomic
def change_offering_state(
    offering: Offering, verb: str, *, actor: Actor, now: datetime, **details: Any
) -> Offering:
    """Change an offering's state, in force at the gateway with the commit; raises what the catalogue raises."""
    before = offering.state
    offering = catalog.change_state(offering, verb, actor=actor, now=now, **details)
    if OfferingState.UNAVAILABLE in (before, offering.state):
        publish_grants(Resource.objects.filter(offering_id=offering.id))
    return offering


@transaction.atomic
def update_offering(
    offering: Offering, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Offering:
    """Change what an offering says; what concerns calls is in force at the gateway with the commit.

    Raises what the catalogue raises.
    """
    before = _for_calls(offering)
    return _told(catalog.update_offering(offering, changes, actor=actor, now=now), before)


@transaction.atomic
def approve_revision(offering: Offering, *, actor: Actor, now: datetime) -> Offering:
    """Let what waits for review go live, at the gateway too; raises what the catalogue raises."""
    before = _for_calls(offering)
    return _told(catalog.approve_revision(offering, actor=actor, now=now), before)


@transaction.atomic
def publish_agent(agent: Agent, *, actor: Actor, now: datetime, **values: Any) -> Offering:
    """Offer an agent's version, what concerns calls at the gateway too; raises what the catalogue raises."""
    sold = Offering.objects.filter(agent=agent).first()
    before = _for_calls(sold) if sold is not None else None
    return _told(catalog.publish_agent(agent, actor=actor, now=now, **values), before)


def _for_calls(offering: Offering) -> tuple[Any, ...]:
    """Return what Grants say of an offering."""
    return offering.slug, offering.on_disconnect, offering.call_limits


def _told(offering: Offering, before: tuple[Any, ...] | None) -> Offering:
    """Publish the Grants of an offering that says something else to them than before."""
    if before is not None and _for_calls(offering) != before:
        publish_grants(Resource.objects.filter(offering_id=offering.id))
    return offering


@transaction.atomic
def update_plan(plan: Plan, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Change a plan; new limits are in force at the gateway with the commit; raises what the catalogue raises."""
    plan = catalog.update_plan(plan, changes, actor=actor, now=now)
    if "limits" in changes:
        publish_grants(Resource.objects.filter(plan_id=plan.id))
    return plan
