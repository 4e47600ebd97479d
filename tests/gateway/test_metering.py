"""No answered call is lost and none is counted twice: at speed, when callers leave, when the database goes away."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from tests.gateway.support import (
    NOW,
    Exchange,
    Issued,
    ScriptedRuntime,
    Store,
    World,
    call,
    eventually,
    issue,
    send,
    settings_for,
)

from agentmart.adapters.runtimes import RunRequest, RuntimeFailure, TokenUsage
from agentmart.config.database import DatabaseUrls
from agentmart.contracts.usage import CallStatus, Completed, UsageEvent
from agentmart.gateway.app import create_app
from agentmart.gateway.database import Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.spool import Spool, read_lines
from agentmart.gateway.usage import Outcome, event_of, started_of
from agentmart.gateway.writer import Batch, UsageWriter
from agentmart.kit.ids import uuid7

SUMS = ("events", "errors", "requests", "input_tokens", "output_tokens")


async def check_sums(store: Store) -> None:
    """The hourly sums are the events' own."""
    from_events = await store.run(
        """
        SELECT resource_id, date_trunc('hour', occurred_at, 'UTC') AS hour, plan_id AS plan_key, count(*) AS events,
               count(*) FILTER (WHERE status IN ('error', 'timeout')) AS errors, sum(requests)::bigint AS requests,
               sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens
        FROM metering_usage_event GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """
    )
    assert from_events
    assert [
        {name: row[name] for name in (*list(from_events[0]),)} for row in await store.hours()
    ] == from_events


async def test_200_calls_at_once_leave_one_event_each(world: World) -> None:
    keys = [await world.issue() for _ in range(4)]
    texts = ["count to three", "just words", "fail crashed", "break flow_error"]
    calls = [
        call(world.app, {"input": texts[i % 4], "stream": i % 3 == 0}, keys[i % 4 if i % 5 else 0].key)
        for i in range(200)
    ]
    answers = await asyncio.gather(*calls)
    ids = sorted(answer.headers["x-request-id"] for answer in answers)
    assert len(set(ids)) == 200
    events = await world.store.events()
    assert [event["id"].hex for event in events] == ids
    assert sum(event["requests"] for event in events) == 100
    await check_sums(world.store)
    await world.settled()


async def test_the_started_row_is_there_before_the_run(world: World) -> None:
    issued = await world.issue()
    seen: list[Any] = []

    async def look(request: Any) -> None:
        seen.append((request.call_id, await world.store.open_calls()))

    world.runtime.before = look
    await call(world.app, {"input": "a"}, issued.key)
    ((call_id, rows),) = seen
    assert [row.hex for row in rows] == [call_id]


async def test_a_gateway_that_dies_in_a_run_leaves_the_started_row(world: World) -> None:
    issued = await world.issue()
    exchange = send(world.app, {"input": "hold on"}, issued.key)
    await running(world.runtime, 1)
    # What a kill leaves is what is committed now.
    (row,) = await world.store.run("SELECT * FROM metering_call_started")
    assert row["key_id"] == issued.grant.key_id
    assert row["resource_id"] == issued.grant.resource_id
    assert row["customer_id"] == issued.grant.customer_id
    assert row["provider_customer_id"] == issued.grant.provider_customer_id
    assert await world.store.events() == []
    world.runtime.release.set()
    await exchange.task


async def running(runtime: ScriptedRuntime, calls: int) -> None:
    """Wait until so many runs have begun."""

    async def begun() -> bool:
        return len(runtime.requests) >= calls

    await eventually(begun)


async def finished(store: Store, exchange: Exchange) -> dict[str, Any]:
    """Wait for the exchange and return its event."""
    await exchange.task
    (event,) = await store.events()
    return event


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_is_drained_and_metered(world: World, stream: bool) -> None:
    issued = await world.issue()
    exchange = send(world.app, {"input": "hold on tight", "stream": stream}, issued.key)
    await running(world.runtime, 1)
    if stream:
        await exchange.until(lambda answer: b"token" in answer.body)
    exchange.leave()

    async def noticed() -> bool:
        return exchange.gone_seen

    await eventually(noticed)
    world.runtime.release.set()
    event = await finished(world.store, exchange)
    assert (event["status"], event["requests"], event["source"]) == ("cancelled", 1, "counted")
    assert (event["input_tokens"], event["output_tokens"]) == (3, 3)
    assert b"usage" not in exchange.answer.body
    assert world.runtime.ended == 1
    await world.settled()
    await check_sums(world.store)


