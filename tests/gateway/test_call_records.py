"""An event says how its call went: what the answer began with, where the time went, how much came and left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.gateway.support import NOW, World, call, issue, send

from agentmart.adapters.runtimes import TokenUsage
from agentmart.contracts.usage import CallStatus
from agentmart.gateway.usage import Course, Outcome, event_of
from agentmart.kit.ids import uuid7


async def the_event(world: World) -> dict[str, Any]:
    (event,) = await world.store.events()
    return event


async def test_an_answer(world: World) -> None:
    issued = await world.issue()
    content = {"input": "count für mich"}
    assert (await call(world.app, content, issued.key)).status == 200
    event = await the_event(world)
    assert (event["http_status"], event["first_token_ms"]) == (200, None)
    assert event["bytes_in"] == len(json.dumps(content).encode())
    assert event["bytes_out"] == len("count für mich".encode())
    assert 0 <= event["queue_ms"] <= event["queue_ms"] + event["runtime_ms"] <= event["duration_ms"] + 1


async def test_a_stream(world: World) -> None:
    issued = await world.issue()
    assert (await call(world.app, {"input": "two words", "stream": True}, issued.key)).status == 200
    event = await the_event(world)
    assert event["http_status"] == 200
    assert event["queue_ms"] <= event["first_token_ms"] <= event["duration_ms"]


@pytest.mark.parametrize(
    ("text", "stream", "status"),
    [
        ("fail crashed", False, 502),
        ("fail crashed", True, 502),
        ("break flow_error", True, 200),  # two words had been sent
        ("break flow_error", False, 502),
    ],
)
async def test_a_failure(world: World, text: str, stream: bool, status: int) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": text, "stream": stream}, issued.key)
    assert (answer.status, (await the_event(world))["http_status"]) == (status, status)


async def test_a_caller_that_left_before_anything_was_answered(world: World) -> None:
    issued = await world.issue()
    exchange = send(world.app, {"input": "hold on"}, issued.key)
    while not world.runtime.requests:
        await exchange_turn()
    exchange.leave()
    while not exchange.gone_seen:
        await exchange_turn()
    world.runtime.release.set()
    await exchange.task
    event = await the_event(world)
    assert (event["status"], event["http_status"], event["bytes_out"]) == ("cancelled", None, len("hold on"))


async def exchange_turn() -> None:
    """Let the others go on."""
    await asyncio.sleep(0.002)


def test_the_model_is_told_as_the_runtime_named_it() -> None:
    def model_of(reported: TokenUsage | None) -> str:
        outcome = Outcome(CallStatus.OK, "x", reported)
        made = event_of(
            issue().grant,
            uuid7(NOW),
            outcome,
            text="x",
            streamed=False,
            duration_ms=1,
            received_at=NOW,
            course=Course(),
        )
        return made.model

    assert model_of(TokenUsage(1, 2, model="gpt-5-mini")) == "gpt-5-mini"
    assert model_of(TokenUsage(1, 2, model="x\0\n" * 200)) == "x" * 120
    assert model_of(TokenUsage(1, 2)) == model_of(None) == ""
