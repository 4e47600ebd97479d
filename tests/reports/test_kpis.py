"""Key figures: recurring revenue and how it moves, churn, revenue per customer, completion of orders."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.reports.support import At, buyer, day, monthly, report, sql
from tests.support.market import ok
from tests.support.sale import end, sell, use
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.catalog.models import OfferingComponent, Plan, PlanComponent, PlanPrice
from agentmart.infra import tenancy
from agentmart.resources.models import PlanPeriod

pytestmark = pytest.mark.django_db

D = Decimal
PARTS = ("new", "expansion", "contraction", "churn", "reactivation")


def months(body: Any, currency: str = "USD") -> dict[str, Any]:
    course = next(part for part in body["currencies"] if part["currency"] == currency)
    return {row["month"]: row for row in course["months"]}


def moved(row: Any) -> dict[str, str]:
    return {name: value for name, value in row["movement"].items() if D(value)}


def test_nothing_sold(world: World) -> None:
    body = report(world, "kpis")
    assert (body["currency"], body["mrr"], body["arr"], body["arpu"]) == ("USD", "0.00", "0.00", "0.00")
    assert body["churn_rate"] is None and body["order_completion"] is None
    assert body["currencies"] == []
    assert set(body["movement"].values()) == {"0.00"}
    assert set(body["definitions"]) == {"mrr", "movement", "arr", "arpu", "churn_rate", "order_completion"}


def test_the_movement_of_a_quarter(world: World) -> None:
    """Two customers: one grows, shrinks, leaves and comes back; the other is new in February."""
    acme = buyer("Acme", at=day(2025, 12, 1))
    small = sell(world.provider, world.buyer, at=day(2025, 12, 5), plan=monthly("100.00"), name="Small")
    extra = sell(world.provider, world.buyer, at=day(2026, 1, 31, 23), plan=monthly("50.00"), name="Extra")
    year = sell(world.provider, acme, at=day(2026, 2, 10), plan=monthly("1200.00"), name="Year")
    with tenancy.as_system("test"):
        Plan.objects.filter(pk=year.plan.pk).update(interval_count=12)
    end(small, at=day(2026, 2, 20))
    end(extra, at=day(2026, 3, 1))  # in force until the first instant of March: counted in February's end
    sell(world.provider, world.buyer, at=day(2026, 4, 1), plan=monthly("30.00"), name="Back")
    body = report(world, "kpis", start="2026-01-01", end="2026-04-30")
    found = months(body)
    assert {name: (row["opening"], row["mrr"]) for name, row in found.items()} == {
        "2026-01": ("100.00", "150.00"),
        "2026-02": ("150.00", "150.00"),
        "2026-03": ("150.00", "100.00"),
        "2026-04": ("100.00", "130.00"),
    }
    assert moved(found["2026-01"]) == {"expansion": "50.00", "change": "50.00"}
    assert moved(found["2026-02"]) == {"new": "100.00", "contraction": "-100.00"}
    assert moved(found["2026-03"]) == {"churn": "-50.00", "change": "-50.00"}
    assert moved(found["2026-04"]) == {"reactivation": "30.00", "change": "30.00"}
    assert [row["customers"] for row in found.values()] == [1, 2, 1, 2]
    assert [row["subscriptions"] for row in found.values()] == [2, 2, 1, 2]
    assert (body["mrr"], body["arr"], body["arpu"]) == ("130.00", "1560.00", "65.00")
    (dollars,) = body["currencies"]
    assert dollars["opening"] == "100.00"
    assert D(dollars["opening"]) + sum(D(dollars["movement"][name]) for name in PARTS) == D(dollars["mrr"])
    assert (body["as_of"], body["end"]) == ("2026-04-01T02:00:00.000000Z", "2026-04-30")


def test_a_month_is_the_same_in_every_range(world: World) -> None:
    small = sell(world.provider, world.buyer, at=day(2025, 11, 5), plan=monthly("100.00"), name="Small")
    end(small, at=day(2025, 12, 5))
    sell(world.provider, world.buyer, at=day(2026, 2, 5), plan=monthly("60.00"), name="Again")
    alone = months(report(world, "kpis", month="2026-02"))["2026-02"]
    assert moved(alone) == {"reactivation": "60.00", "change": "60.00"}
    assert months(report(world, "kpis", start="2025-06-01", end="2026-03-31"))["2026-02"] == alone
    assert months(report(world, "kpis", start="2026-01-01", end="2026-02-28"))["2026-02"] == alone


def test_usage_one_time_charges_and_free_offerings_are_no_part(world: World) -> None:
    plan = monthly("20.00")
    plan["components"] = [{"type": "requests", "price": "9.00"}, {"type": "setup", "price": "500.00"}]
    once = [{"type": "setup", "name": "Set-up", "billing_type": "one"}]
    sold = sell(world.provider, world.buyer, at=day(2026, 3, 5), plan=plan, components=once)
    use(sold, day(2026, 3, 6), requests=1000)
    assert report(world, "kpis", month="2026-03")["mrr"] == "20.00"
    with tenancy.as_system("test"):
        type(sold.plan.offering).objects.filter(pk=sold.plan.offering_id).update(billable=False)
    body = report(world, "kpis", month="2026-03")
    assert (body["mrr"], body["currencies"]) == ("0.00", [])


def test_a_new_price_moves_revenue_from_its_day_on(world: World) -> None:
    sold = sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=monthly("10.00"))
    with tenancy.as_system("test"):
        base = PlanComponent.objects.get(plan=sold.plan, component__type="base")
        for number, price in enumerate(("15.00", "12.00")):
            PlanPrice.objects.create(
                plan_component=base,
                offering_id=base.offering_id,
                valid_from=day(2026, 3 - number, 1).date(),
                price={"model": "fixed", "price": price, "amount": "1"},
                created=day(2026, 1, 6),
            )
    found = months(report(world, "kpis", start="2026-01-01", end="2026-03-31"))
    assert [row["mrr"] for row in found.values()] == ["10.00", "12.00", "15.00"]
    assert moved(found["2026-02"]) == {"expansion": "2.00", "change": "2.00"}
    assert [row["subscriptions"] for row in found.values()] == [1, 1, 1]


def test_what_is_ordered_by_limit_recurs(world: World) -> None:
    components = [
        {"type": "seats", "name": "Seats", "billing_type": "usage"},
        {"type": "quota", "name": "Quota", "billing_type": "usage"},
    ]
    plan = monthly("10.00")
    plan["components"] = [{"type": "seats", "price": "2.50"}, {"type": "quota", "price": "1000"}]
    sold = sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=plan, components=components)
    other = sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=plan, components=components, name="B")
    with tenancy.as_system("test"):
        for kind, period in (("seats", "month"), ("quota", "total")):
            by_limit = OfferingComponent.objects.filter(type=kind)
            by_limit.update(billing_type="limit", limit_period=period)
        running = PlanPeriod.objects.filter(resource=sold.resource)
        running.update(limits={"seats": 3, "quota": 5}, end=day(2026, 2, 10))
        PlanPeriod.objects.create(
            resource=sold.resource,
            customer_id=sold.resource.customer_id,
            provider_customer_id=sold.resource.provider_customer_id,
            plan=sold.plan,
            limits={"seats": 1.5, "unknown": 7},
            start=day(2026, 2, 10),
            created=day(2026, 2, 10),
            modified=day(2026, 2, 10),
        )
    found = months(report(world, "kpis", start="2026-01-01", end="2026-02-28"))
    assert [row["mrr"] for row in found.values()] == [
        "27.50",
        "23.75",
    ]  # 10 + 3 × 2.50, and 10 without limits
    assert moved(found["2026-02"]) == {"contraction": "-3.75", "change": "-3.75"}
    end(other, at=day(2026, 3, 2))
    assert report(world, "kpis", month="2026-03")["mrr"] == "13.75"


def test_currencies_are_never_added(world: World) -> None:
    sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=monthly("10.00"), name="A")
    sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=monthly("7.00", currency="EUR"), name="B")
    sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=monthly("900", currency="JPY"), name="C")
    body = report(world, "kpis")
    assert [(part["currency"], part["mrr"]) for part in body["currencies"]] == [
        ("EUR", "7.00"),
        ("JPY", "900"),
        ("USD", "10.00"),
    ]
    assert (body["currency"], body["mrr"]) == ("USD", "10.00")
    yen = report(world, "kpis", currency="jpy")
    assert (yen["currency"], yen["mrr"], yen["arr"], len(yen["currencies"])) == ("JPY", "900", "10800", 1)
    none = report(world, "kpis", currency="GBP")
    assert (none["currency"], none["mrr"], none["currencies"]) == ("GBP", "0.00", [])


def test_it_is_narrowed(world: World) -> None:
    acme = buyer("Acme", at=day(2026, 1, 1))
    first = sell(world.provider, world.buyer, at=day(2026, 1, 5), plan=monthly("10.00"), name="A")
    sell(world.stranger, acme, at=day(2026, 1, 5), plan=monthly("7.00"), name="B")
    assert acme.customer is not None and world.stranger.customer is not None
    for query, expected in (
        ({}, "17.00"),
        ({"customer": acme.customer.uuid}, "7.00"),
        ({"provider": world.stranger.customer.uuid}, "7.00"),
        ({"offering": first.plan.offering_id.hex}, "10.00"),
        ({"plan": first.plan.uuid}, "10.00"),
        ({"plan": "0" * 32}, "0.00"),
    ):
        body = report(world, "kpis", **query)
        assert body["mrr"] == expected, query
        assert body["subscriptions_before"] == {"17.00": 2, "0.00": 0}.get(expected, 1)


def test_churn_is_counted_when_it_is_asked_for(shop: Shop, at: At) -> None:
    """30 days before: two subscriptions; one is asked to end within them, one plan merely ends."""
    world = shop.world
    acme = buyer("Acme", at=day(2026, 1, 1))
    ended = sell(world.provider, acme, at=day(2026, 1, 5), plan=monthly("7.00"), name="Ended")
    old = sell(world.provider, acme, at=day(2025, 1, 5), plan=monthly("7.00"), name="Old")
    end(old, at=day(2026, 2, 1))
    at(day(2026, 4, 10))
    ok(world.buyer.api.post(f"{shop.resource}terminate/"))
    assert sql("SELECT created::date, state FROM ordering_order WHERE type = 'Terminate'") != []
    at(day(2026, 4, 20))
    end(ended, at=day(2026, 4, 15))
    body = report(world, "kpis", start="2026-04-01", end="2026-04-30")
    # 21 March: the shop's own resource ran since April (the clock of the fixture), Ended since January
    assert (body["cancelled_subscriptions"], body["subscriptions_before"]) == (2, 1)
    assert body["churn_rate"] == "2.0000"
    before = report(world, "kpis", start="2026-03-01", end="2026-03-31")
    assert (before["cancelled_subscriptions"], before["churn_rate"]) == (0, "0.0000")
    sql("UPDATE ordering_order SET state = 'canceled' WHERE type = 'Terminate'")
    sql('UPDATE resources_plan_period SET "end" = NULL WHERE start = %s', at_of(shop))
    body = report(world, "kpis", start="2026-04-01", end="2026-04-30")
    assert body["cancelled_subscriptions"] == 1


def at_of(shop: Shop) -> Any:
    """When the shop's resource began to run."""
    ((start,),) = sql(
        "SELECT start FROM resources_plan_period WHERE resource_id = %s", shop.resource.split("/")[-2]
    )
    return start


