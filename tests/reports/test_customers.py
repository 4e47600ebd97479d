"""Customers: how many there are and have a plan, who came, who went."""

from __future__ import annotations

import pytest
from tests.reports.support import At, buyer, day, monthly, report
from tests.support.market import ok
from tests.support.sale import end, sell
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(world: World) -> World:
    """Three customers of the cast (10 March) and three more: one stays, one goes, one pauses and comes back."""
    stays, goes, pauses = (buyer(name, at=day(2026, 1, 5)) for name in ("Stays", "Goes", "Pauses"))
    sell(world.provider, stays, at=day(2026, 1, 6), plan=monthly("1"), name="A")
    first = sell(world.provider, goes, at=day(2026, 1, 7), plan=monthly("1"), name="B")
    second = sell(world.provider, goes, at=day(2026, 2, 7), plan=monthly("1"), name="C")
    end(first, at=day(2026, 2, 8))
    end(second, at=day(2026, 3, 1))
    paused = sell(world.provider, pauses, at=day(2026, 1, 8), plan=monthly("1"), name="D")
    end(paused, at=day(2026, 2, 10))
    sell(world.provider, pauses, at=day(2026, 3, 20), plan=monthly("1"), name="E")
    return world


def test_a_quarter(crowd: World) -> None:
    body = report(crowd, "customers", start="2026-02-01", end="2026-03-31")
    assert [tuple(row.values()) for row in body["months"]] == [
        ("2026-02", 3, 0, 2, 0, 1),
        ("2026-03", 6, 3, 2, 1, 1),
    ]
    assert list(body["months"][0]) == ["month", "total", "new", "active", "activated", "churned"]
    assert (body["total_at_start"], body["total_at_end"], body["new"]) == (3, 6, 3)
    assert (body["active_at_start"], body["active_at_end"]) == (3, 2)
    assert (body["activated"], body["churned"], body["blocked"]) == (1, 2, 0)
    assert body["growth"] == "1.0000"
    assert body["as_of"] == "2026-04-01T00:00:00.000000Z"


def test_the_first_month_has_nothing_to_grow_from(crowd: World) -> None:
    body = report(crowd, "customers", start="2026-01-01", end="2026-01-31")
    assert (body["total_at_start"], body["growth"]) == (0, None)
    assert [tuple(row.values()) for row in body["months"]] == [("2026-01", 3, 3, 3, 3, 0)]


def test_blocked_customers(crowd: World) -> None:
    assert crowd.buyer.customer is not None
    ok(crowd.operator.api.post(f"/api/customers/{crowd.buyer.customer.uuid}/block/"))
    assert report(crowd, "customers")["blocked"] == 1


def test_the_future_is_not_told(crowd: World, at: At) -> None:
    at(day(2026, 3, 25))
    body = report(crowd, "customers", start="2026-03-01", end="2026-06-30")
    assert [row["month"] for row in body["months"]] == ["2026-03"]
    assert body["as_of"] == "2026-03-25T00:00:00.000000Z"
    ahead = report(crowd, "customers", start="2026-05-01", end="2026-05-31")
    assert (ahead["months"], ahead["total_at_end"], ahead["active_at_end"]) == ([], 6, 2)
