"""Customers over REST: details, limits, block, end, and who may change what."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.market import member, ok, operator
from tests.support.shop import Shop
from tests.support.world import Api, World

from agentmart.access.models import GrantRow
from agentmart.identity.models import Customer, Membership, Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

CUSTOMERS = "/api/customers/"
DETAILS: dict[str, Any] = {
    "native_name": "Käufer GmbH",
    "abbreviation": "KG",
    "description": "Buys.",
    "contact_details": "Ask for Boris",
    "email": "billing@buyer.example",
    "phone_number": "+49 30 1",
    "homepage": "https://buyer.example/",
    "country": "DE",
    "registration_code": "HRB 1",
    "vat_code": "DE136695976",
    "address": "1 Road",
    "street": "Road",
    "city": "Berlin",
    "postal": "10115",
    "notification_emails": "a@b.example, c@d.example",
    "bank_name": "Bank",
    "bank_account": "DE02",
}
STAFF_DETAILS: dict[str, Any] = {
    "default_tax_percent": "19.00",
    "accounting_start_date": "2026-01-01T00:00:00.000000Z",
    "agreement_number": "A-1",
    "backend_id": "B-1",
    "currency": "EUR",
    "archived": True,
    "custom_code_allowed": True,
}


@pytest.fixture
def path(world: World) -> str:
    assert world.buyer.customer is not None
    return f"{CUSTOMERS}{world.buyer.customer.uuid}/"


def uuids(api: Api, **query: Any) -> list[str]:
    return sorted(row["name"] for row in ok(api.get(CUSTOMERS, **query)))


def audited(action: str) -> int:
    with tenancy.as_system("test"):
        return AuditEntry.objects.filter(action=action).count()


def test_every_detail_is_kept_and_shown(world: World) -> None:
    made = ok(world.operator.api.post(CUSTOMERS, {"name": "New", **DETAILS, **STAFF_DETAILS}), 201)
    shown = ok(world.operator.api.get(f"{CUSTOMERS}{made['uuid']}/"))
    assert made == shown
    for name, value in {**DETAILS, **STAFF_DETAILS}.items():
        assert shown[name] == value, name
    assert (shown["display_name"], shown["country_name"]) == ("New", "Germany")
    assert (shown["is_active"], shown["blocked"]) == (False, False)
    assert (shown["projects_count"], shown["users_count"]) == (0, 0)
    assert (shown["payment_profiles"], shown["billing_price_estimate"]) == ([], {})
    assert shown["billing_source"] == "direct"
    assert (shown["is_service_provider"], shown["service_provider"], shown["service_provider_uuid"]) == (
        False,
        None,
        None,
    )
    assert shown["quotas"] == [
        {"name": name, "usage": 0, "limit": -1}
        for name in (
            "nc_project_count",
            "nc_resource_count",
            "nc_user_count",
            "nc_api_key_count",
            "nc_agent_count",
        )
    ]


def test_nothing_that_the_client_reads_is_null(world: World) -> None:
    shown = ok(world.operator.api.post(CUSTOMERS, {"name": "Bare"}), 201)
    nullable = {"service_provider", "service_provider_uuid"}
    assert [name for name, value in shown.items() if value is None and name not in nullable] == []
    assert shown["accounting_start_date"] == shown["created"]


def test_the_owner_changes_what_is_theirs(world: World, path: str) -> None:
    changed = ok(world.buyer.api.patch(path, {"name": "Renamed", **DETAILS}))
    assert {name: changed[name] for name in DETAILS} == DETAILS
    assert changed["name"] == "Renamed"


@pytest.mark.parametrize("field", [*STAFF_DETAILS, "blocked", "quotas"])
def test_the_owner_is_refused_by_the_field_s_name_and_nothing_changes(
    world: World, path: str, field: str
) -> None:
    before = ok(world.operator.api.get(path))
    value = {**STAFF_DETAILS, "blocked": True, "quotas": {"nc_project_count": 5}}[field]
    refused = world.buyer.api.patch(path, {"address": "2 Road", field: value})
    assert (refused.status_code, refused.json()["extra"]) == (403, {"field": field})
    assert refused.json()["detail"].startswith("Only staff")
    assert ok(world.operator.api.get(path)) == before


def test_a_value_that_changes_nothing_is_refused_to_nobody(world: World, path: str) -> None:
    same = ok(world.buyer.api.get(path))
    answer = ok(world.buyer.api.put(path, {**same, "address": "3 Road"}))
    assert answer == {**same, "address": "3 Road"}


def test_put_demands_the_name_and_leaves_the_rest(world: World, path: str) -> None:
    ok(world.operator.api.patch(path, {"address": "1 Road"}))
    refused = world.operator.api.put(path, {"address": "2 Road"})
    assert (refused.status_code, refused.json()) == (400, {"name": ["This field is required."]})
    assert ok(world.operator.api.put(path, {"name": "Other"}))["address"] == "1 Road"


def test_finance_sets_the_tax_and_staff_everything(world: World, path: str) -> None:
    finance = operator("is_finance")
    assert ok(finance.patch(path, {"default_tax_percent": "7"}))["default_tax_percent"] == "7.00"
    refused = finance.patch(path, {"agreement_number": "A-2"})
    assert (refused.status_code, refused.json()["extra"]) == (403, {"field": "agreement_number"})
    shown = ok(world.operator.api.patch(path, STAFF_DETAILS))
    assert {name: shown[name] for name in STAFF_DETAILS} == STAFF_DETAILS


def test_a_change_is_audited_with_the_values_before_and_after(world: World, path: str) -> None:
    ok(world.operator.api.patch(path, {"city": "Bonn", "quotas": {"nc_agent_count": 4}}))
    ok(world.operator.api.patch(path, {"city": "Bonn"}))
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="customer.updated")
    assert entry.before == {"city": "", "nc_agent_count": -1}
    assert entry.after == {"city": "Bonn", "nc_agent_count": 4}


# --- limits --------------------------------------------------------------------------------------


def limits(shown: dict[str, Any]) -> dict[str, int]:
    return {row["name"]: row["limit"] for row in shown["quotas"]}


def test_quotas_are_set_in_both_forms_and_the_others_stay(world: World, path: str) -> None:
    ok(world.operator.api.patch(path, {"quotas": {"nc_project_count": 10, "nc_resource_count": 100}}))
    rows = [{"name": "nc_project_count", "limit": 11, "usage": 99}, {"name": "nc_user_count", "limit": 0}]
    shown = ok(world.operator.api.patch(path, {"quotas": rows}))
    assert limits(shown) == {
        "nc_project_count": 11,
        "nc_resource_count": 100,
        "nc_user_count": 0,
        "nc_api_key_count": -1,
        "nc_agent_count": -1,
    }
    assert shown["quotas"][0] == {"name": "nc_project_count", "usage": 1, "limit": 11}
    made = ok(world.operator.api.post(CUSTOMERS, {"name": "N", "quotas": {"nc_project_count": 3}}), 201)
    assert limits(made)["nc_project_count"] == 3


def test_the_eleventh_project_is_refused_and_a_lower_limit_only_stops_growth(world: World, path: str) -> None:
    ok(world.operator.api.patch(path, {"quotas": {"nc_project_count": 2}}))
    body = {"name": "P", "customer": path}
    ok(world.buyer.api.post("/api/projects/", body), 201)
    refused = world.buyer.api.post("/api/projects/", body)
    assert refused.status_code == 409
    assert refused.json()["code"] == "quota_exceeded"
    assert refused.json()["extra"] == {"quota": "nc_project_count", "limit": 2, "usage": 2}
    assert ok(world.operator.api.patch(path, {"quotas": {"nc_project_count": 1}}))["projects_count"] == 2
    assert world.buyer.api.post("/api/projects/", body).status_code == 409
    assert len(ok(world.buyer.api.get("/api/projects/"))) == 2


def test_customer_quotas_lists_usage_by_customer(world: World, path: str) -> None:
    ok(world.operator.api.patch(path, {"abbreviation": "BL", "quotas": {"nc_user_count": 9}}))
    rows = ok(world.buyer.api.get("/api/customer-quotas/", quota_name="nc_user_count"))
    assert rows == [
        {
            "customer_uuid": path.split("/")[3],
            "customer_name": "Buyer Ltd",
            "customer_abbreviation": "BL",
            "quota_name": "nc_user_count",
            "value": 1,
            "limit": 9,
        }
    ]
    assert len(ok(world.buyer.api.get("/api/customer-quotas/"))) == 5
    every = world.operator.api.get("/api/customer-quotas/", quota_name="nc_user_count")
    assert every["X-Result-Count"] == "4"
    assert [row["value"] for row in every.json()] == [1, 1, 1, 0]
    wrong = world.buyer.api.get("/api/customer-quotas/", quota_name="os_cpu_count")
    assert (wrong.status_code, list(wrong.json())) == (400, ["quota_name"])
    assert world.operator.api.head("/api/customer-quotas/")["X-Result-Count"] == "20"


# --- block ---------------------------------------------------------------------------------------


def test_block_and_unblock_are_idempotent_and_reach_the_keys(shop: Shop) -> None:
    def states() -> list[str]:
        with tenancy.as_system("test"):
            return sorted(GrantRow.objects.values_list("state", flat=True))

    staff = shop.world.operator.api
    assert states() == ["active"]
    for _ in range(2):
        answer = ok(staff.post(f"{shop.customer}block/", {"reason": "unpaid"}))
        assert answer == {"detail": "Buyer Ltd is blocked.", "blocked": True}
    assert states() == ["customer_blocked"]
    assert audited("customer.blocked") == 1
    shown = ok(shop.world.buyer.api.get(shop.customer))
    assert (shown["blocked"], shown["blocked_reason"], shown["is_active"]) == (True, "unpaid", False)
    for _ in range(2):
        answer = ok(staff.post(f"{shop.customer}unblock/"))
        assert answer == {"detail": "Buyer Ltd is not blocked.", "blocked": False}
    assert states() == ["active"]
    assert ok(shop.world.buyer.api.get(shop.customer))["blocked_reason"] == ""


def test_staff_blocks_by_patch_too_and_the_keys_follow(shop: Shop) -> None:
    shown = ok(shop.world.operator.api.patch(shop.customer, {"blocked": True}))
    assert (shown["blocked"], shown["is_active"]) == (True, False)
    with tenancy.as_system("test"):
        assert GrantRow.objects.get().state == "customer_blocked"
    ok(shop.world.operator.api.patch(shop.customer, {"blocked": False}))
    with tenancy.as_system("test"):
        assert GrantRow.objects.get().state == "active"
    assert (audited("customer.blocked"), audited("customer.unblocked")) == (1, 1)


def test_blocked_nothing_new_begins_and_the_rest_goes_on(shop: Shop) -> None:
    world = shop.world
    ok(world.operator.api.post(f"{shop.customer}block/"))
    begun = {
        "project": world.buyer.api.post("/api/projects/", {"name": "P", "customer": shop.customer}),
        "member": world.operator.api.post(
            f"{shop.customer}add_user/", {"user": world.stranger.user.uuid, "role": "CUSTOMER.SUPPORT"}
        ),
        "key": world.buyer.api.post(f"{shop.config}api-keys/", {"name": "K"}),
        "invitation": world.buyer.api.post(
            "/api/user-invitations/",
            {"email": "a@b.example", "role": "CUSTOMER.SUPPORT", "scope": shop.customer},
        ),
    }
    for what, answer in begun.items():
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_blocked"), what
    assert ok(world.buyer.api.patch(shop.customer, {"city": "Bonn"}))["city"] == "Bonn"
    assert ok(world.buyer.api.get(shop.resource))["state"] == "OK"
    ok(world.operator.api.post(f"{shop.customer}unblock/"))
    ok(world.buyer.api.post("/api/projects/", {"name": "P", "customer": shop.customer}), 201)


def test_only_staff_blocks(world: World, path: str) -> None:
    for who in (world.buyer.api, operator("is_finance"), operator("is_support")):
        assert who.post(f"{path}block/").status_code == 403
    assert world.stranger.api.post(f"{path}block/").status_code == 404
    assert ok(world.buyer.api.get(path))["blocked"] is False


# --- end -----------------------------------------------------------------------------------------


def test_a_customer_with_nothing_goes_with_its_roles(world: World) -> None:
    made = ok(world.operator.api.post(CUSTOMERS, {"name": "Short"}), 201)
    body = {"user": world.stranger.user.uuid, "role": "CUSTOMER.OWNER"}
    ok(world.operator.api.post(f"{CUSTOMERS}{made['uuid']}/add_user/", body), 201)
    answer = world.operator.api.delete(f"{CUSTOMERS}{made['uuid']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.operator.api.get(f"{CUSTOMERS}{made['uuid']}/").status_code == 404
    assert Membership.objects.filter(user=world.stranger.user).count() == 1
    assert audited("customer.deleted") == 1


def test_a_customer_with_projects_stays(world: World, path: str) -> None:
    refused = world.operator.api.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "has_dependents")
    assert refused.json()["extra"] == {"dependents": {"projects": 1}}
    assert audited("customer.deleted") == 0
    assert ok(world.buyer.api.get(path))["users_count"] == 1


def test_the_operator_s_own_customer_stays(world: World) -> None:
    with tenancy.as_system("test"):
        own = Customer.objects.get(is_operator=True)
    assert world.operator.api.delete(f"{CUSTOMERS}{own.uuid}/").status_code == 409


def test_only_staff_deletes(world: World, path: str) -> None:
    for who in (world.buyer.api, operator("is_finance")):
        assert who.delete(path).status_code == 403
    assert world.stranger.api.delete(path).status_code == 404


# --- lists ---------------------------------------------------------------------------------------


def test_filters(shop: Shop) -> None:
    world, api = shop.world, shop.world.operator.api
    ok(api.patch(shop.customer, {**DETAILS, "backend_id": "B-7", "agreement_number": "A-7"}))
    everybody = ["Buyer Ltd", "Operator Inc", "Provider GmbH", "Stranger SA"]
    assert uuids(api) == everybody
    for query in (
        {"name": "uyer"},
        {"name_exact": "Buyer Ltd"},
        {"native_name": "käufer"},
        {"abbreviation": "kg"},
        {"contact_details": "boris"},
        {"registration_code": "hrb"},
        {"agreement_number": "A-7"},
        {"backend_id": "B-7"},
        {"query": "billing@buyer"},
        {"user_uuid": world.buyer.user.uuid},
    ):
        assert uuids(api, **query) == ["Buyer Ltd"], query
    assert uuids(api, name_exact="Buyer") == []
    assert uuids(api, is_service_provider="true") == ["Provider GmbH"]
    assert len(uuids(api, is_service_provider="false")) == 3
    ok(api.post(f"{shop.customer}block/"))
    assert uuids(api, blocked="true") == ["Buyer Ltd"]
    assert uuids(api, is_active="false") == ["Buyer Ltd"]
    assert uuids(api, is_active="true") == everybody[1:]
    assert uuids(api, is_active=["true", "false"]) == everybody
    assert uuids(world.buyer.api, owned_by_current_user="true") == ["Buyer Ltd"]
    assert uuids(world.buyer.api, owned_by_current_user="false") == []
    assert uuids(api, owned_by_current_user="true") == []
    assert uuids(api, archived="true") == []
    for name in ("is_active", "owned_by_current_user", "is_service_provider", "user_uuid", "blocked"):
        wrong = api.get(CUSTOMERS, **{name: "x"})
        assert (wrong.status_code, list(wrong.json())) == (400, [name])


@pytest.mark.parametrize(
    "name", ["created", "name", "native_name", "abbreviation", "registration_code", "agreement_number"]
)
def test_order(world: World, name: str) -> None:
    up = [row["uuid"] for row in ok(world.operator.api.get(CUSTOMERS, o=name))]
    down = [row["uuid"] for row in ok(world.operator.api.get(CUSTOMERS, o=f"-{name}"))]
    assert sorted(up) == sorted(down) and len(up) == 4
    if name == "name":
        assert up == down[::-1]


def test_countries(world: World) -> None:
    path = f"{CUSTOMERS}countries/"
    answer = world.stranger.api.get(path, page_size=300)
    rows = ok(answer)
    assert answer["X-Result-Count"] == "249" == str(len(rows))
    assert {"label": "United States", "value": "US"} in rows and {"label": "Türkiye", "value": "TR"} in rows
    assert len({row["value"] for row in rows}) == 249 and len({row["label"] for row in rows}) == 249
    assert len(ok(world.stranger.api.get(path))) == 10
    assert world.stranger.api.head(path)["X-Result-Count"] == "249"


def test_a_provider_s_customer_says_so(shop: Shop) -> None:
    shown = ok(shop.world.provider.api.get(f"{CUSTOMERS}{shop.provider}/"))
    assert shown["is_service_provider"] is True
    provider = ok(shop.world.operator.api.get(shown["service_provider"].removeprefix("http://testserver")))
    assert provider["uuid"] == shown["service_provider_uuid"]


def test_people_with_any_role_see_the_customer_and_its_counts(world: World, path: str) -> None:
    colleague = member(world.buyer.customer, Role.PROJECT_MEMBER, world.buyer.project)
    shown = ok(colleague.get(path))
    assert (shown["projects_count"], shown["users_count"]) == (1, 2)


def test_an_archived_customer_begins_nothing_new_and_what_it_has_goes_on(shop: Shop) -> None:
    world = shop.world
    assert world.buyer.project is not None
    ok(world.operator.api.patch(shop.customer, {"archived": True}))
    body = {"offering": shop.sold["offering"], "plan": shop.sold["plan"], "project": world.buyer.project.uuid}
    customer = shop.shown()["uuid"]
    person = {"user": world.buyer.user.uuid, "role": "CUSTOMER.MANAGER"}
    for path, sent in (
        ("/api/marketplace-orders/", body),
        ("/api/projects/", {"name": "New", "customer": customer}),
        (f"{shop.customer}add_user/", person),
        (f"{shop.config}api-keys/", {"name": "New"}),
    ):
        answer = world.buyer.api.post(path, sent)
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_archived"), path
    answer = world.provider.api.post(f"{shop.order}approve/")
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_archived")
    assert ok(world.buyer.api.get(shop.resource))["state"] == "OK"
    with tenancy.as_system("test"):
        assert {grant.state for grant in GrantRow.objects.all()} == {"active"}
    ok(world.buyer.api.post(f"{shop.resource}terminate/"))
    ok(world.operator.api.patch(shop.customer, {"archived": False}))
    ok(world.provider.api.post(f"{shop.order}approve/"))
