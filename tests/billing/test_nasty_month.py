"""One month with everything in it: two switches, a raised limit, late usage, new prices; by hand, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.clocks import At
from tests.support.market import OFFERINGS, RESOURCES, ok, run_order_jobs
from tests.support.sale import Sold, generate, sell
from tests.support.world import World

from agentmart.catalog import services as catalog
from agentmart.identity.models import Customer
from agentmart.infra import tenancy
from agentmart.resources.models import PlanPeriod, Resource

USAGES = "/api/marketplace-component-usages/"
COMPONENTS = [
    {"type": "storage", "name": "Storage", "billing_type": "usage", "measured_unit": "GB"},
    {"type": "seats", "name": "Seats", "billing_type": "limit", "measured_unit": "seat"},
    {"type": "change", "name": "Change of plan", "billing_type": "few", "measured_unit": ""},
]
SMALL: dict[str, Any] = {
    "name": "Small",
    "unit_price": "31.00",
    "components": [
        {"type": "storage", "price": "0.10"},
        {"type": "seats", "price": "3.10"},
        {"type": "change", "price": "15"},
    ],
}
LARGE: dict[str, Any] = {
    "name": "Large",
    "unit_price": "62.00",
    "components": [
        {
            "type": "storage",
            "tier_mode": "graduated",
            "tiers": [{"up_to": 100, "unit_price": "0"}, {"up_to": None, "unit_price": "0.05"}],
        },
        {"type": "seats", "price": "6.20"},
        {"type": "change", "price": "25"},
    ],
}


def moment(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(at: At) -> None:
    at(moment(3, 1))


def report(world: World, sold: Sold, usage: str, day: str) -> None:
    body = {"resource": sold.resource.uuid, "component": "storage", "usage": usage, "date": day}
    ok(world.operator.api.post(USAGES, body), 201)


def change(world: World, sold: Sold, action: str, **body: Any) -> None:
    ok(world.buyer.api.post(f"{RESOURCES}{sold.resource.uuid}/{action}/", body))
    run_order_jobs()


def lines(invoice: dict[str, Any]) -> list[tuple[str, str, str, str, float]]:
    """Plan, component, quantity, when it begins, price; a late line's component says so."""
    return sorted(
        (
            row["details"]["plan_name"],
            ("late " if row["late"] else "") + row["component_type"],
            row["quantity"],
            row["start"][5:13],
            row["price"],
        )
        for row in invoice["items"]
    )


def kpis(world: World, **asked: str) -> Any:
    return ok(world.operator.api.get("/api/marketplace-stats/kpis/", **asked))


@pytest.fixture
def sold(world: World, runtime: Any) -> Sold:
    sold = sell(world.provider, world.buyer, at=moment(3, 1), plan=SMALL, components=COMPONENTS)
    ok(world.operator.api.post(f"{OFFERINGS}{sold.resource.offering.uuid}/activate/"))
    with tenancy.as_system("test"):
        Resource.objects.filter(pk=sold.resource.pk).update(limits={"seats": 2})
        PlanPeriod.objects.filter(resource=sold.resource).update(limits={"seats": 2})
        assert world.buyer.customer is not None
        Customer.objects.filter(pk=world.buyer.customer.pk).update(default_tax_percent=19)
    return sold


def live_through_march(world: World, sold: Sold, at: At) -> None:
    with tenancy.as_system("test") as actor:
        large = catalog.create_plan(sold.resource.offering, LARGE, actor=actor, now=moment(3, 1))
    at(moment(3, 6))
    report(world, sold, "100", "2026-03-05")
    at(moment(3, 11))
    change(world, sold, "switch_plan", plan=large.uuid)
    at(moment(3, 13))
    report(world, sold, "250", "2026-03-12")
    at(moment(3, 16, 12))
    change(world, sold, "update_limits", limits={"seats": 5})
    at(moment(3, 21, 6))
    change(world, sold, "switch_plan", plan=sold.plan.uuid)
    at(moment(3, 23))
    report(world, sold, "40.5", "2026-03-22")
    at(moment(3, 25))
    prices = {"base": "46.50", "storage": "0.20"}
    ok(world.provider.api.post(f"/api/marketplace-plans/{sold.plan.uuid}/update_prices/", {"prices": prices}))


