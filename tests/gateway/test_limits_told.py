"""What callers are told of limits: headers on every answer once it is known who asks, and where the sums come from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.gateway.support import (
    NOW,
    ScriptedRuntime,
    StillClock,
    Store,
    World,
    call,
    eventually,
    get,
    make_grant,
    send,
    settings_for,
)

from agentmart.config.database import DatabaseUrls
from agentmart.contracts.grants import Budget, BudgetAction, Caps, GrantState, Limits
from agentmart.gateway.app import create_app
from agentmart.gateway.limit_headers import duration
from agentmart.gateway.limit_keeper import SUM_OF
from agentmart.kit.ids import uuid7, uuid7_floor

HELLO = {"input": "hello there"}
COUNT = {"input": "count to seven"}  # 11 and 7 tokens
APRIL = int((datetime(2026, 4, 1, tzinfo=UTC) - NOW).total_seconds())


def shown(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "limit" in name}


async def test_each_kind_has_its_headers(world: World) -> None:
    issued = await world.issue(limits=Limits(requests_per_minute=30, tokens_per_minute=600))
    answer = await call(world.app, COUNT, issued.key)
    assert answer.status == 200
    headers = shown(answer)
    assert headers["x-ratelimit-limit"] == headers["x-ratelimit-limit-requests"] == "30"
    assert headers["x-ratelimit-remaining"] == headers["x-ratelimit-remaining-requests"] == "29"
    assert headers["x-ratelimit-reset"] == "2"
    assert headers["x-ratelimit-reset-requests"] == "2s"
    assert headers["x-ratelimit-limit-tokens"] == "600"
    assert headers["x-ratelimit-remaining-tokens"] == "596"  # an estimate of 4 is held while it runs
    assert headers["x-ratelimit-reset-tokens"] == "1s"
    answer = await get(world.app, "/v1/models", authorization=f"Bearer {issued.key}")
    assert int(shown(answer)["x-ratelimit-remaining-tokens"]) in range(582, 590)  # charged: 18


async def test_refusals_carry_them_too(world: World) -> None:
    issued = await world.issue(limits=Limits(requests_per_minute=2, streaming=False))
    for body, status in ((b"{", 400), (json.dumps({**HELLO, "stream": True}).encode(), 403)):
        answer = await call(world.app, body, issued.key)
        assert answer.status == status
        assert shown(answer)["x-ratelimit-remaining-requests"] == "2"
    assert [(await call(world.app, HELLO, issued.key)).status for _ in range(3)] == [200, 200, 429]
    answer = await call(world.app, HELLO, issued.key)
    assert answer.headers["retry-after"] == "30"
    assert shown(answer)["x-ratelimit-remaining-requests"] == "0"
    answer = await call(world.app, HELLO, "ar_sk_live_a.b.c")
    assert (answer.status, shown(answer)) == (401, {})


async def test_tokens_used_up_are_refused_and_named(world: World) -> None:
    issued = await world.issue(limits=Limits(tokens_per_minute=20))
    assert (await call(world.app, COUNT, issued.key)).status == 200
    answer = await call(world.app, COUNT, issued.key)
    assert answer.status == 429
    assert answer.json()["code"] == "rate_limited"
    extra = answer.json()["extra"]
    assert (extra["limit"], extra["scope"], extra["value"]) == ("tokens_per_minute", "plan", 20)
    assert answer.headers["retry-after"] == str(extra["retry_after"])
    assert 1 <= extra["retry_after"] <= 6


async def test_from_four_fifths_of_a_sum_on_there_is_a_warning(world: World) -> None:
    issued = await world.issue(limits=Limits(requests_per_month=5, tokens_per_month=100))
    warnings = []
    for _ in range(5):
        answer = await call(world.app, COUNT, issued.key)
        warnings.append(shown(answer).get("x-limit-warning"))
    assert warnings == [
        None,
        None,
        None,  # 36 tokens used, 4 held
        "requests_per_month 80%",  # 4 of 5, 58 tokens
        "requests_per_month 100%",
    ]
    headers = shown(answer)
    assert headers["x-ratelimit-limit-requests"] == "5"
    assert headers["x-ratelimit-reset-requests"] == duration(APRIL)
    assert headers["x-ratelimit-reset"] == str(APRIL)
    answer = await call(world.app, COUNT, issued.key)
    assert (answer.status, answer.json()["extra"]["limit"]) == (429, "requests_per_month")
    assert answer.headers["retry-after"] == str(APRIL)
    assert shown(answer)["x-limit-warning"] == "requests_per_month 100%, tokens_per_month 90%"


async def test_a_budget_warns_and_stops(world: World) -> None:
    budget = Budget(Decimal("50.00"), "USD", BudgetAction.STOP, reached=80)
    issued = await world.issue(budget=budget)
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, shown(answer)) == (200, {"x-limit-warning": "budget 80%"})
    await world.store.publish(replace(issued.grant, state=GrantState.BUDGET_EXHAUSTED))

    async def stopped() -> bool:
        return (await call(world.app, HELLO, issued.key)).status == 402

    await eventually(stopped)
    answer = await call(world.app, HELLO, issued.key)
    assert answer.json()["code"] == "budget_exhausted"
    assert answer.json()["detail"]


async def test_places_are_freed_and_tokens_charged_when_a_stream_ends(world: World) -> None:
    issued = await world.issue(limits=Limits(concurrent_requests=1, tokens_per_minute=100))
    exchange = send(world.app, {"input": "hold on", "stream": True}, issued.key)
    await exchange.until(lambda answer: b"hold" in answer.body)
    answer = await call(world.app, HELLO, issued.key)
    assert (answer.status, answer.json()["extra"]["limit"]) == (429, "concurrent_requests")
    assert answer.headers["retry-after"] == "1"
    world.runtime.release.set()
    await exchange.task
    assert (await call(world.app, HELLO, issued.key)).status == 200


@pytest.fixture
async def narrow(fresh_database: DatabaseUrls, store: Store, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway whose runtime has one place."""
    settings = settings_for(fresh_database, tmp_path, places={"scripted": 1}, turn_patience=0.3)
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    assert isinstance(settings.clock, StillClock)
    yield World(app, runtime, store, settings.clock, settings)
    runtime.release.set()
    await app.shutdown()


