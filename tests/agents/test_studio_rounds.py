"""The network is asked between two transactions, and what changed meanwhile counts; commits are real."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection, connections
from psycopg.pq import TransactionStatus
from tests.support.flows import echo_flow
from tests.support.market import ok
from tests.support.racing import race
from tests.support.studio import KEY, STUDIOS, StudioStub
from tests.support.world import World, make_world

from agentmart.adapters import outgoing
from agentmart.agents.models import Agent, FlowVersion, Studio, StudioFlow
from agentmart.config.database import DatabaseUrls
from agentmart.identity.models import Membership
from agentmart.infra import tenancy
from agentmart.infra.models import IdempotentAnswer


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls) -> World:
    """The cast, committed."""
    return make_world()


@pytest.fixture
def path(cast: World, studio: StudioStub) -> str:
    """The provider's studio."""
    body = {"name": "Our Langflow", "backend_url": studio.url, "api_key": KEY}
    return f"{STUDIOS}{ok(cast.provider.api.post(STUDIOS, body), 201)['uuid']}/"


def count(kind: Any) -> int:
    """The rows of a model, of all tenants."""
    with tenancy.as_system("test"):
        found: int = kind.objects.count()
    return found


def send(world: World, path: str, flow_id: str, key: str) -> Any:
    """Import under an Idempotency-Key."""
    api = world.provider.api
    return api._client.post(
        f"{path}import_flows/",
        {"flows": [flow_id]},
        content_type="application/json",
        headers={**api._headers, "Idempotency-Key": key},
    )


def test_no_transaction_is_open_while_the_studio_is_asked(
    cast: World, studio: StudioStub, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id, states, get = studio.save(echo_flow()), [], outgoing.get

    def watched(*args: Any, **kwargs: Any) -> outgoing.Answer:
        real: Any = connection.connection
        states.append((connection.in_atomic_block, real.info.transaction_status))
        return get(*args, **kwargs)

    monkeypatch.setattr(outgoing, "get", watched)
    api = cast.provider.api
    ok(api.get(f"{path}importable_flows/"))
    ok(api.post(f"{path}check_connection/"))
    assert send(cast, path, flow_id, "once").json()[0]["outcome"] == "created"
    assert states == [(False, TransactionStatus.IDLE)] * 4
    assert count(FlowVersion) == 1


def test_a_studio_that_is_deleted_meanwhile_imports_nothing(
    cast: World, studio: StudioStub, path: str
) -> None:
    flow_id = studio.save(echo_flow())

    def delete(asked: Any) -> None:
        with tenancy.as_system("test"):
            Studio.objects.all().delete()
        connections.close_all()

    studio.before = delete
    answer = cast.provider.api.post(f"{path}import_flows/", {"flows": [flow_id]})
    assert answer.status_code == 404
    assert count(Agent) == 0


def test_who_loses_the_right_meanwhile_imports_nothing(cast: World, studio: StudioStub, path: str) -> None:
    flow_id = studio.save(echo_flow())

    def leave(asked: Any) -> None:
        with tenancy.as_system("test"):
            Membership.objects.filter(user=cast.provider.user).delete()
        connections.close_all()

    studio.before = leave
    answer = cast.provider.api.post(f"{path}import_flows/", {"flows": [flow_id]})
    assert answer.status_code == 404
    assert count(Agent) == 0


def test_the_same_flow_imported_twice_at_once_is_one_agent(
    cast: World, studio: StudioStub, path: str
) -> None:
    flow_id, both = studio.save(echo_flow()), threading.Barrier(2)
    studio.before = lambda asked: both.wait(20) and None
    answers = race(
        [lambda: cast.provider.api.post(f"{path}import_flows/", {"flows": [flow_id]}) for _ in range(2)]
    )
    outcomes = Counter(ok(answer)[0]["outcome"] for answer in answers)
    assert outcomes == {"created": 1, "unchanged": 1}
    assert (count(Agent), count(FlowVersion), count(StudioFlow)) == (1, 1, 1)


def test_a_repeated_import_at_once_is_carried_out_once(cast: World, studio: StudioStub, path: str) -> None:
    flow_id, both = studio.save(echo_flow()), threading.Barrier(2)
    studio.before = lambda asked: both.wait(20) and None
    answers = race([lambda: send(cast, path, flow_id, "same") for _ in range(2)])
    assert [ok(answer)[0]["outcome"] for answer in answers] == ["created", "created"]
    assert sorted("Idempotent-Replayed" in answer for answer in answers) == [False, True]
    assert (count(FlowVersion), count(IdempotentAnswer)) == (1, 1)


def test_a_refused_import_frees_its_key(cast: World, studio: StudioStub, path: str) -> None:
    flow_id = studio.save(echo_flow())
    studio.keys = {}
    assert cast.provider.api.post(f"{path}check_connection/").json()["code"] == "studio_key_refused"
    assert send(cast, path, flow_id, "later").json()[0]["code"] == "studio_key_refused"
    assert (count(Agent), count(IdempotentAnswer)) == (0, 1)


def test_an_error_on_our_side_keeps_nothing(
    cast: World, studio: StudioStub, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.provider.api._client.raise_request_exception = False
    flow_id = studio.save(echo_flow())
    monkeypatch.setattr(outgoing, "get", lambda *args, **kwargs: 1 / 0)
    answer = send(cast, path, flow_id, "bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    monkeypatch.undo()
    assert send(cast, path, flow_id, "bug").json()[0]["outcome"] == "created"
