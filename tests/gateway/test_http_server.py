"""Our own HTTP server by itself: framing, order, bounds, leaving and draining, with an application that only echoes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmart.gateway import connection
from agentmart.gateway.http import CallerLeft, Exchange, Reply, json_reply
from agentmart.gateway.server import Server
from agentmart.kit.errors import DomainError

LIMIT = 1000


class Echo:
    """Answers with what it was sent; some paths do something else."""

    send_timeout = 0.3

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.left: list[str] = []
        self.gone: list[str] = []
        self.served: list[str] = []
        self.body_timeout = 5.0

    def new_call_id(self) -> UUID:
        """An id."""
        return uuid4()

    async def startup(self) -> None:
        """Nothing."""

    async def shutdown(self, grace: float | None = None) -> None:
        """Nothing."""

    async def serve(self, exchange: Exchange) -> None:
        """Answer."""
        self.served.append(f"{exchange.method} {exchange.path}")
        try:
            await self._answer(exchange)
        except DomainError as error:
            await exchange.refuse(error)
        except CallerLeft:
            pass
        if exchange.gone:
            self.gone.append(exchange.path)

    async def _answer(self, exchange: Exchange) -> None:
        if exchange.path == "/unread":
            await exchange.reply(json_reply(401, {}))
            return
        body = await exchange.read_body(LIMIT, self.body_timeout)
        if exchange.path == "/wait":
            exchange.watch(lambda: self.left.append(exchange.path))
            await self.gate.wait()
        if exchange.path == "/stream":
            for piece in (b"one", b"", b"two"):
                await exchange.stream(piece)
            await exchange.stream(b"three", last=True)
            return
        if exchange.path == "/big":
            await exchange.reply(Reply(200, b"x" * 50_000_000))
            return
        if exchange.path == "/inject":
            await exchange.reply(Reply(200, b"{}", headers=(("X-Told", "a\r\nSet-Cookie: evil\n"),)))
            return
        content = {
            "path": exchange.path,
            "method": exchange.method,
            "body": body.decode("latin-1"),
            "x": exchange.headers("x"),
        }
        await exchange.reply(json_reply(200, content))


class Served:
    """The application on a port."""

    def __init__(self, app: Echo, server: Server) -> None:
        self.app = app
        self.server = server

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection."""
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def raw(self, data: bytes, *, pieces: int = 0) -> bytes:
        """All that comes for these bytes until the server closes."""
        reader, writer = await self.open()
        for start in range(0, len(data), pieces or len(data)):
            writer.write(data[start : start + (pieces or len(data))])
            await writer.drain()
            if pieces:
                await asyncio.sleep(0)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The application, listening."""
    app = Echo()
    server = Server(app, shutdown_grace=2)
    await server.start("127.0.0.1")
    yield Served(app, server)
    app.gate.set()
    await server.stop()


def post(body: bytes, path: str = "/echo", *more: str) -> bytes:
    """A request that is the connection's last."""
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def bodies(answer: bytes) -> list[Any]:
    """The JSON bodies of answers with a length."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        found.append(json.loads(rest[:length] or b"null"))
        answer = rest[length:]
    return found


def status(answer: bytes) -> int:
    """The first answer's status."""
    return int(answer.split(b" ", 2)[1])


# -- framing


@pytest.mark.parametrize("pieces", [0, 1, 7])
async def test_a_request_however_it_is_cut(served: Served, pieces: int) -> None:
    (content,) = bodies(await served.raw(post(b"h\xe9llo"), pieces=pieces))
    assert content == {"path": "/echo", "method": "POST", "body": "h\xe9llo", "x": []}


