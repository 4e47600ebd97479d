"""Lines and payments across all invoices, as Waldur's client reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.clocks import At
from tests.support.market import member, ok, operator
from tests.support.sale import Sold, generate, sell, use
from tests.support.world import World
from waldur_api_client.models import InvoiceItemDetail
from waldur_api_client.models import Payment as ClientPayment

from agentmart.identity.models import Role

pytestmark = pytest.mark.django_db

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ITEMS = "/api/invoice-items/"
PAYMENTS = "/api/payments/"


@pytest.fixture(autouse=True)
def today(at: At) -> None:
    at(datetime(2026, 4, 1, 1, tzinfo=UTC))


@pytest.fixture
def sold(world: World) -> Sold:
    found = sell(world.provider, world.buyer, at=ACTIVATED)
    use(found, ACTIVATED)
    return found


@pytest.fixture
def invoices(world: World, sold: Sold) -> list[dict[str, Any]]:
    """The final one of March, and the draft of April."""
    return [generate(world, 3), generate(world, 4)]


def paid(world: World, invoice: dict[str, Any], amount: str) -> str:
    body = {"amount": amount, "reference": f"R{amount}"}
    uuid: str = ok(world.operator.api.post(f"/api/invoices/{invoice['uuid']}/paid/", body))["payment_uuid"]
    return uuid


def test_lines_are_listed_with_their_invoice(
    world: World, sold: Sold, invoices: list[dict[str, Any]]
) -> None:
    march, april = invoices
    rows = ok(world.buyer.api.get(ITEMS))
    assert [row["uuid"] for row in rows] == [row["uuid"] for row in [*april["items"], *march["items"]]]
    first = rows[-2]
    inner = march["items"][0]
    assert {name: first[name] for name in inner} == inner
    assert (first["invoice"], first["invoice_uuid"], first["customer_name"], first["currency"]) == (
        march["url"],
        march["uuid"],
        "Buyer Ltd",
        "USD",
    )
    read = InvoiceItemDetail.from_dict(first)
    assert (read.price, read.offering_component_type, read.offering_uuid.hex) == (
        68.66,
        "base",
        sold.resource.offering_id.hex,
    )
    assert ok(world.buyer.api.get(f"{ITEMS}{first['uuid']}/")) == first
    assert ok(world.buyer.api.get(first["url"])) == first
    assert ok(world.buyer.api.get(ITEMS, field="price", page_size=1))
    assert world.buyer.api.post(ITEMS, {}).status_code == 405
    for method in (world.operator.api.delete, lambda path: world.operator.api.patch(path, {"price": 0})):
        assert method(f"{ITEMS}{first['uuid']}/").status_code == 405


def test_lines_are_found_by_each_filter(world: World, sold: Sold, invoices: list[dict[str, Any]]) -> None:
    march, april = invoices
    resource = sold.resource

    def count(**query: Any) -> int:
        return int(world.operator.api.head(ITEMS, **query)["X-Result-Count"])

    both = len(march["items"]) + len(april["items"])
    for name, uuid in (
        ("customer_uuid", resource.customer_id.hex),
        ("project_uuid", resource.project_id.hex),
        ("offering_uuid", resource.offering_id.hex),
        ("provider_uuid", resource.provider_customer_id.hex),
        ("resource_uuid", resource.id.hex),
    ):
        assert count(**{name: uuid}) == both, name
        assert count(**{name: "0" * 32}) == 0, name
    assert count(invoice_uuid=march["uuid"]) == count(year=2026, month=3) == len(march["items"])
    assert count(state="pending") == len(april["items"])
    assert (count(late="true"), count(query="helper 1"), count(query="nothing")) == (0, both, 0)
    prices = [row["price"] for row in ok(world.operator.api.get(ITEMS, o="-price"))]
    assert prices == sorted(prices, reverse=True)


def test_payments_are_listed_with_their_invoice(world: World, invoices: list[dict[str, Any]]) -> None:
    march, _ = invoices
    first, second = paid(world, march, "10"), paid(world, march, "20.50")
    rows = ok(world.buyer.api.get(PAYMENTS, o="created"))
    assert {row["uuid"] for row in rows} == {first, second}
    row = ok(world.buyer.api.get(f"{PAYMENTS}{second}/"))
    read = ClientPayment.from_dict(row)
    assert (read.sum_, str(read.date_of_payment), read.invoice_uuid.hex, read.invoice_period, read.proof) == (
        "20.50",
        "2026-04-01",
        march["uuid"],
        "03-2026",
        None,
    )
    assert (row["reference"], row["currency"], row["invoice"]) == ("R20.50", "USD", march["url"])
    get = world.operator.api.get
    assert [found["uuid"] for found in ok(get(PAYMENTS, reference="R10"))] == [first]
    assert len(ok(get(PAYMENTS, date_of_payment="2026-04-01", invoice_uuid=march["uuid"]))) == 2
    assert ok(get(PAYMENTS, date_of_payment="2026-04-02")) == []
    assert list(ok(get(PAYMENTS, date_of_payment="soon"), 400)) == ["date_of_payment"]
    assert world.operator.api.post(PAYMENTS, {}).status_code == 405


def test_who_sees_invoices_sees_their_lines_and_payments(
    world: World, invoices: list[dict[str, Any]]
) -> None:
    march, _ = invoices
    payment, line = paid(world, march, "10"), march["items"][0]["uuid"]
    buyer = world.buyer.customer
    for api in (
        world.buyer.api,
        member(buyer, Role.CUSTOMER_MANAGER),
        operator("is_finance"),
        operator("is_support"),
    ):
        ok(api.get(f"{ITEMS}{line}/"))
        ok(api.get(f"{PAYMENTS}{payment}/"))
    for api in (
        world.provider.api,
        world.stranger.api,
        member(buyer, Role.CUSTOMER_SUPPORT),
        member(buyer, Role.PROJECT_ADMIN, world.buyer.project),
        operator("is_catalog_manager"),
    ):
        assert (ok(api.get(ITEMS)), ok(api.get(PAYMENTS))) == ([], [])
        assert api.get(f"{ITEMS}{line}/").status_code == 404
        assert api.get(f"{PAYMENTS}{payment}/").status_code == 404


def test_lists_cost_the_same_for_every_page(world: World, invoices: list[dict[str, Any]]) -> None:
    march, _ = invoices
    for amount in ("1", "2", "3"):
        paid(world, march, amount)
    for path in (ITEMS, PAYMENTS):
        counts = set()
        ok(world.buyer.api.get(path))  # what is kept of a login is read once
        for size in (1, 10, 50, 300):
            with CaptureQueriesContext(connection) as seen:
                ok(world.buyer.api.get(path, page_size=size))
            counts.add(len(seen))
        assert len(counts) == 1 and counts.pop() <= 10, path  # the contract's 8, and the test's savepoint
