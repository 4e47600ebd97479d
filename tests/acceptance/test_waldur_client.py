"""Waldur's own client, unmodified, through every operation that the contract lists (operator-api §8 A).

As staff, as the owner where §4 allows it, and as a stranger, against a running server and worker.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.acceptance.test_waldur_money import billed, two_months_ago
from tests.acceptance.waldur import Party, operation
from waldur_api_client.models import (
    BillingTypeEnum,
    CustomerQuotas,
    CustomerQuotasQuotaNameEnum,
    OfferingState,
)

FIRST = [
    "marketplace_categories_create",
    "marketplace_categories_list",
    "customers_create",
    "customers_list",
    "projects_create",
    "marketplace_service_providers_create",
    "marketplace_provider_offerings_create",
    "marketplace_provider_offerings_activate",
    "marketplace_provider_offerings_list",
    "marketplace_plans_list",
    "marketplace_plans_update_prices",
    "marketplace_plan_components_list",
    "marketplace_orders_create",
    "marketplace_orders_list",
    "marketplace_orders_approve_by_provider",
    "marketplace_orders_retrieve",
    "marketplace_resources_list",
    "marketplace_resources_retrieve",
    "marketplace_component_usages_set_usage",
    "marketplace_component_usages_list",
    "invoices_list",
    "support_issues_list",
    "marketplace_stats_component_usages_list",
]
THEN = [
    "marketplace_public_offerings_list",
    "marketplace_public_offerings_retrieve",
    "marketplace_public_offerings_plans_list",
    "marketplace_public_offerings_plans_retrieve",
    "marketplace_provider_offerings_pause",
    "marketplace_provider_offerings_unpause",
    "marketplace_provider_offerings_archive",
    "marketplace_provider_offerings_draft",
    "marketplace_provider_offerings_update_overview",
    "marketplace_provider_offerings_create_offering_component",
    "marketplace_plans_create",
    "marketplace_plans_retrieve",
    "marketplace_plans_partial_update",
    "marketplace_plans_update_quotas",
    "marketplace_plans_archive",
    "marketplace_plan_components_retrieve",
    "marketplace_orders_approve_by_consumer",
    "marketplace_orders_reject_by_consumer",
    "marketplace_orders_reject_by_provider",
    "marketplace_orders_cancel",
    "marketplace_orders_retry",
    "marketplace_orders_destroy",
    "marketplace_orders_partial_update",
    "marketplace_orders_set_state_done",
    "marketplace_resources_partial_update",
    "marketplace_resources_switch_plan",
    "marketplace_resources_update_limits",
    "marketplace_resources_update_options",
    "marketplace_resources_terminate",
    "marketplace_resources_plan_periods_list",
    "marketplace_component_usages_retrieve",
    "customers_retrieve",
    "customers_partial_update",
    "customers_add_user",
    "customers_list_users_list",
    "customers_delete_user",
    "customers_destroy",
    "customer_quotas_list",
    "projects_list",
    "projects_partial_update",
    "projects_destroy",
    "users_list",
    "users_create",
    "users_me_retrieve",
    "users_token_retrieve",
    "users_refresh_token",
    "marketplace_service_providers_list",
    "marketplace_service_providers_revenue_list",
    "invoices_retrieve",
    "invoices_paid",
    "invoices_stats_list",
    "invoices_growth_retrieve",
    "invoices_send_notification",
    "invoices_set_reference_number",
    "support_issues_create",
    "support_issues_retrieve",
    "support_issues_partial_update",
    "support_issues_comment",
    "support_issues_set_status",
    "support_issues_escalate",
    "support_issues_bulk_update",
    "support_issues_destroy",
    "support_comments_list",
    "support_users_list",
    "marketplace_stats_order_stats_retrieve",
    "marketplace_stats_component_usages_per_month_list",
]
CALLS_BEGIN = "# --- categories, customers, " + "projects"
LISTS = sorted(name for name in FIRST + THEN if name.endswith("_list"))
COUNTS = {
    "marketplace_service_providers_revenue_list": None,  # the client has no count of these
    "invoices_stats_list": None,
    "marketplace_resources_plan_periods_list": None,
    "marketplace_public_offerings_plans_list": None,
}


def count_of(name: str) -> str:
    """The client's counting operation of a list."""
    return f"{name.removesuffix('_list')}_count"


