"""Robust calls: each word of the promise is a test of that name here.

| word | test |
|---|---|
| deadlines end to end | `test_deadline_…` |
| the caller leaves: drained or stopped, and billed | `test_disconnect_drain`, `test_disconnect_cancel` |
| retries only where safe | `test_retry_only_where_safe` |
| circuit breaker per runtime | `test_circuit_breaker`; its rules alone in `test_robust_rules` |
| fallback runtime | `test_fallback_runtime` |
| idempotency keys | `test_idempotency_key`; all of it in `test_idempotency` |
| request size limit, header limits | `test_request_size_limit`, `test_header_limits` |
| slow loris | `test_slow_loris_head`, `test_slow_loris_body` |
| slow reader | `test_slow_reader` |
| backpressure | `test_backpressure` |
| graceful drain on SIGTERM | `test_graceful_drain_on_sigterm` |
| load shedding | `test_load_shedding`; its rule alone in `test_robust_rules` |
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.gateway.listening import Served, listening
from tests.gateway.support import (
    INVOKE,
    ScriptedRuntime,
    Store,
    World,
    call,
    eventually,
    get,
    issue,
    send,
    settings_for,
)
from tests.gateway.test_kill import Process

from agentmart.adapters.runtimes import RunEvent, RunRequest, RunResult, RuntimeFailure, Token
from agentmart.config.database import DatabaseUrls
from agentmart.contracts.grants import OnDisconnect
from agentmart.gateway import connection, runs, upstreams
from agentmart.gateway.app import create_app

Opened = Callable[..., AbstractAsyncContextManager[World]]
NOT_BEGUN = RuntimeFailure("unreachable", "Not there.", begun=False)
BROKEN = RuntimeFailure("unreachable", "It went away.")


@pytest.fixture
def opened(fresh_database: DatabaseUrls, store: Store, tmp_path: Path) -> Opened:
    """Opens gateways of other runtimes or settings than the usual."""

    @asynccontextmanager
    async def make(runtimes: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[World]:
        settings = settings_for(fresh_database, tmp_path, **changes)
        runtime = ScriptedRuntime()
        app = create_app(settings, runtimes=runtimes or {"scripted": runtime})
        await app.startup()
        yield World(app, runtime, store, settings.clock, settings)  # type: ignore[arg-type]
        runtime.release.set()
        await app.shutdown()

    return make


def failing(runtime: ScriptedRuntime, *failures: RuntimeFailure) -> None:
    """Let the runtime's next runs fail so, before they begin."""
    left = list(failures)

    async def before(_request: RunRequest) -> None:
        if left:
            raise left.pop(0)

    runtime.before = before


def request_of(key: str, content: dict[str, object]) -> bytes:
    """Return a call as it goes over the wire."""
    body = json.dumps(content).encode()
    head = f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


# -- deadlines


async def test_deadline_end_to_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "DEADLINE_GRACE", 0.05)
    issued = await world.issue()
    answer = await call(world.app, {"input": "hang"}, issued.key, x_request_timeout="2")
    assert (answer.status, answer.json()["code"]) == (504, "upstream_timeout")
    (asked,) = world.runtime.requests
    assert 0 < asked.timeout_seconds < 2, "the runtime is told what is left of the caller's time"
    assert world.runtime.ended == 1
    (event,) = await world.store.events()
    assert (event["status"], event["requests"]) == ("timeout", 0)


async def test_deadline_is_bounded_by_the_installations(world: World) -> None:
    issued = await world.issue()
    for given in ("9999", "10.5"):
        assert (await call(world.app, {"input": "a"}, issued.key, x_request_timeout=given)).status == 200
    assert [asked.timeout_seconds for asked in world.runtime.requests] == [10.0, 10.0]


async def test_deadline_over_before_the_run_costs_nothing(world: World) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": "a"}, issued.key, x_request_timeout="0.000000001")
    assert (answer.status, answer.json()["code"]) == (504, "upstream_timeout")
    assert world.runtime.requests == []
    assert await world.store.events() == []
    assert await world.store.open_calls() == []


@pytest.mark.parametrize("given", ["", "0", "\x1d2.5", "-1", "nan", "inf", "1e3", "soon", "1,5", "9" * 30])
async def test_deadline_that_is_none(world: World, given: str) -> None:
    issued = await world.issue()
    answer = await call(world.app, {"input": "a"}, issued.key, x_request_timeout=given)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["X-Request-Timeout"] == ["Give a positive number of seconds, as 2.5."]


# -- the caller leaves


