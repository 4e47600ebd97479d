"""Orders: how many, in which state, at what cost, how long they took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from tests.reports.support import STATS, At, buyer, day, report, sql
from tests.support.market import member, ok
from tests.support.shop import Shop
from waldur_api_client.models.order_stats_response import OrderStatsResponse

from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.ordering.models import Order
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db

MARCH = {"start": "2026-03-01", "end": "2026-03-31"}


@pytest.fixture
def orders(shop: Shop) -> Shop:
    """Five orders of March, copies of the shop's own (which are of April); each took a time of its own."""
    with tenancy.as_system("test"):
        pattern = Order.objects.get(pk=shop.order.split("/")[-2])
        resource = Resource.objects.get(pk=pattern.resource_id)
        add(pattern, resource, "done", day(2026, 3, 3, 10), after=60, begun=70, took=30, cost="10.00")
        add(pattern, resource, "done", day(2026, 3, 3, 23), after=120, begun=120, took=50, cost="5.50")
        add(pattern, resource, "erred", day(2026, 3, 4), after=600, begun=600)
        add(pattern, resource, "rejected", day(2026, 3, 4), after=5, cost="1.00")
        add(pattern, resource, "pending-provider", day(2026, 3, 31, 23), cost="2.25")
        add(pattern, resource, "done", day(2026, 3, 31, 23), type="Terminate", begun=0, took=9999)
    return shop


def add(
    pattern: Order,
    resource: Resource,
    state: str,
    created: datetime,
    *,
    after: int = 0,
    begun: int | None = None,
    took: int | None = None,
    cost: str | None = None,
    type: str = "Create",
    currency: str = "USD",
) -> None:
    """Copy an order with other times: approved `after` seconds, carried out from `begun` on in `took` seconds."""
    later = datetime.fromtimestamp

    def at(seconds: int | None) -> datetime | None:
        return None if seconds is None else later(created.timestamp() + seconds, created.tzinfo)

    names = {
        field.attname: getattr(resource, field.attname)
        for field in Resource._meta.concrete_fields
        if field.attname != "id"
    }
    copy = Resource.objects.create(**{**names, "name": f"Copy {created} {state} {type} {currency}"})
    values = {
        field.attname: getattr(pattern, field.attname)
        for field in Order._meta.concrete_fields
        if field.attname != "id"
    }
    Order.objects.create(
        **{
            **values,
            "resource_id": copy.pk,
            "resource_name": copy.name,
            "state": state,
            "type": type,
            "created": created,
            "consumer_reviewed_at": created,
            "provider_reviewed_at": at(after) if after else None,
            "executing_since": at(begun),
            "completed_at": at(begun + took) if begun is not None and took is not None else None,
            "currency": currency,
            "cost": cost,
        }
    )


def test_the_whole_of_a_month(orders: Shop) -> None:
    body = report(orders.world, "orders", **MARCH)
    assert (body["submitted"], body["done"], body["completion"]) == (6, 3, "0.5000")
    assert body["by_state"] == {"done": 3, "erred": 1, "rejected": 1, "pending-provider": 1}
    assert body["by_type"] == {"Create": 5, "Terminate": 1}
    assert body["median_seconds_to_approve"] == 120.0  # of 60, 120, 600: rejected is not approved
    assert body["median_seconds_to_provision"] == 40.0  # of 30, 50: the end of one is not
    assert [(row["key"], row["submitted"], row["done"], row["completion"]) for row in body["items"]] == [
        ("2026-03-03", 2, 2, "1.0000"),
        ("2026-03-04", 2, 0, "0.0000"),
        ("2026-03-31", 2, 1, "0.5000"),
    ]
    assert "completion = done / submitted" in body["definition"]


def test_groups(orders: Shop) -> None:
    world = orders.world

    def items(group_by: str) -> list[tuple[str, int]]:
        body = report(world, "orders", **MARCH, group_by=group_by)
        return [(row["name"], row["submitted"]) for row in body["items"]]

    assert items("month") == [("2026-03", 6)]
    assert items("state") == [("done", 3), ("erred", 1), ("pending-provider", 1), ("rejected", 1)]
    assert items("type") == [("Create", 5), ("Terminate", 1)]
    assert items("customer") == [("Buyer Ltd", 6)]
    assert items("provider") == [("Provider GmbH", 6)]
    assert items("plan") == [("Professional", 6)]
    assert items("project") == [("Buyer Ltd project", 6)]
    assert len(items("offering")) == 1


def test_none_at_all(orders: Shop) -> None:
    body = report(orders.world, "orders", start="2025-01-01", end="2025-01-31")
    assert (body["submitted"], body["completion"], body["items"]) == (0, None, [])
    assert body["median_seconds_to_approve"] is None and body["median_seconds_to_provision"] is None


