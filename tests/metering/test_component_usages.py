"""Reported usage over REST: totals, days, transactions, limits, dates, corrections, and who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from django.test.utils import CaptureQueriesContext
from tests.support.market import member, ok, operator
from tests.support.racing import race
from tests.support.sale import Sold, end, sell, use
from tests.support.world import Api, World, make_world

from agentmart.catalog import services as catalog
from agentmart.catalog.models import OfferingComponent, PlanComponent
from agentmart.config.database import DatabaseUrls
from agentmart.identity.models import Role
from agentmart.infra import clock, tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.models import AuditEntry
from agentmart.metering import services
from agentmart.metering.models import ComponentEvent, ComponentUsage
from agentmart.resources import services as resources
from agentmart.resources.models import PlanPeriod

USAGES = "/api/marketplace-component-usages/"
ACTIVATED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TODAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
COMPONENTS = [
    {"type": "storage", "name": "Storage", "billing_type": "usage", "measured_unit": "GB"},
    {"type": "seats", "name": "Seats", "billing_type": "usage", "measured_unit": "seat"},
    {"type": "setup", "name": "Set-up", "billing_type": "one", "measured_unit": ""},
]
PLAN: dict[str, Any] = {
    "name": "Metered",
    "unit_price": "10.00",
    "components": [
        {"type": "storage", "price": "0.10"},
        {"type": "seats", "price": "2"},
        {"type": "setup", "price": "5"},
        {"type": "requests", "price": "0.01"},
    ],
}


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "now", lambda: TODAY)
    return make_world()


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS)


def body(sold: Sold, usage: Any = "10", component: str = "storage", **more: Any) -> dict[str, Any]:
    return {"resource": sold.resource.uuid, "component": component, "usage": usage, **more}


def totals(sold: Sold, **usages: Any) -> dict[str, Any]:
    rows = [{"type": name, "amount": amount} for name, amount in usages.items()]
    return {"resource": sold.resource.uuid, "usages": rows}


def month(world: World, sold: Sold, component: str = "storage", period: str = "2026-03-01") -> str:
    """The exact total of a month as the buyer reads it, "" without a row."""
    rows = ok(world.buyer.api.get(USAGES, type=component, billing_period=period))
    return str(rows[0]["amount"]) if rows else ""


def events(component: str = "storage") -> list[tuple[str, D, D]]:
    with tenancy.as_system("test"):
        rows = ComponentEvent.objects.filter(component_type=component).order_by("id")
        return [(row.kind, row.amount, row.total) for row in rows]


def set_component(sold: Sold, component: str, **values: Any) -> None:
    with tenancy.as_system("test"):
        OfferingComponent.objects.filter(offering=sold.resource.offering, type=component).update(**values)


# -- one component, by day or by transaction


def test_without_a_transaction_the_day_s_amount_is_set_and_a_retry_changes_nothing(
    world: World, sold: Sold
) -> None:
    post = world.provider.api.post
    first = ok(post(USAGES, body(sold, "10", date="2026-03-15", description="Backup")), 201)
    assert (first["usage"], first["amount"], first["duplicate"]) == (10, "10", False)
    assert ok(post(USAGES, body(sold, "10", date="2026-03-15T18:00:00Z")), 201)["usage"] == 10
    assert ok(post(USAGES, body(sold, "4.5", date="2026-03-16")), 201)["usage"] == 14.5
    assert ok(post(USAGES, body(sold, "7", date="2026-03-15")), 201)["usage"] == 11.5
    assert events() == [("day", D(10), D(10)), ("day", D("4.5"), D("14.5")), ("day", D(-3), D("11.5"))]
    assert month(world, sold) == "11.5"


def test_with_a_transaction_it_is_added_once(world: World, sold: Sold) -> None:
    post = world.provider.api.post
    report = body(sold, "10", transaction_id="T-1", date="2026-03-15")
    assert ok(post(USAGES, report), 201)["duplicate"] is False
    again = ok(post(USAGES, {**report, "usage": 10}))
    assert (again["usage"], again["duplicate"]) == (10, True)
    for other in ({"usage": "11"}, {"component": "seats"}, {"date": "2026-03-16"}, {"description": "x"}):
        refused = post(USAGES, {**report, **other})
        assert (refused.status_code, refused.json()["code"]) == (409, "transaction_mismatch")
    assert ok(post(USAGES, {**report, "transaction_id": "T-2"}), 201)["usage"] == 20
    assert events() == [("add", D(10), D(10)), ("add", D(10), D(20))]
    another = sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS, name="B")
    assert ok(post(USAGES, body(another, "3", transaction_id="T-1")), 201)["usage"] == 3


def test_a_replay_is_known_after_the_window_and_after_the_resource_s_end(
    world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = body(sold, "10", transaction_id="T-1", date="2026-03-15")
    ok(world.provider.api.post(USAGES, report), 201)
    end(sold, at=TODAY)
    monkeypatch.setattr(clock, "now", lambda: TODAY + timedelta(days=90))
    assert ok(world.provider.api.post(USAGES, report))["duplicate"] is True
    assert ok(world.provider.api.post(USAGES, {**report, "usage": "1", "transaction_id": "T-9"}), 400)


def test_the_component_is_named_by_type_uuid_number_or_address(world: World, sold: Sold) -> None:
    with tenancy.as_system("test"):
        priced = PlanComponent.objects.get(plan=sold.plan, component__type="storage")
        other = catalog.create_plan(
            sold.resource.offering, {**PLAN, "name": "Other"}, actor=Actor(system=True), now=ACTIVATED
        )
        foreign = PlanComponent.objects.get(plan=other, component__type="storage")
    root = "http://elsewhere.example/api/marketplace-plan-components"
    for number, name in enumerate(
        (
            priced.uuid,
            str(priced.id),
            f"{root}/{priced.uuid}/",
            f"/api/marketplace-plan-components/{priced.number}/",
        )
    ):
        assert ok(world.provider.api.post(USAGES, body(sold, number, name)), 201)["usage"] == number
    for name in (foreign.uuid, "nothing", uuid4().hex, "setup", "base"):
        refused = ok(world.provider.api.post(USAGES, body(sold, 1, name)), 400)
        assert list(refused) == ["component"], name


@pytest.mark.parametrize(
    "usage",
    ["-1", -0.5, "NaN", "Infinity", "1e400", "1" * 21, "0.00000000001", True, None, "", "ten", [], {}],
)
def test_what_is_no_quantity_is_refused(world: World, sold: Sold, usage: Any) -> None:
    refused = ok(world.provider.api.post(USAGES, body(sold, usage)), 400)
    assert [key.split("[")[0] for key in refused] == ["usage"]
    again = world.provider.api.post(f"{USAGES}set_usage/", totals(sold, storage=usage))
    assert again.status_code == 400 and "usages" in str(again.json())
    assert month(world, sold) == ""


def test_twenty_digits_are_kept_exactly(world: World, sold: Sold) -> None:
    for text in ("1234567890.0123456789", "99999999999999999999", "0"):
        row = ok(world.provider.api.post(f"{USAGES}set_usage/", totals(sold, storage=text)), 201)["usages"][0]
        assert row["amount"] == text
    beyond = ok(world.provider.api.post(f"{USAGES}set_usage/", totals(sold, storage="9" * 20)), 201)
    assert beyond["usages"][0]["usage"] == 10**20 - 1
    more = ok(world.provider.api.post(USAGES, body(sold, 1, transaction_id="T")), 400)
    assert more == {"usage": ["The month's total would have more than 20 digits."]}


# -- a month's totals


def test_set_usage_sets_the_named_components_and_leaves_the_others(world: World, sold: Sold) -> None:
    post = world.provider.api.post
    first = ok(post(f"{USAGES}set_usage/", totals(sold, storage="100", seats=3)), 201)
    assert [(row["type"], row["usage"]) for row in first["usages"]] == [("seats", 3), ("storage", 100)]
    ok(post(f"{USAGES}set_usage/", totals(sold, storage="80.5")), 201)
    assert (month(world, sold), month(world, sold, "seats")) == ("80.5", "3")
    assert events() == [("month", D(100), D(100)), ("month", D("-19.5"), D("80.5"))]
    ok(post(f"{USAGES}set_usage/", totals(sold, storage="80.5")), 201)
    assert len(events()) == 2


def test_the_answer_reads_as_the_contract_says(world: World, sold: Sold) -> None:
    sent = totals(sold, storage="2.5") | {"date": "2026-03-15T10:00:00Z"}
    sent["usages"][0] |= {"description": "Measured", "recurring": True}
    ok(world.provider.api.post(f"{USAGES}set_usage/", sent), 201)
    (row,) = ok(world.buyer.api.get(USAGES))
    resource = sold.resource
    assert world.buyer.customer is not None and world.buyer.project is not None
    uuid = row["uuid"]
    assert row == {
        "url": f"http://testserver{USAGES}{uuid}/",
        "uuid": uuid,
        "created": "2026-03-20T08:30:00.000000Z",
        "modified": "2026-03-20T08:30:00.000000Z",
        "type": "storage",
        "name": "Storage",
        "measured_unit": "GB",
        "usage": 2.5,
        "amount": "2.5",
        "date": "2026-03-15T10:00:00.000000Z",
        "billing_period": "2026-03-01",
        "description": "Measured",
        "recurring": True,
        "missing_usage_policy": "reuse",
        "metered_by_gateway": False,
        "resource": f"http://testserver/api/marketplace-resources/{resource.uuid}/",
        "resource_uuid": resource.uuid,
        "resource_name": "Helper 1",
        "offering_uuid": resource.offering.uuid,
        "offering_name": "Helper",
        "project_uuid": world.buyer.project.uuid,
        "project_name": "Buyer Ltd project",
        "customer_uuid": world.buyer.customer.uuid,
        "customer_name": "Buyer Ltd",
        "plan_uuid": sold.plan.uuid,
        "modified_by": "petra",
    }
    assert ok(world.buyer.api.get(f"{USAGES}{uuid}/")) == row


def test_the_earlier_figures_stay_readable_and_are_never_changed(world: World, sold: Sold) -> None:
    for amount in ("100", "80"):
        ok(world.provider.api.post(f"{USAGES}set_usage/", totals(sold, storage=amount)), 201)
    (row,) = ok(world.buyer.api.get(USAGES))
    told = ok(world.buyer.api.get(f"{USAGES}{row['uuid']}/events/"))
    assert [(event["kind"], event["amount"], event["total"], event["reported_by"]) for event in told] == [
        ("month", "100", "100", "petra"),
        ("month", "-20", "80", "petra"),
    ]
    with tenancy.as_system("test"):
        for statement in (
            "UPDATE metering_component_event SET amount = 0",
            "DELETE FROM metering_component_event",
        ):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                connection.cursor().execute(statement)
        last = AuditEntry.objects.filter(action="usage.reported").order_by("at", "id").last()
        assert last is not None
    assert AuditEntry.objects.filter(action="usage.reported").count() == 2


def test_by_plan_period_the_usage_counts_for_that_plan(world: World, sold: Sold) -> None:
    switched = datetime(2026, 3, 10, tzinfo=UTC)
    with tenancy.as_system("test") as actor:
        larger = catalog.create_plan(
            sold.resource.offering, {**PLAN, "name": "Larger"}, actor=actor, now=ACTIVATED
        )
        (old,) = PlanPeriod.objects.filter(resource=sold.resource)
        PlanPeriod.objects.filter(pk=old.pk).update(end=switched)
        new = PlanPeriod.objects.create(
            resource=sold.resource,
            customer_id=old.customer_id,
            provider_customer_id=old.provider_customer_id,
            plan=larger,
            start=switched,
            created=switched,
            modified=switched,
        )
    post = world.provider.api.post

    def by_plan() -> dict[str, str]:
        rows = ok(world.buyer.api.get(USAGES, type="storage"))
        return {row["plan_uuid"]: row["amount"] for row in rows}

    usages = [{"type": "storage", "amount": 5}]
    ok(post(f"{USAGES}set_usage/", {"plan_period": old.uuid, "usages": usages}), 201)
    assert by_plan() == {sold.plan.uuid: "5"}
    ok(post(USAGES, body(sold, "7")), 201)
    ok(post(USAGES, body(sold, "1", date="2026-03-09")), 201)
    # The day of 9 March was the old plan's; what was set for its period stood on its last moment, 9 March too.
    assert by_plan() == {sold.plan.uuid: "1", larger.uuid: "7"}
    both = {"plan_period": new.uuid, "resource": sold.resource.uuid, "usages": usages}
    ok(post(f"{USAGES}set_usage/", both), 201)
    assert by_plan() == {sold.plan.uuid: "1", larger.uuid: "5"}
    for wrong, field in (
        ({"plan_period": uuid4().hex}, "plan_period"),
        ({"plan_period": old.uuid, "date": "2026-02-20T00:00:00Z"}, "date"),
        ({}, "resource"),
    ):
        assert list(ok(post(f"{USAGES}set_usage/", {**wrong, "usages": usages}), 400)) == [field]
    whole = {"resource": sold.resource.uuid, "usages": [{"type": "storage", "amount": "9"}]}
    for _ in range(2):  # the month's total, whatever plans it was used under
        ok(post(f"{USAGES}set_usage/", whole), 201)
        assert by_plan() == {sold.plan.uuid: "1", larger.uuid: "8"}
    below = {"resource": sold.resource.uuid, "usages": [{"type": "storage", "amount": "0.5"}]}
    assert ok(post(f"{USAGES}set_usage/", below), 400) == {
        "usages": [{"amount": ["Another plan holds 1 of that month; name its `plan_period` to correct it."]}]
    }
    assert by_plan() == {sold.plan.uuid: "1", larger.uuid: "8"}
    elsewhere = sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS, name="B")
    mixed = {"plan_period": old.uuid, "resource": elsewhere.resource.uuid, "usages": usages}
    assert list(ok(post(f"{USAGES}set_usage/", mixed), 400)) == ["plan_period"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"usages": []},
        {"usages": "storage"},
        {"usages": [1]},
        {"usages": [{"type": "storage"}]},
        {"usages": [{"type": "nothing", "amount": 1}]},
        {"usages": [{"type": "setup", "amount": 1}]},
        {"usages": [{"type": "storage", "amount": 1}, {"type": "storage", "amount": 2}]},
        {"usages": [{"type": "storage", "amount": 1, "missing_usage_policy": "guess"}]},
        {"usages": [{"type": "storage", "amount": 1}], "date": "yesterday"},
        {"usages": [{"type": "storage", "amount": 1}], "date": "0001-01-01"},
        {"usages": [{"type": "storage", "amount": 1}], "date": "9999-12-31T23:59:59-23:00"},
        {},
    ],
)
def test_bodies_of_every_wrong_kind_change_nothing(world: World, sold: Sold, wrong: dict[str, Any]) -> None:
    answer = world.provider.api.post(f"{USAGES}set_usage/", {"resource": sold.resource.uuid, **wrong})
    assert answer.status_code == 400, answer.content
    with tenancy.as_system("test"):
        assert not ComponentUsage.objects.exists()


# -- limits


@pytest.mark.parametrize(
    ("period", "earlier", "counted"),
    [
        ("month", "2026-02-15", False),
        ("quarterly", "2026-01-15", True),
        ("quarterly", "2025-12-31", False),
        ("annual", "2026-01-15", True),
        ("annual", "2025-12-31", False),
        ("total", "2024-05-01", True),
    ],
)
def test_the_limit_counts_its_period_with_what_is_stored(
    world: World, sold: Sold, period: str, earlier: str, counted: bool
) -> None:
    set_component(sold, "storage", limit_amount=D(100), limit_period=period)
    ok(world.operator.api.post(USAGES, body(sold, "60", date=earlier)), 201)
    answer = world.provider.api.post(USAGES, body(sold, "50"))
    assert answer.status_code == (400 if counted else 201), answer.content
    if counted:
        assert "it would be 110" in answer.json()["usage"][0]
    set_component(sold, "storage", limit_amount=D(110))
    ok(world.provider.api.post(USAGES, body(sold, "50")), 201)


def test_the_limit_is_counted_after_replacement(world: World, sold: Sold) -> None:
    set_component(sold, "storage", limit_amount=D(100))
    post = world.provider.api.post
    ok(post(f"{USAGES}set_usage/", totals(sold, storage=90)), 201)
    ok(post(f"{USAGES}set_usage/", totals(sold, storage=100)), 201)
    refused = ok(post(f"{USAGES}set_usage/", totals(sold, seats=1, storage=101)), 400)
    assert [list(row) for row in refused["usages"]] == [[], ["amount"]]
    assert (month(world, sold), month(world, sold, "seats")) == ("100", "")
    assert ok(post(USAGES, body(sold, 1, transaction_id="T")), 400)
    set_component(sold, "storage", limit_amount=D(50))
    ok(post(f"{USAGES}set_usage/", totals(sold, storage=70)), 201)  # down is always allowed


# -- dates


@pytest.mark.parametrize(
    ("date", "provider", "staff"),
    [
        ("2026-03-20", 201, 201),
        ("2026-03-20T08:35:00Z", 201, 201),
        ("2026-03-20T08:35:01Z", 400, 400),
        ("2026-03-21", 400, 400),
        ("2026-03-01", 201, 201),
        ("2026-03-01T11:59:59Z", 400, 201),
        ("2026-02-28", 400, 201),
        ("2024-01-15", 400, 201),
    ],
)
def test_when_usage_may_have_been(world: World, sold: Sold, date: str, provider: int, staff: int) -> None:
    for api, status in (
        (world.provider.api, provider),
        (world.operator.api, staff),
        (operator("is_finance"), staff),
    ):
        answer = api.post(USAGES, body(sold, "1", date=date))
        assert answer.status_code == status, answer.content
        if status == 400:
            assert list(answer.json()) == ["date"]
        else:
            assert answer.json()["billing_period"] == f"{date[:7]}-01"


def test_a_provider_reports_35_days_back(world: World, sold: Sold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 4, 10, 8, 30, tzinfo=UTC))
    for date, status in (("2026-03-06", 201), ("2026-03-06T08:30:00Z", 201), ("2026-03-06T08:29:59Z", 400)):
        assert world.provider.api.post(USAGES, body(sold, "1", date=date)).status_code == status
    assert world.provider.api.post(USAGES, body(sold, "1", date="2026-03-05")).status_code == 400


def test_a_resource_that_ended_has_usage_until_then(world: World, sold: Sold) -> None:
    end(sold, at=datetime(2026, 3, 18, 9, 0, tzinfo=UTC))
    post = world.provider.api.post
    ok(post(USAGES, body(sold, "1", date="2026-03-18")), 201)
    ok(post(USAGES, body(sold, "1", date="2026-03-18T09:00:00Z")), 201)
    for date in ("2026-03-18T09:00:01Z", "2026-03-19", None):
        late = body(sold, "1") if date is None else body(sold, "1", date=date)
        for api in (world.provider.api, world.operator.api):
            assert list(ok(api.post(USAGES, late), 400)) == ["date"]


def test_while_its_end_is_carried_out_a_resource_has_no_usage_any_more(world: World, sold: Sold) -> None:
    begun = datetime(2026, 3, 18, 9, 0, tzinfo=UTC)
    with tenancy.as_system("test") as actor:
        resources.begin_termination(sold.resource, actor=actor, now=begun)
    post = world.provider.api.post
    ok(post(USAGES, body(sold, "1", date="2026-03-18T09:00:00Z")), 201)
    ok(post(USAGES, body(sold, "2", date="2026-03-17")), 201)  # what was used before is still told
    for day in ("2026-03-18T09:00:01Z", "2026-03-19", None):
        late = body(sold, "1") if day is None else body(sold, "1", date=day)
        for api in (world.provider.api, world.operator.api):
            assert ok(api.post(USAGES, late), 400) == {
                "date": ["The resource ended on 2026-03-18 09:00 UTC."]
            }
    late = {**totals(sold, storage=9), "date": "2026-03-19"}
    assert list(ok(post(f"{USAGES}set_usage/", late), 400)) == ["date"]
    with tenancy.as_system("test") as actor:  # the end failed, and the resource runs again
        resources.fail_resource(sold.resource, "It would not go.", actor=actor, now=TODAY)
        resources.activate_resource(sold.resource, actor=actor, now=TODAY)
    ok(post(USAGES, body(sold, "1")), 201)
    assert month(world, sold) == "4"


def test_a_day_of_two_plans_is_one_day(world: World, sold: Sold) -> None:
    switched = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
    post = world.provider.api.post
    old = {row["component_type"]: row["uuid"] for row in _plan_components(world, sold.plan.uuid)}
    first = body(sold, "10", old["storage"], date="2026-03-15")
    ok(post(USAGES, first), 201)
    with tenancy.as_system("test") as actor:
        larger = catalog.create_plan(
            sold.resource.offering, {**PLAN, "name": "Larger"}, actor=actor, now=ACTIVATED
        )
        resources.change_plan(sold.resource, larger, limits={}, actor=actor, now=switched)

    def by_plan() -> dict[str, str]:
        rows = ok(world.buyer.api.get(USAGES, type="storage"))
        return {row["plan_uuid"]: row["amount"] for row in rows}

    for again in (first, body(sold, "10", date="2026-03-15"), body(sold, "10", date="2026-03-15T18:00:00Z")):
        assert ok(post(USAGES, again), 201)["amount"] == "10"
        assert by_plan() == {sold.plan.uuid: "10"}
    assert events() == [("day", D(10), D(10))]
    ok(post(USAGES, body(sold, "16", date="2026-03-15")), 201)  # more: under the plan in force last
    assert by_plan() == {sold.plan.uuid: "10", larger.uuid: "6"}
    ok(post(USAGES, body(sold, "9", date="2026-03-15")), 201)  # less: from that plan first, then the others
    assert by_plan() == {sold.plan.uuid: "9", larger.uuid: "0"}
    ok(post(USAGES, body(sold, "12", old["storage"], date="2026-03-15")), 201)  # its address names a plan
    assert by_plan() == {sold.plan.uuid: "12", larger.uuid: "0"}
    other_day = body(sold, "1", old["storage"], date="2026-03-16")
    assert list(ok(post(USAGES, other_day), 400)) == ["component"]


def _plan_components(world: World, plan: str) -> Any:
    return ok(world.provider.api.get("/api/marketplace-plan-components/", plan_uuid=plan))


# -- what the gateway meters


def test_metered_components_are_listed_with_the_gateway_s_sums(world: World, sold: Sold) -> None:
    for day in (1, 2, 3):
        use(sold, datetime(2026, 3, 10 + day, 23, 59, tzinfo=UTC), requests=day, input=10, output=100)
    use(sold, datetime(2026, 2, 28, 23, 59, tzinfo=UTC), requests=50)
    rows = ok(world.buyer.api.get(USAGES, o=["billing_period", "-usage"]))
    assert [
        (row["billing_period"], row["type"], row["usage"], row["metered_by_gateway"]) for row in rows
    ] == [
        ("2026-02-01", "requests", 50, True),
        ("2026-02-01", "input_tokens", 0, True),
        ("2026-02-01", "output_tokens", 0, True),
        ("2026-03-01", "output_tokens", 300, True),
        ("2026-03-01", "input_tokens", 30, True),
        ("2026-03-01", "requests", 6, True),
    ]
    assert month(world, sold, "requests") == "6"
    assert world.stranger.api.get(USAGES).json() == []


def test_only_operators_correct_what_the_gateway_metered(world: World, sold: Sold) -> None:
    use(sold, datetime(2026, 3, 12, tzinfo=UTC), requests=100)
    for path, sent in (
        (USAGES, body(sold, 5, "requests")),
        (f"{USAGES}set_usage/", totals(sold, requests=5)),
    ):
        refused = world.provider.api.post(path, sent)
        assert (refused.status_code, refused.json()["code"]) == (409, "metered_by_gateway")
        bad = world.provider.api.post(path, {**sent, "usage": "x", "date": "x"})
        assert bad.status_code == 409  # the state before the body
    finance = operator("is_finance")
    ok(finance.post(f"{USAGES}set_usage/", totals(sold, requests=90)), 201)
    assert month(world, sold, "requests") == "90"
    use(sold, datetime(2026, 3, 13, tzinfo=UTC), requests=7)
    assert month(world, sold, "requests") == "97"
    ok(finance.post(USAGES, body(sold, "2", "requests", date="2026-03-13")), 201)
    assert month(world, sold, "requests") == "92"
    ok(finance.post(f"{USAGES}set_usage/", totals(sold, requests=0)), 201)
    assert month(world, sold, "requests") == "0"
    assert events("requests") == [("month", D(-10), D(90)), ("day", D(-5), D(92)), ("month", D(-92), D(0))]
    below = ok(finance.post(USAGES, body(sold, "0", "requests", date="2026-03-12")), 400)
    assert "below 0" in below["usage"][0]


def test_a_component_of_that_name_which_the_gateway_does_not_feed_is_the_provider_s(
    world: World, sold: Sold
) -> None:
    set_component(sold, "requests", is_builtin=False)
    assert ok(world.provider.api.post(USAGES, body(sold, 5, "requests")), 201)["metered_by_gateway"] is False


# -- who may


def test_permission_comes_before_everything_else(world: World, sold: Sold) -> None:
    buyer = world.buyer
    nobody = [
        buyer.api,
        operator("is_support"),
        operator("is_catalog_manager"),
        member(buyer.customer, Role.CUSTOMER_MANAGER),
        member(buyer.customer, Role.PROJECT_ADMIN, buyer.project),
        member(buyer.customer, Role.OFFERING_MANAGER, None),
    ]
    ok(world.provider.api.post(USAGES, body(sold)), 201)
    row = ok(buyer.api.get(USAGES))[0]["uuid"]
    for api in nobody[:5]:
        for path, sent in (
            (USAGES, body(sold)),
            (USAGES, body(sold, "x", "nothing", date="never")),
            (f"{USAGES}set_usage/", {"resource": sold.resource.uuid}),
            (f"{USAGES}{row}/set_user_usage/", {}),
        ):
            assert api.post(path, sent).status_code == 403
    for api in (world.stranger.api, nobody[5]):
        for path in (USAGES, f"{USAGES}set_usage/"):
            unseen = ok(api.post(path, body(sold) | totals(sold, storage=1)), 400)
            assert unseen == {"resource": ["Invalid hyperlink - Object does not exist."]}
        assert api.get(f"{USAGES}{row}/").status_code == 404
        assert api.get(f"{USAGES}{row}/events/").status_code == 404
        assert api.post(f"{USAGES}{row}/set_user_usage/", {}).status_code == 404
        assert ok(api.get(USAGES)) == []
    assert world.visitor.post(USAGES, body(sold)).status_code == 401
    assert world.visitor.get(USAGES).status_code == 401
    assert month(world, sold) == "10"
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    ok(manager.post(USAGES, body(sold, 11)), 201)


def test_both_sides_read_and_in_sql_only_the_provider_writes(world: World, sold: Sold) -> None:
    ok(world.provider.api.post(USAGES, body(sold)), 201)
    other = member(world.buyer.customer, Role.PROJECT_MEMBER, world.buyer.project)
    for api in (
        world.buyer.api,
        world.provider.api,
        other,
        operator("is_support"),
        operator("is_catalog_manager"),
    ):
        assert len(ok(api.get(USAGES))) == 1
    assert world.buyer.customer is not None
    tenancy.enter(Actor(grants=(RoleGrant(world.buyer.customer.id, "CUSTOMER.OWNER"),)))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metering_component_usage SET amount = 0")
        assert cursor.rowcount == 0
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        connection.cursor().execute(
            "INSERT INTO metering_component_event SELECT (jsonb_populate_record(e, jsonb_build_object('id', "
            "-1))).* FROM metering_component_event e"
        )


def test_usage_of_single_users_is_noted(world: World, sold: Sold) -> None:
    row = ok(world.provider.api.post(USAGES, body(sold)), 201)["uuid"]
    path = f"{USAGES}{row}/set_user_usage/"
    assert ok(world.provider.api.post(path, {"username": "anna", "usage": "4"}), 201)["usage"] == "4"
    ok(world.provider.api.post(path, {"username": "anna", "usage": "5.25"}), 201)
    ok(world.provider.api.post(path, {"username": "ben", "usage": 1}), 201)
    seen = ok(world.buyer.api.get(f"{USAGES}{row}/user_usages/"))
    assert [(user["username"], user["usage"]) for user in seen] == [("anna", "5.25"), ("ben", "1")]
    for wrong in ({"username": "anna", "usage": "-1"}, {"usage": 1}, {"username": "anna"}):
        ok(world.provider.api.post(path, wrong), 400)
    assert month(world, sold) == "10"


# -- lists


def test_filters_and_orderings(world: World, sold: Sold) -> None:
    for date, amount in (("2026-01-15", 1), ("2026-02-15", 3), ("2026-03-15", 2)):
        ok(world.operator.api.post(USAGES, body(sold, amount, date=date)), 201)
    ok(world.operator.api.post(USAGES, body(sold, 9, "seats")), 201)
    resource = sold.resource

    def found(**query: Any) -> list[float]:
        return [row["usage"] for row in ok(world.buyer.api.get(USAGES, **query))]

    assert found(type="storage") == [2, 3, 1]
    assert found(type="storage", o="usage") == [1, 2, 3]
    assert found(type="storage", o="-usage") == [3, 2, 1]
    assert found(o=["billing_period", "missing_usage_policy"]) == [1, 3, 9, 2]
    assert found(billing_period="2026-02-01") == [3]
    assert found(billing_period_year="2026", billing_period_month="1") == [1]
    assert found(billing_period_month="1.0") == [1]  # the client's type is a float
    assert found(date_after="2026-02-01", type="storage") == [2, 3]
    assert found(date_before="2026-02-01") == [3, 1]
    assert found(missing_usage_policy=["reuse"]) == []
    for name, value in (
        ("resource", f"http://x/api/marketplace-resources/{resource.uuid}/"),
        ("resource_uuid", str(resource.id)),
        ("offering_uuid", resource.offering_id),
        ("project_uuid", resource.project_id),
        ("customer_uuid", resource.customer_id),
    ):
        assert len(found(**{name: value})) == 4
        assert found(**{name: uuid4().hex}) == []
        assert world.buyer.api.get(USAGES, **{name: "x"}).status_code == 400
    for query in (
        {"billing_period": "x"},
        {"o": "name"},
        {"billing_period_year": "x"},
        {"missing_usage_policy": "x"},
    ):
        assert world.buyer.api.get(USAGES, **query).status_code == 400
    (only,) = ok(world.buyer.api.get(USAGES, type="seats", field=["uuid", "usage"]))
    assert sorted(only) == ["usage", "uuid"]


def test_a_list_s_queries_do_not_grow(world: World) -> None:
    for number in range(4):
        sold = sell(
            world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS, name=f"H{number}"
        )
        use(sold, datetime(2026, 3, 12, tzinfo=UTC))
        ok(world.provider.api.post(f"{USAGES}set_usage/", totals(sold, storage=1, seats=2)), 201)
    counts = {}
    world.buyer.api.get(USAGES)  # the first request notes the use of the token
    for size in (1, 10, 50, 300):
        with CaptureQueriesContext(connection) as queries:
            rows = ok(world.buyer.api.get(USAGES, page_size=size))
        counts[len(rows)] = len(queries)
    assert sorted(counts) == [1, 10, 20]
    assert len(set(counts.values())) == 1
    assert counts[20] <= 8 + 2  # and the savepoint that the test's own transaction adds


# -- carried over


def test_usage_is_taken_over_into_the_next_month_where_that_was_said(world: World, sold: Sold) -> None:
    sent = totals(sold, storage="7", seats=2)
    sent["usages"][0]["missing_usage_policy"] = "reuse"
    ok(world.provider.api.post(f"{USAGES}set_usage/", sent), 201)
    april = datetime(2026, 4, 1, 0, 5, tzinfo=UTC)
    assert services.carry_over(now=april) == 1
    assert services.carry_over(now=april) == 0
    assert (month(world, sold, period="2026-04-01"), month(world, sold, "seats", "2026-04-01")) == ("7", "")
    assert events() == [("month", D(7), D(7)), ("reuse", D(7), D(7))]
    end(sold, at=april)
    assert services.carry_over(now=datetime(2026, 5, 1, tzinfo=UTC)) == 0


# -- races


def test_many_reports_at_once(
    django_on_fresh_database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: TODAY)
    with transaction.atomic():
        world = make_world()
        sold = sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS)
    token = world.provider.api._headers["Authorization"].removeprefix("Token ")

    def report(number: int, same: bool) -> int:
        sent = body(sold, 1, transaction_id="same" if same else f"T{number}")
        status: int = Api(token).post(USAGES, sent).status_code
        return status

    once = race([lambda n=n: report(n, True) for n in range(16)])  # type: ignore[misc]
    assert sorted(once) == [200] * 15 + [201]
    assert race([lambda n=n: report(n, False) for n in range(16)]) == [201] * 16  # type: ignore[misc]
    assert month(world, sold) == "17"
    set_component(sold, "storage", limit_amount=D(20))
    last = race([lambda n=n: report(100 + n, False) for n in range(8)])  # type: ignore[misc]
    assert sorted(last) == [201] * 3 + [400] * 5
    assert month(world, sold) == "20"
