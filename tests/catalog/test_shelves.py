"""Categories, their groups, and service providers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import echo_flow
from tests.support.market import OFFERINGS, agent, category, member, ok, operator, publish
from tests.support.shop import Shop
from tests.support.world import World
from waldur_api_client.models import PlanUsageResponse

from agentmart.identity.models import Role

pytestmark = pytest.mark.django_db

SHELVES = "/api/marketplace-categories/"
GROUPS = "/api/marketplace-category-groups/"
SELLERS = "/api/marketplace-service-providers/"


def test_a_category_reads_as_it_was_written_and_as_it_was_changed(world: World) -> None:
    api = operator("is_catalog_manager")
    group = ok(api.post(GROUPS, {"title": "G", "description": "D"}), 201)
    body = {
        "title": "AI",
        "description": "Text",
        "icon": "https://example.org/i.png",
        "default_vm_category": True,
        "default_volume_category": False,
        "group": group["url"],
    }
    row = ok(api.post(SHELVES, body), 201)
    assert {name: row[name] for name in body} == body
    assert row["group_uuid"] == group["uuid"]
    assert (row["offering_count"], row["available_offerings_count"]) == (0, 0)
    assert row["sections"] == row["columns"] == row["components"] == row["articles"] == []
    changed = ok(api.patch(row["url"], {"title": "ML", "icon": None, "group": None}))
    assert (changed["title"], changed["icon"], changed["group"], changed["description"]) == (
        "ML",
        None,
        None,
        "Text",
    )
    other = ok(api.post(SHELVES, {"title": "Z", "default_vm_category": True}), 201)
    assert other["icon"] is None
    assert ok(world.visitor.get(row["url"]))["default_vm_category"] is False
    put = world.operator.api._client.put(
        row["url"], {"description": "x"}, content_type="application/json", headers=world.operator.api._headers
    )
    assert (put.status_code, put.json()) == (400, {"title": ["This field is required."]})


def test_only_operators_write_shelves_and_only_empty_ones_go(world: World) -> None:
    url = category(world)
    for api, status in (
        (world.visitor, 401),
        (world.provider.api, 403),
        (world.buyer.api, 403),
        (operator("is_support"), 403),
        (operator("is_finance"), 403),
    ):
        assert api.patch(url, {"title": "X"}).status_code == status
        assert api.delete(url).status_code == status
        assert api.post(GROUPS, {"title": "X"}).status_code == status
    offering = {"name": "X", "type": "Marketplace.Basic", "category": url}
    made = ok(world.provider.api.post(OFFERINGS, offering), 201)
    full = world.operator.api.delete(url)
    assert (full.status_code, full.json()["code"]) == (409, "has_dependents")
    assert world.provider.api.delete(f"{OFFERINGS}{made['uuid']}/").status_code == 204
    assert world.operator.api.delete(url).status_code == 204
    assert world.operator.api.get(url).status_code == 404
    group = ok(world.operator.api.post(GROUPS, {"title": "G"}), 201)
    shelf = ok(world.operator.api.post(SHELVES, {"title": "S", "group": group["uuid"]}), 201)
    assert world.operator.api.delete(group["url"]).status_code == 409
    assert ok(world.operator.api.patch(group["url"], {"title": "H"}))["title"] == "H"
    assert world.operator.api.delete(shelf["url"]).status_code == 204
    assert world.operator.api.delete(group["url"]).status_code == 204
    assert world.operator.api.post(SHELVES, {"title": "S", "icon": "data:x"}).status_code == 400


def test_shelves_are_counted_and_found(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    full = ok(world.visitor.get(f"{OFFERINGS}{sold['offering']}/"))["category_uuid"]
    api = world.operator.api
    empty = ok(api.post(SHELVES, {"title": "Empty"}), 201)["uuid"]
    ok(
        api.post(
            OFFERINGS, {"name": "No plan", "type": "Marketplace.Basic", "category": full, "state": "Active"}
        ),
        201,
    )
    shown = ok(world.visitor.get(f"{SHELVES}{full}/"))
    assert (shown["offering_count"], shown["available_offerings_count"]) == (2, 1)

    def found(**query: Any) -> list[str]:
        return [row["uuid"] for row in ok(world.visitor.get(SHELVES, **query))]

    assert found() == [full, empty]
    assert found(o="-title") == [empty, full]
    assert len(found(o="created")) == 2
    assert found(title="emp") == [empty]
    assert found(has_shared="true") == [full]
    assert found(has_shared="false") == [empty]
    assert found(offering_name="help") == [full]
    assert found(customer_uuid=world.provider.customer.uuid) == [full]  # type: ignore[union-attr]
    assert found(group_uuid="0" * 32) == []
    for name in ("has_shared", "customer_uuid", "group_uuid", "o"):
        assert world.visitor.get(SHELVES, **{name: "x"}).status_code == 400


def test_service_providers_are_registered_described_found_and_removed(world: World) -> None:
    api, customer = world.operator.api, world.buyer.customer
    assert customer is not None
    row = ok(api.post(SELLERS, {"customer": customer.uuid, "description": "We sell"}), 201)
    assert (row["customer_name"], row["description"], row["offering_count"]) == ("Buyer Ltd", "We sell", 0)
    assert (row["account_options"], row["organization_groups"]) == ({}, [])
    assert ok(world.buyer.api.patch(row["url"], {"description": "More"}))["description"] == "More"
    for person, status in (
        (world.stranger.api, 403),
        (operator("is_catalog_manager"), 403),
        (member(customer, Role.CUSTOMER_MANAGER), 403),
        (world.visitor, 401),
    ):
        assert person.patch(row["url"], {"description": "No"}).status_code == status
    assert [found["uuid"] for found in ok(api.get(SELLERS, customer_uuid=customer.uuid))] == [row["uuid"]]
    assert [found["uuid"] for found in ok(api.get(SELLERS, customer_keyword="buyer"))] == [row["uuid"]]
    assert ok(api.get(SELLERS, o="-customer_name"))[0]["customer_name"] == "Buyer Ltd"
    assert world.buyer.api.delete(row["url"]).status_code == 403
    assert api.delete(row["url"]).status_code == 204
    publish(world, agent(world, echo_flow()))
    (seller,) = ok(api.get(SELLERS, customer_keyword="provider"))
    answer = api.delete(seller["url"])
    assert (answer.status_code, answer.json()["code"], seller["offering_count"]) == (409, "has_dependents", 1)


def test_providers_say_whether_they_are_told(world: World) -> None:
    customer = world.buyer.customer
    assert customer is not None
    body = {"customer": customer.uuid, "enable_notifications": False}
    row = ok(world.operator.api.post(SELLERS, body), 201)
    assert row["enable_notifications"] is False
    assert (
        ok(world.buyer.api.patch(row["url"], {"enable_notifications": True}))["enable_notifications"] is True
    )
    wrong = world.buyer.api.patch(row["url"], {"enable_notifications": "x"})
    assert (wrong.status_code, list(wrong.json())) == (400, ["enable_notifications"])
    assert world.visitor.get(row["url"]).status_code == 401
    publish(world, agent(world, echo_flow()))
    (other,) = ok(world.operator.api.get(SELLERS, customer_keyword="provider"))
    assert other["enable_notifications"] is True


def test_a_customer_s_new_name_is_passed_on(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    assert world.provider.customer is not None
    ok(world.provider.api.patch(f"/api/customers/{world.provider.customer.uuid}/", {"name": "Renamed"}))
    (row,) = ok(world.operator.api.get(SELLERS, customer_uuid=world.provider.customer.uuid))
    assert row["customer_name"] == "Renamed"
    assert ok(world.stranger.api.get(f"{OFFERINGS}{sold['offering']}/"))["customer_name"] == "Renamed"


def test_how_much_of_each_plan_is_sold(shop: Shop) -> None:
    world, path = shop.world, "/api/marketplace-plans/usage_stats/"
    plan = f"/api/marketplace-plans/{shop.sold['plan']}/"
    (row,) = ok(world.provider.api.get(path, offering_uuid=shop.sold["offering"]))
    assert row == {
        "plan_uuid": shop.sold["plan"],
        "plan_name": ok(world.provider.api.get(plan))["name"],
        "limit": None,
        "usage": 2,
        "remaining": None,
        "offering_uuid": shop.sold["offering"],
        "offering_name": ok(world.provider.api.get(f"{OFFERINGS}{shop.sold['offering']}/"))["name"],
        "customer_provider_uuid": world.provider.customer.uuid,  # type: ignore[union-attr]
        "customer_provider_name": "Provider GmbH",
    }
    ok(world.provider.api.patch(plan, {"max_amount": 3}))
    ok(
        world.provider.api.post(
            "/api/marketplace-plans/", {"name": "New", "offering": shop.sold["offering"]}
        ),
        201,
    )
    rows = ok(world.provider.api.get(path, o="remaining"))
    assert [(row["limit"], row["usage"], row["remaining"]) for row in rows] == [(3, 2, 1), (None, 0, None)]
    read = PlanUsageResponse.from_dict(rows[0])
    assert (read.limit, read.remaining) == (3, 1)
    assert [row["usage"] for row in ok(world.operator.api.get(path, o="usage"))] == [0, 2]
    assert world.provider.api.head(path)["X-Result-Count"] == "2"
    assert ok(world.buyer.api.get(path)) == ok(world.stranger.api.get(path)) == []
    assert world.visitor.get(path).status_code == 401
    for name in ("offering_uuid", "o", "customer_provider_uuid"):
        assert world.provider.api.get(path, **{name: "x"}).status_code == 400
