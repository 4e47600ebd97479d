"""A running resource under a plan, and usage as the gateway would have written it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from tests.support.market import CONFIGS, ok
from tests.support.world import NOW, Person, World

from agentmart.catalog import services as catalog
from agentmart.catalog.models import AGENT_TYPE, Category, Plan
from agentmart.infra import tenancy
from agentmart.kit.ids import uuid7
from agentmart.resources import services as resources
from agentmart.resources.models import AgentConfig, Resource

HYBRID: dict[str, Any] = {
    "name": "Professional",
    "unit_price": "99.00",
    "components": [
        {"type": "requests", "price": "0.01"},
        {
            "type": "output_tokens",
            "tier_mode": "graduated",
            "tiers": [
                {"up_to": 1000, "unit_price": "0"},
                {"up_to": 5000, "unit_price": "0.002"},
                {"up_to": None, "unit_price": "0.00125"},
            ],
        },
    ],
}

EVENT = """
INSERT INTO metering_usage_event (id, customer_id, provider_customer_id, project_id, resource_id, offering_id,
    plan_id, occurred_at, received_at, status, requests, input_tokens, output_tokens, source, duration_ms,
    streamed, error_code, meters)
VALUES (%(id)s, %(customer)s, %(provider)s, %(project)s, %(resource)s, %(offering)s, %(plan)s, %(at)s, %(at)s,
    'ok', %(requests)s, %(input)s, %(output)s, 'runtime', 5, false, '', '{}')
"""
HOUR = """
INSERT INTO metering_usage_hour AS h (resource_id, hour, plan_key, customer_id, provider_customer_id, project_id,
    offering_id, events, errors, requests, input_tokens, output_tokens)
VALUES (%(resource)s, date_trunc('hour', %(at)s, 'UTC'), %(plan)s, %(customer)s, %(provider)s, %(project)s,
    %(offering)s, 1, 0, %(requests)s, %(input)s, %(output)s)
ON CONFLICT (resource_id, hour, plan_key) DO UPDATE SET events = h.events + 1,
    requests = h.requests + excluded.requests, input_tokens = h.input_tokens + excluded.input_tokens,
    output_tokens = h.output_tokens + excluded.output_tokens
"""


@dataclass
class Sold:
    """A resource that runs, and the plan it was sold under."""

    resource: Resource
    plan: Plan


def sell(
    provider: Person,
    buyer: Person,
    *,
    at: datetime,
    plan: Mapping[str, Any] = HYBRID,
    name: str = "Helper",
    components: list[dict[str, Any]] | None = None,
) -> Sold:
    """Publish an offering with one plan and run a resource of the buyer under it from `at` on."""
    assert provider.customer is not None and buyer.project is not None
    with tenancy.as_system("test") as actor:
        category = Category.objects.first() or catalog.create_category(actor=actor, now=NOW, title="AI")
        offering = catalog.create_offering(
            actor=actor,
            now=NOW,
            customer=provider.customer,
            category=category,
            name=name,
            type=AGENT_TYPE,
            components=components or [],
        )
        row = catalog.create_plan(offering, plan, actor=actor, now=NOW)
        resource = resources.create_resource(
            actor=actor, now=at, project=buyer.project, offering=offering, plan=row, name=f"{name} 1"
        )
        resources.activate_resource(resource, actor=actor, now=at)
    return Sold(resource, row)


def end(sold: Sold, *, at: datetime) -> None:
    """End the resource's service."""
    with tenancy.as_system("test") as actor:
        resources.begin_termination(sold.resource, actor=actor, now=at)
        resources.finish_termination(sold.resource, actor=actor, now=at)


def generate(world: World, month: int = 3, *, year: int = 2026, status: int = 201) -> dict[str, Any]:
    """The invoice of the buyer's month, which the operator asks for."""
    assert world.buyer.customer is not None
    asked = {"customer": world.buyer.customer.uuid, "year": year, "month": month}
    made: dict[str, Any] = ok(world.operator.api.post("/api/invoices/", asked), status)
    return made


def use(
    sold: Sold, at: datetime, *, requests: int = 1, input: int = 0, output: int = 0, plan: Plan | None = None
) -> UUID:
    """Meter one call; returns the event's id."""
    resource = sold.resource
    values = {
        "id": uuid7(at),
        "customer": resource.customer_id,
        "provider": resource.provider_customer_id,
        "project": resource.project_id,
        "resource": resource.id,
        "offering": resource.offering_id,
        "plan": (plan or sold.plan).id,
        "at": at,
        "requests": requests,
        "input": input,
        "output": output,
    }
    with tenancy.as_system("test"), connection.cursor() as cursor:
        cursor.execute(EVENT, values)
        cursor.execute(HOUR, values)
    event_id: UUID = values["id"]
    return event_id


def config_of(sold: Sold) -> str:
    """Return the address of the buyer's agent configuration, made if there is none."""
    with tenancy.as_system("test"):
        values = {
            "customer_id": sold.resource.customer_id,
            "name": "Helper",
            "created": sold.resource.created,
            "modified": sold.resource.created,
        }
        config, _ = AgentConfig.objects.get_or_create(resource=sold.resource, defaults=values)
        return f"{CONFIGS}{config.uuid}/"
