"""Writes: an offering from state to state."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agentmart.catalog.models import Offering, Plan
from agentmart.catalog.states import TRANSITIONS, OfferingState
from agentmart.identity.permissions import permitted, require
from agentmart.infra import transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict

ACTIONS = {
    "activate": (OfferingState.ACTIVE, "offering.activate", "offering.activated"),
    "unpause": (OfferingState.ACTIVE, "offering.pause", "offering.unpaused"),
    "pause": (OfferingState.PAUSED, "offering.pause", "offering.paused"),
    "archive": (OfferingState.ARCHIVED, "offering.pause", "offering.archived"),
    "draft": (OfferingState.DRAFT, "offering.activate", "offering.drafted"),
    "make_unavailable": (OfferingState.UNAVAILABLE, "offering.activate", "offering.made_unavailable"),
    "make_available": (OfferingState.ACTIVE, "offering.activate", "offering.made_available"),
}
SOURCES = {
    "activate": OfferingState.DRAFT,
    "unpause": OfferingState.PAUSED,
    "make_available": OfferingState.UNAVAILABLE,
}


def may_activate(actor: Actor, provider_id: UUID) -> bool:
    """Return whether the actor decides that a provider's offerings go live: operators, owners who publish directly."""
    direct = settings.PROVIDER_PUBLISH == "direct"
    return permitted(actor, "offering.activate") or (
        direct and permitted(actor, "offering.activate_own", provider_id=provider_id)
    )


@transaction.atomic
def change_state(offering: Offering, verb: str, *, actor: Actor, now: datetime, **details: Any) -> Offering:
    """Carry out one of ACTIONS; raises Forbidden, IllegalTransition (409) from a state that does not allow it.

    Calls of the offering's keys are stopped or let through by `access.services.change_offering_state`.
    """
    target, operation, action = ACTIONS[verb]
    if not (operation == "offering.activate" and may_activate(actor, offering.customer_id)):
        require(actor, operation, provider_id=offering.customer_id)
    source = SOURCES.get(verb)
    if source is not None and offering.state != source:
        raise transitions.IllegalTransition(
            f"Valid states for operation: {source}.", extra={"state": str(offering.state)}
        )
    if verb == "activate" and offering.review:
        details["review"] = ""
    transitions.move(
        offering, target, transitions=TRANSITIONS, actor=actor, now=now, action=action, **details
    )
    return offering


def require_orderable(offering: Offering, plan: Plan | None) -> None:
    """Raise Conflict (409 not_orderable) unless the offering can be ordered now."""
    if offering.state != OfferingState.ACTIVE or plan is None:
        raise Conflict(
            f"{offering.name} cannot be ordered now.", code="not_orderable", extra={"state": offering.state}
        )
