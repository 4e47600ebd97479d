"""What a resource shows of its usage: this month's, and under each plan."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.market import RESOURCES, ok
from tests.support.sale import sell, use
from tests.support.world import World
from waldur_api_client.models.resource_plan_period import ResourcePlanPeriod

from agentmart.infra import clock

pytestmark = pytest.mark.django_db


def test_a_resource_shows_what_was_metered(world: World) -> None:
    now = clock.now()
    sold = sell(world.provider, world.buyer, at=now - timedelta(days=70))
    idle = sell(world.provider, world.buyer, at=now, name="Idle")
    use(sold, now.replace(day=1) - timedelta(days=3), requests=9)
    use(sold, now, requests=2, output=30)
    use(sold, now, requests=1, output=12)
    path = f"{RESOURCES}{sold.resource.uuid}/"
    for api in (world.buyer.api, world.provider.api, world.operator.api):
        shown = {row["uuid"]: row for row in ok(api.get(RESOURCES))}
        assert shown[idle.resource.uuid]["current_usages"] == {}
        for row in (shown[sold.resource.uuid], ok(api.get(path))):
            used = row["current_usages"]
            assert (used["requests"], used["output_tokens"], row["limit_usage"]) == (3, 42, {})
            assert (row["is_usage_based"], row["is_limit_based"]) == (True, False)
    assert len(ok(world.buyer.api.get(RESOURCES, usage_based="true"))) == 2
    assert ok(world.buyer.api.get(RESOURCES, limit_based="true")) == []
    (period,) = ok(world.buyer.api.get(f"{path}plan_periods/"))
    requests = [(row["date"][:7], row["usage"]) for row in period["components"] if row["type"] == "requests"]
    last = now.replace(day=1) - timedelta(days=3)
    assert requests == [(f"{last:%Y-%m}", "9"), (f"{now:%Y-%m}", "3")]
    assert ResourcePlanPeriod.from_dict(period).components[0].type_ == period["components"][0]["type"]
