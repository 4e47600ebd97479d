"""Flows of a studio become agents, and versions of agents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db import transaction

from agentmart.agents.flows import FlowRefused
from agentmart.agents.models import Agent, FlowVersion, Studio, StudioFlow
from agentmart.agents.services.agents import create_agent, import_flow
from agentmart.agents.services.studio_calls import Picked
from agentmart.agents.studio_keys import is_outdated, opened, sealed
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import DomainError
from agentmart.kit.ids import new_id

Outcome = Literal["created", "new_version", "unchanged", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one flow: an agent's version, or the reasons why there is none."""

    picked: Picked
    outcome: Outcome
    version: FlowVersion | None = None
    code: str = ""
    detail: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)


@transaction.atomic
def import_from_studio(
    studio: Studio, picked: list[Picked], *, agent: Agent | None, note: str, actor: Actor, now: datetime
) -> list[Imported]:
    """Import fetched flows, each whole or not at all, and say of each what became of it.

    A flow imported before becomes a version of the agent it became then, a new one a new agent of its name, or a
    version of `agent` where one is given. Imports from one studio run one after the other. Raises Forbidden,
    CustomerBlocked (409).
    """
    require(actor, "studio.use", provider_id=studio.customer_id)
    require_not_blocked(studio.customer)
    studio = Studio.objects.select_for_update().get(pk=studio.pk)
    stored = bytes(studio.key_sealed)
    if is_outdated(studio.id, stored):
        studio.key_sealed = sealed(studio.id, opened(studio.id, stored))
        studio.save(update_fields=["key_sealed"])
    return [_imported(studio, one, agent, note=note, actor=actor, now=now) for one in picked]


def _imported(
    studio: Studio, picked: Picked, agent: Agent | None, *, note: str, actor: Actor, now: datetime
) -> Imported:
    """Import one flow; what refuses it is told, and undoes nothing but itself."""
    if picked.flow is None:
        return Imported(picked, "failed", code=picked.code, detail=picked.detail)
    try:
        with transaction.atomic():
            version, outcome = _import_one(studio, picked, agent, note=note, actor=actor, now=now)
    except FlowRefused as refusal:
        errors = refusal.extra.get("errors", [])
        return Imported(picked, "refused", code=refusal.code, detail=refusal.message, errors=errors)
    except DomainError as refusal:
        return Imported(picked, "refused", code=refusal.code, detail=refusal.message)
    return Imported(picked, outcome, version)


def _import_one(
    studio: Studio, picked: Picked, agent: Agent | None, *, note: str, actor: Actor, now: datetime
) -> tuple[FlowVersion, Outcome]:
    """Import a flow into the given agent, the one it became before, or a new one; keep which it was."""
    assert picked.flow is not None
    link = StudioFlow.objects.filter(studio=studio, backend_id=picked.backend_id).first()
    chosen = agent or (link.agent if link else None)
    fresh = chosen is None
    if chosen is None:
        name = picked.flow["name"] or f"Flow {picked.backend_id.hex[:8]}"
        chosen = create_agent(
            actor=actor,
            now=now,
            customer=studio.customer,
            name=name,
            description=picked.flow["description"],
        )
    version, created = import_flow(chosen, picked.flow, note=note, actor=actor, now=now)
    values = {"agent": chosen, "version": version.version, "imported": now, "updated": picked.updated}
    if link is None:
        StudioFlow.objects.create(
            id=new_id(), customer_id=studio.customer_id, studio=studio, backend_id=picked.backend_id, **values
        )
    else:
        StudioFlow.objects.filter(pk=link.pk).update(**values)
    if created or link is None or link.agent_id != chosen.pk:
        after = {"backend_id": str(picked.backend_id), "agent": chosen.uuid, "version": version.version}
        audit.record("studio.flow_imported", studio, actor=actor, now=now, after=after)
    return version, "created" if fresh else "new_version" if created else "unchanged"