def test_every_operation_of_the_list_is_called() -> None:
    calls = Path(__file__).read_text().partition(CALLS_BEGIN)[2]
    calls += "".join(
        path.read_text() for path in Path(__file__).parent.glob("*waldur*.py") if path != Path(__file__)
    )
    assert [name for name in FIRST + THEN if f'"{name}"' not in calls] == []
    assert len(FIRST) == 23
    for name in FIRST + THEN:
        assert operation(name).sync_detailed


# --- categories, customers, projects ------------------------------------------------------------------


def test_categories(party: Party) -> None:
    made = party.staff("marketplace_categories_create", body={"title": "Vision", "description": "Sees"})
    assert (made.title, made.description, made.offering_count) == ("Vision", "Sees", 0)
    assert made.url == f"{party.site.url}/api/marketplace-categories/{made.uuid.hex}/"
    for person in (party.staff, party.buyer, party.stranger):
        seen = {row.uuid: row for row in person.all("marketplace_categories_list")}
        assert seen[made.uuid].title == "Vision"
    for person in (party.buyer, party.stranger):
        assert person.refused("marketplace_categories_create", body={"title": "Mine"}) == 403


def test_customers(party: Party) -> None:
    body = {
        "name": f"Acme {party.number}",
        "email": "billing@acme.example",
        "country": "US",
        "abbreviation": "AC",
    }
    acme = party.staff("customers_create", body=body)
    assert (acme.name, acme.email, acme.country.value, acme.abbreviation) == tuple(body.values())
    assert (acme.blocked, acme.archived, acme.projects_count) == (False, False, 0)
    assert party.staff("customers_retrieve", acme.uuid).name == acme.name
    found = party.staff("customers_list", name_exact=acme.name)
    assert [row.uuid for row in found] == [acme.uuid]

    changed = party.staff("customers_partial_update", acme.uuid, body={"city": "Springfield"})
    assert (changed.uuid, changed.city, changed.email) == (acme.uuid, "Springfield", "billing@acme.example")
    owner = party.buyer("customers_partial_update", party.buying.uuid, body={"phone_number": "+1 555 0100"})
    assert owner.phone_number == "+1 555 0100"

    assert party.stranger.refused("customers_create", body={"name": "Mine"}) == 403
    assert party.stranger.refused("customers_retrieve", acme.uuid) == 404
    assert party.stranger.refused("customers_partial_update", acme.uuid, body={"city": "X"}) == 404
    assert party.stranger.refused("customers_destroy", acme.uuid) == 404
    assert [row.uuid for row in party.stranger("customers_list")] == [party.foreign.uuid]
    assert party.buyer.refused("customers_destroy", party.buying.uuid) == 403

    assert party.staff.refused("customers_destroy", party.buying.uuid) == 409  # it has a project
    assert party.staff.answer("customers_destroy", acme.uuid).status_code == 204
    assert party.staff.refused("customers_retrieve", acme.uuid) == 404


def test_customers_members(party: Party) -> None:
    name = f"mia{party.number}"
    mia = party.staff(
        "users_create", body={"username": name, "email": f"{name}@example.com", "first_name": "Mia"}
    )
    known = {"role": "CUSTOMER.SUPPORT", "user": mia.uuid.hex}
    body = {"role": "CUSTOMER.MANAGER", "user": mia.uuid.hex}
    unseen = party.buyer.answer("customers_add_user", party.buying.uuid, body=body)
    assert unseen.status_code == 400  # not yet of a customer they share: an owner invites
    assert party.staff.answer("customers_add_user", party.buying.uuid, body=known).status_code == 201
    assert party.stranger.refused("customers_add_user", party.buying.uuid, body=body) == 404
    given = party.buyer.answer("customers_add_user", party.buying.uuid, body=body)
    assert (given.status_code, given.parsed.expiration_time) == (201, None)
    rows = party.buyer("customers_list_users_list", party.buying.uuid)
    assert {(row.user_username, row.role_name) for row in rows} == {
        (f"boris{party.number}", "CUSTOMER.OWNER"),
        (name, "CUSTOMER.MANAGER"),
        (name, "CUSTOMER.SUPPORT"),
    }
    nobody = {**body, "user": uuid4().hex}
    assert party.buyer.answer("customers_add_user", party.buying.uuid, body=nobody).status_code == 400
    assert party.stranger.refused("customers_list_users_list", party.buying.uuid) == 404
    assert party.buyer.answer("customers_delete_user", party.buying.uuid, body=body).status_code == 200
    rows = party.staff("customers_list_users_list", party.buying.uuid)
    assert {row.role_name for row in rows} == {"CUSTOMER.OWNER", "CUSTOMER.SUPPORT"}


