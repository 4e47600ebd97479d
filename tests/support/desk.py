"""An offering that people fulfil, with something ordered by limit, over REST."""

from __future__ import annotations

from typing import Any

from tests.support.market import OFFERINGS, ORDERS, RESOURCES, category, member, ok
from tests.support.world import NOW, Api, World

from agentmart.catalog.models import OfferingComponent, Plan
from agentmart.catalog.pricing import PerUnit, Price
from agentmart.catalog.services.prices import insert_price
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.kit.money import exact

SEATS = {
    "type": "seats",
    "name": "Seats",
    "measured_unit": "seat",
    "billing_type": "limit",
    "min_value": 1,
    "max_value": 50,
}
SETUP = {"type": "setup", "name": "Set-up", "billing_type": "one"}


def desk(world: World, *, seat_price: str = "", **details: Any) -> dict[str, str]:
    """The uuids of an active Marketplace.Basic offering (`offering`) and its plans (`small` 10, `large` 30)."""
    body = {
        "name": "Desk",
        "type": "Marketplace.Basic",
        "category": category(world),
        "components": [SEATS, SETUP],
        "plans": [
            {"name": "Small", "unit_price": "10", "components": [{"type": "setup", "price": "5"}]},
            {"name": "Large", "unit_price": "30"},
        ],
        **details,
    }
    offering = ok(world.provider.api.post(OFFERINGS, body), 201)["uuid"]
    ok(world.operator.api.post(f"{OFFERINGS}{offering}/activate/"))
    plans = {
        row["name"].lower(): row["uuid"]
        for row in ok(world.provider.api.get(f"{OFFERINGS}{offering}/plans/"))
    }
    if seat_price:
        with tenancy.as_system("test"):
            component = OfferingComponent.objects.get(offering_id=offering, type="seats")
            for plan in Plan.objects.filter(offering_id=offering):
                insert_price(plan, component, Price(PerUnit(exact(seat_price))), now=NOW)
    return {"offering": offering, **plans}


def ask(world: World, sold: dict[str, str], api: Api | None = None, **changes: Any) -> Any:
    """The answer to an order of the small plan, placed by the buyer or by somebody else."""
    assert world.buyer.project is not None
    body = {
        "offering": sold["offering"],
        "project": world.buyer.project.uuid,
        "plan": sold["small"],
        "attributes": {"name": "Front desk"},
        **changes,
    }
    return (api or world.buyer.api).post(ORDERS, body)


def placed(world: World, sold: dict[str, str], api: Api | None = None, **changes: Any) -> str:
    """The path of an order that was placed."""
    return f"{ORDERS}{ok(ask(world, sold, api, **changes), 201)['uuid']}/"


def running(world: World, sold: dict[str, str], **changes: Any) -> str:
    """The path of a resource that the provider has made to run."""
    path = placed(world, sold, **changes)
    if ok(world.buyer.api.get(path))["state"] == "pending-provider":
        ok(world.provider.api.post(f"{path}approve/"))
    ok(world.provider.api.post(f"{path}set_state_done/"))
    return f"{RESOURCES}{ok(world.buyer.api.get(path))['marketplace_resource_uuid']}/"


def project_member(world: World, role: Role = Role.PROJECT_MEMBER) -> Api:
    """One more person with a role in the buyer's project."""
    return member(world.buyer.customer, role, world.buyer.project)


def customer_member(world: World, role: Role) -> Api:
    """One more person with a role in the buyer's customer."""
    return member(world.buyer.customer, role)
