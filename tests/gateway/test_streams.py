"""Calls answered as server-sent events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.gateway.support import ScriptedRuntime, Store, World, call, issue, send, settings_for

from agentmart.config.database import DatabaseUrls
from agentmart.gateway.app import create_app


def stream(text: str) -> dict[str, object]:
    return {"input": text, "stream": True, "session_id": "s"}


async def test_tokens_come_as_they_are_made_and_usage_last(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, stream("count to three"), issued.key)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    *tokens, (last, usage) = answer.events()
    assert tokens == [("token", {"text": "count"}), ("token", {"text": " to"}), ("token", {"text": " three"})]
    assert last == "usage"
    assert usage.pop("elapsed_ms") >= 0
    assert usage == {
        "output": "count to three",
        "session_id": "s",
        "request_id": answer.headers["x-request-id"],
        "input_tokens": 11,
        "output_tokens": 7,
    }
    (event,) = await world.store.events()
    assert (event["id"], event["streamed"], event["requests"]) == (UUID(usage["request_id"]), True, 1)
    await world.settled()


async def test_the_accept_header_asks_for_events_too(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": "a"}, issued.key, accept="text/event-stream")
    assert [name for name, _ in answer.events()] == ["token", "usage"]
    answer = await call(world.app, {"input": "a", "stream": False}, issued.key, accept="text/event-stream")
    assert answer.json()["output"] == "a"


async def test_a_piece_is_out_before_the_next_is_made(world: World) -> None:
    issued = await world.issue()
    exchange = send(world.app, stream("hold the line"), issued.key)
    await exchange.until(lambda answer: b"token" in answer.body)
    assert exchange.answer.events() == [("token", {"text": "hold"})]
    assert await world.store.events() == []
    world.runtime.release.set()
    await exchange.task
    assert [name for name, _ in exchange.answer.events()] == ["token", "token", "token", "usage"]


async def test_usage_is_committed_before_the_last_byte(world: World) -> None:
    issued = await world.issue()
    for body in (stream("one two"), {"input": "one two"}):
        stored_at: list[tuple[bytes, int]] = []

        async def look(message: Any, seen: list[tuple[bytes, int]] = stored_at) -> None:
            seen.append((message.get("body", b""), len(await world.store.events())))

        exchange = send(world.app, body, issued.key)
        exchange.before_send = look
        await exchange.task
        before = len(await world.store.events()) - 1
        assert stored_at[-1][1] == before + 1
        assert exchange.answer.complete


async def test_a_failure_before_the_first_token_is_a_status(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, stream("fail timeout"), issued.key)
    assert (answer.status, answer.json()["code"]) == (504, "upstream_timeout")
    assert answer.headers["content-type"] == "application/json"


async def test_a_failure_later_is_an_event_and_the_usage_still_comes(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, stream("break crashed"), issued.key)
    assert answer.status == 200
    names = [name for name, _ in answer.events()]
    assert names == ["token", "token", "error", "usage"]
    error, usage = answer.events()[2][1], answer.events()[3][1]
    assert error == {
        "code": "upstream_error",
        "detail": "It broke off.",
        "request_id": answer.headers["x-request-id"],
    }
    (event,) = await world.store.events()
    assert (event["status"], event["error_code"], event["requests"]) == ("error", "crashed", 0)
    assert event["source"] == "counted"
    assert event["input_tokens"] == usage["input_tokens"] == 2
    assert event["output_tokens"] == usage["output_tokens"] == 2
    assert answer.complete
    await world.settled()


async def test_silence_is_broken_by_comments(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    runtime = ScriptedRuntime()
    app = create_app(settings_for(fresh_database, tmp_path, keep_alive=0.01), runtimes={"scripted": runtime})
    await app.startup()
    issued = issue()
    await store.publish(issued.grant)
    exchange = send(app, stream("hold on"), issued.key)
    await exchange.until(lambda answer: answer.body.count(b": keep-alive\n\n") >= 2)
    runtime.release.set()
    await exchange.task
    await app.shutdown()
    assert [name for name, _ in exchange.answer.events()] == ["token", "token", "usage"]


async def test_a_caller_who_takes_nothing_has_left(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    runtime = ScriptedRuntime()
    app = create_app(
        settings_for(fresh_database, tmp_path, send_timeout=0.05), runtimes={"scripted": runtime}
    )
    await app.startup()
    issued = issue()
    await store.publish(issued.grant)

    given_up = asyncio.Event()

    async def stall(_message: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    exchange = send(app, stream("hold the line"), issued.key)
    exchange.before_send = stall
    async with asyncio.timeout(5):
        await given_up.wait()
    runtime.release.set()
    await exchange.task
    await app.shutdown()
    (event,) = await store.events()
    assert (event["status"], event["requests"], event["output_tokens"]) == ("cancelled", 1, 3)
    assert runtime.ended == 1


async def test_a_large_answer_that_was_not_taken_is_not_delivered(world: World) -> None:
    issued = await world.issue()
    exchange = send(world.app, {"input": "word " * 20_000}, issued.key)

    async def break_at_the_end(message: Any) -> None:
        if message["type"] == "http.response.body" and not message["more_body"]:
            raise OSError("the connection broke before the buffer was empty")

    exchange.before_send = break_at_the_end
    await exchange.task
    (event,) = await world.store.events()
    assert (event["status"], event["source"], event["input_tokens"]) == ("ok", "counted", 20_001)
    assert await world.store.open_calls() == [event["id"]]
