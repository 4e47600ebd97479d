"""Offerings: every field as it is written, filters, order, actions, components, pictures, and who may what."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.support.flows import echo_flow
from tests.support.market import OFFERINGS, agent, category, member, ok, operator, order, publish
from tests.support.refusals import places
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.catalog.models import Offering, OfferingPrivate
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

PROVIDED = "/api/marketplace-provider-offerings/"
PUBLIC = "/api/marketplace-public-offerings/"
OPTIONS = {
    "order": ["region"],
    "options": {"region": {"type": "select_string", "label": "Region", "choices": ["EU", "US"]}},
}
FIELDS: dict[str, Any] = {
    "description": "Short",
    "full_description": "Long",
    "vendor_details": "Us",
    "getting_started": "Begin",
    "integration_guide": "Join",
    "privacy_policy_link": "https://example.org/privacy",
    "helpdesk_url": "https://example.org/help",
    "documentation_url": "https://example.org/docs",
    "access_url": "https://example.org/app",
    "attributes": {"language": ["en", "de"], "grade": 3},
    "options": OPTIONS,
    "resource_options": OPTIONS,
    "plugin_options": {"require_provider_approval": True, "own": 1},
    "backend_metadata": {"id": 7},
    "country": "DE",
    "latitude": 52.5,
    "longitude": 13.4,
    "backend_id": "b-1",
    "shared": True,
    "billable": False,
}


def made(world: World, **changes: Any) -> dict[str, Any]:
    """An offering of the provider."""
    body = {"name": "Help", "type": "Marketplace.Basic", "category": category(world), **changes}
    found: dict[str, Any] = ok(world.provider.api.post(OFFERINGS, body), 201)
    return found


def path(row: dict[str, Any]) -> str:
    return f"{OFFERINGS}{row['uuid']}/"


# --- fields ---


def test_every_field_reads_as_it_was_written_and_as_it_was_changed(world: World) -> None:
    row = made(world, **FIELDS, tags=["fast"], secret_options={"key": "s3cret"}, backend_id_rules={"a": 1})
    assert {name: row[name] for name in FIELDS} == FIELDS
    assert (row["tags"], row["secret_options"], row["backend_id_rules"]) == (
        [{"name": "fast"}],
        {"key": "s3cret"},
        {"a": 1},
    )
    changed = {**FIELDS, "description": "Other", "country": "", "latitude": None, "attributes": {}}
    shelf = category(world)
    assert (
        ok(world.provider.api.patch(path(row), {**changed, "category": shelf, "name": "New"}))["category"]
        == shelf
    )
    again = ok(world.provider.api.get(path(row)))
    assert {name: again[name] for name in FIELDS} == changed
    assert (again["name"], again["slug"]) == ("New", "help")
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.filter(action="offering.updated").latest("at", "id")
        assert (entry.before["description"], entry.after["description"]) == ("Short", "Other")


def test_what_is_empty_is_never_null(world: World) -> None:
    row = made(world)
    for name in (
        "uuid",
        "created",
        "state",
        "category_uuid",
        "attributes",
        "plugin_options",
        "backend_metadata",
    ):
        assert row[name] is not None
    assert row["country"] == "" and row["options"] == {"order": [], "options": {}} == row["resource_options"]
    for name in ("components", "plans", "screenshots", "files", "tags", "organization_groups", "quotas"):
        assert row[name] == []
    assert (row["secret_options"], row["service_attributes"]) == ({}, {})
    assert (row["order_count"], row["total_customers"], row["image"], row["agent_uuid"]) == (0, 0, None, None)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"country": "XX"}, {"country": ['"XX" is not a valid choice.']}),
        ({"latitude": 91}, {"latitude": ["Ensure this value is less than or equal to 90."]}),
        ({"longitude": "x"}, {"longitude": ["A valid number is required."]}),
        ({"access_url": "javascript:alert(1)"}, {"access_url": ["Enter a valid URL."]}),
        ({"options": {"order": ["x"], "options": {}}}, {"options.order": ["There is no option x."]}),
        (
            {"options": {"options": {"x": {"type": "colour", "label": "X"}}}},
            {
                "options.options.x.type": [
                    "Use one of boolean, date, html_text, integer, money, select_string, select_string_multi, "
                    "string, text, time."
                ]
            },
        ),
        ({"tags": "x"}, {"tags": ['Expected a list of items but got type "str".']}),
        ({"attributes": {"x": "y" * 20_000}}, {"attributes": ["At most 16384 bytes of JSON."]}),
        ({"category": "0" * 32}, {"category": ["Invalid hyperlink - Object does not exist."]}),
        ({"name": ""}, {"name": ["This field may not be blank."]}),
    ],
)
def test_wrong_values_are_refused_by_field(
    world: World, body: dict[str, Any], refusal: dict[str, Any]
) -> None:
    row = made(world)
    for answer in (
        world.provider.api.patch(path(row), body),
        world.provider.api.post(
            OFFERINGS, {"name": "X", "type": "Marketplace.Basic", "category": row["category"], **body}
        ),
    ):
        assert (answer.status_code, places(answer.json())) == (400, refusal)


def test_put_needs_every_required_key(world: World) -> None:
    row = made(world)
    client, headers = world.provider.api._client, world.provider.api._headers
    answer = client.put(path(row), {"name": "X"}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"category": ["This field is required."]})
    body = {"name": "X", "category": row["category"]}
    assert client.put(path(row), body, content_type="application/json", headers=headers).json()["name"] == "X"


def test_secrets_are_for_those_who_sell_and_staff(world: World) -> None:
    row = made(world, secret_options={"key": "s3cret"})
    ok(world.operator.api.post(f"{path(row)}activate/"))
    ok(world.provider.api.post("/api/marketplace-plans/", {"offering": row["uuid"], "name": "P"}), 201)
    manager, catalog = member(world.provider.customer, Role.OFFERING_MANAGER), operator("is_catalog_manager")
    for api in (world.provider.api, manager, world.operator.api):
        assert ok(api.get(path(row)))["secret_options"] == {"key": "s3cret"}
    for api in (catalog, operator("is_finance"), world.buyer.api, world.stranger.api, world.visitor):
        for shown in (ok(api.get(path(row))), ok(api.get(OFFERINGS))[0]):
            assert "secret_options" not in shown and "s3cret" not in json.dumps(shown)
    answer = catalog.post(f"{path(row)}update_integration/", {"secret_options": {}})
    assert (answer.status_code, answer.json()["extra"]) == (403, {"operation": "offering.secrets"})
    ok(manager.post(f"{path(row)}update_integration/", {"secret_options": {"key": "new"}, "backend_id": "b"}))
    with tenancy.as_system("test"):
        assert OfferingPrivate.objects.get(pk=row["uuid"]).secret_options == {"key": "new"}
        told = [entry.before | entry.after for entry in AuditEntry.objects.all()]
        assert "s3cret" not in json.dumps(told) and '"new"' not in json.dumps(told)


def test_a_slug_is_changed_by_staff_and_is_one_s_own(world: World) -> None:
    first, second = made(world), made(world)
    assert second["slug"].startswith("help-")
    assert world.provider.api.patch(path(first), {"slug": "mine"}).status_code == 403
    assert ok(world.provider.api.patch(path(first), {"slug": "help"}))["slug"] == "help"
    assert ok(world.operator.api.patch(path(first), {"slug": "best"}))["slug"] == "best"
    taken = world.operator.api.patch(path(second), {"slug": "best"})
    assert (taken.status_code, taken.json()) == (400, {"slug": ["Another offering has this slug."]})


# --- actions that change what it says ---


def test_the_update_actions_change_what_they_name(world: World) -> None:
    row = made(world)
    shelf = category(world)
    for action, body, seen in (
        ("update_description", {"category": shelf}, {"category": shelf}),
        (
            "update_overview",
            {"name": "N", "full_description": "F", "helpdesk_url": "https://h.example"},
            {"name": "N", "full_description": "F", "helpdesk_url": "https://h.example"},
        ),
        ("update_options", {"options": OPTIONS}, {"options": OPTIONS}),
        ("update_resource_options", {"resource_options": OPTIONS}, {"resource_options": OPTIONS}),
        ("update_attributes", {"a": 1, "b": [2]}, {"attributes": {"a": 1, "b": [2]}}),
        ("update_attributes", {"attributes": {"c": 1}}, {"attributes": {"c": 1}}),
        ("update_location", {"latitude": 1.5, "longitude": -2}, {"latitude": 1.5, "longitude": -2.0}),
        ("update_integration", {"plugin_options": {"x": 1}}, {"plugin_options": {"x": 1}}),
        ("set_backend_metadata", {"backend_metadata": {"z": 1}}, {"backend_metadata": {"z": 1}}),
    ):
        address = f"{path(row)}{action}/"
        assert world.stranger.api.post(address, body).status_code == 404
        manager = (
            member(world.provider.customer, Role.OFFERING_MANAGER) if action == "update_options" else None
        )
        shown = ok((manager or world.provider.api).post(address, body))
        assert {name: shown[name] for name in seen} == seen, action
    assert world.provider.api.post(f"{path(row)}update_overview/", {}).status_code == 400
    assert operator("is_support").post(f"{path(row)}update_location/", {}).status_code == 403


# --- components ---


def test_components_are_added_changed_and_removed_until_they_are_sold(shop: Shop) -> None:
    world = shop.world
    offering = f"{OFFERINGS}{shop.sold['offering']}/"
    body = {
        "type": "seats",
        "name": "Seats",
        "billing_type": "limit",
        "limit_period": "month",
        "limit_amount": 10,
        "min_value": 1,
        "max_value": 5.5,
        "default_limit": "2",
        "measured_unit": "seat",
        "description": "Who may use it",
        "article_code": "A1",
        "is_boolean": False,
    }
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    assert manager.post(f"{offering}create_offering_component/", body).status_code == 403
    row = ok(world.provider.api.post(f"{offering}create_offering_component/", body), 201)
    assert {name: row[name] for name in body} == {**body, "default_limit": 2}
    assert (row["is_builtin"], row["offering_uuid"], row["max_available_limit"]) == (
        False,
        shop.sold["offering"],
        None,
    )
    twice = world.provider.api.post(f"{offering}create_offering_component/", body)
    assert (twice.status_code, twice.json()) == (
        400,
        {"type": ["The offering has a component seats already."]},
    )
    wrong = {**body, "type": "x", "min_value": 9}
    answer = world.provider.api.post(f"{offering}create_offering_component/", wrong)
    assert answer.json() == {"min_value": ["The smallest value is above the largest."]}

    change = {"uuid": row["uuid"], "type": "places", "name": "Places", "billing_type": "usage"}
    changed = ok(manager.post(f"{offering}update_offering_component/", change))
    assert (changed["type"], changed["name"], changed["billing_type"]) == ("places", "Places", "usage")
    assert changed["measured_unit"] == "seat"
    sold = {item["type"]: item["uuid"] for item in ok(world.provider.api.get(offering))["components"]}
    for kind in ("base", "requests"):
        kept = {"uuid": sold[kind], "type": kind, "name": "Other", "billing_type": "one"}
        answer = world.provider.api.post(f"{offering}update_offering_component/", kept)
        assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")
    renamed = {"uuid": sold["base"], "type": "base", "name": "Fee", "billing_type": "fixed"}
    assert ok(world.provider.api.post(f"{offering}update_offering_component/", renamed))["name"] == "Fee"
    unknown = world.provider.api.post(f"{offering}remove_offering_component/", {"uuid": "0" * 32})
    assert unknown.json() == {"uuid": ["The offering has no such component."]}

    ok(world.provider.api.post(f"{offering}remove_offering_component/", {"uuid": row["uuid"]}))
    assert "places" not in [item["type"] for item in ok(world.provider.api.get(offering))["components"]]


def test_a_component_once_sold_stays(world: World, shop: Shop) -> None:
    body = {
        "components": [
            {"type": "extra", "name": "Extra", "billing_type": "usage"},
            {"type": "spare", "name": "Spare", "billing_type": "usage"},
        ],
        "plans": [{"name": "P", "unit_price": "1", "components": [{"type": "extra", "price": "1"}]}],
        "plugin_options": {"require_provider_approval": False},
    }
    row = made(world, **body)
    spare = {"name": "Q", "offering": row["uuid"], "components": [{"type": "spare", "price": "1"}]}
    ok(world.provider.api.post("/api/marketplace-plans/", spare), 201)
    ok(world.operator.api.post(f"{path(row)}activate/"))
    plan = row["plans"][0]["uuid"]
    order(world, {"offering": row["uuid"], "plan": plan})
    uuids = {item["type"]: item["uuid"] for item in row["components"]}
    answer = world.provider.api.post(f"{path(row)}remove_offering_component/", {"uuid": uuids["extra"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")
    shown = ok(world.provider.api.post(f"{path(row)}remove_offering_component/", {"uuid": uuids["spare"]}))
    assert [plan["prices"] for plan in shown["plans"]] == [{"base": "1.00", "extra": "1.00"}, {}]


def test_limits_set_bounds_of_components(world: World) -> None:
    limits = {"seats": {"min": 1, "max": 9, "default_limit": 3, "max_available_limit": 100}}
    component = {"type": "seats", "name": "Seats", "billing_type": "limit"}
    row = made(world, components=[component], limits=limits)["components"][0]
    assert (row["min_value"], row["max_value"], row["default_limit"], row["max_available_limit"]) == (
        1,
        9,
        3,
        100,
    )
    body = {"name": "X", "type": "Marketplace.Basic", "category": category(world), "limits": limits}
    answer = world.provider.api.post(OFFERINGS, body)
    assert answer.json() == {"limits": {"seats": ["The offering has no component seats; it has none."]}}


# --- deleting ---


def test_a_draft_without_orders_is_deleted_with_its_parts(world: World, shop: Shop) -> None:
    row = made(world, plans=[{"name": "P", "unit_price": "1"}])
    assert world.stranger.api.delete(path(row)).status_code == 404
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    assert manager.delete(path(row)).status_code == 403
    assert world.provider.api.delete(path(row)).status_code == 204
    assert world.provider.api.get(path(row)).status_code == 404
    sold = f"{OFFERINGS}{shop.sold['offering']}/"
    answer = world.provider.api.delete(sold)
    assert (answer.status_code, answer.json()["code"], answer.json()["extra"]) == (
        409,
        "has_dependents",
        {"state": "Active"},
    )
    ok(world.operator.api.post(f"{sold}draft/"))
    answer = world.provider.api.delete(sold)
    assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")
    with tenancy.as_system("test"):
        assert Offering.objects.filter(pk=shop.sold["offering"]).exists()


# --- lists ---


def test_offerings_without_a_plan_are_active_but_not_listed(world: World) -> None:
    row = made(world)
    ok(world.operator.api.post(f"{path(row)}activate/"))
    assert ok(world.provider.api.get(path(row)))["is_orderable"] is False
    for family in (OFFERINGS, PUBLIC):
        assert ok(world.buyer.api.get(family)) == ok(world.visitor.get(family)) == []
        assert len(ok(world.provider.api.get(family))) == len(ok(world.operator.api.get(family))) == 1
    plan = ok(world.provider.api.post("/api/marketplace-plans/", {"offering": row["uuid"], "name": "P"}), 201)
    assert len(ok(world.visitor.get(PUBLIC))) == 1
    ok(world.provider.api.post(f"{plan['url']}archive/"))
    assert ok(world.visitor.get(PUBLIC)) == []


def test_offerings_are_found_by_every_filter(world: World, shop: Shop) -> None:
    one = made(
        world, name="Alpha", description="first", attributes={"lang": ["en", "de"], "n": 1}, billable=False
    )
    two = made(world, name="Beta", shared=False, attributes={"lang": "fr"})
    agent_offering = shop.sold["offering"]

    def found(**query: Any) -> set[str]:
        rows = ok(world.provider.api.get(PROVIDED, page_size=50, **query))
        return {row["uuid"] for row in rows}

    assert found() == {one["uuid"], two["uuid"], agent_offering}
    for query, expected in (
        ({"state": ["draft"]}, [one, two]),
        ({"state": ["Active", "Draft"], "name": "a"}, [one, two]),
        ({"type": "gsvagents.agent"}, []),
        ({"name": "ALP"}, [one]),
        ({"name_exact": "Alpha"}, [one]),
        ({"name_exact": "alpha"}, []),
        ({"keyword": "FIRST"}, [one]),
        ({"query": "beta"}, [two]),
        ({"description": "irs"}, [one]),
        ({"category_uuid": one["category_uuid"]}, [one]),
        ({"shared": "false"}, [two]),
        ({"billable": "false"}, [one]),
        ({"slug": "beta"}, [two]),
        ({"uuid_list": f"{one['uuid']},{two['uuid']}"}, [one, two]),
        ({"attributes": json.dumps({"lang": "en"})}, [one]),
        ({"attributes": json.dumps({"lang": ["fr", "it"]})}, [two]),
        ({"attributes": json.dumps({"n": 1})}, [one]),
        ({"customer": one["customer"], "name": "Beta"}, [two]),
        ({"customer_uuid": world.buyer.customer.uuid}, []),  # type: ignore[union-attr]
        ({"allowed_customer_uuid": world.buyer.customer.uuid, "state": "Draft"}, [one]),  # type: ignore[union-attr]
        ({"project_uuid": world.buyer.project.uuid, "state": "Draft"}, [one]),  # type: ignore[union-attr]
        ({"created_before": "2020-01-01"}, []),
        ({"modified": "2999-01-01"}, []),
        ({"review": "pending"}, []),
    ):
        expected_ids = {row["uuid"] for row in expected}
        got = found(**query) - (
            {agent_offering} if query.get("type") or query.get("state") == ["Active", "Draft"] else set()
        )
        assert got == expected_ids, query
    assert found(resource_customer_uuid=world.buyer.customer.uuid) == {agent_offering}  # type: ignore[union-attr]
    assert found(resource_project_uuid=world.buyer.project.uuid) == {agent_offering}  # type: ignore[union-attr]
    assert found(type="GSVAgents.Agent") == {agent_offering}
    for name, value in (
        ("state", "x"),
        ("type", "x"),
        ("category_uuid", "x"),
        ("uuid_list", "x"),
        ("attributes", "[1"),
        ("attributes", "[1]"),
        ("shared", "maybe"),
        ("created", "yesterday"),
        ("o", "colour"),
    ):
        answer = world.provider.api.get(PROVIDED, **{name: value})
        assert (answer.status_code, list(answer.json())) == (400, [name]), name


def test_lists_sort_by_every_value_of_o(world: World, shop: Shop) -> None:
    made(world, name="Alpha")
    made(world, name="Zulu")

    def names(o: str) -> list[str]:
        return [row["name"] for row in ok(world.provider.api.get(PROVIDED, o=o))]

    assert names("name") == ["Alpha", "Helper", "Zulu"]
    assert names("-name") == ["Zulu", "Helper", "Alpha"]
    assert names("-total_customers")[0] == "Helper"
    assert names("total_customers")[-1] == "Helper"
    assert names("state")[0] == "Helper" and names("type")[0] == "Helper"
    for value in (
        "created",
        "-created",
        "total_cost",
        "-total_cost",
        "total_cost_estimated",
        "-state",
        "-type",
    ):
        assert len(names(value)) == 3
    shown = ok(world.provider.api.get(PROVIDED, o="-total_customers"))[0]
    assert (shown["total_customers"], shown["order_count"]) == (1, 2)


def test_chosen_fields_cost_no_parts(world: World, shop: Shop) -> None:
    rows = ok(world.provider.api.get(PROVIDED, field=["name", "uuid"]))
    assert rows == [{"name": "Helper", "uuid": shop.sold["offering"]}]
    rows = ok(world.provider.api.get(PROVIDED, field=["is_orderable"]))
    assert rows == [{"is_orderable": True}]


def test_public_plans_are_listed_and_shown(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    base = f"{PUBLIC}{sold['offering']}/plans/"
    (row,) = ok(world.visitor.get(base))
    assert (row["uuid"], row["unit_price"]) == (sold["plan"], "99.00")
    assert ok(world.visitor.get(f"{base}{sold['plan']}/")) == row
    assert world.visitor.get(f"{base}{'0' * 32}/").status_code == 404


# --- pictures ---

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def test_pictures_are_stored_shown_and_removed(world: World) -> None:
    row = made(world)
    text = base64.b64encode(PNG).decode()
    shown = ok(world.provider.api.post(f"{path(row)}update_image/", {"image": text}))
    assert shown["image"].startswith(f"http://testserver{PUBLIC}{row['uuid']}/image/?v=")
    assert world.visitor.get(shown["image"]).status_code == 404  # a draft
    answer = world.provider.api.get(shown["image"])
    assert (answer.content, answer["Content-Type"], answer["X-Content-Type-Options"]) == (
        PNG,
        "image/png",
        "nosniff",
    )
    ok(
        world.provider.api.post(
            f"{path(row)}update_thumbnail/", {"thumbnail": f"data:image/png;base64,{text}"}
        )
    )
    for body in ({}, {"image": "<svg/>"}, {"image": base64.b64encode(b"<svg/>").decode()}, {"image": 1}):
        answer = world.provider.api.post(f"{path(row)}update_image/", body)
        assert (answer.status_code, list(answer.json())) == (400, ["image"])
    big = base64.b64encode(PNG + b"0" * 1024 * 1024).decode()
    assert world.provider.api.post(f"{path(row)}update_image/", {"image": big}).status_code in (400, 413)
    assert world.stranger.api.post(f"{path(row)}delete_image/").status_code == 404
    assert world.provider.api.post(f"{path(row)}delete_image/").status_code == 204
    assert world.provider.api.get(shown["image"]).status_code == 404
    assert ok(world.provider.api.get(path(row)))["thumbnail"] is not None


def test_owners_who_publish_directly_create_active_offerings(world: World, settings: Any) -> None:
    body = {"name": "Help", "type": "Marketplace.Basic", "category": category(world), "state": "active"}
    assert world.provider.api.post(OFFERINGS, body).status_code == 403
    settings.PROVIDER_PUBLISH = "direct"
    assert ok(world.provider.api.post(OFFERINGS, body), 201)["state"] == "Active"
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    assert manager.post(OFFERINGS, body).status_code == 403
