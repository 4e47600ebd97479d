"""Writes to the catalogue that reach keys: stopping an offering, and what a plan allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from agentmart.access.services import publish_grants
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
def update_plan(plan: Plan, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Change a plan; new limits are in force at the gateway with the commit; raises what the catalogue raises."""
    plan = catalog.update_plan(plan, changes, actor=actor, now=now)
    if "limits" in changes:
        publish_grants(Resource.objects.filter(plan_id=plan.id))
    return plan
