"""People over REST: their own row, staff's fields, tokens, passwords, end; lists and filters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World

from agentmart.identity import services as identity
from agentmart.identity.models import ApiToken, Membership, Quota, Role, User
from agentmart.infra import clock, tenancy, throttle
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

USERS = "/api/users/"
OWN = {
    "first_name": "Boris",
    "last_name": "Buyer",
    "native_name": "Борис",
    "email": "boris@buyer.example",
    "phone_number": "+1",
    "organization": "Buyer Ltd",
    "job_title": "Buyer",
    "description": "Buys",
    "preferred_language": "de",
    "notifications_enabled": False,
}
STAFF: dict[str, Any] = {
    "username": "boris2",
    "is_staff": True,
    "is_support": True,
    "is_finance": True,
    "is_catalog_manager": True,
    "is_active": False,
    "token_lifetime": 3600,
    "password": "correct horse battery",
}


def own(person: Any) -> str:
    return f"{USERS}{person.user.uuid}/"


def names(api: Api, **query: Any) -> list[str]:
    return [row["username"] for row in ok(api.get(USERS, **query))]


def test_everybody_changes_their_own_row(world: World) -> None:
    shown = ok(world.buyer.api.patch(own(world.buyer), OWN))
    assert {name: shown[name] for name in OWN} == OWN
    assert shown["full_name"] == "Boris Buyer"
    assert ok(world.buyer.api.get(own(world.buyer))) == shown
    again = ok(world.buyer.api.put(own(world.buyer), {**shown, "first_name": "B"}))
    assert again["first_name"] == "B"


@pytest.mark.parametrize("field", STAFF)
def test_the_rest_is_staff_s_by_name(world: World, field: str) -> None:
    refused = world.buyer.api.patch(own(world.buyer), {"first_name": "B", field: STAFF[field]})
    assert (refused.status_code, refused.json()["extra"]) == (403, {"field": field})
    with tenancy.as_system("test"):
        assert User.objects.get(username="boris").first_name == ""


def test_nobody_but_staff_changes_others(world: World) -> None:
    colleague = member(world.buyer.customer, Role.CUSTOMER_MANAGER)
    for api in (colleague, operator("is_support")):
        assert api.patch(own(world.buyer), {"first_name": "X"}).status_code == 403
        assert api.patch(own(world.buyer), {"email": "nothing"}).status_code == 403
        assert api.delete(own(world.buyer)).status_code == 403
        assert api.get(f"{own(world.buyer)}token/").status_code == 403
        assert api.post(f"{own(world.buyer)}change_password/", {}).status_code == 403
        assert api.post(f"{own(world.buyer)}refresh_token/").status_code == 403
    for verb in (world.stranger.api.patch, world.stranger.api.put):
        assert verb(own(world.buyer), {"first_name": "X"}).status_code == 404
    assert world.stranger.api.delete(own(world.buyer)).status_code == 404
    shown = ok(world.operator.api.patch(own(world.buyer), {"username": "boris2", "is_finance": True}))
    assert (shown["username"], shown["is_finance"]) == ("boris2", True)


def test_a_deactivated_person_s_tokens_end_for_good(world: World) -> None:
    ok(world.buyer.api.post("/api/api-tokens/", {"name": "T"}), 201)
    ok(world.operator.api.patch(own(world.buyer), {"is_active": False}))
    answer = world.buyer.api.get("/api/users/me/")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})
    assert not ApiToken.objects.filter(user=world.buyer.user).exists()
    ok(world.operator.api.patch(own(world.buyer), {"is_active": True}))
    assert world.buyer.api.get("/api/users/me/").status_code == 401


def test_nobody_deactivates_or_deletes_themselves(world: World) -> None:
    refused = world.operator.api.patch(own(world.operator), {"is_active": False})
    assert (refused.status_code, refused.json()["code"]) == (409, "own_account")
    refused = world.operator.api.delete(own(world.operator))
    assert (refused.status_code, refused.json()["code"]) == (409, "own_account")


def test_a_username_is_taken_once(world: World) -> None:
    refused = world.operator.api.patch(own(world.buyer), {"username": "sam"})
    assert (refused.status_code, refused.json()) == (
        400,
        {"username": ["A user with this username exists already."]},
    )
    assert ok(world.operator.api.patch(own(world.buyer), {"username": "boris"}))["username"] == "boris"


def test_a_deleted_person_leaves_with_roles_and_tokens(world: World) -> None:
    assert world.buyer.customer is not None
    colleague = member(world.buyer.customer, Role.CUSTOMER_SUPPORT)
    user = ok(colleague.get("/api/users/me/"))
    answer = world.operator.api.delete(f"{USERS}{user['uuid']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.operator.api.get(f"{USERS}{user['uuid']}/").status_code == 404
    assert colleague.get("/api/users/me/").status_code == 401
    assert not Membership.objects.filter(user_id=user["uuid"]).exists()
    with tenancy.as_system("test"):
        assert Quota.objects.get(customer=world.buyer.customer, name="nc_user_count").usage == 1
        entry = AuditEntry.objects.get(action="user.deleted")
    assert entry.before["username"] == user["username"]


# --- who am I ------------------------------------------------------------------------------------


def test_me_tells_all_roles_in_force(world: World) -> None:
    customer, project = world.buyer.customer, world.buyer.project
    assert customer is not None and project is not None
    with tenancy.as_system("test") as actor:
        identity.add_member(
            actor=actor,
            now=NOW + timedelta(seconds=1),
            user=world.buyer.user,
            role=Role.PROJECT_MEMBER,
            customer=customer,
            project=project,
            expires_at=NOW + timedelta(days=30000),
        )
    me = ok(world.buyer.api.get("/api/users/me/"))
    assert [(row["role_name"], row["scope_type"], row["scope_name"]) for row in me["permissions"]] == [
        ("CUSTOMER.OWNER", "customer", "Buyer Ltd"),
        ("PROJECT.MEMBER", "project", "Buyer Ltd project"),
    ]
    row = me["permissions"][1]
    assert (row["scope_uuid"], row["project_uuid"]) == (project.uuid, project.uuid)
    assert (row["customer_uuid"], row["customer_name"]) == (customer.uuid, "Buyer Ltd")
    assert row["expiration_time"] == "2108-04-29T12:00:00.000000Z"
    assert me["profile_completeness"]["is_complete"] is True
    assert (me["attribute_sources"], me["details"]) == ({}, {})
    assert me["uuid"] == world.buyer.user.uuid and me["date_joined"]
    assert list(ok(world.buyer.api.get("/api/users/me/", field=["username", "uuid"]))) == ["uuid", "username"]


def test_people_who_are_nobody_yet(world: World) -> None:
    assert world.visitor.get("/api/users/me/").status_code == 401


# --- login tokens --------------------------------------------------------------------------------


def test_token_shows_when_it_was_made_and_never_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    ok(world.operator.api.patch(own(world.buyer), {"first_name": "Boris", "token_lifetime": 3600}))
    made = ok(world.buyer.api.post(f"{own(world.buyer)}refresh_token/"))
    token = made.pop("token")
    expected = {
        "created": "2026-03-10T12:00:00.000000Z",
        "expires_at": "2026-03-10T13:00:00.000000Z",
        "user_first_name": "Boris",
        "user_last_name": "",
        "user_username": "boris",
        "user_is_active": True,
        "user_token_lifetime": 3600,
    }
    assert made == expected
    assert ok(Api(token).get(f"{own(world.buyer)}token/")) == expected
    assert ok(world.operator.api.get(f"{own(world.buyer)}token/")) == expected
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=1))
    assert Api(token).get("/api/users/me/").status_code == 401


def test_a_person_without_a_token_has_none_to_show(world: World) -> None:
    body = {"username": "new", "email": "n@n.example"}
    made = ok(world.operator.api.post(USERS, body), 201)
    answer = world.operator.api.get(f"{USERS}{made['uuid']}/token/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- passwords -----------------------------------------------------------------------------------


def test_passwords_are_changed_by_the_old_one_or_by_staff(world: World) -> None:
    path = f"{own(world.buyer)}change_password/"
    assert ok(world.operator.api.post(path, {"new_password": "correct horse battery"}))
    for body, field in (
        ({"new_password": "another good password"}, "old_password"),
        ({"new_password": "another good password", "old_password": "wrong"}, "old_password"),
        ({"new_password": "short", "old_password": "correct horse battery"}, "new_password"),
        ({"old_password": "correct horse battery"}, "new_password"),
        ({}, "new_password"),
    ):
        answer = world.buyer.api.post(path, body)
        assert (answer.status_code, list(answer.json())) == (400, [field]), body
    body = {"new_password": "another good password", "old_password": "correct horse battery"}
    ok(world.buyer.api.post(path, body))
    with tenancy.as_system("test"):
        user = User.objects.get(pk=world.buyer.user.pk)
        told = AuditEntry.objects.filter(action="user.password_changed").values_list("before", "after")
        assert list(told) == [({}, {}), ({}, {})]
    assert user.check_password("another good password")
    assert world.stranger.api.post(path, body).status_code == 404


def test_the_old_password_is_not_guessed_with_somebody_s_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    path = f"{own(world.buyer)}change_password/"
    ok(world.operator.api.post(path, {"new_password": "correct horse battery"}))
    wrong = {"new_password": "another good password", "old_password": "wrong"}
    right = {**wrong, "old_password": "correct horse battery"}
    guesses = [world.buyer.api.post(path, wrong) for _ in range(throttle.MOST_PASSWORDS)]
    assert {answer.status_code for answer in guesses} == {400}
    waiting = world.buyer.api.post(path, right)
    assert (waiting.status_code, waiting["Retry-After"]) == (429, "60")
    assert waiting.json()["code"] == "too_many_attempts"
    with tenancy.as_system("test"):
        refused = AuditEntry.objects.filter(action="user.password_refused").values_list(
            "object_id", "actor_name"
        )
        assert list(refused) == [(world.buyer.user.pk, "boris")] * throttle.MOST_PASSWORDS
        assert User.objects.get(pk=world.buyer.user.pk).check_password("correct horse battery")
    ok(world.operator.api.post(path, {"new_password": "the operator's choice"}))  # staff guesses nothing
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=1))
    ok(world.buyer.api.post(path, {**right, "old_password": "the operator's choice"}))
    again = [world.buyer.api.post(path, wrong).status_code for _ in range(throttle.MOST_PASSWORDS)]
    assert again == [400] * throttle.MOST_PASSWORDS  # who knew it begins anew


# --- lists ---------------------------------------------------------------------------------------


def test_filters_and_order(world: World) -> None:
    assert world.buyer.customer is not None and world.buyer.project is not None
    ok(world.buyer.api.patch(own(world.buyer), OWN))
    api = world.operator.api
    everybody = ["boris", "olga", "petra", "sam"]
    assert names(api) == everybody
    for query in (
        {"username": "BORI"},
        {"username_list": "boris"},
        {"email": "@buyer"},
        {"full_name": "ris  buy"},
        {"native_name": "борис"},
        {"organization": "ltd"},
        {"phone_number": "+1"},
        {"job_title": "buyer"},
        {"description": "buys"},
        {"query": "buyer.example"},
        {"user_keyword": "Boris"},
        {"customer_uuid": world.buyer.customer.uuid},
    ):
        assert names(api, **query) == ["boris"], query
    assert names(api, project_uuid=world.buyer.project.uuid) == []
    member(world.buyer.customer, Role.PROJECT_MEMBER, world.buyer.project)
    assert len(names(api, project_uuid=world.buyer.project.uuid)) == 1
    assert names(api, is_staff="true") == ["olga"]
    assert names(api, is_support="true") == []
    assert names(api, is_active="false") == []
    assert names(api, date_joined="2026-03-11") == []
    for name in (
        "username",
        "email",
        "full_name",
        "native_name",
        "description",
        "is_active",
        "is_staff",
        "is_support",
        "job_title",
        "organization",
        "phone_number",
        "registration_method",
    ):
        assert set(names(api, o=name)) == set(names(api, o=f"-{name}")) >= set(everybody)
    assert names(api, o="-username")[-1].startswith("PROJECT.MEMBER")
    assert names(api, o="-is_staff")[0] == "olga"
    for query in ({"customer_uuid": "x"}, {"is_staff": "x"}, {"o": "x"}):
        assert api.get(USERS, **query).status_code == 400


def test_nobody_learns_who_is_in_a_foreign_customer(world: World) -> None:
    assert world.buyer.customer is not None and world.provider.customer is not None
    with tenancy.as_system("test") as actor:
        identity.add_member(
            actor=actor,
            now=NOW,
            user=world.stranger.user,
            role=Role.CUSTOMER_SUPPORT,
            customer=world.buyer.customer,
        )
        identity.add_member(
            actor=actor,
            now=NOW,
            user=world.stranger.user,
            role=Role.CUSTOMER_SUPPORT,
            customer=world.provider.customer,
        )
    assert names(world.buyer.api, customer_uuid=world.buyer.customer.uuid) == ["boris", "sam"]
    assert names(world.buyer.api, customer_uuid=world.provider.customer.uuid) == []


def test_wrong_changes(world: World) -> None:
    for changes, field in (
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"first_name": "x" * 151}, "first_name"),
        ({"notifications_enabled": "perhaps"}, "notifications_enabled"),
        ({"preferred_language": "x" * 11}, "preferred_language"),
    ):
        answer = world.buyer.api.patch(own(world.buyer), {"last_name": "Changed", **changes})
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert ok(world.buyer.api.get(own(world.buyer)))["last_name"] == ""
