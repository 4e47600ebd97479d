"""Writes: agents and their imported flow versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from agentmart.agents import flows
from agentmart.agents.models import Agent, FlowVersion
from agentmart.agents.states import TRANSITIONS, AgentState
from agentmart.identity import quotas
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.ids import new_id


class AgentUsed(Conflict):
    """The agent has versions, which buyers may run; it cannot be deleted."""

    code = "has_dependents"


@transaction.atomic
def create_agent(*, actor: Actor, now: datetime, customer: Customer, name: str, **details: Any) -> Agent:
    """Start an agent of a provider; raises Forbidden, CustomerBlocked (409), or Invalid (exposed: no flow yet)."""
    require(actor, "agent.write", provider_id=customer.id)
    require_not_blocked(customer)
    agent = Agent(customer=customer, name=name, created=now, modified=now, **details)
    _check_exposed(agent, agent.exposed)
    quotas.claim(customer.id, quotas.AGENTS, now=now)
    agent.save(force_insert=True)
    audit.record("agent.created", agent, actor=actor, now=now, after={"name": name})
    return agent


@transaction.atomic
def update_agent(agent: Agent, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Agent:
    """Change an agent's name, description, tags, or the fields buyers may set (`exposed`)."""
    require(actor, "agent.write", provider_id=agent.customer_id)
    if "exposed" in changes:
        _check_exposed(agent, changes["exposed"])
    before = snapshot(agent, *changes)
    for name, value in changes.items():
        setattr(agent, name, value)
    agent.modified = now
    agent.save(update_fields=[*changes, "modified"])
    audit.record("agent.updated", agent, actor=actor, now=now, before=before, after=snapshot(agent, *changes))
    return agent


@transaction.atomic
def delete_agent(agent: Agent, *, actor: Actor, now: datetime) -> None:
    """Remove a draft into which nothing was imported; raises Forbidden, AgentUsed (409)."""
    require(actor, "agent.write", provider_id=agent.customer_id)
    agent = Agent.objects.select_for_update().get(pk=agent.pk)
    if agent.state != AgentState.DRAFT or agent.versions.exists():
        raise AgentUsed(
            f"{agent.name} has versions; take it off sale instead.", extra={"state": str(agent.state)}
        )
    audit.record("agent.deleted", agent, actor=actor, now=now, before=snapshot(agent, "name"))
    agent.delete()
    quotas.release(agent.customer_id, quotas.AGENTS, now=now)


def _check_exposed(agent: Agent, exposed: Sequence[Mapping[str, str]]) -> None:
    """Raise Invalid (field exposed) for a field that the newest version does not offer as tweakable."""
    if not exposed:
        return
    version = agent.latest_version
    offered = {(item["node"], item["field"]) for item in version.tweakable} if version else set()
    for item in exposed:
        if (item["node"], item["field"]) not in offered:
            raise Invalid(
                f"Field {item['field']} of node {item['node']} cannot be exposed: only plain value fields of the "
                "imported flow can, never code, addresses, credentials or templates.",
                field="exposed",
            )


def inspect(flow: Any) -> flows.FlowReport:
    """Return the importer's report of an export given as object or text; executes nothing.

    Raises flows.FlowRefused for what cannot be read at all: 413 above the size limit, 400 where it is no JSON.
    """
    report = flows.inspect_flow(flow, limits=flows.FlowLimits(max_bytes=settings.FLOW_MAX_BYTES))
    if report.errors and not report.sha256:
        report.require(custom_code_allowed=True)
    return report


@transaction.atomic
def import_flow(
    agent: Agent, flow: Any, *, note: str = "", actor: Actor, now: datetime
) -> tuple[FlowVersion, bool]:
    """Import an export as the agent's next version; the same content again returns the old version.

    Returns (version, created). Raises flows.FlowRefused (400, 413) naming node and reason, also for code of its
    own that the operator has not allowed this provider; Forbidden; CustomerBlocked (409). Nothing is stored on
    refusal.
    """
    require(actor, "agent.write", provider_id=agent.customer_id)
    require_not_blocked(agent.customer)
    report = inspect(flow)
    report.require(custom_code_allowed=agent.customer.custom_code_allowed)
    locked = Agent.objects.select_for_update().get(pk=agent.pk)
    existing = locked.versions.filter(sha256=report.sha256).first()
    if existing is not None:
        return existing, False
    latest = locked.latest_version
    version = _store(
        locked, report, number=latest.version + 1 if latest else 1, note=note, actor=actor, now=now
    )
    if locked.state == AgentState.DRAFT:
        transitions.move(
            locked,
            AgentState.VALIDATED,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="agent.validated",
        )
    return version, True


def _store(
    agent: Agent, report: flows.FlowReport, *, number: int, note: str, actor: Actor, now: datetime
) -> FlowVersion:
    """Write the version row and its audit entry."""
    shown = report.as_dict()
    version = FlowVersion.objects.create(
        id=new_id(),
        agent=agent,
        customer_id=agent.customer_id,
        version=number,
        sha256=report.sha256,
        flow=report.flow,
        trust=report.trust,
        langflow_version=report.langflow_version,
        nodes=shown["nodes"],
        tweakable=shown["tweakable"],
        requires=shown["requires"],
        warnings=shown["warnings"] + shown["upgrades"],
        note=note,
        created=now,
        created_by=actor.label,
    )
    audit.record(
        "flow_version.imported",
        version,
        actor=actor,
        now=now,
        after={"version": number, "sha256": report.sha256},
    )
    return version


def exposed_tweaks(agent: Agent, version: FlowVersion) -> list[dict[str, Any]]:
    """Return what buyers may set of that version: its tweakable fields that the provider exposed."""
    exposed = {(item["node"], item["field"]) for item in agent.exposed}
    return [item for item in version.tweakable if (item["node"], item["field"]) in exposed]
