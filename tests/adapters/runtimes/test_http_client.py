"""The runs' HTTP client against a peer that misbehaves byte by byte: slow, reset, silent, talkative, endless."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmart.adapters.runtimes.langflow import http
from agentmart.adapters.runtimes.langflow.connection import Broken
from agentmart.adapters.runtimes.langflow.http import HttpClient, Patience, Request

PATIENT = Patience(first_byte=5, idle=5, total=5)
RUN = Request("POST", "/run", b'{"input_value": "x"}')
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that does one thing per connection."""

    def __init__(self) -> None:
        self.talk: Talk = self.answer
        self.connections = 0
        self.requests = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> None:
        """Read one request of RUN's form."""
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        self.requests += 1

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request."""
        while True:
            await self.request(reader)
            writer.write(OK)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A listening peer."""
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield peer
    server.close()


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[HttpClient]:
    """A client of it."""
    client = HttpClient(peer.url, {})
    yield client
    await client.close()


async def broken(client: HttpClient, patience: Patience = PATIENT) -> str:
    """The code of a failed exchange."""
    with pytest.raises(Broken) as caught:
        await client.ask(RUN, patience)
    return caught.value.code


async def test_an_answer_that_drips_is_waited_for(client: HttpClient, peer: Peer) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)

    peer.talk = drip
    assert (await client.ask(RUN, Patience(first_byte=5, idle=1, total=5))).body == b"{}"


async def test_an_answer_that_drips_too_long_is_given_up(client: HttpClient, peer: Peer) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    peer.talk = drip
    assert await broken(client, Patience(first_byte=5, idle=5, total=0.1)) == "timeout"


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-1]], ids=["nothing", "half a head", "half"]
)
async def test_a_reset(client: HttpClient, peer: Peer, sent: bytes) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0.02)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    peer.talk = reset
    assert await broken(client) == "lost"
    assert peer.requests == 1  # a run is never sent twice


async def test_a_kept_connection_that_the_peer_closes_is_forgotten(client: HttpClient, peer: Peer) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(OK)
        await writer.drain()

    peer.talk = once
    for _ in range(3):
        assert (await client.ask(RUN, PATIENT)).status == 200
        await asyncio.sleep(0.05)
        assert not client._idle
    assert (peer.connections, peer.requests, client._count) == (3, 3, 0)


async def test_a_kept_connection_on_which_the_peer_talks_is_dropped(client: HttpClient, peer: Peer) -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(OK.replace(b"{}", b"{1"))
        await reader.read()

    peer.talk = talkative
    assert (await client.ask(RUN, PATIENT)).body == b"{}"
    await asyncio.sleep(0.1)
    assert not client._idle
    assert (await client.ask(RUN, PATIENT)).body == b"{}"


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_endless_answer_is_cut(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 100_000)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        framing = b"transfer-encoding: chunked\r\n" if chunked else b"connection: close\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
        piece = bytes(1000)
        while True:
            writer.write(b"3e8\r\n%b\r\n" % piece if chunked else piece)
            await writer.drain()

    peer.talk = endless
    assert await broken(client) == "too_large"


async def test_only_so_many_connections(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 2)
    gate = asyncio.Event()

    async def later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.request(reader)
            await gate.wait()
            writer.write(OK)

    peer.talk = later
    under_way = [asyncio.create_task(client.ask(RUN, PATIENT)) for _ in range(2)]
    while peer.requests < 2:
        await asyncio.sleep(0.005)
    assert await broken(client) == "busy"
    gate.set()
    assert [answer.status for answer in await asyncio.gather(*under_way)] == [200, 200]
    assert (await client.ask(RUN, PATIENT)).status == 200
    assert peer.connections == 2


async def test_only_so_many_are_kept_and_the_oldest_go(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "KEEP_CONNECTIONS", 3)
    await asyncio.gather(*(client.ask(RUN, PATIENT) for _ in range(10)))
    assert len(client._idle) == 3
    monkeypatch.setattr(http, "KEEP_SECONDS", 0.0)
    await client.ask(RUN, PATIENT)
    assert len(client._idle) == 1


async def test_a_call_that_is_given_up_hangs_up(client: HttpClient, peer: Peer) -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        await reader.read()
        hung_up.set()

    peer.talk = silent
    asking = asyncio.create_task(client.ask(RUN, PATIENT))
    while not peer.requests:
        await asyncio.sleep(0.005)
    asking.cancel()
    async with asyncio.timeout(5):
        await hung_up.wait()
    assert not client._idle
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_reader_that_takes_its_time_is_no_silence(client: HttpClient, peer: Peer) -> None:
    async def all_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
        await asyncio.sleep(0.3)
        writer.write(b"cd")
        await reader.read()

    peer.talk = all_at_once
    async with client.opened(RUN, Patience(first_byte=5, idle=0.25, total=5)) as answer:
        assert await answer.part(100) == b"ab"
        await asyncio.sleep(0.2)  # nobody listens, then for 0.1 s somebody does
        assert await answer.part(100) == b"cd"
        assert await answer.part(100) == b""


PIECES = st.lists(
    st.sampled_from(
        [
            OK,
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"content-length: 3\r\n",
            b"transfer-encoding: chunked\r\n",
            b"connection: close\r\n",
            b"\r\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"abc",
            b"\0",
        ]
    ),
    max_size=10,
).map(b"".join)


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=200), PIECES), st.integers(1, 40))
def test_whatever_the_peer_says_it_is_an_answer_or_broken(said: bytes, piece: int) -> None:
    async def go() -> None:
        async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            for start in range(0, len(said), piece):
                writer.write(said[start : start + piece])
            writer.close()

        server = await asyncio.start_server(say, "127.0.0.1", 0)
        client = HttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {})
        try:
            answer = await client.ask(RUN, Patience(2, 2, 2))
            assert 200 <= answer.status < 600
        except Broken as failure:
            assert failure.code in ("lost", "protocol")
        await client.close()
        server.close()

    asyncio.run(go())
