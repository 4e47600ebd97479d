"""A POST repeated with its `Idempotency-Key` happens once and is answered alike."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from tests.support.market import ok
from tests.support.racing import race
from tests.support.shop import Shop
from tests.support.world import NOW, World, make_world

from agentmart.identity.models import Customer, Project
from agentmart.infra import clock, idempotency, tasks, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import IdempotentAnswer
from agentmart.kit.errors import Invalid

PROJECTS = "/api/projects/"


def post(person: Any, path: str, body: Any, key: str, **headers: str) -> Any:
    """A POST with a key, as somebody of the cast."""
    return Client().post(
        path,
        body,
        content_type=headers.pop("content_type", "application/json"),
        headers={**person.api._headers, "Idempotency-Key": key, **headers},
    )


def project(world: World, name: str = "Twice") -> dict[str, Any]:
    assert world.buyer.customer is not None
    return {"name": name, "customer": world.buyer.customer.uuid}


def projects_named(name: str) -> int:
    with tenancy.as_system("test"):
        return Project.objects.filter(name=name).count()


@pytest.mark.django_db
def test_the_same_request_again_gets_the_same_answer_and_happens_once(world: World) -> None:
    first = post(world.buyer, PROJECTS, project(world), "k-1")
    again = post(world.buyer, PROJECTS, project(world), "k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["X-Request-Id"] != first["X-Request-Id"]
    assert projects_named("Twice") == 1


@pytest.mark.django_db
def test_without_a_key_it_happens_twice(world: World) -> None:
    for _ in range(2):
        ok(world.buyer.api.post(PROJECTS, project(world)), 201)
    assert projects_named("Twice") == 2


@pytest.mark.django_db
def test_the_same_key_for_another_body_is_refused(world: World) -> None:
    post(world.buyer, PROJECTS, project(world), "k-1")
    other = post(world.buyer, PROJECTS, project(world, "Other"), "k-1")
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency_mismatch"
    assert projects_named("Other") == 0


@pytest.mark.django_db
def test_a_key_counts_for_one_person_and_one_address(world: World) -> None:
    ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    ok(post(world.operator, PROJECTS, project(world), "k-1"), 201)
    assert projects_named("Twice") == 2
    assert world.buyer.customer is not None
    elsewhere = post(world.operator, f"/api/customers/{world.buyer.customer.uuid}/block/", {}, "k-1")
    assert elsewhere.status_code == 200
    assert "Idempotent-Replayed" not in elsewhere


@pytest.mark.django_db
def test_a_refused_request_is_tried_again(world: World) -> None:
    """It changed nothing: with what was wrong mended, the same key works."""
    bad = post(world.buyer, PROJECTS, project(world, ""), "k-1")
    assert bad.status_code == 400
    good = post(world.buyer, PROJECTS, project(world), "k-1")
    assert good.status_code == 201
    assert "Idempotent-Replayed" not in good


@pytest.mark.django_db
def test_the_kept_answer_outlives_what_it_tells(world: World) -> None:
    """The answer is the first one's, not today's."""
    made = ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    with tenancy.as_system("test"):
        Project.objects.filter(pk=made["uuid"]).update(name="Renamed")
    assert ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201) == made


@pytest.mark.django_db
def test_after_a_day_the_key_is_free_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    began = clock.now()
    ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(hours=23, minutes=59))
    assert post(world.buyer, PROJECTS, project(world), "k-1")["Idempotent-Replayed"] == "true"
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(hours=24, minutes=1))
    assert "Idempotent-Replayed" not in post(world.buyer, PROJECTS, project(world), "k-1")
    assert projects_named("Twice") == 2


@pytest.mark.django_db
def test_what_is_over_is_swept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    with tenancy.as_system("test"):
        assert idempotency.sweep(now=clock.now()) == 0
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    tasks.sweep_idempotent_answers()
    with tenancy.as_system("test"):
        assert IdempotentAnswer.objects.count() == 0


@pytest.mark.django_db
def test_a_secret_shown_once_is_shown_to_its_maker_again_and_lies_nowhere_in_the_clear(shop: Shop) -> None:
    path = f"{shop.config}api-keys/"
    made = ok(post(shop.world.buyer, path, {"name": "CI"}, "k-secret"), 201)
    assert made["key"].startswith("ar_sk_")
    assert ok(post(shop.world.buyer, path, {"name": "CI"}, "k-secret"), 201)["key"] == made["key"]
    with connection.cursor() as cursor:
        tenancy.enter(Actor(system=True))
        cursor.execute("SELECT row_to_json(kept)::text, sealed, key_sha256 FROM infra_idempotent_answer kept")
        ((shown, sealed, key),) = cursor.fetchall()
    for secret in (made["key"], "k-secret", "CI"):
        assert secret not in shown
        assert secret.encode() not in bytes(sealed) + bytes(key)


@pytest.mark.django_db
def test_an_answer_that_cannot_be_read_any_more_is_not_made_up(world: World, settings: Any) -> None:
    ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    settings.SECRET_KEY = "another"
    lost = post(world.buyer, PROJECTS, project(world), "k-1")
    assert lost.status_code == 409
    assert lost.json()["code"] == "idempotency_answer_lost"
    assert projects_named("Twice") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    answer = post(world.buyer, PROJECTS, project(world), key)
    assert answer.status_code == 400
    assert list(answer.json()) == ["Idempotency-Key"]
    assert projects_named("Twice") == 0


@pytest.mark.django_db
def test_visitors_claim_nothing(world: World) -> None:
    answer = Client().post(PROJECTS, {}, content_type="application/json", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 401
    with tenancy.as_system("test"):
        assert IdempotentAnswer.objects.count() == 0


@pytest.mark.django_db
def test_nobody_reads_another_s_answers(world: World) -> None:
    """Row-level security admits a person's own rows only."""
    ok(post(world.buyer, PROJECTS, project(world), "k-1"), 201)
    for person, seen in ((world.buyer, 1), (world.stranger, 0)):
        tenancy.enter(Actor(user_id=person.user.id))
        assert IdempotentAnswer.objects.count() == seen


