"""Staff acts as somebody for some minutes; the log names both, and nothing of it lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from tests.support.market import ok, operator
from tests.support.shop import Shop
from tests.support.world import Api, World

from agentmart.identity.models import Impersonation, User
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


def path(user: User) -> str:
    return f"/api/users/{user.uuid}/impersonate/"


def act_as(world: World, user: User, **body: Any) -> Api:
    body = {"reason": "ticket 7", **body}
    return Api(ok(world.operator.api.post(path(user), body), 201)["token"])


def last_entry(action: str) -> AuditEntry:
    with tenancy.as_system("test"):
        return AuditEntry.objects.filter(action=action).latest("at")


def test_staff_sees_and_does_what_the_person_can(shop: Shop) -> None:
    world = shop.world
    api = act_as(world, world.buyer.user)
    me = ok(api.get("/api/users/me/"))
    assert (me["username"], me["is_staff"]) == ("boris", False)
    assert ok(api.get("/api/customers/"))[0]["name"] == "Buyer Ltd"
    assert len(ok(api.get("/api/customers/"))) == 1
    assert api.post("/api/customers/", {"name": "X"}).status_code == 403
    ok(api.patch(shop.customer, {"address": "1 Road"}))


def test_the_log_names_both(shop: Shop) -> None:
    world = shop.world
    api = act_as(world, world.buyer.user)
    ok(api.patch(shop.customer, {"address": "1 Road"}))
    entry = last_entry("customer.updated")
    assert entry.actor_name == "olga as boris"
    assert (entry.actor_id, entry.impersonator_id) == (world.buyer.user.id, world.operator.user.id)
    shown = ok(world.operator.api.get("/api/audit-log/", impersonator_uuid=world.operator.user.uuid))
    assert [row["action"] for row in shown] == ["customer.updated"]
    started = last_entry("user.impersonation_started")
    assert (started.actor_name, started.object_id) == ("olga", world.buyer.user.id)
    assert (started.after["reason"], started.after["user"]) == ("ticket 7", "boris")


def test_only_staff_may(world: World) -> None:
    for api in (operator("is_support"), operator("is_finance"), operator("is_catalog_manager")):
        assert api.post(path(world.buyer.user), {"reason": "x"}).status_code in (403, 404)
    assert world.buyer.api.post(path(world.buyer.user), {"reason": "x"}).status_code == 403
    assert world.stranger.api.post(path(world.buyer.user), {"reason": "x"}).status_code == 404
    assert world.visitor.post(path(world.buyer.user), {"reason": "x"}).status_code == 401
    with tenancy.as_system("test"):
        assert Impersonation.objects.count() == 0


@pytest.mark.parametrize(
    "flag", ["is_staff", "is_support", "is_finance", "is_catalog_manager", "is_superuser"]
)
def test_never_as_an_operator(world: World, flag: str) -> None:
    with tenancy.as_system("test"):
        other = User.objects.create(username="other", date_joined=clock.now(), **{flag: True})
    refused = world.operator.api.post(path(other), {"reason": "x"})
    assert refused.status_code == 403
    assert world.operator.api.post(path(world.operator.user), {"reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "x", "minutes": 0}, "minutes"),
        ({"reason": "x", "minutes": 61}, "minutes"),
        ({"reason": "x", "minutes": "long"}, "minutes"),
    ],
)
def test_a_reason_and_a_short_time_are_demanded(world: World, body: Any, field: str) -> None:
    answer = world.operator.api.post(path(world.buyer.user), body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_person_who_is_switched_off_is_not_played(world: World) -> None:
    with tenancy.as_system("test"):
        User.objects.filter(pk=world.buyer.user.pk).update(is_active=False)
    assert world.operator.api.post(path(world.buyer.user), {"reason": "x"}).status_code == 400


def test_it_ends_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    began = clock.now()
    answer = ok(world.operator.api.post(path(world.buyer.user), {"reason": "x", "minutes": 5}), 201)
    api = Api(answer["token"])
    for minutes, status in ((4, 200), (6, 401)):
        moment = began + timedelta(minutes=minutes)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        assert api.get("/api/users/me/").status_code == status


def test_without_a_wish_it_lasts_15_minutes(world: World) -> None:
    ok(world.operator.api.post(path(world.buyer.user), {"reason": "x"}), 201)
    with tenancy.as_system("test"):
        row = Impersonation.objects.get()
    assert row.expires_at - row.created == timedelta(minutes=15)


def test_it_is_ended_at_once(world: World) -> None:
    api = act_as(world, world.buyer.user)
    other = act_as(world, world.provider.user)
    ok(world.operator.api.delete(path(world.buyer.user)), 204)
    assert api.get("/api/users/me/").status_code == 401
    assert other.get("/api/users/me/").status_code == 200
    assert last_entry("user.impersonation_ended").object_id == world.buyer.user.id
    assert other.delete(path(world.provider.user)).status_code == 403


@pytest.mark.parametrize(
    ("who", "change"),
    [
        ("operator", {"is_staff": False}),
        ("operator", {"is_active": False}),
        ("buyer", {"is_active": False}),
        ("buyer", {"is_staff": True}),
    ],
)
def test_it_ends_with_what_it_stood_on(world: World, who: str, change: dict[str, bool]) -> None:
    api = act_as(world, world.buyer.user)
    with tenancy.as_system("test"):
        User.objects.filter(pk=getattr(world, who).user.pk).update(**change)
    assert api.get("/api/users/me/").status_code == 401


def test_it_makes_nothing_that_lasts(shop: Shop) -> None:
    world, user = shop.world, shop.world.buyer.user
    api = act_as(world, user)
    me = f"/api/users/{user.uuid}/"
    attempts = [
        api.post(f"{me}refresh_token/"),
        api.post(f"{me}change_password/", {"new_password": "a long new password"}),
        api.post(f"{me}impersonate/", {"reason": "x"}),
        api.post("/api/personal-access-tokens/", {"name": "x", "scopes": ["all"]}),
        api.patch(me, {"email": "elsewhere@example.org"}),
        api.post(f"{shop.config}api-keys/", {"name": "X"}),
    ]
    assert [answer.status_code for answer in attempts] == [403] * len(attempts)
    assert world.buyer.api.get("/api/users/me/").status_code == 200


def test_a_repeated_start_is_answered_from_what_was_kept_to_its_caller_only(world: World) -> None:
    def start() -> Any:
        headers = {**world.operator.api._headers, "Idempotency-Key": "start-1"}
        return Client().post(
            path(world.buyer.user), {"reason": "x"}, content_type="application/json", headers=headers
        )

    first, again = start(), start()
    assert first.json() == again.json()
    with tenancy.as_system("test"):
        assert Impersonation.objects.count() == 1


def test_the_person_s_own_kept_answers_are_not_shown(shop: Shop) -> None:
    """The same key and body, sent by staff as the buyer, is another request."""
    world = shop.world

    def block(api: Api) -> Any:
        assert world.buyer.customer is not None
        body = {"name": "Once", "customer": world.buyer.customer.uuid}
        headers = {**api._headers, "Idempotency-Key": "k"}
        return Client().post("/api/projects/", body, content_type="application/json", headers=headers)

    own = block(world.buyer.api)
    staff = block(act_as(world, world.buyer.user))
    assert (own.status_code, staff.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in staff
    assert own.json()["uuid"] != staff.json()["uuid"]


def test_the_header_of_waldur_stays_refused(world: World) -> None:
    headers = {**world.operator.api._headers, "X-Impersonated-User-Uuid": world.buyer.user.uuid}
    assert Client().get("/api/users/me/", headers=headers).status_code == 400


def test_only_the_hash_of_the_token_is_kept(world: World) -> None:
    token = ok(world.operator.api.post(path(world.buyer.user), {"reason": "x"}), 201)["token"]
    with tenancy.as_system("test"):
        row = Impersonation.objects.values().get()
    assert token.startswith("as_")
    assert token not in str(row)