def test_customer_quotas(party: Party) -> None:
    customer = f"/api/customers/{party.buying.uuid.hex}/"
    limits = {"nc_project_count": 2, "nc_resource_count": 1}
    party.staff.ok("PATCH", customer, {"quotas": limits})
    offering = party.offering()
    party.order(offering)
    resources = CustomerQuotasQuotaNameEnum.NC_RESOURCE_COUNT
    rows: list[CustomerQuotas] = party.staff.all("customer_quotas_list", quota_name=resources)
    used = {row.customer_name: row.value for row in rows}
    assert (used[party.buying.name], used[party.foreign.name]) == (1, 0)
    seen = party.stranger("customer_quotas_list", quota_name=resources)
    assert [(row.customer_name, row.value) for row in seen] == [(party.foreign.name, 0)]

    party.buyer("projects_create", body={"name": "Second", "customer": party.buying.url})
    third = {"name": "Third", "customer": party.buying.url}
    assert party.buyer.refused("projects_create", body=third) == 409
    again = {"offering": offering.url, "project": party.project.url, "attributes": {"name": "Another"}}
    assert party.buyer.refused("marketplace_orders_create", body=again) == 409


def test_projects(party: Party) -> None:
    made = party.buyer(
        "projects_create", body={"name": "Alpha", "customer": party.buying.url, "description": "A"}
    )
    assert (made.name, made.description, made.customer_uuid) == ("Alpha", "A", party.buying.uuid)
    changed = party.buyer("projects_partial_update", made.uuid, body={"name": "Beta"})
    assert (changed.uuid, changed.name, changed.description) == (made.uuid, "Beta", "A")
    assert {row.name for row in party.buyer("projects_list")} == {"Beta", f"Project {party.number}"}
    listed = party.staff("projects_list", customer=[party.buying.uuid])
    assert {row.uuid for row in listed} == {made.uuid, party.project.uuid}
    assert party.stranger("projects_list") == []
    assert party.stranger("projects_list", customer=[party.buying.uuid]) == []
    theirs = {"name": "X", "customer": party.buying.url}
    assert party.stranger.refused("projects_create", body=theirs) in (400, 403)
    assert party.stranger.refused("projects_partial_update", made.uuid, body={"name": "X"}) == 404
    assert party.stranger.refused("projects_destroy", made.uuid) == 404
    assert party.buyer.answer("projects_destroy", made.uuid).status_code == 204
    assert [row.name for row in party.buyer("projects_list")] == [f"Project {party.number}"]


def test_users(party: Party) -> None:
    name = f"nora{party.number}"
    body = {"username": name, "email": f"{name}@example.com", "first_name": "Nora", "last_name": "Novak"}
    nora = party.staff("users_create", body=body)
    assert (nora.username, nora.full_name, nora.is_staff, nora.is_active) == (name, "Nora Novak", False, True)
    assert party.buyer.refused("users_create", body={**body, "username": "x"}) == 403
    assert [row.uuid for row in party.staff("users_list", username=name)] == [nora.uuid]
    assert [row.username for row in party.stranger("users_list")] == [f"sam{party.number}"]

    me = party.buyer("users_me_retrieve")
    assert (me.username, me.is_staff) == (f"boris{party.number}", False)
    told = party.buyer.answer("users_token_retrieve", me.uuid)
    assert told.parsed.user_username == me.username
    assert party.buyer.token.encode() not in told.content
    assert party.stranger.refused("users_token_retrieve", me.uuid) == 404
    assert party.buyer.refused("users_refresh_token", party.staff("users_me_retrieve").uuid) in (403, 404)
    fresh = party.buyer.answer("users_refresh_token", me.uuid)
    assert fresh.status_code == 200
    token = fresh.parsed.additional_properties["token"]
    assert party.site.client(token)("users_me_retrieve").uuid == me.uuid
    assert party.buyer.refused("users_me_retrieve") == 401  # the old one ended


# --- the catalogue ------------------------------------------------------------------------------------


