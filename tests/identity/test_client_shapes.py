"""What Waldur's own client reads of customers, people and roles: bare rows, and rows with everything set."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.acceptance.waldur import operation
from tests.support.market import member, ok
from tests.support.world import World

from agentmart.identity.models import Role
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db

FULL_CUSTOMER = {
    "name": "Full",
    "email": "a@b.example",
    "country": "DE",
    "native_name": "Voll",
    "abbreviation": "F",
    "description": "D",
    "contact_details": "C",
    "phone_number": "+1",
    "homepage": "https://full.example/",
    "vat_code": "DE136695976",
    "registration_code": "R",
    "address": "A",
    "postal": "1",
    "city": "B",
    "street": "S",
    "notification_emails": "a@b.example",
    "bank_name": "N",
    "bank_account": "1",
    "agreement_number": "2",
    "backend_id": "b",
    "default_tax_percent": "19.00",
    "quotas": {"nc_project_count": 3},
}
FULL_USER = {
    "username": "full",
    "email": "full@b.example",
    "first_name": "F",
    "last_name": "L",
    "organization": "O",
    "phone_number": "+1",
    "preferred_language": "de",
    "is_support": True,
    "token_lifetime": 3600,
}


@pytest.fixture
def places(world: World) -> dict[str, str]:
    """Where everything stands: full rows beside the bare ones of the cast."""
    api, buyer = world.operator.api, world.buyer
    assert buyer.customer is not None and buyer.project is not None
    customer = ok(api.post("/api/customers/", FULL_CUSTOMER), 201)
    body = {"name": "P", "customer": customer["url"], "description": "D", "end_date": "2999-01-01"}
    ok(api.post("/api/projects/", body), 201)
    user = ok(api.post("/api/users/", FULL_USER), 201)
    ok(api.post(f"/api/users/{user['uuid']}/refresh_token/"))
    member(buyer.customer, Role.PROJECT_MEMBER, buyer.project)
    role = {"user": user["uuid"], "role": "CUSTOMER.OWNER", "expiration_time": "2999-01-01T00:00:00Z"}
    ok(api.post(f"{customer['url']}add_user/", role), 201)
    for scope in (customer["url"], f"/api/projects/{buyer.project.uuid}/"):
        kind = "PROJECT.ADMIN" if "projects" in scope else "CUSTOMER.OWNER"
        ok(
            api.post("/api/user-invitations/", {"email": "x@y.example", "role": kind, "scope": scope}),
            201,
        )
    for person in (world.operator, buyer):
        ok(person.api.post("/api/personal-access-tokens/", {"name": "T"}), 201)
    ok(api.post("/api/marketplace-service-providers/", {"customer": customer["uuid"]}), 201)
    return {
        "customer": f"/api/customers/{buyer.customer.uuid}/",
        "full": f"/api/customers/{customer['uuid']}/",
        "project": f"/api/projects/{buyer.project.uuid}/",
        "user": f"/api/users/{user['uuid']}/",
    }


def read(name: str, answer: Any) -> Any:
    """What the client makes of an answer, strictly."""
    response = httpx.Response(
        answer.status_code, headers=dict(answer.items()), content=answer.content, request=REQUEST
    )
    return operation(name)._parse_response(client=None, response=response)


REQUEST = httpx.Request("GET", "http://testserver/")
LISTS = {
    "customers_list": "/api/customers/",
    "customers_countries_list": "/api/customers/countries/",
    "customer_quotas_list": "/api/customer-quotas/?quota_name=nc_project_count",
    "customers_users_list": "{customer}users/",
    "customers_list_users_list": "{full}list_users/",
    "projects_list": "/api/projects/",
    "projects_list_users_list": "{project}list_users/",
    "projects_other_users_list": "{project}other_users/",
    "users_list": "/api/users/",
    "roles_list": "/api/roles/",
    "user_invitations_list": "/api/user-invitations/",
    "events_list": "/api/events/",
    "marketplace_service_providers_list": "/api/marketplace-service-providers/",
    "personal_access_tokens_list": "/api/personal-access-tokens/",
    "personal_access_tokens_available_scopes_list": "/api/personal-access-tokens/available_scopes/",
}
SINGLE = {
    "users_me_retrieve": "/api/users/me/",
    "users_token_retrieve": "{user}token/",
    "users_retrieve": "{user}",
    "customers_retrieve": "{full}",
    "projects_retrieve": "{project}",
    "users_profile_completeness_retrieve": "/api/users/profile_completeness/",
    "version_retrieve": "/api/version/",
    "events_count_retrieve": "/api/events/count/",
    "events_event_groups_retrieve": "/api/events/event_groups/",
    "events_scope_types_retrieve": "/api/events/scope_types/",
}


def test_every_list_is_read_and_counted(world: World, places: dict[str, str]) -> None:
    for name, path in LISTS.items():
        path = path.format(**places)
        for person in (world.operator, world.buyer):
            if path.startswith(places["full"]) and person is world.buyer:
                continue
            answer = person.api.get(path)
            rows = ok(answer)
            found = read(name, answer)
            assert len(found) == len(rows) > 0, (name, person.user.username)
            for row, told in zip(rows, found, strict=True):
                if "uuid" in row and getattr(told, "uuid", None):
                    assert told.uuid.hex == row["uuid"], name
            count = name.removesuffix("_list") + "_count"
            assert read(count, person.api.head(path)) == int(answer["X-Result-Count"]), name


def test_every_single_answer_is_read(world: World, places: dict[str, str]) -> None:
    for name, path in SINGLE.items():
        answer = world.operator.api.get(path.format(**places))
        ok(answer)
        assert read(name, answer) is not None, name
    assert read("users_me_count", world.buyer.api.head("/api/users/me/")) == 1
    shown = read("customers_retrieve", world.operator.api.get(places["full"]))
    assert (shown.name, shown.vat_code, shown.default_tax_percent) == ("Full", "DE136695976", "19.00")
    assert (shown.country.value, shown.is_service_provider) == ("DE", True)
    with tenancy.as_system("test"):
        world.buyer.user.refresh_from_db()
    me = read("users_me_retrieve", world.buyer.api.get("/api/users/me/"))
    assert me.uuid == world.buyer.user.id
    assert [permission.role_name for permission in me.permissions] == ["CUSTOMER.OWNER"]


def test_every_write_is_answered_as_the_client_wants(world: World, places: dict[str, str]) -> None:
    api = world.operator.api
    role = {"user": places["user"], "role": "CUSTOMER.MANAGER"}
    later = {**role, "expiration_time": "2999-01-01T00:00:00Z"}
    steps: list[tuple[str, str, str, Any, int]] = [
        ("customers_create", "post", "/api/customers/", {"name": "N"}, 201),
        ("customers_partial_update", "patch", "{customer}", {"description": "x"}, 200),
        ("customers_update", "put", "{customer}", {"name": "Buyer Ltd"}, 200),
        ("customers_add_user", "post", "{customer}add_user/", role, 201),
        ("customers_update_user", "post", "{customer}update_user/", later, 200),
        ("customers_delete_user", "post", "{customer}delete_user/", role, 200),
        ("projects_partial_update", "patch", "{project}", {"description": "x"}, 200),
        ("users_partial_update", "patch", "{user}", {"first_name": "x"}, 200),
        ("users_change_password", "post", "{user}change_password/", {"new_password": "correct horse"}, 200),
        (
            "personal_access_tokens_create",
            "post",
            "/api/personal-access-tokens/",
            {"name": "S", "scopes": ["read"]},
            201,
        ),
        ("users_refresh_token", "post", "{user}refresh_token/", None, 200),
        ("users_destroy", "delete", "{user}", None, 204),
        ("projects_destroy", "delete", "{project}", None, 204),
    ]
    for name, verb, path, body, status in steps:
        at = path.format(**places)
        answer = getattr(api, verb)(at) if verb == "delete" else getattr(api, verb)(at, body)
        assert answer.status_code == status, (name, answer.content)
        read(name, answer)