@pytest.mark.parametrize("key", ["a", "~!x", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "x" * 255])
def test_ordinary_keys_are_read(key: str) -> None:
    assert idempotency.read_key(key) == key


def test_a_key_with_a_control_character_is_refused() -> None:
    with pytest.raises(Invalid, match="printable ASCII"):
        idempotency.read_key("a\x00b")


def test_the_boundary_of_a_form_does_not_count() -> None:
    def form(boundary: str, value: str) -> bytes:
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{value}\r\n--{boundary}--\r\n'
        )
        return idempotency.fingerprint(body.encode(), f"multipart/form-data; boundary={boundary}")

    assert form("one", "x") == form("another", "x")
    assert form("one", "x") != form("one", "y")
    json = idempotency.fingerprint(b"{}", "application/json; charset=utf-8")
    assert json == idempotency.fingerprint(b"{}", "Application/JSON")
    assert json != idempotency.fingerprint(b"{}", "text/plain")


@pytest.mark.usefixtures("django_on_fresh_database")
def test_32_at_once_are_one(runtime: object) -> None:
    with tenancy.as_system("test"):
        world = make_world()
    answers = race([lambda: post(world.buyer, PROJECTS, project(world), "k-1") for _ in range(32)])
    assert [answer.status_code for answer in answers] == [201] * 32
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer for answer in answers) == 31
    assert projects_named("Twice") == 1
    with tenancy.as_system("test"):
        assert Customer.objects.get(pk=world.buyer.customer.id).name == "Buyer Ltd"  # type: ignore[union-attr]


@pytest.mark.usefixtures("django_on_fresh_database")
def test_a_request_that_still_runs_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_WAIT_MS", 50)
    with tenancy.as_system("test"):
        world = make_world()
    body = idempotency.fingerprint(b'{"name": "Slow"}', "application/json")
    actor = Actor(user_id=world.buyer.user.id, username="boris")
    with tenancy.acting(actor):
        taken = idempotency.claim(key="k-1", path=PROJECTS, body_sha256=body, actor=actor, now=NOW)
        assert isinstance(taken, idempotency.Claim)
        (second,) = race([lambda: post(world.buyer, PROJECTS, '{"name": "Slow"}', "k-1")])
    assert second.status_code == 409
    assert second.json()["code"] == "idempotency_in_progress"
    assert second["Retry-After"] == "5"
