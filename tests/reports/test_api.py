"""What all reports share: who reads them, what they are asked for, the forms they come in, how much they read."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.reports.support import STATS, At, buyer, close, day, monthly, report
from tests.support.market import member, ok, operator
from tests.support.sale import sell, use
from tests.support.world import World
from waldur_api_client.models.component_usages_per_month_stats import ComponentUsagesPerMonthStats
from waldur_api_client.models.component_usages_stats import ComponentUsagesStats
from waldur_api_client.models.service_provider_revenues import ServiceProviderRevenues

from agentmart.identity.models import Role
from agentmart.reports.api.stats import StatsViewSet

pytestmark = pytest.mark.django_db

MONEY = ("revenue", "kpis")
REPORTS = tuple(StatsViewSet.answers)


@pytest.fixture
def sold(world: World) -> World:
    evil = buyer("=HYPERLINK(1)", at=day(2026, 3, 1))
    for person in (world.buyer, evil):
        use(sell(world.provider, person, at=day(2026, 3, 1), plan=monthly("10.00")), day(2026, 3, 2))
    close(2026, 3)
    return world


@pytest.mark.parametrize("name", REPORTS)
def test_who_reads_it(world: World, name: str) -> None:
    readers = {"St": world.operator.api, "Su": operator("is_support"), "Fi": operator("is_finance")}
    if name not in MONEY:
        readers["Ca"] = operator("is_catalog_manager")
    for who, api in readers.items():
        assert api.get(f"{STATS}{name}/").status_code == 200, who
    others = [world.buyer.api, world.provider.api, world.stranger.api]
    others += [
        member(world.provider.customer, role) for role in (Role.OFFERING_MANAGER, Role.CUSTOMER_MANAGER)
    ]
    others += [operator("is_catalog_manager")] if name in MONEY else []
    for api in others:
        # 403 comes before what is wrong with the question
        answer = api.get(f"{STATS}{name}/", start="x")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert world.visitor.get(f"{STATS}{name}/").status_code == 401


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "x"}, "start"),
        ({"end": "2026-02-30"}, "end"),
        ({"start": "2026-04-02", "end": "2026-04-01"}, "start"),
        ({"start": "2020-01-01", "end": "2023-01-01"}, "end"),
        ({"export": "pdf"}, "export"),
        ({"start": "2026-01-01\0"}, "start"),
    ],
)
def test_mistakes_are_named(world: World, name: str, query: dict[str, str], field: str) -> None:
    answer = world.operator.api.get(f"{STATS}{name}/", **query)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert isinstance(answer.json()[field], list)


@pytest.mark.parametrize("name", ("revenue", "usage", "orders", "order_stats", "kpis", "component_usages"))
@pytest.mark.parametrize("kind", ("customer", "provider", "offering", "plan", "customer_uuid"))
def test_a_scope_that_names_nothing_is_refused(world: World, name: str, kind: str) -> None:
    answer = world.operator.api.get(f"{STATS}{name}/", **{kind: "acme"})
    assert (answer.status_code, answer.json()) == (400, {kind: ["Enter a valid UUID."]})


def test_groups_and_currencies_are_closed_sets(world: World) -> None:
    for name in ("revenue", "usage", "orders"):
        answer = world.operator.api.get(f"{STATS}{name}/", group_by="planet")
        message = "Select a valid choice. planet is not one of the available choices."
        assert (answer.status_code, answer.json()) == (400, {"group_by": [message]})
    for name in ("revenue", "kpis", "orders"):
        answer = world.operator.api.get(f"{STATS}{name}/", currency="DOL")
        assert (answer.status_code, list(answer.json())) == (400, ["currency"])


def test_unknown_parameters_are_hinted_at(world: World) -> None:
    answer = world.operator.api.get(f"{STATS}customers/", customer="x", o="created")
    assert answer.status_code == 200
    assert "Unknown parameter ignored: customer" in answer["Warning"]


def test_there_is_no_list_and_nothing_is_written(world: World) -> None:
    assert world.operator.api.get(STATS).status_code == 404
    assert world.operator.api.get(f"{STATS}{'0' * 32}/").status_code == 404
    assert world.operator.api.post(f"{STATS}revenue/").status_code == 405


def lines(answer: Any) -> list[list[str]]:
    """The rows of a CSV answer, its columns' names first."""
    assert answer.status_code == 200 and answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_by_parameter_and_by_header(sold: World) -> None:
    api: Any = sold.operator.api
    query = {"start": "2026-03-01", "end": "2026-03-31", "group_by": "customer"}
    asked = api.get(f"{STATS}revenue/", **query, export="csv")
    assert asked["Content-Disposition"] == 'attachment; filename="revenue-2026-03-01-2026-03-31.csv"'
    rows = lines(asked)
    assert rows[0] == [
        "currency",
        "key",
        "name",
        "total",
        "fixed",
        "usage",
        "one_time",
        "credits",
        "estimated",
        "definition",
    ]
    assert sorted(row[2] for row in rows[1:]) == ["'=HYPERLINK(1)", "Buyer Ltd"]
    assert [row[3] for row in rows[1:]] == ["10.00", "10.00"]
    headers = {**api._headers, "Accept": "text/csv"}
    assert lines(Client().get(f"{STATS}revenue/", query, headers=headers)) == rows
    body = report(sold, "revenue", **query)
    names = {item["name"] for part in body["currencies"] for item in part["items"]}
    assert names == {"=HYPERLINK(1)", "Buyer Ltd"}


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_a_table(sold: World, name: str) -> None:
    query = {"start": "2026-03-01", "end": "2026-04-30"}
    rows = lines(sold.operator.api.get(f"{STATS}{name}/", **query, export="csv"))
    assert len(rows) >= (1 if name in ("orders", "order_stats") else 2)
    assert {len(row) for row in rows} == {len(rows[0])}
    if not name.startswith("component_usages"):  # lists of Waldur's, which carry none as JSON either
        assert rows[0][-1] == "definition" and {row[-1] for row in rows[2:]} <= {""}
        body = report(sold, name, **query)
        told = [body["definition"]] if "definition" in body else body["definitions"].values()
        assert len(rows) == 1 or all(text in rows[1][-1] for text in told)
    if name == "kpis":
        assert rows[1][:3] == ["USD", "2026-03", "0.00"] and rows[1][8] == "20.00"
    if name == "component_usages_per_month":
        assert dict(zip(rows[0], rows[1], strict=True))["usage"] == "1"


