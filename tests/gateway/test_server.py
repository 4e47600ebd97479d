"""The gateway behind its real server, over sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.gateway.listening import Served
from tests.gateway.support import INVOKE, eventually

from agentmart.gateway import connection
from agentmart.gateway.http import JSON


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
        yield client


async def test_calls_and_streams(served: Served, client: httpx.AsyncClient) -> None:
    issued = await served.world.issue()
    headers = {"Authorization": f"Bearer {issued.key}"}
    answer = await client.post(INVOKE, json={"input": "héllo wörld"}, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["output"] == "héllo wörld"
    assert "server" not in answer.headers
    assert "date" not in answer.headers
    lines = []
    body = {"input": "héllo wörld", "stream": True}
    async with client.stream("POST", INVOKE, json=body, headers=headers) as stream:
        lines = [line async for line in stream.aiter_lines() if line.startswith("data: ")]
    assert [json.loads(line[6:]).get("text") for line in lines] == ["héllo", " wörld", None]
    assert [event["status"] for event in await served.world.store.events()] == ["ok", "ok"]
    await served.world.settled()


async def test_head_and_options(client: httpx.AsyncClient) -> None:
    answer = await client.head("/health")
    assert (answer.status_code, answer.content) == (200, b"")
    answer = await client.options(INVOKE)
    assert (answer.status_code, answer.headers["allow"]) == (204, "OPTIONS, POST")
    answer = await client.request("TRACE", "/health")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_errors_have_a_body_and_a_request_id(client: httpx.AsyncClient) -> None:
    answer = await client.post(INVOKE, json={"input": "x"})
    assert answer.status_code == 401
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_is_metered(served: Served, stream: bool) -> None:
    world = served.world
    issued = await world.issue()
    body = json.dumps({"input": "hold on tight", "stream": stream}).encode()
    head = (
        f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {issued.key}\r\nContent-Type: {JSON}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head.encode() + body)
    if stream:
        await reader.readuntil(b"event: token")

    async def begun() -> bool:
        return len(world.runtime.requests) == 1

    await eventually(begun)
    writer.transport.abort()

    async def noticed() -> bool:
        (run,) = world.app._runs._tasks
        return bool(run.get_coro().cr_frame.f_locals["self"].caller_left)

    await eventually(noticed)
    world.runtime.release.set()

    async def metered() -> bool:
        return len(await world.store.events()) == 1

    await eventually(metered)
    (event,) = await world.store.events()
    assert (event["status"], event["requests"], event["output_tokens"]) == ("cancelled", 1, 3)
    await world.settled()


async def test_a_large_body_gets_its_refusal(served: Served, client: httpx.AsyncClient) -> None:
    issued = await served.world.issue()
    headers = {"X-API-Key": issued.key, "Content-Type": JSON}
    answer = await client.post(INVOKE, content=b"x" * (3 * 1024 * 1024), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    huge = f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {issued.key}\r\nContent-Length: {10**12}\r\n\r\n"
    refused = await served.raw(huge.encode())
    assert refused.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in refused.lower()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET /health HTTP/1.1\r\nX: " + b"x" * 40_000, 431),  # never complete
        (b"nonsense\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx", 400),
    ],
)
async def test_heads_that_are_refused(served: Served, head: bytes, status: int) -> None:
    answer = await served.raw(head)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert set(json.loads(answer.rpartition(b"\r\n\r\n")[2])) == {"detail", "code", "request_id"}


async def test_a_head_that_does_not_come_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    for beginning in (b"", b"GET /health HTTP/1.1\r\nX-Slow"):
        assert (await served.raw(beginning)).startswith(b"HTTP/1.1 408 ")


async def test_a_slow_answer_is_not_a_slow_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    issued = await served.world.issue()
    body = b'{"input": "hold on"}'
    head = (
        f"POST {INVOKE} HTTP/1.1\r\nHost: x\r\nX-API-Key: {issued.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head.encode() + body + b"GET /hea")  # and the beginning of another request behind it
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await reader.read(1)
    served.world.runtime.release.set()
    writer.write(b"lth HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        rest = await reader.read()
    assert rest.count(b"x-request-id") == 2
    writer.close()


async def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    requests = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await served.raw(requests)
    assert answer.index(b"HTTP/1.1 200") < answer.index(b"HTTP/1.1 404")


async def test_an_idle_connection_is_not_a_slow_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for _ in range(2):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in await reader.readuntil(b"}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1)
    writer.close()