def test_an_offering_from_creation_to_the_archive(party: Party) -> None:
    provider = party.staff("marketplace_service_providers_create", body={"customer": party.selling.url})
    assert provider.customer_uuid == party.selling.uuid
    rows = party.staff("marketplace_service_providers_list", customer_uuid=party.selling.uuid)
    assert [row.uuid for row in rows] == [provider.uuid]
    body = {
        "name": f"Translator {party.number}",
        "category": party.category.url,
        "customer": party.selling.url,
        "type": "GSVAgents.Agent",
        "description": "Translates",
        "components": [
            {"type": "words", "name": "Words", "measured_unit": "word", "billing_type": "usage"},
        ],
        "plans": [{"name": "Basic", "unit": "month", "unit_price": "49.00"}],
    }
    made = party.provider("marketplace_provider_offerings_create", body=body)
    assert (made.name, made.state, made.type_) == (body["name"], OfferingState.DRAFT, "GSVAgents.Agent")
    assert (made.customer_uuid, made.category_uuid) == (party.selling.uuid, party.category.uuid)
    types = {component.type_: component for component in made.components}
    assert set(types) == {"base", "requests", "input_tokens", "output_tokens", "words"}
    assert types["words"].billing_type == BillingTypeEnum.USAGE
    assert [plan.name for plan in made.plans] == ["Basic"]

    # a draft is its provider's and the operators'
    public = "marketplace_public_offerings_retrieve"
    for person in (party.buyer, party.stranger):
        assert person.refused("marketplace_provider_offerings_retrieve", made.uuid) == 404
        assert person.refused(public, made.uuid) == 404
    assert party.stranger.refused("marketplace_provider_offerings_create", body=body) in (400, 403)
    assert party.provider.refused("marketplace_provider_offerings_activate", made.uuid) == 403

    overview = {
        "name": f"Interpreter {party.number}",
        "description": "Interprets",
        "getting_started": "Order it",
    }
    party.provider("marketplace_provider_offerings_update_overview", made.uuid, body=overview)
    new = {"type": "pages", "name": "Pages", "billing_type": "limit", "measured_unit": "page"}
    added = party.provider.answer(
        "marketplace_provider_offerings_create_offering_component", made.uuid, body=new
    )
    assert added.status_code == 201

    told = party.staff("marketplace_provider_offerings_activate", made.uuid)
    assert told.state == "Active"
    seen = party.stranger(public, made.uuid)
    assert (seen.name, seen.description, seen.getting_started) == tuple(overview.values())
    assert {component.type_ for component in seen.components} == {*types, "pages"}
    listed = party.stranger("marketplace_public_offerings_list", name_exact=overview["name"])
    assert [row.uuid for row in listed] == [made.uuid]
    mine = party.provider("marketplace_provider_offerings_list", customer_uuid=party.selling.uuid)
    assert [row.uuid for row in mine] == [made.uuid]
    assert party.stranger("marketplace_provider_offerings_list", customer_uuid=party.selling.uuid) == []

    (plan,) = party.stranger("marketplace_public_offerings_plans_list", made.uuid)
    assert (plan.name, plan.unit_price) == ("Basic", "49.00")
    shown = party.stranger("marketplace_public_offerings_plans_retrieve", made.uuid, plan.uuid)
    assert shown.uuid == plan.uuid

    pause = {"paused_reason": "Holidays"}
    assert party.stranger.refused("marketplace_provider_offerings_pause", made.uuid, body=pause) in (403, 404)
    assert party.provider("marketplace_provider_offerings_pause", made.uuid, body=pause).state == "Paused"
    assert party.staff("marketplace_provider_offerings_retrieve", made.uuid).paused_reason == "Holidays"
    assert party.stranger.refused(public, made.uuid) == 404
    assert party.provider("marketplace_provider_offerings_unpause", made.uuid).state == "Active"
    assert party.staff.refused("marketplace_provider_offerings_unpause", made.uuid) == 409
    assert party.staff("marketplace_provider_offerings_draft", made.uuid).state == "Draft"
    assert party.staff("marketplace_provider_offerings_activate", made.uuid).state == "Active"
    assert party.provider("marketplace_provider_offerings_archive", made.uuid).state == "Archived"
    assert party.stranger.refused(public, made.uuid) == 404