def test_the_month_and_the_one_after_it(world: World, sold: Sold, at: At) -> None:
    live_through_march(world, sold, at)
    at(moment(4, 1, 2))
    march = generate(world, 3)
    assert march["state"] == "created"
    # March has 744 hours: Small for 240, Large for 246 (2 seats 132, 5 seats 114), Small again for 258.
    assert lines(march) == [
        ("Large", "base", "1", "03-11T00", 20.5),  # 62.00 × 246 ÷ 744
        ("Large", "change", "1", "03-11T00", 25.0),
        ("Large", "seats", "2", "03-11T00", 2.2),  # 2 × 6.20 × 132 ÷ 744
        ("Large", "seats", "5", "03-16T12", 4.75),  # 5 × 6.20 × 114 ÷ 744
        ("Large", "storage", "250", "03-11T00", 7.5),  # 100 free, 150 × 0.05
        ("Small", "base", "1", "03-01T00", 10.0),  # 31.00 × 240 ÷ 744
        ("Small", "base", "1", "03-21T06", 10.75),  # 31.00 × 258 ÷ 744
        ("Small", "change", "1", "03-21T06", 15.0),
        ("Small", "seats", "2", "03-01T00", 2.0),  # 2 × 3.10 × 240 ÷ 744
        ("Small", "seats", "5", "03-21T06", 5.38),  # 5 × 3.10 × 258 ÷ 744 = 5.375
        ("Small", "storage", "140.5", "03-01T00", 14.05),  # (100 + 40.5) × 0.10
    ]
    # 19 % per line, half-up: 3.895→3.90 4.75 0.418→0.42 0.9025→0.90 1.425→1.43 1.90 2.0425→2.04 2.85 0.38
    # 1.0222→1.02 2.6695→2.67
    assert (march["price"], march["tax"], march["total"]) == ("117.13", "22.26", "139.39")

    at(moment(4, 2))
    report(world, sold, "10.25", "2026-03-30")
    at(moment(4, 11))
    report(world, sold, "7", "2026-04-10")
    at(moment(5, 1, 2))
    april = generate(world, 4)
    assert lines(april) == [
        ("Small", "base", "1", "04-01T00", 46.5),
        ("Small", "late storage", "10.25", "03-01T00", 1.03),  # 150.75 × 0.10 = 15.075 → 15.08, less 14.05
        ("Small", "seats", "5", "04-01T00", 15.5),
        ("Small", "storage", "7", "04-01T00", 1.4),
    ]
    # 8.835→8.84 0.1957→0.20 2.945→2.95 0.266→0.27
    assert (april["price"], april["tax"], april["total"]) == ("64.43", "12.26", "76.69")
    assert ok(world.buyer.api.get(f"/api/invoices/{march['uuid']}/"))["total"] == "139.39"
    revenue = ok(
        world.operator.api.get("/api/marketplace-stats/revenue/", start="2026-03-01", end="2026-04-30")
    )
    (dollars,) = revenue["currencies"]
    assert dollars["total"] == "181.56"


def test_what_the_same_story_is_worth_a_month(world: World, sold: Sold, at: At) -> None:
    live_through_march(world, sold, at)
    at(moment(5, 10))
    change(world, sold, "terminate")
    at(moment(3, 16))
    assert kpis(world, month="2026-03")["mrr"] == "74.40"  # Large, 2 seats: 62.00 + 2 × 6.20
    at(moment(3, 20))
    assert kpis(world, month="2026-03")["mrr"] == "93.00"  # Large, 5 seats: 62.00 + 5 × 6.20
    at(moment(6, 1, 2))
    told = kpis(world, start="2026-03-01", end="2026-05-31")
    (dollars,) = told["currencies"]
    found = [
        (row["month"], row["opening"], row["mrr"], {k: v for k, v in row["movement"].items() if float(v)})
        for row in dollars["months"]
    ]
    assert found == [
        ("2026-03", "0.00", "46.50", {"new": "46.50", "change": "46.50"}),  # 31.00 + 5 × 3.10
        ("2026-04", "46.50", "62.00", {"expansion": "15.50", "change": "15.50"}),  # 46.50 + 5 × 3.10
        ("2026-05", "62.00", "0.00", {"churn": "-62.00", "change": "-62.00"}),
    ]
    assert (told["mrr"], told["arr"], told["arpu"]) == ("0.00", "0.00", "0.00")
    assert told["churn_rate"] == "1.0000"  # active on 2 May: one; asked to end on 10 May: one
