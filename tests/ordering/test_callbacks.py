"""Messages to the address that a buyer left: written with the state, signed, sent by a job until they are taken."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.flows import echo_flow
from tests.support.market import (
    OFFERINGS,
    agent,
    member,
    ok,
    operator,
    order,
    publish,
    run_order_jobs,
)
from tests.support.receiver import Receiver, listening
from tests.support.runtime import RememberingRuntime
from tests.support.world import NOW, World

from agentmart.adapters import outgoing
from agentmart.identity.models import Role
from agentmart.infra import clock, tenancy
from agentmart.kit.webhooks import sign
from agentmart.ordering import tasks
from agentmart.ordering.models import OrderCallback
from agentmart.ordering.services import callbacks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("runtime", "signing_key")]


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.CALLBACK_HOSTS = frozenset({"127.0.0.1"})
    with listening() as found:
        yield found


@pytest.fixture
def sold(world: World, runtime: RememberingRuntime) -> dict[str, str]:
    return publish(world, agent(world, echo_flow()))


def waiting() -> list[str]:
    """The ids that the queued jobs are to send."""
    rows = ProcrastinateJob.objects.filter(task_name=callbacks.JOB).order_by("id")
    return [row.args["callback_id"] for row in rows]


def send() -> None:
    for callback_id in waiting():
        tasks.call_back(callback_id=callback_id)


def log_of(world: World, path: str) -> list[tuple[Any, ...]]:
    rows = ok(world.buyer.api.get(f"{path}callbacks/"))
    return [(row["order_state"], row["state"], row["attempts"], row["last_status"]) for row in rows]


def test_each_state_is_told_once_in_order_and_signed(
    world: World, sold: dict[str, str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = order(world, sold, callback_url=f"{receiver.url}/hook?of=us")
    assert log_of(world, path) == []  # who places it is told by the answer
    ok(world.provider.api.post(f"{path}approve/"))
    later = NOW + timedelta(seconds=5)
    monkeypatch.setattr(clock, "now", lambda: later)
    run_order_jobs()
    assert log_of(world, path) == [("executing", "waiting", 0, None), ("done", "waiting", 0, None)]
    send()
    send()  # a job that runs twice sends nothing more
    assert log_of(world, path) == [("executing", "delivered", 1, 200), ("done", "delivered", 1, 200)]
    shown = ok(world.buyer.api.get(path))
    assert [json.loads(got.body) for got in receiver.requests] == [
        {
            "type": "order.state_changed",
            "timestamp": at,
            "data": {
                "order_uuid": shown["uuid"],
                "order_type": "Create",
                "state": state,
                "error_message": "",
                "rejection_comment": "",
                "marketplace_resource_uuid": shown["marketplace_resource_uuid"],
                "resource_name": "Our helper",
                "offering_uuid": shown["offering_uuid"],
                "project_uuid": shown["project_uuid"],
                "customer_uuid": shown["customer_uuid"],
            },
        }
        for state, at in (("executing", "2026-03-10T12:00:00Z"), ("done", "2026-03-10T12:00:05Z"))
    ]
    secret = ok(world.buyer.api.get(f"{path}callback_secret/"))["secret"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) == 32
    rows = ok(world.buyer.api.get(f"{path}callbacks/"))
    for got, row in zip(receiver.requests, rows, strict=True):
        stamp = int(later.timestamp())
        assert (got.path, got.headers["webhook-id"]) == ("/hook?of=us", row["uuid"])
        assert got.headers["webhook-timestamp"] == str(stamp)
        assert got.headers["webhook-signature"] == sign(key, row["uuid"], stamp, got.body)
        assert got.headers["content-type"] == "application/json"


def test_it_is_sent_outside_of_any_transaction(
    world: World, sold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = order(world, sold, callback_url="https://hooks.example.com/")
    ok(world.provider.api.post(f"{path}reject/", {"comment": "Not today."}))
    outside, sent = len(connection.savepoint_ids), []

    def post(url: str, body: bytes, *args: Any, **kwargs: Any) -> outgoing.Answer:
        assert len(connection.savepoint_ids) == outside  # the test's own transaction alone
        sent.append((url, json.loads(body)["data"]["state"], json.loads(body)["data"]["rejection_comment"]))
        return outgoing.Answer(204, b"")

    monkeypatch.setattr(outgoing, "post", post)
    send()
    assert sent == [("https://hooks.example.com/", "rejected", "Not today.")]
    assert log_of(world, path) == [("rejected", "delivered", 1, 204)]


def test_what_is_not_taken_is_sent_again_under_the_same_id(
    world: World, sold: dict[str, str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = order(world, sold, callback_url=receiver.url)
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    receiver.statuses = [500, 302, 429]
    for attempt in range(3):
        monkeypatch.setattr(clock, "now", lambda attempt=attempt: NOW + timedelta(minutes=attempt))
        with pytest.raises(tasks.NotDelivered):
            send()
    assert log_of(world, path) == [("canceled", "waiting", 3, 429)]
    send()
    assert log_of(world, path) == [("canceled", "delivered", 4, 200)]
    assert len({got.headers["webhook-id"] for got in receiver.requests}) == 1
    assert [int(got.headers["webhook-timestamp"]) - int(NOW.timestamp()) for got in receiver.requests] == [
        0,
        60,
        120,
        120,
    ]


def test_an_address_that_is_gone_is_left_alone_and_can_be_tried_again_by_hand(
    world: World, sold: dict[str, str], receiver: Receiver
) -> None:
    path = order(world, sold, callback_url=receiver.url)
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    (row,) = ok(world.buyer.api.get(f"{path}callbacks/"))
    again = f"{path}callbacks/{row['uuid']}/replay/"
    early = world.buyer.api.post(again)
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    receiver.statuses = [410]
    send()
    assert log_of(world, path) == [("canceled", "failed", 1, 410)]
    assert ok(world.buyer.api.post(again), 202)["state"] == "waiting"
    assert waiting() == [row["uuid"]] * 2
    send()
    assert log_of(world, path) == [("canceled", "delivered", 2, 200)]
    assert len(receiver.requests) == 2
    assert world.buyer.api.post(f"{path}callbacks/{'0' * 32}/replay/").status_code == 404


def test_after_the_last_try_it_is_given_up(world: World, sold: dict[str, str]) -> None:
    path = order(world, sold, callback_url="https://hooks.example.com/")
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    (callback_id,) = waiting()
    tasks._give_up_calling(error=tasks.NotDelivered("no"), callback_id=callback_id)
    assert log_of(world, path) == [("canceled", "failed", 0, None)]


@pytest.mark.parametrize(
    ("address", "state"), [("127.0.0.1", "failed"), ("10.0.0.7", "failed"), (None, "waiting")]
)
def test_a_name_that_leads_inside_when_it_is_called_gets_nothing(
    world: World,
    sold: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
    state: str,
) -> None:
    found = [address] if address else []
    usual = outgoing.post
    monkeypatch.setattr(outgoing, "post", functools.partial(usual, resolver=lambda *_: found))
    path = order(world, sold, callback_url="https://hooks.example.com/")
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    if address:
        send()
    else:
        with pytest.raises(tasks.NotDelivered):
            send()
    (row,) = ok(world.buyer.api.get(f"{path}callbacks/"))
    assert (row["state"], row["attempts"], row["last_status"]) == (state, 1, None)
    assert "hooks.example.com" in row["last_error"]


def test_what_does_not_happen_is_not_told(world: World, sold: dict[str, str]) -> None:
    path = order(world, sold, callback_url="https://hooks.example.com/")
    ok(world.operator.api.post(f"{OFFERINGS}{sold['offering']}/make_unavailable/"))
    assert world.provider.api.post(f"{path}approve/").status_code == 409
    assert (log_of(world, path), waiting()) == ([], [])


def test_an_order_without_address_tells_nobody(world: World, sold: dict[str, str]) -> None:
    path = order(world, sold)
    ok(world.provider.api.post(f"{path}approve/"))
    run_order_jobs()
    with tenancy.as_system("test"):
        assert OrderCallback.objects.count() == 0
    assert waiting() == []


def test_the_messages_are_the_buyer_s(world: World, sold: dict[str, str]) -> None:
    path = order(world, sold, callback_url="https://hooks.example.com/")
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    (row,) = ok(world.buyer.api.get(f"{path}callbacks/"))
    buyer = world.buyer.customer
    manager, support = member(buyer, Role.CUSTOMER_MANAGER), member(buyer, Role.CUSTOMER_SUPPORT)
    for part in ("callbacks/", "callback_secret/"):
        for api in (manager, world.operator.api):
            ok(api.get(f"{path}{part}"))
        for api in (support, world.provider.api, operator("is_support") if part == "callbacks/" else support):
            assert api.get(f"{path}{part}").status_code == 403
        assert world.stranger.api.get(f"{path}{part}").status_code == 404
    for api, status in ((support, 403), (world.provider.api, 403), (world.stranger.api, 404)):
        assert api.post(f"{path}callbacks/{row['uuid']}/replay/").status_code == status
    other = callbacks.secret_of(world.stranger.customer.id) if world.stranger.customer else b""
    assert buyer is not None and callbacks.secret_of(buyer.id) != other
