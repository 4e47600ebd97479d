"""Logging in: named tokens (hashed, expiring, scoped) and the portal's session with its CSRF token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.support.market import ok
from tests.support.world import NOW, Api, World

from agentmart.identity.models import ApiToken
from agentmart.identity.tokens import hash_token
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db

TOKENS = "/api/personal-access-tokens/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def test_a_token_is_shown_once_and_kept_as_a_hash(world: World) -> None:
    made = ok(world.buyer.api.post(TOKENS, {"name": "CI"}), 201)
    text = made.pop("token")
    shown = ok(world.buyer.api.get(f"{TOKENS}{made['uuid']}/"))
    assert made == shown
    assert shown == {
        "uuid": made["uuid"],
        "name": "CI",
        "token_prefix": text[:4],
        "scopes": ["all"],
        "allowed_scopes": [],
        "allowed_networks": [],
        "expires_at": "2027-03-10T12:00:00.000000Z",
        "is_active": True,
        "created": "2026-03-10T12:00:00.000000Z",
        "last_used_at": "2026-03-10T12:00:00.000000Z",
        "last_used_ip": None,
        "use_count": 0,
    }
    assert bytes(ApiToken.objects.get(pk=made["uuid"]).token_sha256) == hash_token(text)
    assert text not in str(ok(world.buyer.api.get(TOKENS)))
    assert ok(Api(text).get("/api/users/me/"))["username"] == "boris"
    with tenancy.as_system("test"):
        assert text not in str(list(AuditEntry.objects.values()))


def test_the_same_under_its_short_name(world: World) -> None:
    made = ok(world.buyer.api.post("/api/api-tokens/", {"name": "CI"}), 201)
    assert [row["uuid"] for row in ok(world.buyer.api.get("/api/api-tokens/"))] == [made["uuid"]]
    assert world.buyer.api.head(TOKENS)["X-Result-Count"] == "1"
    scopes = ok(world.buyer.api.get(f"{TOKENS}available_scopes/"))
    assert [(row["key"], row["permission"]) for row in scopes] == [("all", "all"), ("read", "read")]


def test_a_bound_that_tokens_cannot_have_is_refused_not_ignored(world: World) -> None:
    assert world.buyer.customer is not None
    for name, value in (
        ("allowed_networks", ["10.0.0.0/8"]),
        ("allowed_scopes", [{"type": "customer", "uuid": world.buyer.customer.uuid}]),
        ("allowed_networks", "10.0.0.1"),
    ):
        refused = world.buyer.api.post(TOKENS, {"name": "T", name: value})
        assert (refused.status_code, list(refused.json())) == (400, [name])
    assert ok(world.buyer.api.get(TOKENS)) == []
    made = ok(world.buyer.api.post(TOKENS, {"name": "T", "allowed_networks": [], "allowed_scopes": []}), 201)
    assert (made["allowed_networks"], made["allowed_scopes"], made["last_used_ip"]) == ([], [], None)


def test_a_reading_token_only_reads(world: World) -> None:
    text = ok(world.buyer.api.post(TOKENS, {"name": "R", "scopes": ["read"]}), 201)["token"]
    assert world.buyer.customer is not None
    customer = f"/api/customers/{world.buyer.customer.uuid}/"
    reader = Api(text)
    assert ok(reader.get(customer))["name"] == "Buyer Ltd"
    assert reader.head("/api/projects/").status_code == 200
    refused = [
        reader.patch(customer, {"city": "Bonn"}),
        reader.put(customer, {"name": "X"}),
        reader.post("/api/projects/", {"name": "P", "customer": customer}),
        reader.post(TOKENS, {"name": "T"}),
        reader.delete(customer),
        reader.post(f"/api/customers/{'0' * 32}/block/"),
    ]
    for answer in refused:
        assert answer.status_code == 403
        assert answer.json() == {"detail": "This token only reads.", "code": "scope_missing"}
    assert ok(world.buyer.api.get(customer))["city"] == ""
    both = ok(world.buyer.api.post(TOKENS, {"name": "B", "scopes": ["read", "all"]}), 201)
    assert both["scopes"] == ["all"]


def test_a_token_ends_when_it_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"name": "T", "expires_at": "2026-03-10T12:00:01Z"}
    made = ok(world.buyer.api.post(TOKENS, body), 201)
    assert Api(made["token"]).get("/api/users/me/").status_code == 200
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=1))
    answer = Api(made["token"]).get("/api/users/me/")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})
    assert ok(world.buyer.api.get(f"{TOKENS}{made['uuid']}/"))["is_active"] is False


def test_a_deleted_or_rotated_token_ends_at_once(world: World) -> None:
    made = ok(world.buyer.api.post(TOKENS, {"name": "T", "scopes": ["read"]}), 201)
    path = f"{TOKENS}{made['uuid']}/"
    rotated = ok(world.buyer.api.post(f"{path}rotate/"), 201)
    assert (rotated["uuid"], rotated["scopes"]) == (made["uuid"], ["read"])
    assert Api(made["token"]).get("/api/users/me/").status_code == 401
    assert Api(rotated["token"]).get("/api/users/me/").status_code == 200
    answer = world.buyer.api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert Api(rotated["token"]).get("/api/users/me/").status_code == 401
    assert world.buyer.api.get(path).status_code == 404
    with tenancy.as_system("test"):
        told = list(
            AuditEntry.objects.filter(action__startswith="api_token").values_list("action", flat=True)
        )
    assert sorted(told) == ["api_token.issued", "api_token.revoked", "api_token.rotated"]


def test_tokens_are_their_person_s_alone(world: World) -> None:
    made = ok(world.buyer.api.post(TOKENS, {"name": "T"}), 201)
    path = f"{TOKENS}{made['uuid']}/"
    for api in (world.stranger.api, world.operator.api):
        assert ok(api.get(TOKENS)) == []
        assert api.get(path).status_code == 404
        assert api.delete(path).status_code == 404
        assert api.post(f"{path}rotate/").status_code == 404
    assert world.visitor.get(TOKENS).status_code == 401
    assert world.visitor.post(TOKENS, {"name": "T"}).status_code == 401
    assert Api(made["token"]).get(path).status_code == 200


def test_the_login_token_is_not_among_them(world: World) -> None:
    ok(world.buyer.api.post(TOKENS, {"name": "T"}), 201)
    login = ApiToken.objects.get(user=world.buyer.user, login=True)
    assert world.buyer.api.delete(f"{TOKENS}{login.uuid}/").status_code == 404
    answer = ok(world.buyer.api.post(f"/api/users/{world.buyer.user.uuid}/refresh_token/"))
    assert len(ok(Api(answer["token"]).get(TOKENS))) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "T", "scopes": []}, "scopes"),
        ({"name": "T", "scopes": ["write"]}, "scopes"),
        ({"name": "T", "scopes": "read"}, "scopes"),
        ({"name": "T", "expires_at": "2026-03-10T12:00:00Z"}, "expires_at"),
        ({"name": "T", "expires_at": "never"}, "expires_at"),
        ({"name": "T", "expires_at": None}, "expires_at"),
    ],
)
def test_wrong_tokens(world: World, body: dict[str, Any], field: str) -> None:
    answer = world.buyer.api.post(TOKENS, body)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not ApiToken.objects.filter(login=False).exists()


def test_a_use_is_noted_at_most_once_a_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ok(world.buyer.api.post(TOKENS, {"name": "T"}), 201)
    user = Api(made["token"])

    def noted(seconds: int) -> tuple[int, bool]:
        monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=seconds))
        with CaptureQueriesContext(connection) as seen:
            assert user.get("/api/users/me/").status_code == 200
        row = ApiToken.objects.get(pk=made["uuid"])
        assert row.last_used_at is not None
        written = any("identity_note_token_use" in query["sql"] for query in seen)
        return int((row.last_used_at - NOW).total_seconds()), written

    assert noted(5) == (5, True)
    assert noted(6) == (5, False)
    assert noted(64) == (5, False)
    assert noted(65) == (65, True)
    assert ApiToken.objects.get(pk=made["uuid"]).use_count == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('agentmart.system', true)")
        assert cursor.fetchone() != ("on",)


def test_me_costs_four_queries(world: World) -> None:
    world.buyer.api.get("/api/users/me/")
    with CaptureQueriesContext(connection) as seen:
        ok(world.buyer.api.get("/api/users/me/"))
    assert len([query for query in seen if "SAVEPOINT" not in query["sql"]]) <= 4


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token  ", "Token \xff"])
def test_headers_that_are_none(world: World, header: str) -> None:
    answer = Client().get("/api/users/me/", headers={"Authorization": header.encode().decode("latin-1")})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


# --- the portal's session ------------------------------------------------------------------------


@pytest.fixture
def browser(world: World) -> Client:
    """The buyer's browser, logged in, with CSRF checks on."""
    browser = Client(enforce_csrf_checks=True)
    with tenancy.elevated():
        browser.force_login(world.buyer.user)
    return browser


