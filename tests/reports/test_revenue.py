"""Revenue: to the cent what the invoices say, whatever it is cut by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.reports.support import STATS, At, buyer, close, day, draft, monthly, report, sql
from tests.support.market import member, ok, operator
from tests.support.sale import HYBRID, sell, use
from tests.support.world import World

from agentmart.billing import services as billing
from agentmart.billing.models import Invoice
from agentmart.identity.models import Role
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def sales(world: World) -> dict[str, Any]:
    """Two months of sales: two buyers, two currencies, an activation fee, usage, late usage, drafts."""
    once = [{"type": "setup", "name": "Set-up", "billing_type": "one"}]
    hybrid = {**HYBRID, "components": [*HYBRID["components"], {"type": "setup", "price": "25.00"}]}
    acme = buyer("Acme", at=day(2026, 1, 1))
    first = sell(world.provider, world.buyer, at=day(2026, 1, 10, 12), plan=hybrid, components=once)
    second = sell(
        world.provider, acme, at=day(2026, 1, 1), plan=monthly("10.00", currency="EUR"), name="Euro"
    )
    third = sell(world.provider, acme, at=day(2026, 2, 1), plan=monthly("7.77"), name="Small")
    use(first, day(2026, 1, 20), requests=150, output=1200)
    close(2026, 1)
    use(first, day(2026, 1, 31, 23), requests=3)  # seen when January is final: late in February
    use(first, day(2026, 2, 14), requests=11)
    close(2026, 2)
    use(first, day(2026, 3, 2), requests=5)
    for person in (world.buyer, acme):
        draft(person.customer, 2026, 3, now=day(2026, 3, 20))
    return {"acme": acme, "first": first, "second": second, "third": third}


def by_currency(body: Any) -> dict[str, Any]:
    return {part["currency"]: part for part in body["currencies"]}


def test_a_month_in_full(world: World, sales: dict[str, Any]) -> None:
    body = report(world, "revenue", start="2026-01-01", end="2026-01-31")
    euro, dollar = body["currencies"]
    # base 99.00 for 21.5 of 31 days, 150 requests at 0.01, 1000 tokens free and 200 at 0.002, set-up 25.00
    assert dollar == {
        "currency": "USD",
        "total": "95.56",
        "fixed": "68.66",
        "usage": "1.90",
        "one_time": "25.00",
        "credits": "0.00",
        "estimated": "0.00",
        "items": [
            {
                "key": "2026-01",
                "name": "2026-01",
                "total": "95.56",
                "fixed": "68.66",
                "usage": "1.90",
                "one_time": "25.00",
                "credits": "0.00",
                "estimated": "0.00",
            }
        ],
    }
    assert (euro["currency"], euro["total"], euro["fixed"]) == ("EUR", "10.00", "10.00")
    assert (body["start"], body["end"], body["group_by"]) == ("2026-01-01", "2026-01-31", "month")
    assert "net of tax" in body["definition"] and "late line" in body["definition"]


def test_it_reconciles_with_the_invoices_to_the_cent(world: World, sales: dict[str, Any]) -> None:
    for state in ("final", "draft"):
        states = ("created", "paid") if state == "final" else ("pending", "pending_finalization")
        expected = sql(
            "SELECT currency, sum(price) FROM billing_invoice WHERE state = ANY(%s) GROUP BY 1 ORDER BY 1",
            list(states),
        )
        assert len(expected) == 2
        for group_by in ("month", "day", "customer", "provider", "offering", "plan", "project", "resource"):
            body = report(world, "revenue", start="2026-01-01", end="2026-03-31", group_by=group_by)
            name = "total" if state == "final" else "estimated"
            assert [(part["currency"], D(part[name])) for part in body["currencies"]] == expected, group_by
            for part in body["currencies"]:
                for column in ("total", "fixed", "usage", "one_time", "credits", "estimated"):
                    assert sum(D(item[column]) for item in part["items"]) == D(part[column])
                for row in (part, *part["items"]):
                    kinds = ("fixed", "usage", "one_time", "credits")
                    assert sum(D(row[kind]) for kind in kinds) == D(row["total"])


def test_every_invoice_of_a_customer_s_month_is_its_row(world: World, sales: dict[str, Any]) -> None:
    found = sql("SELECT customer_id, year, month, currency, state, price FROM billing_invoice")
    assert len(found) == 8
    for customer_id, year, month, currency, state, price in found:
        last = {1: 31, 2: 28, 3: 31}[month]
        body = report(
            world,
            "revenue",
            start=f"{year}-{month:02d}-01",
            end=f"{year}-{month:02d}-{last}",
            customer=customer_id.hex,
            currency=currency,
            group_by="customer",
        )
        ((row,),) = [part["items"] for part in body["currencies"]]
        assert row["key"] == customer_id.hex
        assert D(row["total" if state == "created" else "estimated"]) == price


def test_late_usage_counts_in_the_invoice_that_carries_it(world: World, sales: dict[str, Any]) -> None:
    january = report(world, "revenue", start="2026-01-01", end="2026-01-31", currency="USD")
    assert by_currency(january)["USD"]["usage"] == "1.90"
    february = report(world, "revenue", start="2026-02-01", end="2026-02-28", currency="usd")
    assert by_currency(february)["USD"]["usage"] == "0.14"  # 11 requests, and 3 late ones
    days = report(world, "revenue", start="2026-02-01", end="2026-02-01", currency="USD", group_by="day")
    assert by_currency(days)["USD"]["items"][0]["key"] == "2026-02-01"
    assert by_currency(days)["USD"]["usage"] == "0.14"
    assert report(world, "revenue", start="2026-01-31", end="2026-01-31")["currencies"] == []


def test_usage_taken_back_is_a_credit(world: World, sales: dict[str, Any]) -> None:
    first = sales["first"]
    use(first, day(2026, 2, 14), requests=-4)
    close(2026, 3)
    march = by_currency(report(world, "revenue", start="2026-03-01", end="2026-03-31"))["USD"]
    assert (march["credits"], march["estimated"]) == ("-0.04", "0.00")
    assert D(march["total"]) == D(march["fixed"]) + D("0.05") - D("0.04")


def test_drafts_are_estimated_and_canceled_invoices_nothing(world: World, sales: dict[str, Any]) -> None:
    march = by_currency(report(world, "revenue", start="2026-03-01", end="2026-03-31"))
    assert (march["USD"]["total"], march["USD"]["estimated"]) == ("0.00", "106.82")
    assert march["USD"]["items"][0]["estimated"] == "106.82"
    with tenancy.as_system("test"):
        canceled = Invoice.objects.get(month=2, currency="USD", price=D("7.77"))
    ok(world.operator.api.post(f"/api/invoices/{canceled.uuid}/cancel/", {"reason": "A mistake."}))
    february = by_currency(report(world, "revenue", start="2026-02-01", end="2026-02-28"))
    assert february["USD"]["total"] == "99.14"


def test_paid_invoices_stay_revenue(world: World, sales: dict[str, Any]) -> None:
    before = report(world, "revenue", start="2026-01-01", end="2026-01-31")
    with tenancy.as_system("test") as actor:
        for invoice in Invoice.objects.filter(month=1):
            billing.mark_paid(invoice, actor=actor, now=day(2026, 3, 1))
    assert report(world, "revenue", start="2026-01-01", end="2026-01-31") == before


def test_groups_have_present_names_and_the_greatest_first(world: World, sales: dict[str, Any]) -> None:
    days = {"start": "2026-02-01", "end": "2026-02-28"}
    rows = by_currency(report(world, "revenue", **days, group_by="customer"))["USD"]["items"]
    assert [(row["name"], row["total"]) for row in rows] == [("Buyer Ltd", "99.14"), ("Acme", "7.77")]
    assert rows[1]["key"] == sales["acme"].customer.uuid
    rows = by_currency(report(world, "revenue", **days, group_by="offering"))["USD"]["items"]
    assert [row["name"] for row in rows] == ["Helper", "Small"]
    rows = by_currency(report(world, "revenue", **days, group_by="plan"))["USD"]["items"]
    assert [row["name"] for row in rows] == ["Professional", "Flat"]
    rows = by_currency(report(world, "revenue", **days, group_by="Provider"))["USD"]["items"]
    assert [(row["name"], row["total"]) for row in rows] == [("Provider GmbH", "106.91")]
    rows = by_currency(report(world, "revenue", **days, group_by="project"))["USD"]["items"]
    assert [row["name"] for row in rows] == ["Buyer Ltd project", "Acme project"]
    rows = by_currency(report(world, "revenue", **days, group_by="resource"))["USD"]["items"]
    assert [row["name"] for row in rows] == ["Helper 1", "Small 1"]


def test_it_is_narrowed_by_uuid_or_url(world: World, sales: dict[str, Any]) -> None:
    acme, small = sales["acme"].customer, sales["third"]
    days = {"start": "2026-02-01", "end": "2026-02-28", "currency": "USD"}

    def total(**query: Any) -> str:
        parts = report(world, "revenue", **days, **query)["currencies"]
        return parts[0]["total"] if parts else "none"

    assert total() == "106.91"
    for query in (
        {"customer": acme.uuid},
        {"customer": str(acme.id)},
        {"customer": f"http://elsewhere/api/customers/{acme.uuid}/"},
        {"customer_uuid": acme.uuid},
        {"offering": f"/api/marketplace-offerings/{small.plan.offering.uuid}/"},
        {"plan": small.plan.uuid},
        {"project": sales["acme"].project.uuid},
        {"resource": small.resource.uuid},
    ):
        assert total(**query) == "7.77", query
    both = [acme.uuid, world.buyer.customer.uuid]  # type: ignore[union-attr]
    assert total(customer=both) == "106.91"
    assert total(customer="0" * 32) == "none"
    providers = ok(world.operator.api.get("/api/marketplace-service-providers/"))
    for provider in (providers[0]["url"] if "url" in providers[0] else providers[0]["uuid"],):
        assert total(provider=provider) == "106.91"
    assert total(provider=world.provider.customer.uuid) == "106.91"  # type: ignore[union-attr]
    assert total(provider=acme.uuid) == "none"


def test_a_part_of_a_month_holds_the_lines_that_begin_in_it(world: World, sales: dict[str, Any]) -> None:
    def dollars(start: str, end: str) -> str:
        return by_currency(report(world, "revenue", start=start, end=end))["USD"]["total"]

    assert dollars("2026-01-10", "2026-01-10") == "95.56"
    assert report(world, "revenue", start="2026-01-11", end="2026-01-31")["currencies"] == []
    assert dollars("2026-01-10", "2026-02-01") == "202.47"


def test_this_month_is_the_default(world: World, at: At, sales: dict[str, Any]) -> None:
    at(day(2026, 3, 25))
    body = report(world, "revenue")
    assert (body["start"], body["end"]) == ("2026-03-01", "2026-03-31")
    assert by_currency(body)["USD"]["estimated"] == "106.82"


def test_a_provider_sees_what_it_earns(world: World, sales: dict[str, Any]) -> None:
    provider = next(
        row
        for row in ok(world.provider.api.get("/api/marketplace-service-providers/"))
        if row["customer_uuid"] == world.provider.customer.uuid  # type: ignore[union-attr]
    )
    path = f"/api/marketplace-service-providers/{provider['uuid']}/revenue/"
    answer = world.provider.api.get(path)
    rows = ok(answer)
    assert answer["X-Result-Count"] == "6"
    assert [(row["year"], row["month"], row["currency"], row["total"], row["estimated"]) for row in rows] == [
        (2026, 1, "EUR", 10, 0),
        (2026, 1, "USD", 95.56, 0),
        (2026, 2, "EUR", 10, 0),
        (2026, 2, "USD", 106.91, 0),
        (2026, 3, "EUR", 0, 10),
        (2026, 3, "USD", 0, 106.82),
    ]
    assert "created or paid" in rows[0]["definition"]
    assert ok(world.provider.api.get(path, start="2026-02-01", end="2026-02-28", page_size=1)) == [rows[2]]
    assert ok(world.operator.api.get(path)) == rows
    assert ok(operator("is_support").get(path)) == rows
    for outsider in (
        world.buyer.api,
        world.stranger.api,
        member(world.provider.customer, Role.OFFERING_MANAGER),
        operator("is_catalog_manager"),
    ):
        refused = outsider.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert world.visitor.get(path).status_code == 401
    bad = world.provider.api.get(path, start="2026-02-30")
    assert (bad.status_code, list(bad.json())) == (400, ["start"])
    missing = world.operator.api.get(f"/api/marketplace-service-providers/{'0' * 32}/revenue/")
    assert missing.status_code == 404


def test_another_provider_s_revenue_is_not_in_it(world: World, sales: dict[str, Any]) -> None:
    body = {"customer": world.stranger.customer.uuid}  # type: ignore[union-attr]
    other = ok(world.operator.api.post("/api/marketplace-service-providers/", body), 201)
    path = f"/api/marketplace-service-providers/{other['uuid']}/revenue/"
    assert ok(world.stranger.api.get(path)) == []
    assert world.provider.api.get(path).status_code == 403
    assert ok(world.operator.api.get(f"{STATS}revenue/", provider=other["uuid"], start="2026-01-01")) == {
        **ok(world.operator.api.get(f"{STATS}revenue/", provider=other["uuid"], start="2026-01-01")),
        "currencies": [],
    }
