"""Reads of resources for jobs and screens."""

from __future__ import annotations

from agentmart.adapters.runtimes import Deployment
from agentmart.kit.logs import request_id_var
from agentmart.resources.models import PlanPeriod, Resource


def deployment_of(resource: Resource) -> Deployment:
    """Return what a runtime needs to run this resource's flow."""
    version = resource.flow_version
    if version is None:
        raise ValueError(f"resource {resource.pk} has no flow")
    return Deployment(
        deployment_id=resource.deployment_id,
        customer_id=resource.customer_id.hex,
        provider_id=resource.provider_customer_id.hex,
        flow=version.flow,
        trust="known" if version.trust == "known" else "custom",
        request_id=request_id_var.get(),
    )


def plan_periods_of(resource: Resource) -> list[PlanPeriod]:
    """Return the times the resource ran under its plans, oldest first."""
    return list(resource.plan_periods.select_related("plan").order_by("start"))
