"""Reads of resources for jobs and screens."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet

from agentmart.adapters.runtimes import Deployment
from agentmart.catalog.models import OfferingComponent
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


def plan_periods_of(resource: Resource) -> QuerySet[PlanPeriod]:
    """Return the times the resource ran under its plans, oldest first."""
    return resource.plan_periods.select_related("plan").order_by("start", "id")


def with_charging(resources: Any) -> QuerySet[Resource]:
    """Return resources with `is_usage_based`, `is_limit_based` and `has_end_date`, in the same query."""
    components = OfferingComponent.objects.filter(offering_id=OuterRef("offering_id"))
    rows: QuerySet[Resource] = resources.annotate(
        is_usage_based=Exists(components.filter(billing_type="usage")),
        is_limit_based=Exists(components.filter(billing_type="limit")),
        has_end_date=ExpressionWrapper(Q(end_date__isnull=False), output_field=BooleanField()),
    )
    return rows
