"""Plans: fields, changes, prices that change at once or from the next month on, and what bills read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from tests.support.flows import echo_flow
from tests.support.market import OFFERINGS, agent, category, member, ok, operator, order, publish
from tests.support.refusals import places
from tests.support.sale import sell
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.catalog import selectors
from agentmart.catalog import services as catalog
from agentmart.catalog.models import Plan, PlanComponent, PlanPrice
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

PLANS = "/api/marketplace-plans/"
ROWS = "/api/marketplace-plan-components/"


def unsold(world: World, **plan: Any) -> dict[str, Any]:
    """A plan that nobody has, of an offering with every way of billing."""
    components = [
        {"type": "seats", "name": "Seats", "billing_type": "limit", "min_value": 2, "limit_period": "month"},
        {"type": "setup", "name": "Set-up", "billing_type": "one"},
        {"type": "change", "name": "Change", "billing_type": "few"},
        {"type": "disk", "name": "Disk", "billing_type": "fixed", "measured_unit": "GB"},
        {"type": "calls", "name": "Calls", "billing_type": "usage"},
    ]
    body = {
        "name": "Help",
        "type": "Marketplace.Basic",
        "category": category(world),
        "components": components,
    }
    offering = ok(world.provider.api.post(OFFERINGS, body), 201)
    found: dict[str, Any] = ok(
        world.provider.api.post(PLANS, {"name": "P", "offering": offering["uuid"], **plan}), 201
    )
    return found


FULL: dict[str, Any] = {
    "unit_price": "10",
    "components": [
        {"type": "seats", "price": "5"},
        {"type": "setup", "price": "20"},
        {"type": "change", "price": "7.5"},
        {"type": "disk", "price": "0.5", "amount": 4},
        {"type": "calls", "price": "0.00002"},
    ],
}


def test_a_plan_adds_up(world: World) -> None:
    fields = {
        "description": "D",
        "article_code": "A",
        "max_amount": 3,
        "billing_mode": "limit",
        "backend_id": "b",
        "limits": {"streaming": True},
    }
    plan = unsold(world, **FULL, **fields)
    assert {name: plan[name] for name in fields} == fields
    assert plan["unit_price"] == "10.00"
    assert plan["prices"] == {
        "base": "10.00",
        "calls": "0.00002",
        "change": "7.50",
        "disk": "0.50",
        "seats": "5.00",
        "setup": "20.00",
    }
    assert plan["quotas"] == {"base": 1, "calls": 0, "change": 1, "disk": 4, "seats": 0, "setup": 1}
    assert (plan["future_prices"], plan["resources_count"], plan["organization_groups"]) == ({}, 0, [])
    assert (plan["init_price"], plan["switch_price"]) == (20, 7.5)
    assert plan["minimal_price"] == "42.00"  # 10 base + 4 × 0.5 disk + 2 × 5 seats + 20 set-up
    assert (plan["plan_type"], plan["is_active"], plan["archived"]) == ("mixed", True, False)


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        ({}, "fixed"),
        ({"unit_price": "0"}, "fixed"),
        ({"unit_price": "1"}, "fixed"),
        ({"components": [{"type": "calls", "price": "1"}]}, "usage-based"),
        ({"components": [{"type": "seats", "price": "1"}]}, "limit"),
        ({"components": [{"type": "setup", "price": "1"}]}, "one-time"),
        ({"components": [{"type": "change", "price": "1"}]}, "on-plan-switch"),
        ({"unit_price": "0", "components": [{"type": "calls", "price": "1"}]}, "usage-based"),
    ],
)
def test_the_type_of_a_plan(world: World, plan: dict[str, Any], kind: str) -> None:
    assert unsold(world, **plan)["plan_type"] == kind


def test_plans_are_found_and_filtered(world: World, shop: Shop) -> None:
    plan = unsold(world)
    ok(world.provider.api.post(f"{plan['url']}archive/"))

    def found(**query: Any) -> list[str]:
        return [row["uuid"] for row in ok(world.provider.api.get(PLANS, **query))]

    assert found(offering_uuid=shop.sold["offering"]) == [shop.sold["plan"]]
    assert found(offering=f"{OFFERINGS}{shop.sold['offering']}/") == [shop.sold["plan"]]
    assert found(offering_slug="helper") == [shop.sold["plan"]]
    assert found(archived="true") == [plan["uuid"]]
    assert set(found(o="name")) == {plan["uuid"], shop.sold["plan"]}
    (sold,) = ok(world.provider.api.get(PLANS, offering_slug="helper"))
    assert (sold["resources_count"], sold) == (2, ok(world.provider.api.get(f"{PLANS}{shop.sold['plan']}/")))
    assert ok(world.stranger.api.get(PLANS, offering_slug="helper"))[0]["resources_count"] == 0


def test_ended_resources_are_not_counted_and_hide_no_others(shop: Shop) -> None:
    with tenancy.as_system("test"):
        ended = Plan.objects.get(pk=shop.sold["plan"]).resources.latest("created")
        ended.state = "Terminated"
        ended.save(update_fields=["state"])
    shown = ok(shop.world.provider.api.get(f"{PLANS}{shop.sold['plan']}/"))
    assert shown["resources_count"] == 1
    offering = ok(shop.world.provider.api.get(f"{OFFERINGS}{shop.sold['offering']}/"))
    assert (offering["plans"][0]["resources_count"], offering["total_customers"]) == (1, 1)


# --- changing ---


def test_a_plan_changes_by_field_and_by_role(world: World) -> None:
    plan = unsold(world)
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    changes = {"name": "Q", "description": "E", "max_amount": None, "limits": {"requests_per_minute": 5}}
    shown = ok(manager.patch(plan["url"], changes))
    assert {name: shown[name] for name in changes} == changes
    for api, status in (
        (world.buyer.api, 404),
        (operator("is_support"), 403),
        (operator("is_catalog_manager"), 200),
        (world.visitor, 401),
    ):
        assert api.patch(plan["url"], {"description": "F"}).status_code == status
    assert manager.delete(plan["url"]).status_code == 403
    assert world.provider.api.patch(plan["url"], {"max_amount": 0}).status_code == 400
    assert ok(world.provider.api.patch(plan["url"], {"unit_price": "3"}))["unit_price"] == "3.00"
    quarter = world.provider.api.patch(plan["url"], {"unit": "quarter"})
    assert (quarter.status_code, list(quarter.json())) == (400, ["unit"])
    assert ok(world.provider.api.patch(plan["url"], {"currency": "EUR"}))["currency"] == "EUR"


def test_what_was_sold_keeps_its_currency_and_cannot_be_deleted(shop: Shop) -> None:
    path = f"{PLANS}{shop.sold['plan']}/"
    for answer in (
        shop.world.provider.api.patch(path, {"currency": "EUR"}),
        shop.world.provider.api.delete(path),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")
    assert ok(shop.world.provider.api.patch(path, {"currency": "USD"}))["currency"] == "USD"


def test_an_unsold_plan_is_deleted_with_its_prices(world: World) -> None:
    plan = unsold(world, **FULL)
    assert world.stranger.api.delete(plan["url"]).status_code == 404
    assert world.provider.api.delete(plan["url"]).status_code == 204
    assert world.provider.api.get(plan["url"]).status_code == 404
    with tenancy.as_system("test"):
        assert not PlanComponent.objects.exists() and not PlanPrice.objects.exists()


def test_archiving_ends_the_sale_once(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    path = f"{PLANS}{sold['plan']}/"
    assert world.buyer.api.post(f"{path}archive/").status_code == 403
    shown = ok(world.provider.api.post(f"{path}archive/"))
    assert (shown["archived"], shown["is_active"]) == (True, False)
    again = world.provider.api.post(f"{path}archive/")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert ok(world.provider.api.patch(path, {"archived": False}))["is_active"] is True


# --- prices ---


def test_prices_of_an_unsold_plan_change_at_once_and_for_all_time(world: World) -> None:
    plan = unsold(world, **FULL)
    prices = {"base": "12", "calls": 0.5, "seats": {"price": "6"}, "setup": "0"}
    shown = ok(world.provider.api.post(f"{plan['url']}update_prices/", {"prices": prices}))
    assert shown["prices"] == {
        **plan["prices"],
        "base": "12.00",
        "calls": "0.50",
        "seats": "6.00",
        "setup": "0.00",
    }
    assert (shown["future_prices"], shown["unit_price"]) == ({}, "12.00")
    with tenancy.as_system("test"):
        long_ago = selectors.prices_for([Plan.objects.get(pk=plan["uuid"]).pk], date(1999, 1, 1))
        assert {"model": "per_unit", "price": "0.5"} in long_ago.values()
        entry = AuditEntry.objects.get(action="plan.prices_updated")
        assert entry.after["base"] == "12"


def test_prices_of_a_sold_plan_change_with_the_next_month(shop: Shop) -> None:
    world, path = shop.world, f"{PLANS}{shop.sold['plan']}/"
    before = ok(world.provider.api.get(path))
    shown = ok(
        world.provider.api.post(f"{path}update_prices/", {"prices": {"base": "120", "requests": "0.02"}})
    )
    assert shown["prices"] == before["prices"]
    assert shown["future_prices"] == {"base": "120.00", "requests": "0.02"}
    assert shown["unit_price"] == before["unit_price"]
    again = ok(world.provider.api.post(f"{path}update_prices/", {"prices": {"base": "130"}}))
    assert again["future_prices"] == {"base": "130.00", "requests": "0.02"}
    row = next(
        row
        for row in ok(world.provider.api.get(ROWS, plan_uuid=shop.sold["plan"]))
        if row["price"] == "99.00"
    )
    assert (row["future_price"], row["component_type"]) == ("130.00", "base")
    back = ok(world.provider.api.patch(path, {"unit_price": "140"}))
    assert back["future_prices"]["base"] == "140.00"


def test_a_waiting_order_keeps_its_price(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    order(world, sold)
    shown = ok(world.provider.api.post(f"{PLANS}{sold['plan']}/update_prices/", {"prices": {"base": "1"}}))
    assert (shown["unit_price"], shown["future_prices"]) == ("99.00", {"base": "1.00"})


MARCH, APRIL, MAY = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (3, 4, 5))


def test_each_month_has_one_price_and_past_ones_keep_theirs(world: World) -> None:
    plan = sell(world.provider, world.buyer, at=MARCH).plan

    def base_on(day: date) -> str:
        row = plan.components.get(component__type="base")
        price: str = selectors.prices_for([plan.id], day)[row.id]["price"]
        return price

    with tenancy.as_system("test") as actor:
        assert catalog.update_prices(plan, {"base": "110"}, actor=actor, now=MARCH) == date(2026, 4, 1)
        assert catalog.update_prices(plan, {"base": "120"}, actor=actor, now=MARCH) == date(2026, 4, 1)
        assert catalog.update_prices(plan, {"base": "150"}, actor=actor, now=APRIL) == date(2026, 5, 1)
        assert [base_on(date(2026, month, 1)) for month in (1, 3, 4, 5, 6)] == [
            "99",
            "99",
            "120",
            "150",
            "150",
        ]
        row = plan.components.get(component__type="base")
        assert (row.price["price"], row.next_price["price"], row.next_from) == (
            "120",
            "150",
            date(2026, 5, 1),
        )
        assert row.price_on(MAY.date())["price"] == "150"
        resource = plan.resources.get()
        resource.plan_periods.update(end=APRIL)
        resource.state = "Terminated"
        resource.save(update_fields=["state"])
        assert catalog.update_prices(plan, {"base": "50"}, actor=actor, now=MAY) == date(2026, 5, 1)
        assert [base_on(date(2026, month, 1)) for month in (3, 4, 5)] == ["99", "120", "50"]


def test_versions_of_prices_never_change(world: World) -> None:
    unsold(world, **FULL)
    with tenancy.as_system("test"), pytest.raises(DatabaseError), transaction.atomic():
        PlanPrice.objects.update(valid_from=date(2000, 1, 1))
    with tenancy.as_system("test"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM catalog_plan_price WHERE valid_from = '1970-01-01'")
        assert cursor.fetchone() == (6,)


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({}, 400, "prices"),
        ({"prices": {}}, 400, "prices"),
        ({"prices": {"x": "1"}}, 400, "prices.x"),
        ({"prices": {"base": "-1"}}, 400, "prices.base.price"),
        ({"prices": {"base": "0.00000000001"}}, 400, "prices.base.price"),
        ({"prices": {"base": "NaN"}}, 400, "prices.base.price"),
        ({"prices": {"base": "1e40"}}, 400, "prices.base.price"),
        ({"prices": {"base": None}}, 400, "prices.base"),
        ({"prices": {"base": [1]}}, 400, "prices.base"),
        ({"prices": {"base": ""}}, 400, "prices.base.price"),
        ({"prices": {"calls": {"tier_mode": "volume", "tiers": []}}}, 400, "prices.calls.tiers"),
    ],
)
def test_wrong_prices_are_refused_and_change_nothing(
    world: World, body: dict[str, Any], status: int, where: str
) -> None:
    plan = unsold(world, **FULL)
    answer = world.provider.api.post(f"{plan['url']}update_prices/", body)
    assert (answer.status_code, list(places(answer.json()))) == (status, [where])
    assert ok(world.provider.api.get(plan["url"])) == plan


def test_tiers_are_replaced_whole(world: World) -> None:
    tiers = [{"up_to": "10", "unit_price": "1"}, {"up_to": None, "unit_price": "0.5"}]
    plan = unsold(world, components=[{"type": "calls", "tier_mode": "graduated", "tiers": tiers}])
    path = f"{plan['url']}update_prices/"
    plain = world.provider.api.post(path, {"prices": {"calls": "2"}})
    assert plain.json() == {
        "prices": {"calls": ["calls is priced by tiered; give the whole price as an object."]}
    }
    tiers[0]["unit_price"] = "2"
    shown = ok(world.provider.api.post(path, {"prices": {"calls": {"tier_mode": "volume", "tiers": tiers}}}))
    assert (shown["prices"], shown["components"][0]["tier_mode"]) == ({"calls": "2.00"}, "volume")


def test_amounts_and_discounts(world: World) -> None:
    plan = unsold(world, **FULL)
    shown = ok(world.provider.api.post(f"{plan['url']}update_quotas/", {"quotas": {"disk": 10}}))
    assert (shown["quotas"]["disk"], shown["minimal_price"]) == (10, "45.00")
    for quotas, where in (
        ({"calls": 1}, "quotas.calls"),
        ({"x": 1}, "quotas.x"),
        ({"disk": -1}, "quotas.disk"),
    ):
        answer = world.provider.api.post(f"{plan['url']}update_quotas/", {"quotas": quotas})
        assert (answer.status_code, list(places(answer.json()))) == (400, [where])
    path = f"{plan['url']}update_discounts/"
    discount = {"calls": {"discount_threshold": "1000", "discount_rate": "25"}}
    ok(world.provider.api.post(path, {"discounts": discount}))
    calls = next(
        row for row in ok(world.provider.api.get(plan["url"]))["components"] if row["type"] == "calls"
    )
    assert [(tier["up_to"], Decimal(tier["unit_price"])) for tier in calls["tiers"]] == [
        ("999.9999999999", Decimal("0.00002")),
        (None, Decimal("0.000015")),
    ]
    cleared = ok(world.provider.api.post(path, {"discounts": {"calls": {}}}))
    assert next(row for row in cleared["components"] if row["type"] == "calls")["price"] == "0.00002"
    for wrong, where in (
        ({"disk": {"discount_rate": 5}}, "discounts.disk"),
        ({"x": {}}, "discounts.x"),
        ({"calls": {"discount_rate": 101}}, "discounts.calls.discount_rate"),
        ({"calls": {"discount_formula": "10"}}, "discounts.calls.discount_formula"),
    ):
        answer = world.provider.api.post(path, {"discounts": wrong})
        assert (answer.status_code, list(places(answer.json()))) == (400, [where])


def test_who_may_price(world: World) -> None:
    plan = unsold(world, **FULL)
    body = {"prices": {"base": "1"}}
    for api, status in (
        (world.stranger.api, 404),
        (world.visitor, 401),
        (operator("is_finance"), 403),
        (member(world.provider.customer, Role.CUSTOMER_SUPPORT), 404),
        (member(world.provider.customer, Role.OFFERING_MANAGER), 200),
        (operator("is_catalog_manager"), 200),
    ):
        assert api.post(f"{plan['url']}update_prices/", body).status_code == status


# --- rows of prices ---


def test_a_price_is_read_by_number_and_by_uuid(world: World) -> None:
    plan = unsold(world, **FULL)
    rows = ok(world.provider.api.get(ROWS, plan_uuid=plan["uuid"], page_size=50))
    row = next(row for row in rows if row["component_type"] == "disk")
    assert isinstance(row["id"], int)
    assert row == ok(world.provider.api.get(f"{ROWS}{row['id']}/")) == ok(world.provider.api.get(row["url"]))
    assert row["uuid"] in row["url"]
    expected = {
        "plan_uuid": plan["uuid"],
        "plan_name": "P",
        "plan_unit": "month",
        "offering_name": "Help",
        "component_name": "Disk",
        "measured_unit": "GB",
        "billing_type": "fixed",
        "amount": 4,
        "price": "0.50",
        "future_price": None,
        "tier_mode": None,
        "tiers": [],
    }
    assert {name: row[name] for name in expected} == expected
    for key in ("0", "999999999999", "9" * 30, "abc", "0" * 32):
        assert world.provider.api.get(f"{ROWS}{key}/").status_code == 404
    assert world.stranger.api.get(row["url"]).status_code == 404
    assert world.provider.api.post(ROWS, {}).status_code == 405
    assert len(ok(world.provider.api.get(ROWS, offering_uuid=plan["offering_uuid"], page_size=50))) == 6
    assert (
        ok(world.provider.api.get(ROWS, archived="true"))
        == ok(world.provider.api.get(ROWS, shared="false"))
        == []
    )
