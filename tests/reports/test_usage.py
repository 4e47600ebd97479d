"""Usage: what the gateway metered and people reported, to the unit."""

from __future__ import annotations

from typing import Any

import pytest
from tests.reports.support import STATS, buyer, close, day, monthly, report, sql
from tests.support.market import ok
from tests.support.sale import Sold, sell, use
from tests.support.world import World

from agentmart.catalog.models import PlanComponent
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db

PAGES = [{"type": "pages", "name": "Pages", "billing_type": "usage", "measured_unit": "page"}]


@pytest.fixture
def sold(world: World) -> Sold:
    """Calls in two months; pages that the provider reports."""
    plan = monthly("10.00")
    plan["components"] = [{"type": "requests", "price": "0.01"}, {"type": "pages", "price": "0.10"}]
    sold = sell(world.provider, world.buyer, at=day(2026, 2, 1), plan=plan, components=PAGES)
    use(sold, day(2026, 2, 28, 23), requests=2, input=30, output=5)
    use(sold, day(2026, 3, 1), requests=3, input=10, output=7)
    use(sold, day(2026, 3, 2), requests=1)
    return sold


def say(world: World, sold: Sold, amount: object, date: str) -> None:
    body = {"resource": sold.resource.uuid, "component": "pages", "usage": amount, "date": date}
    ok(world.operator.api.post("/api/marketplace-component-usages/", body), 201)


def by_type(body: Any) -> dict[str, Any]:
    return {row["type"]: row for row in body["components"]}


def test_a_month(world: World, sold: Sold) -> None:
    body = report(world, "usage", start="2026-03-01", end="2026-03-31", offering=sold.plan.offering_id.hex)
    assert body["totals"] == {"requests": 4, "input_tokens": 10, "output_tokens": 7}
    assert [row["type"] for row in body["components"]] == ["input_tokens", "output_tokens", "requests"]
    calls = by_type(body)["requests"]
    assert calls["usage"] == "4"
    assert (calls["offering_uuid"], calls["offering_name"]) == (sold.plan.offering_id.hex, "Helper")
    assert calls["name"] and calls["measured_unit"] == "request"
    assert calls["items"] == [{"key": "2026-03", "name": "2026-03", "usage": "4"}]
    assert "corrections included" in body["definition"]


def test_reported_usage_stands_beside(world: World, sold: Sold) -> None:
    say(world, sold, "1500", "2026-03-15")
    say(world, sold, "12.5", "2026-03-16")
    say(world, sold, "1000", "2026-03-15")  # the day's amount, corrected
    body = report(world, "usage", start="2026-03-01", end="2026-03-31", group_by="day", component="pages")
    (pages,) = body["components"]
    assert (pages["usage"], pages["name"], pages["measured_unit"]) == ("1012.5", "Pages", "page")
    assert [(item["key"], item["usage"]) for item in pages["items"]] == [
        ("2026-03-15", "1000"),
        ("2026-03-16", "12.5"),
    ]
    assert body["totals"] == {"requests": 0, "input_tokens": 0, "output_tokens": 0}
    assert report(world, "usage", start="2026-03-16", end="2026-03-16", component="pages")["components"][0][
        "usage"
    ] == ("12.5")


def test_a_component_is_named_by_type_uuid_or_address(world: World, sold: Sold) -> None:
    say(world, sold, "7", "2026-03-15")
    with tenancy.as_system("test"):
        row = PlanComponent.objects.get(plan=sold.plan, component__type="pages")
    for value in (
        "pages",
        row.uuid,
        row.component.uuid,
        f"/api/marketplace-plan-components/{row.uuid}/",
    ):
        body = report(world, "usage", start="2026-03-01", end="2026-03-31", component=value)
        assert [(part["type"], part["usage"]) for part in body["components"]] == [("pages", "7")], value
    assert (
        report(world, "usage", start="2026-03-01", end="2026-03-31", component="0" * 32)["components"] == []
    )
    other = sell(world.provider, world.buyer, at=day(2026, 2, 1), plan=monthly("1"), name="Other")
    with tenancy.as_system("test"):
        base = PlanComponent.objects.filter(plan=other.plan).first()
    assert base is not None
    refused = world.operator.api.get(f"{STATS}usage/", component=[row.uuid, base.uuid])
    assert (refused.status_code, list(refused.json())) == (400, ["component"])


def test_groups(world: World, sold: Sold) -> None:
    acme = buyer("Acme", at=day(2026, 2, 1))
    other = sell(world.provider, acme, at=day(2026, 2, 1), plan=monthly("1"), name="Other")
    use(other, day(2026, 3, 9), requests=10)
    days = {"start": "2026-02-01", "end": "2026-03-31", "component": "requests"}

    def items(group_by: str) -> list[tuple[str, str]]:
        body = report(world, "usage", **days, group_by=group_by)
        assert body["totals"]["requests"] == 16
        return [(item["name"], item["usage"]) for part in body["components"] for item in part["items"]]

    assert items("month") == [("2026-02", "2"), ("2026-03", "4"), ("2026-03", "10")]
    assert items("customer") == [("Buyer Ltd", "6"), ("Acme", "10")]
    assert items("project") == [("Buyer Ltd project", "6"), ("Acme project", "10")]
    assert items("resource") == [("Helper 1", "6"), ("Other 1", "10")]
    assert items("offering") == [("Helper", "6"), ("Other", "10")]
    assert items("component") == [("requests", "6"), ("requests", "10")]
    assert [usage for _, usage in items("day")] == ["2", "3", "1", "10"]