def test_the_edges_of_the_range(orders: Shop) -> None:
    for start, end, expected in (
        ("2026-03-03", "2026-03-03", 2),
        ("2026-03-04", "2026-03-30", 2),
        ("2026-03-05", "2026-03-30", 0),
        ("2026-03-31", "2026-03-31", 2),
    ):
        assert report(orders.world, "orders", start=start, end=end)["submitted"] == expected


def test_it_is_narrowed(orders: Shop) -> None:
    world = orders.world
    acme = buyer("Acme", at=day(2026, 1, 1))
    assert acme.customer and world.buyer.customer and world.buyer.project and world.provider.customer
    for query, expected in (
        ({"customer": world.buyer.customer.uuid}, 6),
        ({"customer_uuid": acme.customer.uuid}, 0),
        ({"provider_uuid": world.provider.customer.uuid}, 6),
        ({"project": world.buyer.project.uuid}, 6),
        ({"offering": orders.sold["offering"]}, 6),
        ({"plan": orders.sold["plan"]}, 6),
        ({"currency": "EUR"}, 0),
    ):
        for name in ("orders", "order_stats"):
            body = report(world, name, **MARCH, **query)
            assert (body["submitted"] if name == "orders" else body["summary"]["total"]) == expected, query


def test_waldur_s_form(orders: Shop) -> None:
    answer = orders.world.operator.api.get(f"{STATS}order_stats/", **MARCH)
    body = ok(answer)
    assert body["summary"] == {
        "total": 6,
        "total_cost": "18.75",
        "total_revenue": "18.75",
        "pending": 1,
        "executing": 0,
        "done": 3,
        "erred": 1,
        "canceled": 0,
        "rejected": 1,
    }
    assert body["by_type"] == {"Create": 5, "Terminate": 1}
    assert body["daily"][0] == {
        "date": "2026-03-03",
        "total": 2,
        "total_cost": "15.50",
        "revenue": "15.50",
        "by_state": {"done": 2},
        "by_type": {"Create": 2},
    }
    assert answer["X-Result-Count"] == "3" == str(len(body["daily"]))
    parsed = OrderStatsResponse.from_dict(body)
    assert (parsed.summary.done, parsed.daily[2].date.isoformat()) == (3, "2026-03-31")


def test_costs_of_two_currencies_are_not_added(orders: Shop) -> None:
    with tenancy.as_system("test"):
        pattern = Order.objects.get(pk=orders.order.split("/")[-2])
        resource = Resource.objects.get(pk=pattern.resource_id)
        add(pattern, resource, "done", day(2026, 3, 3, 12), cost="4.00", currency="EUR")
        add(pattern, resource, "done", day(2026, 3, 3, 13), cost="3.00", currency="EUR", type="Terminate")
    body = report(orders.world, "order_stats", **MARCH)
    assert body["summary"]["total_cost"] is None and body["daily"][0]["total_cost"] is None
    assert body["daily"][2]["total_cost"] == "2.25"
    assert body["costs"] == [
        {"currency": "EUR", "total_cost": "7.00", "total_revenue": "4.00"},
        {"currency": "USD", "total_cost": "18.75", "total_revenue": "18.75"},
    ]
    euro = report(orders.world, "order_stats", **MARCH, currency="EUR")
    assert (euro["summary"]["total_cost"], euro["summary"]["total_revenue"]) == ("7.00", "4.00")
    lines = orders.world.operator.api.get(f"{STATS}order_stats/", **MARCH, export="csv")
    rows = [line.split(",") for line in b"".join(lines.streaming_content).decode().splitlines()]
    assert [row[:5] for row in rows[1:3]] == [
        ["2026-03-03", "EUR", "7.00", "4.00", "4"],
        ["2026-03-03", "USD", "15.50", "15.50", "0"],
    ]
    assert sum(int(row[4]) for row in rows[1:]) == body["summary"]["total"] == 8


def test_it_counts_what_really_happened(shop: Shop, at: At) -> None:
    """The shop's own two orders: one done the moment it was approved, one that waits."""
    body = report(shop.world, "orders")
    assert (body["submitted"], body["done"]) == (2, 1)
    assert body["by_state"] == {"done": 1, "pending-provider": 1}
    at(day(2026, 4, 1, 3))
    ok(shop.world.provider.api.post(f"{shop.order}approve/"))
    assert sql("SELECT count(*) FROM ordering_order WHERE state = 'executing'") == [(1,)]
    assert report(shop.world, "orders")["median_seconds_to_approve"] == 3600.0


def test_buyers_do_not_read_it(orders: Shop) -> None:
    assert orders.world.buyer.api.get(f"{STATS}orders/").status_code == 403
    manager: Any = member(orders.world.buyer.customer, Role.CUSTOMER_MANAGER)
    assert manager.get(f"{STATS}order_stats/").status_code == 403
