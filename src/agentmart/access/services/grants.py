"""Grants: what the gateway knows of each key, published from everything that decides what the key may do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from agentmart.access.models import ApiKey, GrantRow
from agentmart.catalog.selectors import plan_limits
from agentmart.catalog.states import OfferingState
from agentmart.contracts.grants import GrantState
from agentmart.contracts.keys import PUBLISHABLE
from agentmart.contracts.tables import GRANT_CHANNEL
from agentmart.identity.models import Customer
from agentmart.infra import tenancy
from agentmart.resources import budgets
from agentmart.resources.models import AgentConfig, Resource
from agentmart.resources.states import ResourceState


def facts_of(config: AgentConfig) -> dict[str, Any]:
    """Return what every Grant of an agent says: whose it is, what runs, limits and tweaks."""
    resource = config.resource
    return {
        "customer_id": config.customer_id,
        "provider_customer_id": resource.provider_customer_id,
        "project_id": resource.project_id,
        "resource_id": resource.id,
        "config_id": config.id,
        "offering_id": resource.offering_id,
        "plan_id": resource.plan_id,
        "flow_version_id": resource.flow_version_id,
        "runtime": resource.runtime,
        "deployment_id": resource.deployment_id,
        "model": resource.offering.slug,
        "limits": limits_of(resource),
        "tweakable": config.tweakable,
        "tweaks": config.tweaks,
        "on_disconnect": resource.offering.on_disconnect,
        "budget": budget_of(config),
    }


def limits_of(resource: Resource) -> dict[str, Any]:
    """Return the plan's limits, and those of the customer and of the offering, as contracts.grants.Limits."""
    limits = plan_limits(resource.plan)
    if resource.customer.call_limits:
        limits["customer"] = resource.customer.call_limits
    if resource.offering.call_limits:
        limits["agent"] = resource.offering.call_limits
    return limits


def budget_of(config: AgentConfig) -> dict[str, str | int] | None:
    """Return the buyer's monthly budget as contracts.grants.Budget, None where none is set."""
    wanted = config.budget
    if wanted.get("monthly") is None:
        return None
    currency = wanted.get("currency", settings.CURRENCY)
    return {
        "amount": wanted["monthly"],
        "currency": currency,
        "action": wanted.get("action", "notify"),
        "reached": budgets.reached(wanted, config.spending),
    }


def notify(payload: str) -> None:
    """Tell every gateway, at commit, that a Grant changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [GRANT_CHANNEL, payload])


def locked(config: AgentConfig) -> AgentConfig:
    """Return the settings as they stand once nobody else can end the resource or block its customer.

    Locks are taken resource first, then customer, by everybody who writes Grants.
    """
    Resource.objects.select_for_update(no_key=True).get(pk=config.resource_id)
    Customer.objects.select_for_update(no_key=True).get(pk=config.customer_id)
    return AgentConfig.objects.select_related("resource__customer", "resource__plan").get(pk=config.pk)


def state_of(resource: Resource) -> GrantState:
    """Return what a live key of this resource may do now, the strongest reason first."""
    if resource.state not in (ResourceState.OK, ResourceState.UPDATING):
        return GrantState.TERMINATED  # also Erred: its end was ordered, charges have stopped
    if resource.customer.blocked:
        return GrantState.CUSTOMER_BLOCKED
    if resource.offering.state == OfferingState.UNAVAILABLE:
        return GrantState.UNAVAILABLE
    if resource.paused:
        return GrantState.RESOURCE_PAUSED
    config = resource.config
    if budgets.is_exhausted(config.budget, config.spending):
        return GrantState.BUDGET_EXHAUSTED
    return GrantState.ACTIVE


@transaction.atomic
def publish_grants(resources: QuerySet[Resource]) -> int:
    """Bring the Grants of these resources in step with plan, settings and states; returns how many changed.

    Runs with all tenants visible: what a key may do also depends on rows of the provider. The rows that decide
    are locked first, or a Grant computed from older ones could be written over a newer one.
    """
    changed = 0
    with tenancy.elevated():
        held = list(resources.order_by("pk").select_for_update(no_key=True).values_list("pk", "customer_id"))
        customers = {customer_id for _, customer_id in held}
        list(Customer.objects.filter(pk__in=customers).order_by("pk").select_for_update(no_key=True))
        rows = Resource.objects.filter(pk__in=[pk for pk, _ in held], config__isnull=False)
        for resource in rows.select_related("customer", "offering", "plan", "config"):
            live = GrantRow.objects.filter(resource_id=resource.id).exclude(state=GrantState.REVOKED)
            ids = list(live.values_list("key_id", flat=True))
            changed += live.update(state=state_of(resource), **facts_of(resource.config))
            _pass_origins_on(resource.config, live)
            for key_id in ids:
                notify(key_id.hex)
    return changed


def _pass_origins_on(config: AgentConfig, live: QuerySet[GrantRow]) -> None:
    """Let publishable keys without origins of their own follow the agent's."""
    follow = ApiKey.objects.filter(config_id=config.pk, kind=PUBLISHABLE, allowed_origins=[])
    live.filter(key_id__in=follow.values("pk")).update(allowed_origins=config.allowed_origins)
