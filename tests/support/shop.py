"""A shop in operation: an agent, its offering, a running resource with a key, and a second order that waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.flows import echo_flow
from tests.support.market import CONFIGS, RESOURCES, agent, buy, category, ok, order, publish
from tests.support.world import World


@dataclass
class Shop:
    """The cast around a sale, and where the things of it are."""

    world: World
    agent: str
    sold: dict[str, str]
    order: str
    resource: str
    config: str
    key: str
    category: str

    def shown(self) -> dict[str, Any]:
        """The buyer's customer as it stands (a value that changes nothing is refused to nobody)."""
        found: dict[str, Any] = ok(self.world.operator.api.get(self.customer))
        return found

    def seller(self) -> str:
        """The uuid of the provider's public face."""
        every = ok(self.world.operator.api.get("/api/marketplace-service-providers/"))
        return next(row["uuid"] for row in every if row["customer_uuid"] == self.provider)

    @property
    def customer(self) -> str:
        assert self.world.buyer.customer is not None
        return f"/api/customers/{self.world.buyer.customer.uuid}/"

    @property
    def project(self) -> str:
        assert self.world.buyer.project is not None
        return f"/api/projects/{self.world.buyer.project.uuid}/"

    @property
    def provider(self) -> str:
        assert self.world.provider.customer is not None
        return self.world.provider.customer.uuid


def open_shop(world: World) -> Shop:
    """Sell over REST what the tests then attack."""
    path = agent(world, echo_flow())
    sold = publish(world, path)
    resource = buy(world, sold)
    config = f"{CONFIGS}{resource['agent_config']}/"
    key = ok(world.buyer.api.post(f"{config}api-keys/", {"name": "CI"}), 201)["uuid"]
    return Shop(
        world=world,
        agent=path,
        sold=sold,
        order=order(world, sold, attributes={"name": "Second"}),
        resource=f"{RESOURCES}{resource['uuid']}/",
        config=config,
        key=f"{config}api-keys/{key}/",
        category=category(world),
    )
