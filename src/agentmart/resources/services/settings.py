"""The buyer's settings of an agent: name, tweaks, version, origins, widget, budget."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentmart.agents.models import FlowVersion
from agentmart.agents.services import exposed_tweaks
from agentmart.catalog.models import Plan
from agentmart.contracts.grants import Tweakable
from agentmart.contracts.tweaks import check_tweaks
from agentmart.identity.permissions import require
from agentmart.infra import audit, jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid
from agentmart.resources.models import AgentConfig, Resource

LATEST = "latest"
DEPLOY_JOB = "access.deploy_version"


def tweakables(rows: list[dict[str, Any]]) -> tuple[Tweakable, ...]:
    """Return stored rows as the contract's Tweakables."""
    return tuple(Tweakable(**{**row, "options": tuple(row.get("options", ()))}) for row in rows)


@transaction.atomic
def update_config(
    config: AgentConfig, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> AgentConfig:
    """Change the buyer's settings of an agent; another version is deployed by a job, which then switches over.

    Raises Invalid with the tweak's field (`tweaks.NODE.FIELD`) for what the offering does not expose,
    (flow_version) for a version that is neither the one it has nor the one on offer, or (budget.currency) for
    another currency than the plan's.
    """
    require(actor, "config.edit", customer_id=config.customer_id, project_id=config.resource.project_id)
    values = dict(changes)
    if "tweaks" in values:
        values["tweaks"] = check_tweaks(values["tweaks"], tweakables(config.tweakable))
    if values.get("budget", {}).get("monthly") is not None:
        values["budget"] = _in_plan_currency(values["budget"], config.resource.plan)
    wanted = values.pop("flow_version", None)
    version: FlowVersion | None = None
    if wanted is not None:
        version = _version_of(config, wanted)
        values["follows_latest"] = wanted == LATEST
    before = snapshot(config, *values)
    for name, value in values.items():
        setattr(config, name, value)
    config.modified = now
    config.save(update_fields=[*values, "modified"])
    after = snapshot(config, *values)
    if version is not None:
        after["flow_version"] = version.version
        if version.id != config.resource.flow_version_id:
            ask_for_version(config, version.id)
    audit.record("agent_config.updated", config, actor=actor, now=now, before=before, after=after)
    return config


def _in_plan_currency(budget: Mapping[str, Any], plan: Plan | None) -> dict[str, Any]:
    """Return a budget with its currency, the one that the plan charges in; raises Invalid for another one."""
    if plan is None:
        raise Invalid("An agent without a plan costs nothing, so it needs no budget.", field="budget.monthly")
    if budget.get("currency", plan.currency) != plan.currency:
        raise Invalid(f"The plan charges in {plan.currency}.", field="budget.currency")
    return {**budget, "currency": plan.currency}


def _version_of(config: AgentConfig, wanted: str | int) -> FlowVersion:
    """Return the version that the buyer asks for; raises Invalid (field flow_version)."""
    with tenancy.elevated():  # versions are the provider's own rows
        resource = Resource.objects.select_related("flow_version", "offering__flow_version").get(
            pk=config.resource_id
        )
        choices = [version for version in (resource.offering.flow_version, resource.flow_version) if version]
        if wanted == LATEST and choices:
            return choices[0]
        for version in choices:
            if version.version == wanted:
                return version
    numbers = " or ".join(sorted({str(version.version) for version in choices}))
    raise Invalid(
        f"Version {wanted} is not on offer; choose {numbers or 'none'} or latest.", field="flow_version"
    )


def ask_for_version(config: AgentConfig, version_id: UUID | None) -> bool:
    """Enqueue the deployment of a version, after what is under way for the resource; False where it waits already."""
    wanted = {"config_id": config.id.hex, "version_id": version_id.hex if version_id else ""}
    if version_id is None or jobs.is_alive(DEPLOY_JOB, **wanted):
        return False
    jobs.enqueue(DEPLOY_JOB, lock=f"resource:{config.resource_id.hex}", **wanted)
    return True


def wanted_version(config_id: str, version_id: str) -> tuple[AgentConfig, FlowVersion]:
    """Return settings and the version to deploy for them, for the job; both rows as they are now."""
    config = AgentConfig.objects.select_related("resource__offering").get(pk=UUID(config_id))
    return config, FlowVersion.objects.select_related("agent").get(pk=UUID(version_id))


@transaction.atomic
def use_version(config: AgentConfig, version: FlowVersion, *, actor: Actor, now: datetime) -> AgentConfig:
    """Note that the resource now runs that version; tweaks that it does not know are dropped."""
    resource = config.resource
    before = {"flow_version": str(resource.flow_version_id)}
    Resource.objects.filter(pk=resource.pk).update(
        flow_version=version, version=version.version, error_message="", modified=now
    )
    resource.flow_version = version
    config.tweakable = exposed_tweaks(version.agent, version)
    known = {(item["node"], item["field"]) for item in config.tweakable}
    kept = {
        node: {name: value for name, value in fields.items() if (node, name) in known}
        for node, fields in config.tweaks.items()
    }
    config.tweaks = {node: fields for node, fields in kept.items() if fields}
    config.modified = now
    config.save(update_fields=["tweakable", "tweaks", "modified"])
    audit.record(
        "resource.version_changed",
        resource,
        actor=actor,
        now=now,
        before=before,
        after={"flow_version": str(version.id), "number": version.version},
    )
    return config


@transaction.atomic
def deploy_failed(resource: Resource, message: str, *, actor: Actor, now: datetime) -> None:
    """Note why another version could not be deployed; the resource goes on with the one it has."""
    Resource.objects.filter(pk=resource.pk).update(error_message=message[:500], modified=now)
    audit.record("resource.version_failed", resource, actor=actor, now=now, after={"message": message[:500]})


@transaction.atomic
def note_spending(config: AgentConfig) -> None:
    """Keep what an agent's month has cost so far beside its budget; the caller holds the row."""
    AgentConfig.objects.filter(pk=config.pk).update(spending=config.spending)