async def test_where_places_are_short_calls_wait_in_turn(narrow: World) -> None:
    first, second = await narrow.issue(), await narrow.issue()
    running = send(narrow.app, {"input": "hold on", "stream": True}, first.key)
    await running.until(lambda answer: b"hold" in answer.body)
    answer = await call(narrow.app, HELLO, second.key)
    assert (answer.status, answer.json()["extra"]["reason"]) == (503, "no_place")
    assert int(answer.headers["retry-after"]) >= 1
    waiting = send(narrow.app, HELLO, second.key)
    await asyncio.sleep(0.05)
    narrow.runtime.release.set()
    await running.task
    await waiting.task
    assert waiting.answer.status == 200
    assert (await call(narrow.app, HELLO, first.key)).status == 200
    await narrow.settled()
    assert len(await narrow.store.events()) == 3  # the one that was refused cost nothing


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (176_403, "49h0m3s")]
)
def test_durations_are_written_as_openai_does(seconds: int, text: str) -> None:
    assert duration(seconds) == text


async def test_the_sums_of_a_month_by_scope(world: World, fresh_database: DatabaseUrls) -> None:
    """Two keys of a resource, another resource of the customer, another customer of the offering."""
    here = make_grant()
    mine = replace(here, key_id=uuid4())
    other = replace(here, key_id=uuid4(), resource_id=uuid4(), offering_id=uuid4())
    elsewhere = replace(here, key_id=uuid4(), resource_id=uuid4(), customer_id=uuid4())
    for grant, calls in ((here, 1), (mine, 2), (other, 4), (elsewhere, 8)):
        await world.store.publish(grant)
        for number in range(calls):
            await _write(world, grant, NOW - timedelta(days=number))
            await _write(world, grant, NOW - timedelta(days=40))  # another month
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    gateway = await asyncpg.connect(fresh_database.gateway)
    try:
        rows = {
            "plan": await gateway.fetchrow(SUM_OF["plan"], here.resource_id, march, april),
            "customer": await gateway.fetchrow(SUM_OF["customer"], here.customer_id, march, april),
            "agent": await gateway.fetchrow(SUM_OF["agent"], here.offering_id, march, april),
            "key": await gateway.fetchrow(
                SUM_OF["key"], mine.key_id, uuid7_floor(march), uuid7_floor(april), mine.resource_id
            ),
        }
    finally:
        await gateway.close()
    assert {scope: tuple(row) for scope, row in rows.items()} == {
        "plan": (3, 30),
        "customer": (7, 70),
        "agent": (11, 110),
        "key": (2, 20),
    }


async def _write(world: World, grant: Any, at: datetime) -> None:
    ids = (grant.customer_id, grant.provider_customer_id, grant.resource_id, grant.offering_id)
    await world.store.run(
        "INSERT INTO metering_usage_event (id, customer_id, provider_customer_id, resource_id, offering_id, "
        "project_id, key_id, occurred_at, received_at, status, requests, input_tokens, output_tokens, source, "
        "duration_ms, streamed, error_code, meters) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 'ok', 1, 4, 6, "
        "'runtime', 5, false, '', '{}')",
        uuid7(at),
        *ids,
        grant.project_id,
        grant.key_id,
        at,
    )
    await world.store.run(
        "INSERT INTO metering_usage_hour AS total (resource_id, hour, plan_key, customer_id, provider_customer_id, "
        "offering_id, project_id, events, errors, requests, input_tokens, output_tokens) VALUES "
        "($1, date_trunc('hour', $2::timestamptz, 'UTC'), $3, $4, $5, $6, $7, 1, 0, 1, 4, 6) "
        "ON CONFLICT (resource_id, hour, plan_key) DO UPDATE SET requests = total.requests + 1, "
        "input_tokens = total.input_tokens + 4, output_tokens = total.output_tokens + 6",
        grant.resource_id,
        at,
        grant.plan_id,
        grant.customer_id,
        grant.provider_customer_id,
        grant.offering_id,
        grant.project_id,
    )


async def test_a_keys_month_is_counted_from_its_calls(world: World) -> None:
    issued = await world.issue(
        key_limits=Limits(requests_per_month=2), limits=Limits(agent=Caps(requests_per_month=9))
    )
    await _write(world, issued.grant, NOW - timedelta(days=1))
    assert [(await call(world.app, HELLO, issued.key)).status for _ in range(2)] == [200, 429]