async def left_in_the_middle(world: World, key: str, *, stream: bool) -> None:
    """Make a call, and leave once its run has begun."""
    exchange = send(world.app, {"input": "hold on tight", "stream": stream}, key)

    async def begun() -> bool:
        return bool(world.runtime.requests) and not world.runtime.ended

    await eventually(begun)
    if stream:
        await exchange.until(lambda answer: b"token" in answer.body)
    exchange.leave()

    async def seen() -> bool:
        return exchange.gone_seen

    await eventually(seen)
    world.runtime.release.set()
    await exchange.task


@pytest.mark.parametrize("stream", [False, True])
async def test_disconnect_drain(world: World, stream: bool) -> None:
    issued = await world.issue()
    await left_in_the_middle(world, issued.key, stream=stream)
    (event,) = await world.store.events()
    assert (event["status"], event["requests"], event["output_tokens"]) == ("cancelled", 1, 3)
    assert event["error_code"] == ""
    await world.settled()


@pytest.mark.parametrize("stream", [False, True])
async def test_disconnect_cancel(opened: Opened, stream: bool) -> None:
    async with opened() as world:
        issued = await world.issue(on_disconnect=OnDisconnect.CANCEL)
        exchange = send(world.app, {"input": "hold on tight", "stream": stream}, issued.key)

        async def begun() -> bool:
            return bool(world.runtime.requests)

        await eventually(begun)
        if stream:
            await exchange.until(lambda answer: b"token" in answer.body)
        exchange.leave()
        async with asyncio.timeout(5):
            await exchange.task  # nobody released the run: it was stopped

        async def metered() -> bool:
            return bool(await world.store.events())

        await eventually(metered)
        assert world.runtime.ended == 1
        (event,) = await world.store.events()
        assert (event["status"], event["requests"], event["error_code"]) == ("cancelled", 1, "caller_left")
        assert (event["source"], event["input_tokens"], event["output_tokens"]) == ("counted", 3, 1)
        await world.settled()


async def test_disconnect_cancel_keeps_no_answer_under_an_idempotency_key(opened: Opened) -> None:
    async with opened() as world:
        issued = await world.issue(on_disconnect=OnDisconnect.CANCEL)
        exchange = send(world.app, {"input": "hold on"}, issued.key, idempotency_key="k")

        async def begun() -> bool:
            return bool(world.runtime.requests)

        await eventually(begun)
        exchange.leave()
        await exchange.task

        async def metered() -> bool:
            return bool(await world.store.events())

        await eventually(metered)
        world.runtime.release.set()
        again = await call(world.app, {"input": "hold on"}, issued.key, idempotency_key="k")
        assert (again.status, again.json()["output"]) == (200, "hold on")
        assert "idempotent-replayed" not in again.headers


# -- retries, breaker, fallback


