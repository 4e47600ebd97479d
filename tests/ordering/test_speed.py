"""What orders cost in queries: constant, whatever there is already."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.desk import desk, placed, running
from tests.support.market import ORDERS, RESOURCES, ok
from tests.support.world import World

pytestmark = pytest.mark.django_db
MOST = 8 + 2  # the contract's 8, and the savepoint that the test's own transaction adds
RULES = "/api/marketplace-order-approval-rules/"


def queries(call: Any) -> int:
    """The number of queries of a call that must succeed."""
    with CaptureQueriesContext(connection) as seen:
        ok(call())
    return len(seen)


def test_an_approval_costs_the_same_with_many_resources(world: World, runtime: Any) -> None:
    sold = desk(world)
    first = placed(world, sold, attributes={"name": "First"})
    few = queries(lambda: world.provider.api.post(f"{first}approve/"))
    for number in range(6):
        running(world, sold, attributes={"name": f"N{number}"})
    last = placed(world, sold, attributes={"name": "Last"})
    assert queries(lambda: world.provider.api.post(f"{last}approve/")) == few


def test_lists_of_orders_resources_and_rules_cost_the_same_for_every_page(world: World, runtime: Any) -> None:
    assert world.buyer.customer is not None
    sold = desk(world)
    for number in range(3):
        running(world, sold, attributes={"name": f"N{number}"})
        placed(world, sold, attributes={"name": f"P{number}"})
        body = {"side": "consumer", "customer": world.buyer.customer.uuid, "cost_limit": number}
        ok(world.buyer.api.post(RULES, body), 201)
    for path in (ORDERS, RESOURCES, RULES):
        for api in (world.buyer.api, world.operator.api):
            costs = {queries(lambda: api.get(path, page_size=size)) for size in (1, 3, 10, 300)}  # noqa: B023
            assert len(costs) == 1 and max(costs) <= MOST, (path, costs)
    for name in ("can_approve_as_consumer", "can_approve_as_provider"):
        assert queries(lambda: world.provider.api.get(ORDERS, **{name: "true"})) <= MOST  # noqa: B023
