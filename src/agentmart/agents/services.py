"""Writes: agents and their imported flow versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from agentmart.agents import flows
from agentmart.agents.models import Agent, FlowVersion
from agentmart.agents.states import TRANSITIONS, AgentState
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, states
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import DomainError, Invalid
from agentmart.kit.ids import new_id


class FlowRefused(DomainError):
    """The flow cannot be imported; `extra.errors` names node and reason of each fault."""

    code = "flow_invalid"
    status = 400

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        first = errors[0]["message"] if errors else "The flow cannot be imported."
        super().__init__(first, extra={"errors": list(errors)})


class CustomCodeNotAllowed(DomainError):
    """The flow brings code of its own, or may do more than answer, and the operator has not allowed it."""

    code = "custom_code_not_allowed"
    status = 400


@transaction.atomic
def create_agent(*, actor: Actor, now: datetime, customer: Customer, name: str, **details: Any) -> Agent:
    """Start an agent of a provider; raises Forbidden, or CustomerBlocked (409)."""
    require(actor, "agent.write", customer_id=customer.id)
    require_not_blocked(customer)
    agent = Agent.objects.create(customer=customer, name=name, created=now, modified=now, **details)
    audit.record("agent.created", agent, actor=actor, now=now, after={"name": name})
    return agent


@transaction.atomic
def update_agent(agent: Agent, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Agent:
    """Change an agent's name, description, tags, or the fields buyers may set (`exposed`)."""
    require(actor, "agent.write", customer_id=agent.customer_id)
    if "exposed" in changes:
        _check_exposed(agent, changes["exposed"])
    before = snapshot(agent, *changes)
    for name, value in changes.items():
        setattr(agent, name, value)
    agent.modified = now
    agent.save()
    audit.record("agent.updated", agent, actor=actor, now=now, before=before, after=snapshot(agent, *changes))
    return agent


def _check_exposed(agent: Agent, exposed: Sequence[Mapping[str, str]]) -> None:
    """Raise Invalid (field exposed) for a field that the newest version does not offer as tweakable."""
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

    Raises DomainError 413 above the size limit, 400 where it is no JSON.
    """
    source = flow if isinstance(flow, (str, bytes)) else json.dumps(flow)
    limits = flows.FlowLimits(max_bytes=settings.FLOW_MAX_BYTES)
    return flows.inspect_flow(source, limits=limits)


@transaction.atomic
def import_flow(
    agent: Agent, flow: Any, *, note: str = "", actor: Actor, now: datetime
) -> tuple[FlowVersion, bool]:
    """Import an export as the agent's next version; the same content again returns the old version.

    Returns (version, created). Raises FlowRefused (400) naming node and reason, CustomCodeNotAllowed (400),
    Forbidden, or CustomerBlocked (409). Nothing is stored on refusal.
    """
    require(actor, "agent.write", customer_id=agent.customer_id)
    require_not_blocked(agent.customer)
    report = inspect(flow)
    if not report.valid:
        raise FlowRefused([error.to_json() for error in report.errors])
    _check_permission(agent.customer, report)
    existing = agent.versions.filter(sha256=report.sha256).first()
    if existing is not None:
        return existing, False
    locked = Agent.objects.select_for_update().get(pk=agent.pk)
    latest = locked.latest_version
    try:
        with transaction.atomic():
            version = _store(
                locked, report, number=latest.version + 1 if latest else 1, note=note, actor=actor, now=now
            )
    except IntegrityError:
        return agent.versions.get(sha256=report.sha256), False
    if locked.state == AgentState.DRAFT:
        states.move(
            locked,
            AgentState.VALIDATED,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="agent.validated",
        )
    return version, True


def _check_permission(customer: Customer, report: flows.FlowReport) -> None:
    """Raise CustomCodeNotAllowed unless the flow only does what every provider may."""
    if customer.custom_code_allowed:
        return
    needs = [need.to_json() for need in report.needs_permission]
    if needs:
        first = needs[0]
        raise CustomCodeNotAllowed(
            f"Node {first['node']}: {first['reason']} An operator can allow this for {customer.name}.",
            extra={"nodes": needs},
        )


def _store(
    agent: Agent, report: flows.FlowReport, *, number: int, note: str, actor: Actor, now: datetime
) -> FlowVersion:
    """Write the version row and its audit entry."""
    version = FlowVersion.objects.create(
        id=new_id(),
        agent=agent,
        customer_id=agent.customer_id,
        version=number,
        sha256=report.sha256,
        flow=report.flow,
        trust=report.trust,
        langflow_version=report.langflow_version or "",
        nodes=[node.to_json() for node in report.nodes],
        tweakable=report.tweakable_json(),
        requires=report.requires,
        warnings=[warning.to_json() for warning in report.warnings],
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