@pytest.mark.parametrize(
    ("failure", "asked", "status"),
    [
        (NOT_BEGUN, 2, 200),
        (BROKEN, 1, 503),  # it may have begun
        (RuntimeFailure("busy", "Full.", retryable=True, begun=False), 1, 503),  # once more would add to it
        (RuntimeFailure("crashed", "It died.", retryable=True), 1, 502),
        (RuntimeFailure("timeout", "Too long."), 1, 504),
        (RuntimeFailure("flow_error", "It failed."), 1, 502),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_retry_only_where_safe(
    world: World, failure: RuntimeFailure, asked: int, status: int, stream: bool
) -> None:
    issued = await world.issue()
    failing(world.runtime, failure)
    answer = await call(world.app, {"input": "a b", "stream": stream}, issued.key)
    assert (answer.status, len(world.runtime.requests)) == (status, asked)
    (event,) = await world.store.events()
    assert event["requests"] == int(status == 200)
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1


async def test_retry_is_one(world: World) -> None:
    issued = await world.issue()
    failing(world.runtime, *[NOT_BEGUN] * 3)
    assert (await call(world.app, {"input": "a"}, issued.key)).status == 503
    assert len(world.runtime.requests) == 2


async def circuit(world: World) -> float:
    """Return what the metric says of the runtime's breaker."""
    text = (await get(world.app, "/metrics", authorization="Bearer metrics")).body.decode()
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith('agentmart_gateway_runtime_circuit{runtime="scripted"}')
    ]
    return float(line.split()[-1])


async def test_circuit_breaker(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(upstreams, "monotonic", lambda: moment)
    async with opened(metrics_token="metrics") as world:
        issued = await world.issue()
        failing(world.runtime, *[BROKEN] * 6)
        for _ in range(5):
            assert (await call(world.app, {"input": "a"}, issued.key)).status == 503
        assert await circuit(world) == 2
        refused = await call(world.app, {"input": "a"}, issued.key)
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["extra"] == {"reason": "circuit_open", "retry_after": 2}
        assert len(world.runtime.requests) == 5, "an open circuit asks nobody"
        assert len(await world.store.events()) == 5, "and leaves nothing behind"
        moment += 2
        assert await circuit(world) == 1
        assert (await call(world.app, {"input": "a"}, issued.key)).status == 503  # the try fails
        assert (await call(world.app, {"input": "a"}, issued.key)).headers["retry-after"] == "4"
        moment += 4
        for _ in range(2):
            assert (await call(world.app, {"input": "a"}, issued.key)).status == 200
        assert await circuit(world) == 0


async def test_circuit_breaker_is_not_opened_by_flows_that_fail(opened: Opened) -> None:
    async with opened() as world:
        issued = await world.issue()
        for _ in range(10):
            assert (await call(world.app, {"input": "fail flow_error"}, issued.key)).status == 502
            assert (await call(world.app, {"input": "fail timeout"}, issued.key)).status == 504
        assert (await call(world.app, {"input": "a"}, issued.key)).status == 200


@pytest.mark.parametrize("code", ["unreachable", "busy", "not_deployed"])
async def test_fallback_runtime(opened: Opened, code: str) -> None:
    first, second = ScriptedRuntime(), ScriptedRuntime()
    runtimes = {"scripted": first, "other": second}
    async with opened(runtimes, fallbacks={"scripted": "other", "other": "other"}) as world:
        issued = await world.issue()
        failing(first, *[RuntimeFailure(code, "No.", begun=False)] * 2)
        answer = await call(world.app, {"input": "a b"}, issued.key)
        assert (answer.status, answer.json()["output"]) == (200, "a b")
        assert len(second.requests) == 1
        assert second.requests[0].deployment_id == issued.grant.deployment_id
        failing(first, BROKEN)  # this one may have begun
        assert (await call(world.app, {"input": "a b"}, issued.key)).status == 503
        assert len(second.requests) == 1
        assert sorted(event["requests"] for event in await world.store.events()) == [0, 1]


async def test_fallback_runtime_takes_over_while_the_circuit_is_open(opened: Opened) -> None:
    first, second = ScriptedRuntime(), ScriptedRuntime()
    async with opened({"scripted": first, "other": second}, fallbacks={"scripted": "other"}) as world:
        issued = await world.issue()
        failing(first, *[NOT_BEGUN] * 100)
        for _ in range(6):
            assert (await call(world.app, {"input": "a"}, issued.key)).status == 200
        assert len(first.requests) == 5
        assert len(second.requests) == 6


# -- idempotency keys


async def test_idempotency_key(world: World) -> None:
    issued = await world.issue()
    first, again = [
        await call(world.app, {"input": "count to three"}, issued.key, idempotency_key="order 66")
        for _ in range(2)
    ]
    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await world.store.events()) == len(world.runtime.requests) == 1


# -- what a client may send


async def test_request_size_limit(served: Served) -> None:
    issued = await served.world.issue()
    async with httpx.AsyncClient(base_url=served.url, headers={"X-API-Key": issued.key}) as client:
        body = {"content": b"x" * (1024 * 1024 + 1), "headers": {"Content-Type": "application/json"}}
        answer = await client.post(INVOKE, **body)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert served.world.runtime.requests == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_header_limits(served: Served, head: bytes) -> None:
    answer = await served.raw(head)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["request_id"]


async def drip(served: Served, data: bytes) -> bytes:
    """Send bytes one by one, never idle, and return what is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def send_slowly() -> None:
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(send_slowly())
    async with asyncio.timeout(10):
        answer = await reader.read()
    sending.cancel()
    writer.close()
    return answer


async def test_slow_loris_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    answer = await drip(served, b"GET /health HTTP/1.1\r\nX: " + b"x" * 2000)
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_slow_loris_body(opened: Opened) -> None:
    async with opened(body_timeout=0.2) as world, listening(world) as served:
        issued = await world.issue()
        whole = request_of(issued.key, {"input": "x" * 2000})
        answer = await drip(served, whole)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
        assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"] == "request_timeout"
        assert world.runtime.requests == []


# -- how a client may read


class Fountain(ScriptedRuntime):
    """Streams 400 pieces of 10,000 characters as fast as they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    async def stream(self, request: RunRequest) -> AsyncIterator[RunEvent]:
        """Yield the pieces."""
        self.requests.append(request)
        piece = "x" * 10_000
        for _ in range(400):
            self.made += 1
            yield Token(piece)
        self.ended += 1
        yield RunResult(piece * 400, None, 1)


def narrow(port: int) -> socket.socket:
    """Return a connection whose own side takes little before it is read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    return connection


async def test_slow_reader(opened: Opened) -> None:
    fountain = Fountain()
    async with (
        opened({"scripted": fountain}, send_timeout=0.3, buffered_output=50_000) as world,
        listening(world) as served,
    ):
        issued = await world.issue()
        connection = narrow(served.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, request_of(issued.key, {"input": "go", "stream": True}))

        async def metered() -> bool:
            return bool(await world.store.events())

        await eventually(metered, within=20)  # and nobody has read a byte
        assert fountain.made == 400
        (event,) = await world.store.events()
        assert (event["status"], event["requests"]) == ("cancelled", 1)
        assert event["output_tokens"] > 100_000, "the run was drained, and all of it is billed"
        connection.close()


async def test_backpressure(opened: Opened) -> None:
    fountain = Fountain()
    async with (
        opened({"scripted": fountain}, buffered_output=50_000) as world,
        listening(world) as served,
    ):
        issued = await world.issue()
        connection = narrow(served.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, request_of(issued.key, {"input": "go", "stream": True}))
        seen = -1
        while fountain.made != seen or not seen:  # until it stands still
            seen = fountain.made
            await asyncio.sleep(0.3)
        assert fountain.made < 400, "a reader who does not read stops the stream at its source"
        got = b""
        while b"event: usage" not in got[-200_000:] or not got.endswith(b"\n\n"):
            got += await loop.sock_recv(connection, 1 << 20)
            if got.endswith(b"0\r\n\r\n"):
                break
        assert fountain.made == 400
        assert got.count(b"event: token") == 400
        connection.close()

        async def metered() -> bool:
            return bool(await world.store.events())

        await eventually(metered)
        (event,) = await world.store.events()
        assert (event["status"], event["requests"]) == ("ok", 1)


# -- stop, and too much


async def test_graceful_drain_on_sigterm(fresh_database: DatabaseUrls, store: Store, tmp_path: Path) -> None:
    issued = issue()
    await store.publish(issued.grant)
    process = await asyncio.to_thread(Process, fresh_database.gateway, tmp_path)
    try:
        warm = await process.under_load(issued, 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(process.base.rpartition(":")[2]))
        idle_reader, idle_writer = await asyncio.open_connection(
            "127.0.0.1", int(process.base.rpartition(":")[2])
        )
        idle_writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await idle_reader.readuntil(b"\r\n\r\n")
        writer.write(request_of(issued.key, {"input": "pause 1.0 and go on"}))
        await writer.drain()

        async def begun() -> bool:
            return len(await store.open_calls()) >= 1

        await eventually(begun)
        await asyncio.sleep(0.2)
        process.popen.send_signal(signal.SIGTERM)
        answer = await reader.read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answer
        assert b"connection: close" in head.lower()
        assert json.loads(body)["output"] == "pause 1.0 and go on"
        await asyncio.gather(*warm)
        await idle_reader.read()  # an idle connection is closed
        assert idle_reader.at_eof()
        assert await asyncio.to_thread(process.popen.wait) in (0, -signal.SIGTERM)
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection("127.0.0.1", int(process.base.rpartition(":")[2]))
        writer.close()
        idle_writer.close()
    finally:
        process.popen.kill()
        process.popen.communicate()
    metered = {event["id"].hex for event in await store.events()}
    assert metered == {*process.answered, json.loads(body)["request_id"]}
    assert await store.open_calls() == []


async def test_graceful_drain_says_so_at_ready(opened: Opened) -> None:
    async with opened() as world:
        issued = await world.issue()
        exchange = send(world.app, {"input": "hold on"}, issued.key)

        async def begun() -> bool:
            return bool(world.runtime.requests)

        await eventually(begun)
        assert (await get(world.app, "/ready")).status == 200
        stopping = asyncio.create_task(world.app.shutdown())
        await asyncio.sleep(0)
        assert (await get(world.app, "/ready")).status == 503
        world.runtime.release.set()
        await exchange.task
        await stopping
        assert exchange.answer.status == 200


async def test_load_shedding(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr(runs, "monotonic", lambda: moment)
    async with opened(longest_wait=0.5) as world:
        issued = await world.issue()
        free = asyncio.Event()
        stored = world.app._writer.started

        async def slow(row: Any) -> None:
            await free.wait()
            await stored(row)

        monkeypatch.setattr(world.app._writer, "started", slow)
        waiting = [send(world.app, {"input": "a"}, issued.key) for _ in range(3)]

        async def inside() -> bool:
            return len(world.app._runs.shedder._waiting) == 3

        await eventually(inside)
        moment += 0.9
        late = send(world.app, {"input": "b"}, issued.key)  # a burst may wait that long

        async def let_in() -> bool:
            return len(world.app._runs.shedder._waiting) == 4

        await eventually(let_in)
        moment += 0.2
        refused = await call(world.app, {"input": "c"}, issued.key)
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["extra"]["reason"] == "overloaded"
        free.set()
        for exchange in (*waiting, late):
            await exchange.task
            assert exchange.answer.status == 200, "who is inside is served"
        assert (await call(world.app, {"input": "d"}, issued.key)).status == 200
        assert len(await world.store.events()) == 5