def test_errors_are_json_whatever_form_was_asked(sold: World) -> None:
    api: Any = sold.operator.api
    headers = {**api._headers, "Accept": "text/csv"}
    answer = Client().get(f"{STATS}revenue/", {"start": "x"}, headers=headers)
    assert (answer.status_code, list(answer.json())) == (400, ["start"])
    assert answer["Content-Type"] == "application/json"
    stranger: Any = sold.stranger.api
    refused = Client().get(f"{STATS}revenue/", headers={**stranger._headers, "Accept": "text/csv"})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert Client().get(f"{STATS}revenue/", headers={"Accept": "text/csv"}).status_code == 401
    image = Client().get(f"{STATS}revenue/", headers={**api._headers, "Accept": "image/png"})
    assert image.status_code == 406


def test_chosen_fields(sold: World) -> None:
    assert set(report(sold, "kpis", field=["mrr", "arr"])) == {"mrr", "arr"}
    rows = report(sold, "component_usages", start="2026-03-01", end="2026-03-31", field="usage")
    assert rows == [{"usage": "2"}] or rows == [{"usage": "1"}, {"usage": "1"}]


def test_counting_is_answered(sold: World) -> None:
    api: Any = sold.operator.api
    for name in ("component_usages", "component_usages_per_month", "order_stats"):
        answer = Client().head(f"{STATS}{name}/", {"start": "2026-03-01"}, headers=api._headers)
        assert answer.status_code == 200 and answer.content == b""
        assert int(answer["X-Result-Count"]) >= 0


def test_the_client_reads_them(sold: World) -> None:
    days = {"start": "2026-03-01", "end": "2026-03-31"}
    for row in report(sold, "component_usages", **days):
        assert ComponentUsagesStats.from_dict(row).usage == "1"
    for row in report(sold, "component_usages_per_month", **days):
        assert ComponentUsagesPerMonthStats.from_dict(row).month == 3
    provider = ok(sold.operator.api.get("/api/marketplace-service-providers/"))[0]["uuid"]
    rows = ok(sold.operator.api.get(f"/api/marketplace-service-providers/{provider}/revenue/"))
    assert [(r.total, r.year, r.month) for r in map(ServiceProviderRevenues.from_dict, rows)] == [
        (20, 2026, 3)
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_the_same_number_of_times_whatever_there_is(world: World, at: At, name: str) -> None:
    at(day(2026, 4, 20))

    def reads() -> int:
        grouping = {"group_by": "customer"} if name in ("revenue", "usage", "orders") else {}
        with CaptureQueriesContext(connection) as seen:
            report(world, name, start="2026-01-01", end="2026-04-30", **grouping)
        return len(seen)

    for number in range(3):
        person = buyer(f"Buyer {number}", at=day(2026, 3, 1))
        sold = sell(
            world.provider, person, at=day(2026, 3, number + 1), plan=monthly("10.00"), name=f"{number}"
        )
        use(sold, day(2026, 3, 9))
        if number == 0:
            close(2026, 3)
            reads()  # the first use of a token is noted
            few = reads()
    close(2026, 3)
    assert reads() == few <= 8 + 2  # and the savepoint that the test's transaction adds