def test_plans_and_their_prices(party: Party) -> None:
    offering = party.offering()
    body = {
        "name": "Team",
        "offering": offering.url,
        "unit_price": "199.00",
        "unit": "month",
        "max_amount": 5,
    }
    plan = party.provider("marketplace_plans_create", body=body)
    assert (plan.name, plan.unit_price, plan.unit.value, plan.max_amount) == ("Team", "199.00", "month", 5)
    assert (plan.is_active, plan.archived, plan.resources_count) == (True, False, 0)
    assert party.stranger.refused("marketplace_plans_create", body=body) == 403

    prices = {"prices": {"storage": "0.05", "seats": "7.50"}}
    assert party.provider.answer("marketplace_plans_update_prices", plan.uuid, body=prices).status_code == 200
    shown = party.provider("marketplace_plans_retrieve", plan.uuid)
    got = shown.prices.additional_properties
    assert {kind: Decimal(str(got[kind])) for kind in ("base", "storage", "seats")} == {
        "base": Decimal(199),
        "storage": Decimal("0.05"),
        "seats": Decimal("7.5"),
    }
    wrong = {"prices": {"storage": "-1"}}
    assert party.provider.refused("marketplace_plans_update_prices", plan.uuid, body=wrong) == 400
    assert party.stranger.refused("marketplace_plans_update_prices", plan.uuid, body=prices) == 403
    quotas = {"quotas": {"base": 2}}
    assert party.provider.answer("marketplace_plans_update_quotas", plan.uuid, body=quotas).status_code == 200
    assert party.staff("marketplace_plans_retrieve", plan.uuid).quotas.additional_properties["base"] == 2
    renamed = party.provider("marketplace_plans_partial_update", plan.uuid, body={"description": "For teams"})
    assert (renamed.name, renamed.description) == ("Team", "For teams")

    names = {row.name for row in party.staff("marketplace_plans_list", offering_uuid=offering.uuid)}
    assert names == {"Professional", "Team"}
    rows = party.staff.all("marketplace_plan_components_list", plan_uuid=plan.uuid)
    by_type = {row.component_name: row for row in rows}
    storage = by_type["Storage"]
    assert (storage.plan_uuid, Decimal(storage.price)) == (plan.uuid, Decimal("0.05"))
    number = storage.additional_properties["id"]
    one = party.staff("marketplace_plan_components_retrieve", number)
    assert (one.plan_uuid, one.component_name, Decimal(one.price)) == (plan.uuid, "Storage", Decimal("0.05"))

    assert party.stranger.refused("marketplace_plans_archive", plan.uuid) in (403, 404)
    assert party.provider.answer("marketplace_plans_archive", plan.uuid).status_code == 200
    assert party.provider.refused("marketplace_plans_archive", plan.uuid) == 409
    assert party.staff("marketplace_plans_retrieve", plan.uuid).is_active is False


# --- every list: its count, all its pages, awaited ------------------------------------------------------


def arguments_of(
    name: str, party: Party, offering: Any, resource: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a list's operation asks for."""
    match name:
        case "customers_list_users_list":
            return (party.buying.uuid,), {}
        case "marketplace_public_offerings_plans_list":
            return (offering.uuid,), {}
        case "marketplace_resources_plan_periods_list":
            return (resource.uuid,), {}
        case "marketplace_service_providers_revenue_list":
            provider = party.staff("marketplace_service_providers_list", customer_uuid=party.selling.uuid)[0]
            return (provider.uuid,), {}
        case "invoices_stats_list":
            return (party.staff("invoices_list", customer_uuid=party.buying.uuid)[0].uuid,), {}
        case "customer_quotas_list":
            return (), {"quota_name": CustomerQuotasQuotaNameEnum.NC_RESOURCE_COUNT}
        case _:
            return (), {}


async def test_every_list_counts_pages_and_can_be_awaited(party: Party) -> None:
    resource, _ = billed(party, two_months_ago())
    offering = party.staff("marketplace_provider_offerings_retrieve", resource.offering_uuid)
    now = {"resource": resource.uuid.hex, "usages": [{"type": "storage", "amount": "7"}]}
    party.staff("marketplace_component_usages_set_usage", body=now)  # statistics are of this month
    issue = party.staff("support_issues_create", body={"summary": "Help", "type": "INCIDENT"})
    party.staff("support_issues_comment", issue.uuid, body={"description": "Looking"})
    for name in LISTS:
        positional, filters = arguments_of(name, party, offering, resource)
        everything = party.staff.all(name, *positional, **filters)
        first = await party.staff.later(name, *positional, **filters)
        assert len(first) == min(10, len(everything)), name
        if name not in COUNTS:
            assert party.staff(count_of(name), *positional, **filters) == len(everything), name
        assert everything, name
