"""Writes: what agents with a budget have cost this month, told to their people and to the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from agentmart.access.services import publish_grants
from agentmart.contracts.grants import BUDGET_STEPS
from agentmart.infra import audit, jobs, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.money import money_text
from agentmart.kit.periods import Period, month_of
from agentmart.metering import costs
from agentmart.metering.models import UsageHour
from agentmart.resources import services as resources
from agentmart.resources.budgets import is_exhausted, reached
from agentmart.resources.models import AgentConfig, Resource
from agentmart.resources.states import ResourceState

JOB = "metering.check_budgets"
TELL_JOB = "metering.tell_budget"
RECHECK_SECONDS = 600
"""What was not called is rated again after this time: prices, plans and reported usage change too."""


def check_budgets(*, now: datetime) -> int:
    """Rate this month of every agent with a budget that was called since the last time; returns how many.

    A transaction per agent. What cannot be rated stays as it was.
    """
    month = month_of(now)
    with tenancy.as_system(JOB):
        configs = list(
            AgentConfig.objects.filter(
                budget__monthly__isnull=False, resource__state__in=(ResourceState.OK, ResourceState.UPDATING)
            )
        )
        resource_ids = [config.resource_id for config in configs]
        hours: Any = UsageHour.objects.filter(
            resource_id__in=resource_ids, hour__gte=month.start, hour__lt=month.end
        )
        events = dict(hours.values_list("resource_id").annotate(sum=Sum("events")))
    due = [config for config in configs if _is_due(config, events.get(config.resource_id, 0), month, now=now)]
    for config in due:
        with tenancy.as_system(JOB) as actor:
            note_spending(
                config.pk, int(events.get(config.resource_id, 0)), month=month, actor=actor, now=now
            )
    return len(due)


def _is_due(config: AgentConfig, events: int, month: Period, *, now: datetime) -> bool:
    known: Mapping[str, Any] = config.spending
    if known.get("month") != _name(month) or known.get("events") != events:
        return True
    return bool((now - datetime.fromisoformat(known["checked"])).total_seconds() >= RECHECK_SECONDS)


@transaction.atomic
def note_spending(
    config_id: UUID, events: int, *, month: Period, actor: Actor, now: datetime
) -> AgentConfig | None:
    """Note what an agent has cost in the month so far; its keys follow, and each step is told once a month.

    `events` is how many calls the figure is made of. Returns None where the month cannot be rated.
    """
    unlocked = AgentConfig.objects.get(pk=config_id)
    Resource.objects.select_for_update(no_key=True).get(pk=unlocked.resource_id)  # first, as everybody
    config = AgentConfig.objects.select_for_update().get(pk=config_id)
    if config.budget.get("monthly") is None:
        return None
    spent = costs.of_resource(config.resource_id, month.start, month.end)
    if spent is None:
        return None
    before = reached(config.budget, config.spending)
    currency = config.budget["currency"]
    same_month = config.spending.get("month") == _name(month)
    told = list(config.spending.get("told", ())) if same_month else []
    config.spending = {
        "month": _name(month),
        "spent": money_text(spent.get(currency, Decimal(0)), currency),
        "events": events,
        "checked": now.isoformat(),
        "told": told,
    }
    after = reached(config.budget, config.spending)
    for step in BUDGET_STEPS:
        if told and step <= told[-1]:
            continue
        if step <= after:
            told.append(step)
            _tell(config, step, actor=actor, now=now)
    resources.note_spending(config)
    if after != before:
        publish_grants(Resource.objects.filter(pk=config.resource_id))
    return config


def _tell(config: AgentConfig, step: int, *, actor: Actor, now: datetime) -> None:
    facts = {
        "percent": step,
        "spent": config.spending["spent"],
        "budget": config.budget["monthly"],
        "currency": config.budget["currency"],
        "month": config.spending["month"],
        "stopped": step >= 100 and is_exhausted(config.budget, config.spending),
    }
    audit.record("agent_config.budget_reached", config, actor=actor, now=now, after=facts)
    jobs.enqueue(TELL_JOB, config_id=str(config.pk), **facts)


def _name(month: Period) -> str:
    return f"{month.start:%Y-%m}"