def test_it_is_narrowed(world: World, sold: Sold) -> None:
    acme = buyer("Acme", at=day(2026, 2, 1))
    other = sell(world.stranger, acme, at=day(2026, 2, 1), plan=monthly("1"), name="Other")
    use(other, day(2026, 3, 9), requests=10)
    assert acme.customer and acme.project and world.stranger.customer
    for query in (
        {"customer": acme.customer.uuid},
        {"project": acme.project.uuid},
        {"provider": world.stranger.customer.uuid},
        {"offering": other.plan.offering_id.hex},
        {"offering_uuid": other.plan.offering_id.hex},
        {"plan": other.plan.uuid},
        {"resource": f"/api/marketplace-resources/{other.resource.uuid}/"},
    ):
        body = report(world, "usage", start="2026-03-01", end="2026-03-31", **query)
        assert body["totals"]["requests"] == 10, query


def test_waldur_s_lists(world: World, sold: Sold) -> None:
    say(world, sold, "7", "2026-03-15")
    days = {"start": "2026-02-01", "end": "2026-03-31"}
    answer = world.operator.api.get(f"{STATS}component_usages/", **days)
    rows = ok(answer)
    assert answer["X-Result-Count"] == "4"
    assert [(row["component_type"], row["usage"]) for row in rows] == [
        ("input_tokens", "40"),
        ("output_tokens", "12"),
        ("pages", "7"),
        ("requests", "6"),
    ]
    assert rows[2] == {
        "usage": "7",
        "offering_uuid": sold.plan.offering_id.hex,
        "offering_name": "Helper",
        "component_type": "pages",
        "offering_country": "",
        "organization_group_name": "",
        "organization_group_uuid": "",
    }
    second = world.operator.api.get(f"{STATS}component_usages/", **days, page=2, page_size=3)
    assert ok(second) == rows[3:] and 'rel="prev"' in second["Link"]
    monthly_rows = ok(world.operator.api.get(f"{STATS}component_usages_per_month/", **days))
    calls = [row for row in monthly_rows if row["component_type"] == "requests"]
    assert [(row["year"], row["month"], row["usage"]) for row in calls] == [(2026, 2, "2"), (2026, 3, "4")]
    this_month = ok(world.operator.api.get(f"{STATS}component_usages/"))
    assert this_month == []


def test_the_same_as_is_billed(world: World, sold: Sold) -> None:
    """The report and the invoice's lines tell the same quantities."""
    say(world, sold, "7.25", "2026-03-15")
    close(2026, 2)
    close(2026, 3)
    billed = sql(
        "SELECT component_type, sum(quantity) FROM billing_invoice_item WHERE billing_type = 'usage' GROUP BY 1"
    )
    body = report(world, "usage", start="2026-02-01", end="2026-03-31")
    found = {row["type"]: row["usage"] for row in body["components"]}
    assert {kind: float(quantity) for kind, quantity in billed} == {
        kind: float(found[kind]) for kind, _ in billed
    }
    assert {kind for kind, _ in billed} == {"requests", "pages"}


def test_a_page_of_the_components(world: World, sold: Sold) -> None:
    say(world, sold, "5", "2026-03-15")
    days = {"start": "2026-02-01", "end": "2026-03-31"}
    whole = report(world, "usage", **days)
    assert [row["type"] for row in whole["components"]] == [
        "input_tokens",
        "output_tokens",
        "pages",
        "requests",
    ]
    answer = world.operator.api.get(f"{STATS}usage/", **days, page_size=3, page=2)
    body = ok(answer)
    assert body["components"] == whole["components"][3:]
    assert {**body, "components": None} == {**whole, "components": None}  # the totals are those of all
    assert answer["X-Result-Count"] == "4"
    assert 'rel="prev"' in answer["Link"]
    assert world.operator.api.get(f"{STATS}usage/", **days, page=3, page_size=3).status_code == 404
    assert list(world.operator.api.get(f"{STATS}usage/", page_size="x").json()) == ["page_size"]
    assert (
        ok(world.operator.api.get(f"{STATS}usage/", start="2026-05-01", end="2026-05-31", page=1))[
            "components"
        ]
        == []
    )
    table = world.operator.api.get(f"{STATS}usage/", **days, page_size=1, export="csv").getvalue().decode()
    assert len(table.splitlines()) == 1 + sum(len(row["items"]) for row in whole["components"])


def test_the_components_hold_nothing_of_reports_that_were_taken_back(world: World, sold: Sold) -> None:
    say(world, sold, "5", "2026-03-15")
    say(world, sold, "0", "2026-03-15")
    body = report(world, "usage", start="2026-03-01", end="2026-03-31")
    assert "pages" not in by_type(body)