def test_completion_of_orders(shop: Shop) -> None:
    body = report(shop.world, "kpis", start="2026-04-01", end="2026-04-01")
    assert (body["orders_submitted"], body["orders_done"], body["order_completion"]) == (2, 1, "0.5000")
    nothing = report(shop.world, "kpis", month="2026-03")
    assert (nothing["orders_submitted"], nothing["order_completion"]) == (0, None)


def test_months_to_come_are_not_told(world: World, at: At) -> None:
    sell(world.provider, world.buyer, at=day(2026, 3, 5), plan=monthly("10.00"))
    at(day(2026, 3, 5))  # the very moment
    body = report(world, "kpis", start="2026-02-01", end="2026-06-30")
    assert list(months(body)) == ["2026-02", "2026-03"]
    assert body["mrr"] == "10.00"
    ahead = report(world, "kpis", month="2026-05")
    assert (ahead["mrr"], ahead["currencies"][0]["months"]) == ("10.00", [])
    at(day(2026, 3, 5) - timedelta(seconds=1))
    assert report(world, "kpis")["mrr"] == "0.00"


def test_a_month_and_a_range_exclude_each_other(world: World) -> None:
    answer = world.operator.api.get("/api/marketplace-stats/kpis/", month="2026-01", start="2026-01-01")
    assert answer.status_code == 400
    assert answer.json() == {"month": ["Give either a month or start and end."]}