async def test_an_answer_that_did_not_arrive_stays_open(world: World) -> None:
    issued = await world.issue()
    exchange = send(world.app, {"input": "a b"}, issued.key)

    async def leave(_message: Any) -> None:
        raise OSError("the connection broke")

    exchange.before_send = leave
    event = await finished(world.store, exchange)
    assert event["status"] == "ok"
    await call(
        world.app, {"input": "another"}, issued.key
    )  # its deletion is written after what the first had queued

    async def only_that() -> bool:
        return await world.store.open_calls() == [event["id"]]

    await eventually(only_that)


async def test_refused_calls_leave_nothing(world: World) -> None:
    issued = await world.issue()
    await call(world.app, {"input": ""}, issued.key)
    await call(world.app, {"input": "a"}, "ar_sk_live_a.b.c")
    await call(world.app, {"input": "a"}, issued.key, origin="https://a.example")
    await call(world.app, {"input": "ok"}, issued.key)
    assert len(await world.store.events()) == 1
    await world.settled()


async def test_no_database_no_run(world: World) -> None:
    issued = await world.issue()
    assert (await call(world.app, {"input": "a"}, issued.key)).status == 200
    await world.store.cut_off()
    answer = await call(world.app, {"input": "a"}, issued.key)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    await world.store.give_back()
    assert len(world.runtime.requests) == 1

    async def works_again() -> bool:
        return (await call(world.app, {"input": "a"}, issued.key)).status == 200

    await eventually(works_again)
    await check_sums(world.store)


