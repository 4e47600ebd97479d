"""Who tries too many passwords or tokens within a minute must wait; the right token never does."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client, RequestFactory
from tests.support.world import NOW, Api, World

from agentmart.identity.models import User
from agentmart.infra import clock, tasks, tenancy, throttle
from agentmart.infra.models import AuditEntry, LoginAttempts
from agentmart.web.callers import address_of

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
AT = NOW.replace(second=20)


@pytest.fixture(autouse=True)
def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: AT)


@pytest.fixture
def olga(world: World) -> User:
    """The operator, with a password."""
    with tenancy.as_system("test"):
        User.objects.filter(pk=world.operator.user.pk).update(password=make_password(PASSWORD))
    return world.operator.user


def log_in(name: str, password: str = "wrong", **headers: str) -> Any:
    return Client().post("/admin/login/", {"username": name, "password": password}, headers=headers)


def refusals() -> list[tuple[Any, str]]:
    with tenancy.as_system("test"):
        rows = AuditEntry.objects.filter(action="user.login_refused")
        return [(entry.object_id, entry.actor_name) for entry in rows]


def test_after_ten_wrong_passwords_even_the_right_one_waits(olga: User) -> None:
    assert [log_in("olga").status_code for _ in range(throttle.MOST_PASSWORDS)] == [200] * 10
    answer = log_in("olga", PASSWORD)
    assert (answer.status_code, answer["Retry-After"]) == (429, "40")
    assert answer.json()["code"] == "too_many_logins"
    assert refusals() == [(olga.pk, "anonymous")] * 10


def test_the_next_minute_lets_in_again(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(throttle.MOST_PASSWORDS + 1):
        log_in("olga")
    monkeypatch.setattr(clock, "now", lambda: AT + timedelta(seconds=40))
    assert log_in("olga", PASSWORD).status_code == 302


@pytest.mark.parametrize("spelt", ["OLGA", " olga ", "\uff4flga"])
def test_one_name_spelt_in_many_ways_is_one_name(olga: User, spelt: str) -> None:
    for _ in range(throttle.MOST_PASSWORDS):
        log_in(spelt)
    assert log_in("olga", PASSWORD).status_code == 429


def test_a_header_makes_no_other_address_of_the_caller(olga: User) -> None:
    for number in range(throttle.MOST_PASSWORDS):
        log_in("olga", **{"X-Forwarded-For": f"10.0.0.{number}"})
    assert log_in("olga", PASSWORD, **{"X-Forwarded-For": "10.1.0.0"}).status_code == 429


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "address"),
    [
        ([], "10.0.0.1", "203.0.113.9", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "[2001:db8:0:1:2::3]:80", "2001:db8:0:1::"),
        (["10.0.0.0/8"], "10.0.0.1", "unknown, 10.0.0.2", "10.0.0.2"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["10.0.0.0/8"], "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        (["fd00::/8"], "fd00::1", "203.0.113.9", "203.0.113.9"),
        ([], "2001:db8:0:1:aaaa::1", "", "2001:db8:0:1::"),
        ([], "", "203.0.113.9", ""),
    ],
)
def test_only_trusted_proxies_say_where_a_request_came_from(
    settings: Any, trusted: list[str], peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = [ip_network(network) for network in trusted]
    request = RequestFactory(REMOTE_ADDR=peer).get("/", headers={"X-Forwarded-For": forwarded})
    assert address_of(request) == address


def test_behind_a_trusted_proxy_each_caller_is_counted_alone(olga: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    for _ in range(throttle.MOST_PASSWORDS):
        log_in("olga", **{"X-Forwarded-For": "203.0.113.9"})
    assert log_in("olga", PASSWORD, **{"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}).status_code == 429
    assert log_in("olga", PASSWORD, **{"X-Forwarded-For": "203.0.113.10"}).status_code == 302


def test_another_name_and_another_address_go_on(olga: User) -> None:
    for _ in range(throttle.MOST_PASSWORDS + 1):
        log_in("boris")
    assert log_in("olga", PASSWORD).status_code == 302
    body = {"username": "boris", "password": "wrong"}
    assert Client(REMOTE_ADDR="10.9.8.7").post("/admin/login/", body).status_code == 200


def test_who_gets_in_begins_anew(olga: User) -> None:
    for _ in range(throttle.MOST_PASSWORDS - 1):
        log_in("olga")
    assert log_in("olga", PASSWORD).status_code == 302
    assert [log_in("olga").status_code for _ in range(throttle.MOST_PASSWORDS)] == [200] * 10


def test_a_name_that_nobody_has_is_kept_nowhere(world: World) -> None:
    assert log_in("my secret password").status_code == 200
    assert refusals() == []


def test_wrong_tokens_are_refused_by_address_and_right_ones_never(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST_TOKENS", 3)
    wrong = Api("0" * 40)
    answers = [wrong.get("/api/users/me/") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1]["Retry-After"] == "40"
    assert len(answers[-1]["X-Request-Id"]) == 32
    assert world.buyer.api.get("/api/users/me/").status_code == 200
    assert world.visitor.get("/api/users/me/").status_code == 401


def test_counts_are_swept_after_an_hour(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in("olga")
    tasks.sweep_login_attempts()
    with tenancy.as_system("test"):
        assert LoginAttempts.objects.count() == 1
    monkeypatch.setattr(clock, "now", lambda: AT + timedelta(hours=1))
    tasks.sweep_login_attempts()
    with tenancy.as_system("test"):
        assert LoginAttempts.objects.count() == 0


def test_counts_of_a_day_are_kept_for_the_day(world: World) -> None:
    for hours in (0, 1, 11):
        at = NOW + timedelta(hours=hours)
        wait = throttle.attempt("x", most=0, now=at, each=throttle.DAY)
        assert wait == (12 - hours) * 3600
        assert throttle.sweep(now=at) == 0
    with tenancy.as_system("test"):
        assert LoginAttempts.objects.get().attempts == 3
        assert throttle.sweep(now=NOW + timedelta(hours=13)) == 1


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_health_only_answers_questions(world: World, method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)("/api/health/")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer.json()["code"] == "method_not_allowed"
    assert Client().head("/api/health/").status_code == 200