async def test_a_chunked_body_and_its_trailers(served: Served) -> None:
    chunks = b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX: trailer\r\nAuthorization: evil\r\n\r\n"
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nX: head\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    (content,) = bodies(await served.raw(head + chunks))
    assert (content["body"], content["x"]) == ("abcde", ["head"])


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 5x",
        b"Content-Length : 5",
        b"Content-Length: 99999999999999999999999",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: x",
        b"Transfer-Encoding : chunked",
        b"X: a\r\n folded: b",
        b"X: a\0b",
        b"X\0: a",
        b"X: a\rY: b",
        b" X: a",
        b": nameless",
        b"Host: other",
    ],
)
async def test_heads_by_which_requests_are_smuggled(served: Served, lines: bytes) -> None:
    inner = b"GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"
    answer = await served.raw(
        b"POST /outer HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n\r\n" + b"0\r\n\r\n" + inner
    )
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "GET /inner" not in served.app.served


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        (b"GET /a%20b%2Fc?x=%41#f HTTP/1.1", "/a b/c"),
        (b"GET http://h/path?query HTTP/1.1", "/path"),
        (b"GET /?q HTTP/1.1", "/"),
        (b"OPTIONS * HTTP/1.1", "*"),
    ],
)
async def test_paths(served: Served, request_line: bytes, expected: str) -> None:
    (content,) = bodies(await served.raw(request_line + b"\r\nHost: h\r\nConnection: close\r\n\r\n"))
    assert content["path"] == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET \xff HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n", 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),  # TLS
    ],
)
async def test_heads_that_cannot_be_served(served: Served, head: bytes, expected: int) -> None:
    answer = await served.raw(head)
    assert status(answer) in (expected, 400)
    assert set(bodies(answer)[0]) == {"detail", "code", "request_id"}


async def test_old_clients(served: Served) -> None:
    answer = await served.raw(b"GET /old HTTP/1.0\r\n\r\n")
    assert bodies(answer)[0]["path"] == "/old"
    assert b"connection: close" in answer
    stream = await served.raw(b"GET /stream HTTP/1.0\r\n\r\n")
    assert stream.endswith(b"\r\n\r\nonetwothree")
    reader, writer = await served.open()
    for _ in range(2):
        writer.write(b"GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"connection: keep-alive" in await reader.readuntil(b"}")
    writer.close()


async def test_a_stream_is_chunked_and_told_at_once(served: Served) -> None:
    answer = await served.raw(post(b"", "/stream"))
    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")


async def test_head_has_no_body(served: Served) -> None:
    answer = await served.raw(b"HEAD /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert re.search(rb"content-length: [1-9]", answer)
    assert answer.endswith(b"\r\n\r\n")
    stream = await served.raw(b"HEAD /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert stream.endswith(b"\r\n\r\n")


async def test_a_value_cannot_begin_another_header(served: Served) -> None:
    answer = await served.raw(post(b"", "/inject"))
    assert b"x-told: a  Set-Cookie: evil \r\n" in answer
    assert b"\nSet-Cookie" not in answer


# -- one answer after the other


async def test_pipelined_requests_are_answered_in_their_order(served: Served) -> None:
    reader, writer = await served.open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(20)) + post(b"last"))
    await asyncio.sleep(0.05)
    assert served.app.served == ["GET /wait"]
    served.app.gate.set()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert [one["path"] for one in bodies(answer)] == ["/wait", *(f"/{n}" for n in range(20)), "/echo"]
    writer.close()


async def test_only_so_many_requests_wait(served: Served) -> None:
    reader, writer = await served.open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n" + b"GET /n HTTP/1.1\r\nHost: h\r\n\r\n" * 500)
    served.app.gate.set()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert len(bodies(answer)) == 1 + connection.MAX_WAITING
    writer.close()


async def test_junk_behind_a_request_does_not_disturb_its_answer(served: Served) -> None:
    reader, writer = await served.open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\njunk\r\n\r\n")
    await asyncio.sleep(0.05)
    served.app.gate.set()
    async with asyncio.timeout(5):
        first, second = bodies(await reader.read())
    assert (first["path"], second["code"]) == ("/wait", "bad_request")
    writer.close()


async def test_another_protocol_is_not_spoken(served: Served) -> None:
    wish = b"GET /plain HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = await served.raw(wish + b"whatever")
    assert bodies(answer)[0]["path"] == "/plain"
    assert b"connection: close" in answer


# -- bodies


