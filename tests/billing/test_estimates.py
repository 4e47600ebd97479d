"""What open months will come to and what offerings brought in: by the invoices' own lines, seen by whom it concerns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.market import OFFERINGS, member, ok, operator
from tests.support.sale import Sold, end, sell, use
from tests.support.world import Api, World

from agentmart.billing import services
from agentmart.billing.models import CostEstimate, OfferingFigures
from agentmart.catalog.models import Offering, Plan
from agentmart.identity.models import Customer, Role
from agentmart.infra import clock, tenancy

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
IN_GRACE = datetime(2026, 4, 1, 0, 30, tzinfo=UTC)
IN_APRIL = datetime(2026, 4, 10, tzinfo=UTC)


@pytest.fixture
def sold(world: World) -> Sold:
    """A resource for 99 a month, and 0.01 a request."""
    return sell(world.provider, world.buyer, at=START)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_now(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    set_now(DAY)
    return set_now


def offering(api: Api, sold: Sold) -> dict[str, Any]:
    shown: dict[str, Any] = ok(api.get(f"{OFFERINGS}{sold.resource.offering_id}/"))
    return shown


def figures(api: Api, sold: Sold) -> tuple[Any, ...]:
    shown = offering(api, sold)
    return shown["total_cost"], shown["total_cost_estimated"], shown["total_cost_currency"]


def activate(*sales: Sold) -> None:
    with tenancy.as_system("test"):
        Offering.objects.filter(id__in=[one.resource.offering_id for one in sales]).update(state="Active")


def test_what_an_offering_brings_in_follows_its_invoices(world: World, sold: Sold, at: Any) -> None:
    use(sold, DAY, requests=50)
    api = world.provider.api
    assert figures(api, sold) == (None, None, None)
    services.estimate_costs(now=DAY)
    assert figures(api, sold) == (0, 99.5, "USD")
    assert world.buyer.customer is not None
    services.estimate_costs(now=IN_GRACE)  # March is over and April has begun
    assert figures(api, sold) == (0, 198.5, "USD")
    services.close_periods(now=IN_APRIL)
    services.estimate_costs(now=IN_APRIL)
    assert figures(api, sold) == (99.5, 99, "USD")
    invoice = ok(world.operator.api.get("/api/invoices/", year=2026, month=3))[0]
    ok(world.operator.api.post(f"/api/invoices/{invoice['uuid']}/cancel/", {"reason": "Test"}))
    services.estimate_costs(now=IN_APRIL)
    assert figures(api, sold) == (0, 99, "USD")


def test_an_offering_that_is_used_no_more_is_estimated_no_more(world: World, sold: Sold, at: Any) -> None:
    services.estimate_costs(now=DAY)
    end(sold, at=DAY)
    services.close_periods(now=IN_APRIL)
    services.estimate_costs(now=IN_APRIL)
    with tenancy.as_system("test"):
        assert CostEstimate.objects.count() == 0
        assert OfferingFigures.objects.get().total_cost_estimated == 0


def test_other_currencies_are_not_added(world: World, sold: Sold, at: Any) -> None:
    with tenancy.as_system("test"):
        Plan.objects.filter(pk=sold.plan.pk).update(currency="EUR")
    services.estimate_costs(now=DAY)
    assert figures(world.provider.api, sold) == (0, 99, "EUR")


def test_who_learns_what_an_offering_brings_in(world: World, sold: Sold, at: Any) -> None:
    activate(sold)
    services.estimate_costs(now=DAY)
    knowing = [world.provider.api, world.operator.api, operator("is_finance"), operator("is_support")]
    assert {figures(api, sold) for api in knowing} == {(0, 99, "USD")}
    others = [
        world.buyer.api,
        world.stranger.api,
        world.visitor,
        operator("is_catalog_manager"),
        member(world.provider.customer, Role.OFFERING_MANAGER),
    ]
    assert {figures(api, sold) for api in others} == {(None, None, None)}


def test_offerings_are_sorted_by_what_they_bring_in_for_those_who_know(
    world: World, sold: Sold, at: Any
) -> None:
    second = sell(world.provider, world.buyer, at=START, name="Second")
    third = sell(world.provider, world.buyer, at=START, name="Third")
    use(second, DAY, requests=5)
    use(third, DAY, requests=1)
    activate(sold, second, third)
    services.estimate_costs(now=DAY)

    def order(api: Api, o: str) -> list[str]:
        return [row["name"] for row in ok(api.get(OFFERINGS, o=o))]

    for api in (world.provider.api, world.operator.api):
        assert order(api, "-total_cost_estimated") == ["Second", "Third", "Helper"]
        assert order(api, "total_cost_estimated") == ["Helper", "Third", "Second"]
        assert len(order(api, "total_cost")) == 3
    # everybody else gets the order of lists: the newest first
    plain = order(world.buyer.api, "name")
    assert sorted(plain) == plain
    for api in (world.visitor, operator("is_catalog_manager")):
        assert order(api, "-total_cost_estimated") == order(api, "total_cost_estimated")


def test_a_customer_sees_what_the_month_will_come_to(world: World, sold: Sold, at: Any) -> None:
    buyer = world.buyer
    assert buyer.customer is not None and buyer.project is not None
    with tenancy.as_system("test"):
        Customer.objects.filter(pk=buyer.customer.pk).update(default_tax_percent=20)
    customer, project = f"/api/customers/{buyer.customer.uuid}/", f"/api/projects/{buyer.project.uuid}/"
    assert ok(buyer.api.get(customer))["billing_price_estimate"] == {}
    use(sold, DAY, requests=50)
    services.estimate_costs(now=DAY)
    expected = {"total": "119.40", "tax": "19.90", "currency": "USD", "as_of": "2026-03-20T08:30:00.000000Z"}
    others = [member(buyer.customer, Role.CUSTOMER_SUPPORT), operator("is_catalog_manager")]
    for path in (customer, project):
        assert ok(buyer.api.get(path))["billing_price_estimate"] == expected
        assert ok(world.operator.api.get(path))["billing_price_estimate"] == expected
        for api in others:
            assert ok(api.get(path))["billing_price_estimate"] == {}
    assert ok(world.provider.api.get("/api/customers/"))[0]["billing_price_estimate"] == {}
    at(IN_APRIL)
    assert ok(buyer.api.get(customer))["billing_price_estimate"] == {}


def test_projects_are_sorted_by_what_they_will_cost(world: World, sold: Sold, at: Any) -> None:
    buyer = world.buyer
    assert buyer.customer is not None and buyer.project is not None
    other = ok(buyer.api.post("/api/projects/", {"name": "Idle", "customer": buyer.customer.uuid}), 201)
    services.estimate_costs(now=DAY)
    rows = [row["uuid"] for row in ok(buyer.api.get("/api/projects/", o="-estimated_cost"))]
    assert rows == [buyer.project.uuid, other["uuid"]]
    rows = [row["uuid"] for row in ok(buyer.api.get("/api/projects/", o="estimated_cost"))]
    assert rows == [other["uuid"], buyer.project.uuid]


def test_a_customer_that_cannot_be_rated_holds_up_no_other(world: World, sold: Sold, at: Any) -> None:
    other = sell(world.provider, world.stranger, at=START, name="Other")
    with tenancy.as_system("test"):
        Plan.objects.filter(pk=other.plan.pk).update(unit="day")
    assert services.estimate_costs(now=DAY) == 2
    with tenancy.as_system("test"):
        assert [row.customer_id for row in CostEstimate.objects.all()] == [sold.resource.customer_id]
