"""The times a resource runs under one plan with the same limits."""

from __future__ import annotations

from datetime import datetime

from agentmart.resources.models import PlanPeriod, Resource


def open_period(resource: Resource, *, now: datetime) -> None:
    """Begin a period under the resource's present plan and limits (none without a plan)."""
    if resource.plan_id is None:
        return
    PlanPeriod.objects.create(
        resource=resource,
        customer_id=resource.customer_id,
        provider_customer_id=resource.provider_customer_id,
        plan_id=resource.plan_id,
        limits=resource.limits,
        start=now,
        created=now,
        modified=now,
    )


def change_period(resource: Resource, *, now: datetime) -> None:
    """End the running period and begin the next one; one that began this very moment is rewritten."""
    running = PlanPeriod.objects.filter(resource=resource, end=None)
    if running.filter(start__gte=now).update(plan_id=resource.plan_id, limits=resource.limits, modified=now):
        return
    if running.update(end=now, modified=now):
        open_period(resource, now=now)