async def test_who_asks_is_told_to_go_on(served: Served) -> None:
    reader, writer = await served.open()
    writer.write(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hi")
    assert b'"body":"hi"' in await reader.readuntil(b"}")
    writer.close()


async def test_who_is_refused_is_not_told_to_go_on(served: Served) -> None:
    head = b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    answer = await served.raw(head)
    assert status(answer) == 401
    assert b"connection: close" in answer


async def test_a_body_that_nobody_reads_is_skipped(served: Served) -> None:
    reader, writer = await served.open()
    writer.write(b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n")
    assert await reader.readuntil(b"}")
    writer.write(bytes(300_000) + post(b"next"))
    async with asyncio.timeout(5):
        assert bodies(await reader.read())[0]["body"] == "next"
    writer.close()


async def test_a_body_is_bounded(served: Served) -> None:
    answer = await served.raw(post(bytes(LIMIT + 1)))
    assert status(answer) == 413
    assert bodies(answer)[0]["extra"] == {"limit": "body_bytes", "value": LIMIT}
    assert status(await served.raw(post(b"x" * LIMIT))) == 200
    endless = (
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"64\r\n%b\r\n" % bytes(100) * 200
    )
    answer = await served.raw(endless)
    assert status(answer) == 413
    assert b"connection: close" in answer


async def test_a_body_that_does_not_come(served: Served) -> None:
    served.app.body_timeout = 0.05
    answer = await served.raw(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhalf")
    assert status(answer) == 408
    assert b"connection: close" in answer


async def test_a_body_that_is_no_http(served: Served) -> None:
    answer = await served.raw(
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n"
    )
    assert status(answer) == 400
    assert bodies(answer)[0]["code"] == "bad_request"


# -- clients that leave, or do not read


async def _until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_client_that_leaves_is_noticed(served: Served) -> None:
    _, writer = await served.open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    await _until(lambda: served.app.served)
    writer.transport.abort()
    await _until(lambda: served.app.left == ["/wait"])
    served.app.gate.set()
    await _until(lambda: served.app.gone == ["/wait"])


async def test_a_client_that_leaves_amid_its_body(served: Served) -> None:
    _, writer = await served.open()
    writer.write(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nha")
    await _until(lambda: served.app.served)
    writer.close()
    await _until(lambda: served.app.gone == ["/echo"])


async def test_a_client_that_takes_nothing_is_given_up(served: Served) -> None:
    reader, writer = await served.open()
    reader._limit = 1000  # type: ignore[attr-defined]  # the client's own buffer must not take it all
    writer.write(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
    await _until(lambda: served.app.gone == ["/big"])
    writer.close()


async def test_slow_heads_and_idle_connections_end(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connection, "KEEP_ALIVE_SECONDS", 0.05)
    assert status(await served.raw(b"GET /slow HTTP/1.1\r\nHost")) == 408
    answer = await served.raw(b"GET /once HTTP/1.1\r\nHost: h\r\n\r\n")
    assert len(bodies(answer)) == 1  # then it was silent, and was closed without a word


async def test_too_many_connections() -> None:
    app = Echo()
    server = Server(app, shutdown_grace=1, max_connections=1)
    await server.start("127.0.0.1")
    served = Served(app, server)
    _, first = await served.open()
    await asyncio.sleep(0.05)
    assert status(await served.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")) == 503
    first.close()
    await server.stop()


# -- the end


async def test_stopping_lets_answers_go_out(served: Served) -> None:
    idle_reader, idle = await served.open()
    reader, writer = await served.open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    await _until(lambda: served.app.served)
    port = served.server.port
    stopping = asyncio.create_task(served.server.stop())
    async with asyncio.timeout(5):
        assert await idle_reader.read() == b""
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)
    served.app.gate.set()
    async with asyncio.timeout(5):
        answer = await reader.read()
        await stopping
    assert bodies(answer)[0]["path"] == "/wait"
    assert b"connection: close" in answer
    for each in (idle, writer):
        each.close()


async def test_stopping_does_not_wait_for_ever() -> None:
    app = Echo()
    server = Server(app, shutdown_grace=0.05)
    await server.start("127.0.0.1")
    reader, writer = await Served(app, server).open()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
    await _until(lambda: app.served)
    async with asyncio.timeout(5):
        await server.stop()
        assert await reader.read() == b""
    app.gate.set()
    writer.close()


# -- anything at all

HEADS = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"POST /echo HTTP/1.1\r\n",
            b"Host: h\r\n",
            b"Content-Length: 3\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"Upgrade: x\r\n",
            b"\r\n",
            b"abc",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"\0",
            b"\n",
            b" : \r\n",
        ]
    ),
    max_size=14,
).map(b"".join)


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=300), HEADS), st.integers(1, 50))
def test_whatever_comes_the_server_goes_on(data: bytes, piece: int) -> None:
    async def go() -> None:
        app = Echo()
        app.body_timeout = 0.01
        server = Server(app, shutdown_grace=0.2)
        await server.start("127.0.0.1")
        served = Served(app, server)
        reader, writer = await served.open()
        for start in range(0, len(data), piece):
            writer.write(data[start : start + piece])
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert not re.search(rb"HTTP/1.1 5(?!05)", answer)
        assert bodies(await served.raw(post(b"alive")))[0]["body"] == "alive"
        writer.close()
        await server.stop()

    asyncio.run(go())
