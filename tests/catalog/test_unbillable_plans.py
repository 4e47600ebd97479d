"""A plan that no invoice could charge is refused when it is written."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.refusals import places
from tests.support.world import World, make_world

from agentmart.catalog.models import Offering, Plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"unit": "quarter"}, "plans[0].unit"),
        ({"unit": "year"}, "plans[0].unit"),
        ({"components": [{"type": "requests", "rate": "2.5"}]}, "plans[0].components.0"),
    ],
)
def test_refused_with_its_field(world: World, plan: dict[str, Any], field: str) -> None:
    category = world.operator.api.post("/api/marketplace-categories/", {"title": "AI"}).json()
    answer = world.operator.api.post(
        "/api/marketplace-offerings/",
        {
            "name": "Helper",
            "type": "GSVAgents.Agent",
            "category": category["url"],
            "components": [{"type": "seats", "name": "Seats", "billing_type": "limit"}],
            "plans": [{"name": "Odd", **plan}],
        },
    )
    assert answer.status_code == 400
    assert list(places(answer.json())) == [field]
    assert not Offering.objects.exists()
    assert not Plan.objects.exists()


def test_limits_and_charges_of_a_switch_can_be_charged(world: World) -> None:
    category = world.operator.api.post("/api/marketplace-categories/", {"title": "AI"}).json()
    answer = world.operator.api.post(
        "/api/marketplace-offerings/",
        {
            "name": "Helper",
            "type": "GSVAgents.Agent",
            "category": category["url"],
            "components": [
                {"type": "seats", "name": "Seats", "billing_type": "limit"},
                {"type": "setup", "name": "Set-up", "billing_type": "one"},
                {"type": "change", "name": "Change", "billing_type": "few"},
            ],
            "plans": [
                {
                    "name": "Team",
                    "unit_price": "10",
                    "components": [
                        {"type": "seats", "price": "5.00"},
                        {"type": "setup", "price": "20"},
                        {"type": "change", "price": "7.5"},
                    ],
                }
            ],
        },
    )
    assert answer.status_code == 201
    plan = answer.json()["plans"][0]
    assert (plan["init_price"], plan["switch_price"], plan["plan_type"]) == (20, 7.5, "mixed")
    assert plan["minimal_price"] == "35.00"
    assert plan["quotas"] == {"base": 1, "change": 1, "seats": 0, "setup": 1}