def test_a_session_reads_as_its_person(browser: Client, world: World) -> None:
    assert browser.get("/api/users/me/").json()["username"] == "boris"
    assert [row["name"] for row in browser.get("/api/customers/").json()] == ["Buyer Ltd"]
    assert world.stranger.customer is not None
    assert browser.get(f"/api/customers/{world.stranger.customer.uuid}/").status_code == 404


def test_a_session_writes_with_the_csrf_token_alone(browser: Client, world: World) -> None:
    assert world.buyer.customer is not None
    path, body = "/api/projects/", {"name": "P", "customer": world.buyer.customer.uuid}
    refused = browser.post(path, body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert "CSRF" in refused.json()["detail"]
    token = "a" * 32
    browser.cookies["csrftoken"] = token
    headers = {"X-CSRFToken": token}
    answer = browser.post(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "P")
    wrong = browser.post(path, body, content_type="application/json", headers={"X-CSRFToken": "b" * 32})
    assert wrong.status_code == 403


def test_a_deactivated_person_s_session_ends(browser: Client, world: World) -> None:
    ok(world.operator.api.patch(f"/api/users/{world.buyer.user.uuid}/", {"is_active": False}))
    assert browser.get("/api/users/me/").status_code == 401


def test_a_token_in_the_header_wins_over_the_session(browser: Client, world: World) -> None:
    answer = browser.get("/api/users/me/", headers={"Authorization": "Token wrong"})
    assert answer.status_code == 401
