"""The same Idempotency-Key: one run, one charge, the same answer for a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.gateway.support import INVOKE, NOW, World, call, eventually, send

from agentmart.contracts.grants import Limits
from agentmart.gateway.idempotency import KEPT

HELLO = {"input": "hello there", "session_id": "s"}


async def ask(world: World, key: str, body: Any = HELLO, name: str = "k1", **options: Any) -> Any:
    return await call(world.app, body, key, idempotency_key=name, **options)


async def test_the_same_key_gives_the_same_answer_and_one_charge(world: World) -> None:
    issued = await world.issue()
    first = await ask(world, issued.key)
    again = await ask(world, issued.key)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert len(await world.store.events()) == len(world.runtime.requests) == 1


async def test_what_is_kept_is_not_to_be_read_without_the_key(world: World) -> None:
    issued = await world.issue()
    await ask(world, issued.key, name="only the caller knows")
    [row] = await world.store.run("SELECT * FROM access_idempotent_call")
    assert all(b"hello" not in value for value in row.values() if isinstance(value, bytes))
    await world.store.run("UPDATE access_idempotent_call SET answer = 'spoilt, and long enough'::bytea")
    lost = await ask(world, issued.key, name="only the caller knows")
    assert (lost.status, lost.json()["code"]) == (409, "idempotency_answer_lost")
    assert len(world.runtime.requests) == 1


async def test_another_key_or_none_runs_again(world: World) -> None:
    issued = await world.issue()
    for name in ("k1", "k2"):
        await ask(world, issued.key, name=name)
    await call(world.app, HELLO, issued.key)
    assert len(await world.store.events()) == 3


async def test_another_agent_s_key_is_another_key(world: World) -> None:
    for _ in range(2):
        issued = await world.issue()
        assert "idempotent-replayed" not in (await ask(world, issued.key)).headers
    assert len(await world.store.events()) == 2


async def test_a_test_s_answer_is_not_given_to_a_call_that_is_billed(world: World) -> None:
    test = await world.issue(environment="test")
    same = {name: getattr(test.grant, name) for name in ("config_id", "customer_id", "resource_id")}
    live = await world.issue(**same)
    for issued in (test, live):
        assert "idempotent-replayed" not in (await ask(world, issued.key)).headers
    other = await world.issue(**same)
    assert (await ask(world, other.key)).headers["idempotent-replayed"] == "true"  # one agent, both live
    assert {event["key_id"] for event in await world.store.events()} == {test.grant.key_id, live.grant.key_id}


@pytest.mark.parametrize(
    "changes",
    [{"body": {"input": "other"}}, {"path": INVOKE.rstrip("/")}, {"body": {**HELLO, "stream": True}}],
)
async def test_the_same_key_for_another_request_is_refused(world: World, changes: dict[str, Any]) -> None:
    issued = await world.issue()
    await ask(world, issued.key)
    refused = await ask(world, issued.key, **changes)
    assert (refused.status, refused.json()["code"]) == (409, "idempotency_mismatch")
    assert len(await world.store.events()) == 1


async def test_a_call_under_way_is_not_begun_twice(world: World) -> None:
    issued = await world.issue()
    body = {"input": "hold on"}
    first = send(world.app, body, issued.key, idempotency_key="k1")

    async def running() -> bool:
        return len(world.runtime.requests) == 1

    await eventually(running)
    second = await ask(world, issued.key, body)
    assert (second.status, second.json()["code"]) == (409, "idempotency_in_progress")
    assert second.headers["retry-after"] == "1"
    world.runtime.release.set()
    await first.task
    assert (await ask(world, issued.key, body)).body == first.answer.body
    assert len(await world.store.events()) == 1


async def test_of_many_at_once_one_runs(world: World) -> None:
    issued = await world.issue()
    answers = await asyncio.gather(*(ask(world, issued.key) for _ in range(32)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.body for answer in answers if answer.status == 200}) == 1
    assert all(a.json()["code"] == "idempotency_in_progress" for a in answers if a.status == 409)
    assert len(await world.store.events()) == len(world.runtime.requests) == 1


async def test_an_answer_whose_caller_left_is_given_on_repetition(world: World) -> None:
    issued = await world.issue()
    body = {"input": "hold on", "stream": True}
    first = send(world.app, body, issued.key, idempotency_key="k1")
    await first.until(lambda answer: b"hold" in answer.body)
    first.leave()
    world.runtime.release.set()
    await first.task

    async def metered() -> bool:
        return len(await world.store.events()) == 1

    await eventually(metered)
    again = await ask(world, issued.key, body)
    assert [name for name, _ in again.events()] == ["token", "usage"]
    assert again.events()[0][1] == {"text": "hold on"}
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await world.store.events()) == 1


async def test_a_failed_run_frees_its_key(world: World) -> None:
    issued = await world.issue()
    for _ in range(2):
        failed = await ask(world, issued.key, {"input": "fail flow_error"})
        assert (failed.status, failed.json()["code"]) == (502, "upstream_error")
    assert len(world.runtime.requests) == 2
    assert (await ask(world, issued.key)).status == 200  # for another request even


async def test_a_call_that_was_refused_frees_its_key(world: World) -> None:
    issued = await world.issue(limits=Limits(concurrent_requests=1))
    held = send(world.app, {"input": "hold on"}, issued.key)

    async def running() -> bool:
        return len(world.runtime.requests) == 1

    await eventually(running)
    assert (await ask(world, issued.key)).status == 429
    world.runtime.release.set()
    await held.task
    assert (await ask(world, issued.key)).status == 200


async def test_a_repetition_costs_no_limit(world: World) -> None:
    issued = await world.issue(limits=Limits(requests_per_minute=1))
    assert (await ask(world, issued.key)).status == 200
    assert (await ask(world, issued.key)).status == 200
    assert (await ask(world, issued.key, name="k2")).status == 429


async def test_a_key_may_be_used_again_after_a_day(world: World) -> None:
    issued = await world.issue()
    first = await ask(world, issued.key)
    world.clock.moment = NOW + KEPT - timedelta(seconds=1)
    assert (await ask(world, issued.key)).body == first.body
    world.clock.moment = NOW + KEPT
    again = await ask(world, issued.key)
    assert "idempotent-replayed" not in again.headers
    assert len(await world.store.events()) == 2


async def test_the_key_of_a_dead_gateway_s_call_is_taken_over_in_time(world: World) -> None:
    issued = await world.issue()
    body = {"input": "hang"}
    first = send(world.app, body, issued.key, idempotency_key="k1")

    async def running() -> bool:
        return len(world.runtime.requests) == 1

    await eventually(running)
    world.clock.moment = NOW + timedelta(seconds=world.settings.run_timeout + 60)
    assert (await ask(world, issued.key, HELLO)).json()["code"] == "idempotency_mismatch"
    world.clock.moment += timedelta(milliseconds=1)
    assert (await ask(world, issued.key, HELLO)).status == 200
    first.leave()
    first.task.cancel()


@pytest.mark.parametrize("name", ["", "x" * 256, "tab\there", "ümlaut"])
async def test_what_is_no_key(world: World, name: str) -> None:
    issued = await world.issue()
    refused = await ask(world, issued.key, name=name)
    assert (refused.status, refused.json()["extra"]) == (400, {"field": "Idempotency-Key"})
    assert world.runtime.requests == []


async def test_the_openai_forms_repeat_too(world: World) -> None:
    issued = await world.issue(model="helper")
    body = {"model": "helper", "messages": [{"role": "user", "content": "hi there"}], "stream": True}
    options = {"path": "/v1/chat/completions", "idempotency_key": "k1"}
    first = await call(world.app, body, issued.key, **options)
    again = await call(world.app, body, issued.key, **options)
    assert (first.status, again.status) == (200, 200)
    told = [line for line in again.body.decode().split("\n\n") if line]
    assert told[-1] == "data: [DONE]"
    assert '"content":"hi there"' in told[1]
    assert len(await world.store.events()) == 1


async def test_without_the_database_nothing_is_claimed(world: World) -> None:
    issued = await world.issue()
    await ask(world, issued.key, name="warm")
    await world.store.cut_off()
    try:
        refused = await ask(world, issued.key)
    finally:
        await world.store.give_back()
    assert refused.status == 503
    assert len(world.runtime.requests) == 1
