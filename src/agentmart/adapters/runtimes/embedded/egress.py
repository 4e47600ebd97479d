"""The model egress: the only way out of a child. Adds the real key, counts tokens, forwards four paths.

Each child listens on a port of its own private network and hands that socket to the parent, so a connection's
listener says which child is calling; the token in it says which run.
"""

from __future__ import annotations

import asyncio
import contextlib
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
MAX_HELD = 48 * 1024 * 1024  # bytes of requests under way, of one child
MAX_CONNECTIONS = 128  # of one child
MAX_ERROR = 256 * 1024  # bytes of a model's error that are passed on
CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0  # for a child to send a request, and for a connection to stay idle
SHORTEST_SECRET = 8  # a shorter key is a placeholder, which may stand in any text
IDLE_CONNECTIONS = 32


@dataclass(slots=True, eq=False)
class Meter:
    """What the model calls of one run used; its token is good until `Egress` forgets it."""

    call_id: str = ""
    answers: list[UsageReader] = field(default_factory=list)  # of every call, those under way too
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def calls(self) -> int:
        """Return how many models were called."""
        return len(self.answers)

    def usage(self) -> TokenUsage | None:
        """Return the sum of what was reported until now, None if no model reported anything.

        A flow is done with an answer when it has its last event; the connection's own end may come later.
        """
        reported = [found for answer in self.answers if (found := answer.result()) is not None]
        if not reported:
            return None
        return TokenUsage(
            sum(found.input_tokens for found in reported),
            sum(found.output_tokens for found in reported),
            model=next((found.model for found in reversed(reported) if found.model), ""),
        )

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
class _Child:
    """What one child has under way here; bounded, because the parent serves others too."""

    runs: dict[str, Meter]
    connections: int = 0
    held: int = 0


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
        child = _Child(runs)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            child.connections += 1
            try:
                if child.connections <= MAX_CONNECTIONS:
                    await self._serve(reader, writer, child)
            except (OSError, h11.RemoteProtocolError, asyncio.IncompleteReadError):
                logger.debug("a model connection of a child broke off")
            finally:
                child.connections -= 1
                writer.close()

        return await asyncio.start_server(connected, sock=listener)

    async def close(self) -> None:
        """Close the connections kept for reuse."""
        while self._idle:
            self._idle.pop().writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, child: _Child) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=CHUNK)
        while True:
            async with _Incoming(reader, http, child) as incoming:
                if not await incoming.read():
                    return
                try:
                    meter = incoming.meter()
                except _Refusal as refusal:
                    await _refuse(writer, http, refusal)
                else:
                    await self._serve_run(incoming, writer, meter)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _serve_run(self, incoming: _Incoming, writer: asyncio.StreamWriter, meter: Meter) -> None:
        task = asyncio.current_task()
        assert task is not None
        meter.tasks.add(task)
        try:
            await self._forward(incoming.request, bytes(incoming.body), writer, incoming.http, meter)
        finally:
            meter.tasks.discard(task)

    async def _forward(
        self,
        request: h11.Request,
        body: bytes,
        writer: asyncio.StreamWriter,
        http: h11.Connection,
        meter: Meter,
    ) -> None:
        usage = UsageReader()
        meter.answers.append(usage)
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
            if answer.status_code >= 400:  # some repeat what they were asked, the key included
                await _send(writer, http, h11.Data(data=self._without_key(await _short(upstream))))
                await _send(writer, http, h11.EndOfMessage())
                finished = upstream.http.their_state is h11.DONE
                return
            async for data in _data(upstream):
                usage.feed(data)
                await _send(writer, http, h11.Data(data=data))
            await _send(writer, http, h11.EndOfMessage())
            finished = True
        finally:
            self._settle(upstream, finished=finished)

    def _without_key(self, text: bytes) -> bytes:
        return text.replace(self._key.encode(), b"[removed]") if len(self._key) >= SHORTEST_SECRET else text

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


class _Incoming:
    """One request of a child: read within bounds, its body only if a run under way may make it."""

    def __init__(self, reader: asyncio.StreamReader, http: h11.Connection, child: _Child) -> None:
        self.http = http
        self.request: h11.Request
        self.body = bytearray()
        self._reader = reader
        self._child = child
        self._size = 0
        self._wanted = False

    async def __aenter__(self) -> _Incoming:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._child.held -= len(self.body)

    def meter(self) -> Meter:
        """Return the meter of the run that asks; raises _Refusal."""
        return _authorized(self.request, self._child.runs)

    async def read(self) -> bool:
        """Read the request; False at the connection's end or after too long. Raises h11.RemoteProtocolError."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                while True:
                    event = self.http.next_event()
                    if event is h11.NEED_DATA:
                        self.http.receive_data(await self._reader.read(CHUNK))
                    elif isinstance(event, h11.Request):
                        self._begin(event)
                    elif isinstance(event, h11.Data):
                        self._take(event.data)
                    else:
                        return isinstance(event, h11.EndOfMessage)
        except TimeoutError:
            return False

    def _begin(self, request: h11.Request) -> None:
        self.request = request
        with contextlib.suppress(_Refusal):  # it is told once the request is complete
            self.meter()
            self._wanted = True

    def _take(self, data: bytes | bytearray) -> None:
        self._size += len(data)
        if self._size > MAX_BODY:
            raise h11.RemoteProtocolError("the body is too large")
        if self._wanted:
            self._child.held += len(data)
            self.body += data
            if self._child.held > MAX_HELD:
                raise h11.RemoteProtocolError("too many bodies at once")


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


async def _short(upstream: _Upstream) -> bytes:
    """Return the beginning of an answer's body."""
    body = b""
    async for data in _data(upstream):
        body += data
        if len(body) > MAX_ERROR:
            break
    return body[:MAX_ERROR]
