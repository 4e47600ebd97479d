"""Invoices over REST: generating, reading, explaining, paying, and what others get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.clocks import At
from tests.support.market import member, operator
from tests.support.sale import Sold, sell, use
from tests.support.world import World

from agentmart.billing import selectors
from agentmart.billing.api import invoices
from agentmart.billing.models import Invoice
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MID_MARCH = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
AFTER_GRACE = APRIL + timedelta(hours=1)


@pytest.fixture(autouse=True)
def today(at: At) -> None:
    at(AFTER_GRACE)


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=ACTIVATED)


def generate(world: World, year: int = 2026, month: int = 3) -> Any:
    assert world.buyer.customer is not None
    body = {"customer": f"/api/customers/{world.buyer.customer.uuid}/", "year": year, "month": month}
    return world.operator.api.post("/api/invoices/", body)


def test_generating_goes_from_draft_to_final(world: World, sold: Sold, at: At) -> None:
    at(MID_MARCH)
    drafted = generate(world)
    assert drafted.status_code == 201
    draft = drafted.json()
    assert (draft["state"], draft["total"], draft["currency"]) == ("pending", "68.66", "USD")
    assert "number" not in draft and "due_date" not in draft
    at(APRIL)
    waiting = generate(world)
    assert (waiting.status_code, waiting.json()["state"]) == (200, "pending_finalization")
    at(AFTER_GRACE)
    final = generate(world)
    assert (final.status_code, final.json()["uuid"]) == (200, draft["uuid"])
    assert (final.json()["state"], final.json()["number"]) == ("created", 1)
    again = generate(world)
    assert (again.status_code, again.json()) == (200, final.json())


def test_a_final_invoice_reads_as_the_contract_says(world: World, sold: Sold) -> None:
    use(sold, MID_MARCH, output=5800)
    answer = generate(world)
    assert answer.status_code == 201
    body = answer.json()
    assert world.buyer.customer is not None and world.provider.customer is not None
    shown = {
        key: value
        for key, value in body.items()
        if key not in ("uuid", "url", "pdf", "items", "issuer_details")
    }
    assert shown == {
        "created": "2026-04-01T01:00:00.000000Z",
        "number": 1,
        "reference_number": "",
        "customer": f"http://testserver/api/customers/{world.buyer.customer.uuid}/",
        "customer_uuid": world.buyer.customer.uuid,
        "customer_name": "Buyer Ltd",
        "state": "created",
        "year": 2026,
        "month": 3,
        "price": "77.67",
        "tax": "0.00",
        "total": "77.67",
        "currency": "USD",
        "invoice_date": "2026-04-01",
        "due_date": "2026-04-15",
        "finalized_at": "2026-04-01T01:00:00.000000Z",
        "customer_details": {
            "uuid": world.buyer.customer.uuid,
            "name": "Buyer Ltd",
            "email": "",
            "address": "",
            "country": "",
            "vat_code": "",
        },
        "amount_paid": "0.00",
        "payment_date": None,
        "is_overdue": False,
        "backend_id": "",
        "payment_url": "",
    }
    assert body["url"] == f"http://testserver/api/invoices/{body['uuid']}/"
    assert body["pdf"] == f"{body['url']}pdf/"
    assert body["issuer_details"]["name"] == "Operator Inc"
    base, output, requests = body["items"]
    assert [(item["component_type"], item["price"]) for item in body["items"]] == [
        ("base", 68.66),
        ("output_tokens", 9.0),
        ("requests", 0.01),
    ]
    assert b'"price":68.66,' in answer.content.replace(b" ", b"")  # a JSON number, written as the decimal
    assert (base["unit"], base["quantity"], base["unit_price"]) == ("month", "1", "99.00")
    assert (base["start"], base["end"]) == ("2026-03-10T12:00:00.000000Z", "2026-04-01T00:00:00.000000Z")
    assert (output["unit"], output["quantity"], output["unit_price"]) == ("quantity", "5800", "0.00")
    assert (requests["tax"], requests["total"], requests["measured_unit"]) == ("0.00", "0.01", "request")
    assert output["resource"] == f"http://testserver/api/marketplace-resources/{sold.resource.uuid}/"
    details = output["details"]
    assert (details["offering_component_type"], details["plan_name"]) == ("output_tokens", "Professional")
    assert details["service_provider_name"] == "Provider GmbH"
    assert [tier["amount"] for tier in details["tiers"]] == ["0", "8", "1"]


def test_refusals_of_generating(world: World, sold: Sold) -> None:
    assert world.buyer.customer is not None
    body = {"customer": world.buyer.customer.uuid, "year": 2026, "month": 3}
    for api_client in (world.buyer.api, world.provider.api, world.stranger.api, operator("is_support")):
        assert api_client.post("/api/invoices/", body).status_code == 403
    assert world.visitor.post("/api/invoices/", body).status_code == 401
    post = world.operator.api.post
    assert post("/api/invoices/", {**body, "customer": uuid4().hex}).json() == {
        "customer": ["Invalid hyperlink - Object does not exist."]
    }
    assert post("/api/invoices/", {**body, "month": 5}).json() == {
        "month": ["2026-05 has not begun; there is nothing to bill."]
    }
    assert set(post("/api/invoices/", {}).json()) == {"customer", "year", "month"}
    empty = post("/api/invoices/", {**body, "month": 2})
    assert (empty.status_code, empty.json()["code"]) == (409, "nothing_to_invoice")
    with tenancy.as_system("test"):
        assert not Invoice.objects.exists()


def test_several_currencies_are_named(world: World, sold: Sold) -> None:
    yen = {"name": "Yen", "unit_price": "1000", "currency": "JPY"}
    sell(world.provider, world.buyer, at=ACTIVATED, plan=yen, name="Tokyo")
    body = generate(world).json()
    assert (body["currency"], body["number"], len(body["others"])) == ("USD", 1, 1)
    other = world.buyer.api.get(f"/api/invoices/{body['others'][0]}/").json()
    assert (other["currency"], other["total"], other["number"]) == ("JPY", "694", 2)
    assert other["items"][0]["price"] == 694.0


def test_who_sees_the_invoice(world: World, sold: Sold) -> None:
    path = f"/api/invoices/{generate(world).json()['uuid']}/"
    may = (
        world.operator.api,
        operator("is_support"),
        operator("is_finance"),
        world.buyer.api,
        member(world.buyer.customer, Role.CUSTOMER_MANAGER),
    )
    may_not = (
        world.provider.api,
        world.stranger.api,
        operator("is_catalog_manager"),
        member(world.buyer.customer, Role.CUSTOMER_SUPPORT),
        member(world.buyer.customer, Role.PROJECT_ADMIN, world.buyer.project),
    )
    item = world.buyer.api.get(path).json()["items"][0]["uuid"]
    for api_client in may:
        assert api_client.get(path).status_code == 200
        assert len(api_client.get("/api/invoices/").json()) == 1
        assert api_client.get(f"{path}items/{item}/explain/").status_code == 200
    for api_client in may_not:
        for address in (path, f"{path}items/", f"{path}items/{item}/explain/"):
            assert api_client.get(address).status_code == 404
        assert api_client.get("/api/invoices/").json() == []
        assert api_client.post(f"{path}paid/").status_code == 404
    assert world.visitor.get(path).status_code == 401


def test_filters(world: World, sold: Sold, at: At) -> None:
    generate(world)
    generate(world, month=4)
    assert world.buyer.customer is not None and world.stranger.customer is not None
    listed = world.operator.api

    def found(**query: Any) -> list[int]:
        answer = listed.get("/api/invoices/", **query)
        assert answer.status_code == 200
        return [row["month"] for row in answer.json()]

    assert found() == [4, 3]
    assert found(customer=f"http://elsewhere/api/customers/{world.buyer.customer.uuid}/") == [4, 3]
    assert found(customer_uuid=world.stranger.customer.uuid) == []
    assert found(state=["created"]) == [3]
    assert found(state=["Pending", "created"]) == [4, 3]
    assert found(year="2026", month="4") == [4]
    assert found(year="2025") == []
    for query in ({"year": "x"}, {"state": "lost"}, {"customer": "nobody"}):
        assert listed.get("/api/invoices/", **query).status_code == 400


def test_items_are_a_list_of_pages(world: World, sold: Sold) -> None:
    use(sold, MID_MARCH, output=2000)
    path = f"/api/invoices/{generate(world).json()['uuid']}/items/"
    page = world.buyer.api.get(path, page_size=2, page=2)
    assert page["X-Result-Count"] == "3"
    assert [row["component_type"] for row in page.json()] == ["requests"]


def test_more_lines_than_fit_are_cut_and_said_so(
    world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sold, MID_MARCH, output=2000)
    monkeypatch.setattr(selectors, "INLINE_ITEMS", 2)
    body = generate(world).json()
    assert (len(body["items"]), body["items_truncated"]) == (2, True)
    monkeypatch.setattr(selectors, "INLINE_ITEMS", 3)
    body = generate(world).json()
    assert (len(body["items"]), "items_truncated" in body) == (3, False)


def test_lists_take_the_same_queries_whatever_their_length(world: World, sold: Sold, at: At) -> None:
    at(datetime(2026, 12, 2, tzinfo=UTC))
    for month in range(3, 12):
        generate(world, month=month)
    counts = {}
    world.buyer.api.get("/api/invoices/")  # the first request notes the use of the token
    for size in (1, 5, 300):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rows = world.buyer.api.get("/api/invoices/", page_size=size).json()
        counts[len(rows)] = len(queries)
    assert sorted(counts) == [1, 5, 9]
    assert len(set(counts.values())) == 1
    assert counts[9] <= 8


def test_a_usage_line_is_explained_down_to_the_events(world: World, sold: Sold) -> None:
    ids = [use(sold, MID_MARCH + timedelta(minutes=20 * number), output=500 * number) for number in range(4)]
    body = generate(world).json()
    item = next(row for row in body["items"] if row["component_type"] == "output_tokens")
    path = f"/api/invoices/{body['uuid']}/items/{item['uuid']}/explain/"
    told = world.buyer.api.get(path).json()
    assert (told["quantity"], told["amount"], told["month"], told["late"]) == (
        "3000",
        "4.00",
        "2026-03",
        False,
    )
    assert told["price"]["tier_mode"] == "graduated"
    assert told["proration"] is None
    assert [step["text"] for step in told["steps"]] == [
        "Tier 1 (from 0 up to 1000): 1000 output tokens × 0 = 0 USD",
        "Tier 2 (above 1000 up to 5000): 2000 output tokens × 0.002 = 4 USD",
    ]
    assert told["usage"] == [
        {"hour": "2026-03-20T08:00:00.000000Z", "quantity": 500},
        {"hour": "2026-03-20T09:00:00.000000Z", "quantity": 2500},
    ]
    assert [(event["uuid"], event["quantity"]) for event in told["events"]] == [
        (event_id.hex, 500 * number) for number, event_id in enumerate(ids)
    ]
    assert told["events"][1]["occurred_at"] == "2026-03-20T08:50:00.000000Z"
    assert (told["events_total"], told["events_truncated"]) == (4, False)
    assert told["quantity_from_events"] == told["quantity_from_hours"] == told["quantity_billed"] == "3000"
    hour = world.buyer.api.get(path, hour="2026-03-20T08:17:00Z").json()
    assert [event["quantity"] for event in hour["events"]] == [0, 500]
    assert (hour["events_total"], hour["quantity_from_events"]) == (2, "3000")
    assert world.buyer.api.get(path, hour="noon").status_code == 400


def test_long_explanations_are_cut_and_say_so(
    world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoices, "SHOWN_EVENTS", 2)
    for _ in range(3):
        use(sold, MID_MARCH)
    body = generate(world).json()
    item = next(row for row in body["items"] if row["component_type"] == "requests")
    path = f"/api/invoices/{body['uuid']}/items/{item['uuid']}/explain/"
    told = world.buyer.api.get(path).json()
    assert (len(told["events"]), told["events_total"], told["events_truncated"]) == (2, 3, True)
    assert told["quantity_from_events"] == "3"
    rest = world.buyer.api.get(path, after=told["events_next"]).json()
    assert (len(rest["events"]), rest["events_total"], rest["events_truncated"]) == (1, 3, False)
    assert rest["events_next"] is None
    assert len({event["uuid"] for event in told["events"] + rest["events"]}) == 3
    assert world.buyer.api.get(path, after="yesterday").status_code == 400


def test_a_base_line_is_explained_by_seconds(world: World, sold: Sold) -> None:
    body = generate(world).json()
    path = f"/api/invoices/{body['uuid']}/items/{body['items'][0]['uuid']}/explain/"
    told = world.buyer.api.get(path).json()
    assert told["proration"] == {"used_seconds": 1857600, "full_seconds": 2678400}
    assert told["steps"][1]["text"].startswith("In force for 1857600 of the period's 2678400 seconds")
    assert "events" not in told
    missing = f"/api/invoices/{body['uuid']}/items/{uuid4().hex}/explain/"
    assert world.buyer.api.get(missing).status_code == 404


def test_a_late_line_is_explained_with_the_bill_before_it(world: World, sold: Sold, at: At) -> None:
    use(sold, MID_MARCH, requests=5)
    generate(world)
    use(sold, MID_MARCH, requests=2)
    at(datetime(2026, 5, 2, tzinfo=UTC))
    body = generate(world, month=4).json()
    late = next(row for row in body["items"] if row["late"])
    told = world.buyer.api.get(f"/api/invoices/{body['uuid']}/items/{late['uuid']}/explain/").json()
    assert (told["month"], told["quantity"], told["amount"]) == ("2026-03", "2", "0.02")
    assert told["steps"][-1]["text"] == "5 requests are on an earlier invoice = -0.05 USD"
    assert (told["quantity_from_events"], told["quantity_billed"]) == ("7", "7")


def test_paying(world: World, sold: Sold, at: At) -> None:
    uuid = generate(world).json()["uuid"]
    path = f"/api/invoices/{uuid}/"
    assert world.buyer.api.post(f"{path}paid/", {}).status_code == 403
    pay = world.operator.api.post
    for body, field in (
        ({"date": "2026-04-01", "payment_date": "2026-03-31"}, "payment_date"),
        ({"date": "2026-04-02"}, "date"),
        ({"payment_date": "2026-02-28"}, "date"),
        ({"amount": "68.67"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"date": "yesterday"}, "date"),
    ):
        refused = pay(f"{path}paid/", body)
        assert (refused.status_code, list(refused.json())) == (400, [field])
    part = pay(f"{path}paid/", {"amount": "20.00", "reference": "T1"}).json()
    assert (part["state"], part["amount_paid"], part["detail"]) == (
        "created",
        "20.00",
        "Payment has been recorded.",
    )
    rest = pay(f"{path}paid/", {"date": "2026-04-01", "payment_date": "2026-04-01"})
    assert (rest.status_code, rest.json()["state"], len(rest.json()["payment_uuid"])) == (200, "paid", 32)
    shown = world.buyer.api.get(path).json()
    assert (shown["state"], shown["amount_paid"], shown["payment_date"]) == ("paid", "68.66", "2026-04-01")
    again = pay(f"{path}paid/", {"date": "nonsense"})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert again.json()["detail"] == "Valid states for operation: created."


def test_a_draft_cannot_be_paid_and_an_open_invoice_gets_overdue(world: World, sold: Sold, at: At) -> None:
    draft = generate(world, month=4).json()["uuid"]
    assert world.operator.api.post(f"/api/invoices/{draft}/paid/").status_code == 409
    final = generate(world).json()["uuid"]
    for moment, overdue in (
        (datetime(2026, 4, 15, 23, tzinfo=UTC), False),
        (datetime(2026, 4, 16, tzinfo=UTC), True),
    ):
        at(moment)
        assert world.buyer.api.get(f"/api/invoices/{final}/").json()["is_overdue"] is overdue
    world.operator.api.post(f"/api/invoices/{final}/paid/")
    assert world.buyer.api.get(f"/api/invoices/{final}/").json()["is_overdue"] is False


def test_chosen_fields(world: World, sold: Sold) -> None:
    generate(world)
    answer = world.buyer.api.get("/api/invoices/", field=["number", "total"])
    assert answer.json() == [{"number": 1, "total": "68.66"}]


def test_a_stranger_in_sql_sees_nothing(world: World, sold: Sold) -> None:
    generate(world)
    tenancy.enter(Actor())
    with connection.cursor() as cursor:
        for table in ("billing_invoice", "billing_invoice_item", "billing_payment", "billing_month"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,)