async def test_usage_is_spooled_while_the_database_is_away(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    settings = settings_for(fresh_database, tmp_path, usage_wait=0.2)
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on"}, issued.key)
    await running(runtime, 1)
    await store.cut_off()
    runtime.release.set()
    await exchange.task
    assert exchange.answer.status == 200
    (spool,) = settings.spool_dir.glob("*.jsonl")
    assert exchange.answer.headers["x-request-id"] in spool.read_text().replace("-", "")
    await store.give_back()

    async def stored() -> bool:
        return len(await store.events()) == 1 and not spool.read_text()

    await eventually(stored)
    await app.shutdown()
    assert not spool.exists()
    assert await store.open_calls() == []
    await check_sums(store)


async def test_the_next_gateway_writes_what_a_dead_one_spooled(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    settings = settings_for(fresh_database, tmp_path, usage_wait=0.1)
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on"}, issued.key)
    await running(runtime, 1)
    await store.cut_off()
    runtime.release.set()
    await exchange.task
    await app.shutdown()  # the database is still away: the spool is all there is
    await store.give_back()
    assert await store.events() == []
    (spool,) = settings.spool_dir.glob("*.jsonl")
    spool.write_bytes(spool.read_bytes() * 2 + b'{"id": "torn')
    heir = create_app(settings, runtimes={"scripted": runtime})
    await heir.startup()

    async def stored() -> bool:
        return len(await store.events()) == 1 and not spool.exists()

    await eventually(stored)
    await heir.shutdown()
    await check_sums(store)
    assert [row.hex for row in await store.open_calls()] == [exchange.answer.headers["x-request-id"]]


async def test_usage_that_cannot_be_kept_anywhere_is_not_answered(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    settings = settings_for(fresh_database, tmp_path, usage_wait=0.1)
    settings.spool_dir.write_text("a file where the folder should be")
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on"}, issued.key)
    await running(runtime, 1)
    await store.cut_off()
    runtime.release.set()
    await exchange.task
    assert (exchange.answer.status, exchange.answer.json()["code"]) == (503, "unavailable")
    await store.give_back()

    async def stored() -> bool:
        return len(await store.events()) == 1

    await eventually(stored)  # the call ran; its started row stays open, for the sweeper to flag
    await app.shutdown()
    assert len(await store.open_calls()) == 1


async def test_shutdown_waits_for_calls_and_closes_them(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    runtime = ScriptedRuntime()
    app = create_app(settings_for(fresh_database, tmp_path), runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on"}, issued.key)
    await running(runtime, 1)
    end = asyncio.create_task(app.shutdown())
    runtime.release.set()
    await asyncio.gather(exchange.task, end)
    assert exchange.answer.status == 200
    assert len(await store.events()) == 1
    assert await store.open_calls() == []


async def test_a_call_that_outlives_the_grace_is_stopped_and_metered(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    runtime = ScriptedRuntime()
    settings = settings_for(fresh_database, tmp_path, shutdown_grace=0.05)
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on", "stream": True}, issued.key)
    await exchange.until(lambda answer: b"token" in answer.body)
    await app.shutdown()
    await exchange.task
    assert [name for name, _ in exchange.answer.events()] == ["token", "error", "usage"]
    (event,) = await store.events()
    assert (event["status"], event["error_code"], event["requests"]) == ("error", "stopped", 0)


async def publish(store: Store, **changes: Any) -> Issued:
    """Publish a new key's Grant."""
    issued = issue(**changes)
    await store.publish(issued.grant)
    return issued


async def test_no_more_calls_than_the_gateway_can_hold(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    runtime = ScriptedRuntime()
    app = create_app(settings_for(fresh_database, tmp_path, max_calls=1), runtimes={"scripted": runtime})
    await app.startup()
    issued = await publish(store)
    exchange = send(app, {"input": "hold on"}, issued.key)
    await running(runtime, 1)
    answer = await call(app, {"input": "a"}, issued.key)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    runtime.release.set()
    await exchange.task
    await app.shutdown()
    assert len(await store.events()) == 1


async def test_a_broken_grant_is_our_defect_not_a_way_in(world: World) -> None:
    issued = await world.issue()
    await world.store.run("UPDATE access_grant SET limits = '[]'")
    answer = await call(world.app, {"input": "a"}, issued.key)
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    await world.store.publish(replace(issued.grant, version=2))
    assert (await call(world.app, {"input": "a"}, issued.key)).status == 200


async def test_one_line_per_call_and_no_content_in_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    issued = await world.issue()
    with caplog.at_level("INFO", "agentmart.gateway"):
        answer = await call(world.app, {"input": "count sesame", "session_id": "hush"}, issued.key)
        await call(world.app, {"input": "fail crashed sesame"}, issued.key)
        await call(world.app, {"input": "bug sesame"}, issued.key + "x")
    lines = [record for record in caplog.records if record.message == "call"]
    assert [line.status for line in lines] == [200, 502, 401]
    first = lines[0]
    assert (first.key_id, first.config_id) == (issued.grant.key_id.hex, issued.grant.config_id.hex)
    assert (first.input_tokens, first.output_tokens, first.outcome) == (11, 7, "ok")
    assert (lines[1].code, lines[2].code) == ("upstream_error", "invalid_key")
    everything = " ".join(str(vars(record)) for record in caplog.records)
    for secret in ("sesame", "hush", issued.key, issued.key[20:60], "traceback", answer.json()["output"]):
        assert secret not in everything


async def test_a_call_given_up_before_it_began_leaves_nothing(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    """The started row waits in a batch that the database does not take yet; the call is cancelled meanwhile."""
    writer = UsageWriter(Database(fresh_database.gateway, timeout=2.0), Spool(tmp_path), wait=0.05)
    grant = issue().grant
    rows = [started_of(grant, uuid7(NOW), uuid7(NOW)) for _ in range(2)]
    cancelled = asyncio.create_task(writer.started(rows[0]))
    with pytest.raises(Unavailable):
        await writer.started(rows[1])  # the writer was not started: nothing is taken
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    writer.start()
    kept = started_of(grant, uuid7(NOW), uuid7(NOW))

    async def writes() -> bool:
        return writer.healthy

    await eventually(writes)
    await writer.started(kept)
    assert await store.open_calls() == [kept.call_id]
    await writer.close(timeout=5)


async def test_the_writer_goes_on_whatever_breaks(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement on a connection that was just ended may raise asyncpg's InternalClientError, or anything else."""
    writer = UsageWriter(Database(fresh_database.gateway, timeout=2.0), Spool(tmp_path), wait=5.0)
    writer.start()
    failures: list[Exception] = [
        asyncpg.InternalClientError("cannot switch to state 12"),
        KeyError("a defect"),
    ]
    store_batch = writer._store

    async def fail_first(batch: Batch) -> None:
        if failures:
            raise failures.pop()
        await store_batch(batch)

    monkeypatch.setattr(writer, "_store", fail_first)
    row = started_of(issue().grant, uuid7(NOW), uuid7(NOW))
    await writer.started(row)
    assert not failures
    assert await store.open_calls() == [row.call_id]
    await writer.close(timeout=5)


async def test_the_spool_is_kept_until_all_of_it_is_written(
    fresh_database: DatabaseUrls, tmp_path: Path
) -> None:
    writer = UsageWriter(Database(fresh_database.gateway, timeout=2.0), Spool(tmp_path), wait=0.01)
    outcome = Outcome(CallStatus.OK, "x")
    first, second = (
        Completed(
            event_of(
                issue().grant, uuid7(NOW), outcome, text="x", streamed=False, duration_ms=1, received_at=NOW
            )
        )
        for _ in range(2)
    )
    await writer.completed(first)  # the writer was not started: both go to the spool
    await writer.completed(second)
    (spool,) = tmp_path.glob("*.jsonl")
    assert read_lines(spool.read_bytes()) == ([first, second], [])
    await writer._unspool([first])
    assert read_lines(spool.read_bytes()) == ([first, second], [])
    await writer._unspool([second])
    assert spool.read_bytes() == b""
    await writer.close(timeout=1)


async def test_the_tokens_of_a_failed_run_are_billed_and_its_request_is_not(world: World) -> None:
    async def fail(request: RunRequest) -> None:
        raise RuntimeFailure("flow_error", "It failed.", usage=TokenUsage(21, 4))

    world.runtime.before = fail
    issued = await world.issue()
    assert (await call(world.app, {"input": "x"}, issued.key)).status == 502
    [event] = await world.store.events()
    found = (
        event["status"],
        event["requests"],
        event["input_tokens"],
        event["output_tokens"],
        event["source"],
    )
    assert found == ("error", 0, 21, 4, "runtime")


async def test_a_runtimes_strange_word_for_a_failure_costs_no_event(world: World) -> None:
    async def fail(request: RunRequest) -> None:
        raise RuntimeFailure("odd\0code", "It failed.")

    world.runtime.before = fail
    issued = await world.issue()
    assert (await call(world.app, {"input": "x"}, issued.key)).status == 502
    [event] = await world.store.events()
    assert event["error_code"] == "oddcode"


async def test_a_damaged_spool_holds_up_neither_the_start_nor_the_other_events(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    spool = Spool(tmp_path)
    for _ in range(2):
        await spool.append(Completed(_event()))
    spool.close()
    (path,) = tmp_path.glob("usage-*.jsonl")
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b'{"half": ', lines[1], b""]))
    writer = UsageWriter(Database(fresh_database.gateway, timeout=2.0), Spool(tmp_path), wait=5.0)
    writer.start()

    async def written() -> bool:
        return len(await store.events()) == 2 and not path.exists()

    await eventually(written)
    assert (tmp_path / "refused.jsonl").read_bytes() == b'{"half": \n'
    await writer.close(timeout=5)


async def test_an_event_the_database_refuses_is_set_aside_and_the_others_are_written(
    fresh_database: DatabaseUrls, store: Store, tmp_path: Path
) -> None:
    good, bad = Completed(_event()), Completed(replace(_event(), error_code="nul \0"))
    spool = Spool(tmp_path)
    for event in (bad, good):
        await spool.append(event)
    spool.close()
    (path,) = tmp_path.glob("usage-*.jsonl")
    writer = UsageWriter(Database(fresh_database.gateway, timeout=2.0), Spool(tmp_path), wait=5.0)
    writer.start()

    async def done() -> bool:
        return not path.exists()

    await eventually(done)
    assert [row["id"] for row in await store.events()] == [good.event.id]
    assert read_lines((tmp_path / "refused.jsonl").read_bytes()) == ([bad], [])
    with pytest.raises(
        Unavailable
    ):  # while it runs: the call is not answered, and nothing is spooled for ever
        await writer.completed(Completed(replace(bad.event, id=uuid7(NOW))))
    assert not list(tmp_path.glob("usage-*.jsonl"))
    await writer.close(timeout=5)


def _event() -> UsageEvent:
    return event_of(
        issue().grant,
        uuid7(NOW),
        Outcome(CallStatus.OK, "text"),
        text="hi",
        streamed=False,
        duration_ms=1,
        received_at=NOW,
    )


def test_a_spool_of_bare_events_is_read() -> None:
    event, call = _event(), Completed(_event(), keyed=True, answer=b"{}")
    lines = [msgspec.json.encode(event), msgspec.json.encode(call), b'{"event": 1}', b""]
    assert read_lines(b"\n".join(lines)) == ([Completed(event), call], [b'{"event": 1}'])


async def test_a_line_after_a_torn_one_is_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    events = [Completed(_event()) for _ in range(3)]
    await spool.append(events[0])
    with monkeypatch.context() as patch:  # a disk that takes half a line and then neither syncs nor truncates
        patch.setattr(os, "fdatasync", _broken)
        patch.setattr(os, "ftruncate", _broken)
        patch.setattr(os, "write", lambda file, line: len(line) + 0 * _write(file, line[:20]))
        with pytest.raises(OSError, match="broken"):
            await spool.append(events[1])
    await spool.append(events[2])
    (path,) = tmp_path.glob("usage-*.jsonl")
    found, unreadable = read_lines(path.read_bytes())
    assert (found, [len(line) for line in unreadable]) == ([events[0], events[2]], [20])
    spool.close()


_write = os.write


def _broken(*_: object) -> None:
    raise OSError("broken")
