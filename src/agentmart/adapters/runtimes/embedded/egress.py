"""The model egress: the only way out of a child. Adds the real key, counts tokens, forwards four paths.

Each child listens on a port of its own private network and hands that socket to the parent, so a connection's
listener says which child is calling; the token in it says which run.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

from agentmart.adapters.runtimes.base import TokenUsage
from agentmart.adapters.runtimes.embedded.settings import ModelEndpoint
from agentmart.adapters.runtimes.embedded.usage import UsageReader

logger = logging.getLogger("agentmart.runtime.egress")

PATHS = {
    (b"POST", b"/v1/chat/completions"),
    (b"POST", b"/v1/responses"),
    (b"POST", b"/v1/embeddings"),
    (b"GET", b"/v1/models"),
}
FORWARDED = {b"content-type", b"accept"}
RETURNED = {b"content-type", b"retry-after", b"retry-after-ms", b"x-request-id"}
MAX_BODY = 16 * 1024 * 1024
CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0
IDLE_CONNECTIONS = 32


@dataclass(slots=True, eq=False)
class Meter:
    """What the model calls of one run used; its token is good until `Egress` forgets it."""

    call_id: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unreported: int = 0  # calls whose answer carried no usage, or has not come yet
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def usage(self) -> TokenUsage | None:
        """Return the sum, None if no model reported anything."""
        if self.calls == self.unreported:
            return None
        return TokenUsage(self.input_tokens, self.output_tokens)

    def close(self) -> None:
        """Stop the calls still under way."""
        for task in self.tasks:
            task.cancel()


class _Refusal(Exception):
    """A request the egress answers itself."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class _Upstream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection
    used: bool = False

    async def next(self) -> h11.Event:
        """Return the next event of the model's answer; raises h11.RemoteProtocolError or OSError."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(CHUNK))
        assert not isinstance(event, type)
        return event


class Egress:
    """Forwards model calls of all children; one per parent."""

    def __init__(self, model: ModelEndpoint) -> None:
        parts = urlsplit(model.base_url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("The model's base URL must be http(s)://host/…")
        self._host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._path = parts.path
        self._key = model.api_key
        self._idle: list[_Upstream] = []

    async def listen(self, listener: socket.socket, runs: dict[str, Meter]) -> asyncio.Server:
        """Answer on a child's listener; `runs` are the tokens good for that child, kept by the caller."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._serve(reader, writer, runs)
            except (OSError, h11.RemoteProtocolError, asyncio.IncompleteReadError):
                logger.debug("a model connection of a child broke off")
            finally:
                writer.close()

        return await asyncio.start_server(connected, sock=listener)

    async def close(self) -> None:
        """Close the connections kept for reuse."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, runs: dict[str, Meter]
    ) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=CHUNK)
        while True:
            request, body = await _read_request(reader, http)
            if request is None:
                return
            try:
                meter = _authorized(request, runs)
            except _Refusal as refusal:
                await _refuse(writer, http, refusal)
            else:
                task = asyncio.current_task()
                assert task is not None
                meter.tasks.add(task)
                try:
                    await self._forward(request, body, writer, http, meter)
                finally:
                    meter.tasks.discard(task)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _forward(
        self,
        request: h11.Request,
        body: bytes,
        writer: asyncio.StreamWriter,
        http: h11.Connection,
        meter: Meter,
    ) -> None:
        meter.calls += 1
        meter.unreported += 1
        usage = UsageReader()
        try:
            upstream, answer = await self._ask(request, body)
        except (OSError, h11.ProtocolError, TimeoutError) as error:
            logger.warning(
                "the model endpoint cannot be reached",
                extra={"call_id": meter.call_id, "error": type(error).__name__},
            )
            await _refuse(writer, http, _Refusal(502, "The model cannot be reached."))
            return
        finished = False
        try:
            if answer.status_code in (401, 403):
                logger.error(
                    "the model endpoint refuses the configured key", extra={"call_id": meter.call_id}
                )
                await _refuse(writer, http, _Refusal(502, "The model refuses this service."))
                return
            headers = [(name, value) for name, value in answer.headers if name in RETURNED]
            await _send(writer, http, h11.Response(status_code=answer.status_code, headers=headers))
            async for data in _data(upstream):
                usage.feed(data)
                await _send(writer, http, h11.Data(data=data))
            await _send(writer, http, h11.EndOfMessage())
            finished = True
        finally:
            self._settle(upstream, finished=finished)
            _count(meter, usage)

    async def _ask(self, request: h11.Request, body: bytes) -> tuple[_Upstream, h11.Response]:
        """Send the call on a kept connection or a new one; a kept one that died meanwhile is replaced once."""
        head = h11.Request(
            method=request.method,
            target=self._path.encode() + request.target.partition(b"?")[0].removeprefix(b"/v1"),
            headers=[
                (b"host", self._authority.encode()),
                (b"authorization", f"Bearer {self._key}".encode()),
                (b"user-agent", b"agentmart-runtime"),
                (b"content-length", str(len(body)).encode()),
                *[(name, value) for name, value in request.headers if name in FORWARDED],
            ],
        )
        while True:
            upstream = self._idle.pop() if self._idle else await self._connect()
            try:
                parts = [head, h11.Data(data=body), h11.EndOfMessage()]
                upstream.writer.write(b"".join(upstream.http.send(part) or b"" for part in parts))
                await upstream.writer.drain()
                answer = await upstream.next()
                while isinstance(answer, h11.InformationalResponse):
                    answer = await upstream.next()
                if not isinstance(answer, h11.Response):
                    raise h11.RemoteProtocolError("no response")
                return upstream, answer
            except (OSError, h11.RemoteProtocolError):
                upstream.writer.close()
                if not upstream.used:
                    raise
            except BaseException:
                upstream.writer.close()
                raise

    async def _connect(self) -> _Upstream:
        name = self._host if self._tls else None
        opening = asyncio.open_connection(self._host, self._port, ssl=self._tls, server_hostname=name)
        reader, writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
        return _Upstream(reader, writer, h11.Connection(h11.CLIENT))

    def _settle(self, upstream: _Upstream, *, finished: bool) -> None:
        http = upstream.http
        reusable = finished and http.our_state is h11.DONE and http.their_state is h11.DONE
        if reusable and len(self._idle) < IDLE_CONNECTIONS:
            http.start_next_cycle()
            upstream.used = True
            self._idle.append(upstream)
        else:
            upstream.writer.close()


async def _read_request(
    reader: asyncio.StreamReader, http: h11.Connection
) -> tuple[h11.Request | None, bytes]:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(CHUNK))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large")
        elif isinstance(event, h11.EndOfMessage):
            return request, bytes(body)
        else:
            return None, b""


def _authorized(request: h11.Request, runs: dict[str, Meter]) -> Meter:
    """Return the meter of the run whose token the request bears; raises _Refusal."""
    given = dict(request.headers).get(b"authorization", b"").decode("latin-1")
    scheme, _, token = given.partition(" ")
    meter = runs.get(token) if scheme.lower() == "bearer" else None
    if meter is None:
        raise _Refusal(401, "A model call needs the key of a run that is under way.")
    if (request.method, request.target.partition(b"?")[0]) not in PATHS:
        raise _Refusal(
            403, "Only chat completions, responses, embeddings and the list of models are reachable."
        )
    return meter


async def _refuse(writer: asyncio.StreamWriter, http: h11.Connection, refusal: _Refusal) -> None:
    body = f'{{"error":{{"message":"{refusal}","type":"agentmart","code":{refusal.status}}}}}'.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await _send(writer, http, h11.Response(status_code=refusal.status, headers=headers))
    await _send(writer, http, h11.Data(data=body))
    await _send(writer, http, h11.EndOfMessage())


async def _send(writer: asyncio.StreamWriter, http: h11.Connection, event: h11.Event) -> None:
    writer.write(http.send(event) or b"")
    await writer.drain()


async def _data(upstream: _Upstream) -> AsyncIterator[bytes]:
    while not isinstance(event := await upstream.next(), h11.EndOfMessage):
        if not isinstance(event, h11.Data):
            raise h11.RemoteProtocolError("the answer broke off")
        yield bytes(event.data)


def _count(meter: Meter, usage: UsageReader) -> None:
    found = usage.result()
    if found is not None:
        meter.unreported -= 1
        meter.input_tokens += found.input_tokens
        meter.output_tokens += found.output_tokens
