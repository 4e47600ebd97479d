"""Roles over REST: given, listed, changed, taken, ended by time; who may do it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World

from agentmart.identity import services as identity
from agentmart.identity import tasks
from agentmart.identity.models import Customer, Membership, Quota, Role, User
from agentmart.identity.roles import ROLE_IDS
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(world: World) -> str:
    assert world.buyer.customer is not None
    return f"/api/customers/{world.buyer.customer.uuid}/"


@pytest.fixture
def project(world: World) -> str:
    assert world.buyer.project is not None
    return f"/api/projects/{world.buyer.project.uuid}/"


def roles(api: Api, path: str, **query: Any) -> list[tuple[str, str]]:
    rows = ok(api.get(f"{path}list_users/", **query))
    return [(row["user_username"], row["role_name"]) for row in rows]


def person(name: str, **details: str) -> User:
    with tenancy.as_system("test") as actor:
        return identity.create_user(actor=actor, now=NOW, username=name, **details)


def test_a_row_says_who_has_what_from_whom_until_when(world: World, customer: str) -> None:
    new = person("nora", first_name="Nora", last_name="N", email="nora@n.example")
    body = {
        "user": f"http://elsewhere/api/users/{new.uuid}/",
        "role": ROLE_IDS["CUSTOMER.MANAGER"].hex,
        "expiration_time": "2999-01-01T00:00:00+01:00",
    }
    answer = ok(world.operator.api.post(f"{customer}add_user/", body), 201)
    assert answer == {"expiration_time": "2998-12-31T23:00:00.000000Z"}
    row = ok(world.buyer.api.get(f"{customer}list_users/", user=new.uuid))[0]
    given = Membership.objects.get(user=new)
    assert row == {
        "uuid": given.uuid,
        "created": row["created"],
        "expiration_time": "2998-12-31T23:00:00.000000Z",
        "role_name": "CUSTOMER.MANAGER",
        "role_uuid": ROLE_IDS["CUSTOMER.MANAGER"].hex,
        "user_uuid": new.uuid,
        "user_username": "nora",
        "user_full_name": "Nora N",
        "user_email": "nora@n.example",
        "created_by_uuid": world.operator.user.uuid,
        "created_by_full_name": "olga",
    }


def test_who_gave_a_role_is_left_out_where_nobody_did(world: World, customer: str) -> None:
    row = ok(world.buyer.api.get(f"{customer}list_users/"))[0]
    assert "created_by_uuid" not in row and "created_by_full_name" not in row
    assert None not in {value for name, value in row.items() if name != "expiration_time"}


def test_list_users_filters_and_sorts(world: World, customer: str) -> None:
    nora = person("nora", first_name="Nora", last_name="Nord", email="nn@n.example", native_name="Нора")
    adam = person("adam", first_name="Adam", last_name="Ant", email="aa@n.example")
    for user, role in ((nora, "CUSTOMER.MANAGER"), (nora, "CUSTOMER.SUPPORT"), (adam, "CUSTOMER.SUPPORT")):
        ok(world.operator.api.post(f"{customer}add_user/", {"user": user.uuid, "role": role}), 201)
    api = world.buyer.api
    everything = [
        ("boris", "CUSTOMER.OWNER"),
        ("nora", "CUSTOMER.MANAGER"),
        ("nora", "CUSTOMER.SUPPORT"),
        ("adam", "CUSTOMER.SUPPORT"),
    ]
    assert roles(api, customer) == everything
    assert roles(api, customer, role="CUSTOMER.MANAGER") == [("nora", "CUSTOMER.MANAGER")]
    uuid = str(ROLE_IDS["CUSTOMER.OWNER"])
    assert roles(api, customer, role=[uuid, "CUSTOMER.MANAGER"]) == everything[:2]
    assert roles(api, customer, user=adam.uuid) == everything[3:]
    assert roles(api, customer, username="adam") == everything[3:]
    assert roles(api, customer, full_name="ra  nor") == everything[1:3]
    assert roles(api, customer, full_name="ora nord") == everything[1:3]
    assert roles(api, customer, native_name="нор") == everything[1:3]
    assert roles(api, customer, search_string="aa@n") == everything[3:]
    assert [name for name, _ in roles(api, customer, o="username")] == ["adam", "boris", "nora", "nora"]
    assert [name for name, _ in roles(api, customer, o="-username")] == ["nora", "nora", "boris", "adam"]
    for name in ("created", "email", "expiration_time", "full_name", "native_name", "role"):
        assert sorted(roles(api, customer, o=name)) == sorted(everything)
    for query in ({"role": "BOSS"}, {"user": "x"}, {"o": "x"}):
        assert api.get(f"{customer}list_users/", **query).status_code == 400
    head = api.head(f"{customer}list_users/")
    assert (head.status_code, head["X-Result-Count"]) == (200, "4")
    assert len(ok(api.get(f"{customer}list_users/", page_size=1, page=2))) == 1


def test_who_sees_the_members(world: World, customer: str, project: str) -> None:
    buyer, home = world.buyer.customer, world.buyer.project
    of_project = member(buyer, Role.PROJECT_MEMBER, home)
    path = f"{customer}list_users/"
    assert {
        "owner": world.buyer.api.get(path).status_code,
        "manager": member(buyer, Role.CUSTOMER_MANAGER).get(path).status_code,
        "support": operator("is_support").get(path).status_code,
        "finance": operator("is_finance").get(path).status_code,
        "project's": of_project.get(path).status_code,
        "stranger": world.stranger.api.get(path).status_code,
    } == {"owner": 200, "manager": 200, "support": 200, "finance": 403, "project's": 403, "stranger": 404}
    assert [role for _, role in roles(of_project, project)] == ["PROJECT.MEMBER"]


def test_update_user_moves_the_end(world: World, customer: str) -> None:
    body = {"user": world.buyer.user.uuid, "role": "CUSTOMER.OWNER"}
    path = f"{customer}update_user/"
    for end, shown in (
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00.000000Z"),
        (None, None),
    ):
        answer = ok(world.operator.api.post(path, {**body, "expiration_time": end}))
        assert answer == {"expiration_time": shown}
    refused = world.operator.api.post(path, {**body, "expiration_time": "2020-01-01T00:00:00Z"})
    assert (refused.status_code, list(refused.json())) == (400, ["expiration_time"])
    refused = world.operator.api.post(path, {**body, "role": "CUSTOMER.SUPPORT"})
    assert (refused.status_code, refused.json()) == (
        400,
        {"user": ["boris does not have the role CUSTOMER.SUPPORT here."]},
    )


def test_delete_user_takes_the_role_at_once(world: World, customer: str) -> None:
    assert world.buyer.customer is not None
    colleague = member(world.buyer.customer, Role.CUSTOMER_SUPPORT)
    row = ok(world.buyer.api.get(f"{customer}list_users/", role="CUSTOMER.SUPPORT"))[0]
    body = {"user": row["user_uuid"], "role": "CUSTOMER.SUPPORT"}
    assert colleague.post(f"{customer}delete_user/", body).status_code == 403
    answer = world.buyer.api.post(f"{customer}delete_user/", body)
    assert answer.status_code == 200
    assert colleague.get(customer).status_code == 404
    again = world.operator.api.post(f"{customer}delete_user/", body)
    assert (again.status_code, list(again.json())) == (400, ["user"])
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="member.removed")
    assert entry.before == {"user": row["user_username"], "role": "CUSTOMER.SUPPORT"}


def test_the_last_owner_is_staff_s_to_remove(world: World, customer: str) -> None:
    second = member(world.buyer.customer, Role.CUSTOMER_OWNER)
    body = {"user": world.buyer.user.uuid, "role": "CUSTOMER.OWNER"}
    ok(second.post(f"{customer}delete_user/", body))
    own = ok(second.get("/api/users/me/"))["uuid"]
    refused = second.post(f"{customer}delete_user/", {**body, "user": own})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    ok(world.operator.api.post(f"{customer}delete_user/", {**body, "user": own}))
    assert second.get(customer).status_code == 404


def test_a_project_s_manager_takes_what_they_may_give(world: World, project: str) -> None:
    buyer, home = world.buyer.customer, world.buyer.project
    manager = member(buyer, Role.PROJECT_MANAGER, home)
    for role, status in ((Role.PROJECT_MEMBER, 200), (Role.PROJECT_ADMIN, 403)):
        member(buyer, role, home)
        row = ok(world.buyer.api.get(f"{project}list_users/", role=role))[0]
        body = {"user": row["user_uuid"], "role": role}
        assert manager.post(f"{project}update_user/", body).status_code == status
        assert manager.post(f"{project}delete_user/", body).status_code == status


@pytest.mark.parametrize("action", ["add_user", "update_user", "delete_user"])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user": None}, "user"),
        ({"user": "x"}, "user"),
        ({"user": "00000000000000000000000000000000"}, "user"),
        ({"role": ""}, "role"),
        ({"role": None}, "role"),
        ({"role": "00000000000000000000000000000000"}, "role"),
        ({"expiration_time": "soon"}, "expiration_time"),
    ],
)
def test_wrong_bodies(world: World, customer: str, action: str, changes: dict[str, Any], field: str) -> None:
    body = {"user": world.buyer.user.uuid, "role": "CUSTOMER.OWNER", **changes}
    answer = world.operator.api.post(f"{customer}{action}/", body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_role_cannot_begin_after_its_end(world: World, customer: str) -> None:
    body = {"user": world.stranger.user.uuid, "role": "CUSTOMER.SUPPORT"}
    ended = {**body, "expiration_time": "2020-01-01T00:00:00Z"}
    answer = world.operator.api.post(f"{customer}add_user/", ended)
    assert (answer.status_code, list(answer.json())) == (400, ["expiration_time"])
    assert not Membership.objects.filter(user=world.stranger.user, role="CUSTOMER.SUPPORT").exists()


# --- ended by time -------------------------------------------------------------------------------


def people(customer_id: UUID) -> int:
    with tenancy.as_system("test"):
        return Quota.objects.get(customer_id=customer_id, name="nc_user_count").usage


def test_expired_roles_are_ended_by_the_job(
    world: World, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = world.buyer.customer
    assert buyer is not None
    monkeypatch.setattr(clock, "now", lambda: NOW)
    for role, end in (("CUSTOMER.SUPPORT", NOW + timedelta(hours=1)), ("CUSTOMER.MANAGER", None)):
        body = {
            "user": world.stranger.user.uuid,
            "role": role,
            "expiration_time": end and end.isoformat(),
        }
        ok(world.operator.api.post(f"{customer}add_user/", body), 201)
    tasks.end_what_expired()
    assert len(roles(world.buyer.api, customer)) == 3
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=1))
    left = [("boris", "CUSTOMER.OWNER"), ("sam", "CUSTOMER.MANAGER")]
    assert roles(world.buyer.api, customer, o="username") == left
    tasks.end_what_expired()
    tasks.end_what_expired()
    assert Membership.objects.filter(customer=buyer).count() == 2
    assert people(buyer.id) == 2
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="member.expired")
    assert (entry.before["role"], entry.customer_id) == ("CUSTOMER.SUPPORT", buyer.id)
    with tenancy.as_system("test"):
        Membership.objects.filter(user=world.stranger.user, customer=buyer).update(
            expires_at=datetime(2026, 3, 10, tzinfo=UTC)
        )
    tasks.end_what_expired()
    assert people(buyer.id) == 1


def test_roles_are_listed_with_ids_that_stay(world: World) -> None:
    rows = ok(world.stranger.api.get("/api/roles/"))
    assert [row["name"] for row in rows] == [role.value for role in Role]
    owner = ok(world.stranger.api.get(f"/api/roles/{rows[0]['uuid']}/"))
    assert owner == rows[0] and owner["uuid"] == "1fbdd5a7219e5af89e5af975e9836ebd"
    assert world.stranger.api.get("/api/roles/00000000000000000000000000000000/").status_code == 404
    assert world.operator.api.post("/api/roles/", {"name": "X"}).status_code == 405


def test_a_stranger_changes_nothing(world: World, customer: str, project: str) -> None:
    with tenancy.as_system("test"):
        before = sorted(Membership.objects.values_list("pk", "modified"))
        count = Customer.objects.count()
    for path in (customer, project):
        for action in ("add_user", "update_user", "delete_user"):
            body = {"user": world.buyer.user.uuid, "role": "CUSTOMER.OWNER"}
            assert world.stranger.api.post(f"{path}{action}/", body).status_code == 404
    with tenancy.as_system("test"):
        assert sorted(Membership.objects.values_list("pk", "modified")) == before
        assert Customer.objects.count() == count


@pytest.mark.parametrize("action", ["add_user", "update_user"])
def test_the_last_owner_s_role_does_not_end_with_time_either(
    world: World, customer: str, action: str
) -> None:
    end = "2100-01-01T00:00:00Z"
    body = {"user": world.buyer.user.uuid, "role": "CUSTOMER.OWNER", "expiration_time": end}
    refused = world.buyer.api.post(f"{customer}{action}/", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    assert Membership.objects.get(user=world.buyer.user).expires_at is None
    assert world.operator.api.post(f"{customer}{action}/", body).status_code < 300
    member(world.buyer.customer, Role.CUSTOMER_OWNER)
    assert world.buyer.api.post(f"{customer}{action}/", body).status_code < 300
