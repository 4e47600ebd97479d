"""One HTTP exchange over ASGI: a bounded request, one answer or one stream, and a caller who may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from agentmart.gateway.errors import body_of
from agentmart.kit.errors import DomainError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
DISCARD_FACTOR = 8
"""A body too large is read on to this multiple of its bound, so that the caller gets to read the refusal."""

BUFFERED = 32 * 1024
"""A server takes this much at once without waiting for the caller to read."""


class CallerLeft(Exception):
    """The caller closed the connection before the request was complete: there is nobody to answer."""


class BodyTooLarge(DomainError):
    """The request's body exceeds the bound."""

    code = "request_too_large"
    status = 413


class BodyTooSlow(DomainError):
    """The request's body did not come in time."""

    code = "request_timeout"
    status = 408


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(status: int, content: Any, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Return an answer with `content` as JSON."""
    return Reply(status, msgspec.json.encode(content), headers=tuple(headers))


def refusal_body(error: DomainError, request_id: str) -> bytes:
    """Return a refusal's body in our own form; another dialect sets its own on the Exchange."""
    return msgspec.json.encode(body_of(error, request_id))


def event(name: str, data: Any) -> bytes:
    """Return one server-sent event; the JSON holds no raw newline, so one data line is enough."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


class Exchange:
    """One request and its answer.

    `limit_headers` are put on whatever is answered from the moment they are set. `gone` becomes true once
    the caller left; from then on everything written is dropped.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, call_id: UUID, send_timeout: float
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.client: str = (scope.get("client") or ("", 0))[0]
        self.call_id = call_id
        self.request_id = call_id.hex
        self.begun = monotonic()
        self.refusal_body = refusal_body
        self.limit_headers: tuple[tuple[str, str], ...] = ()
        self.cors_headers: tuple[tuple[str, str], ...] = ()  # which web page may read the answer
        self.repeated = False  # the answer is that of an earlier call under the same key
        self.ignored: tuple[str, ...] = ()  # parts of the request that have no effect, told in `Warning`
        self.facts: dict[str, Any] = {}  # for the log line: ids, numbers and codes, never content
        self.status = 0
        self.gone = False
        self.streaming = False
        self._headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        self._raw_headers = scope["headers"]
        self._receive = receive
        self._send = send
        self._send_timeout = send_timeout
        self._watcher: asyncio.Task[None] | None = None

    def header(self, name: str) -> str | None:
        """Return a request header by its lower-case name; of several, the first."""
        return self._headers.get(name)

    def headers(self, name: str) -> list[str]:
        """Return all values of a request header by its lower-case name, in the order they came."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._raw_headers if key.lower() == wanted]

    async def read_body(self, limit: int, timeout: float) -> bytes:
        """Return the body; raises BodyTooLarge, BodyTooSlow or CallerLeft."""
        try:
            async with asyncio.timeout(timeout):
                return await self._read_body(limit)
        except TimeoutError:
            raise BodyTooSlow(
                f"The request's body did not come within {timeout:g} seconds.",
                headers={"Connection": "close"},
            ) from None

    async def _read_body(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        declared = self._headers.get("content-length", "")
        refuse_at = limit * DISCARD_FACTOR
        hopeless = declared.isdigit() and int(declared) > refuse_at
        more = not hopeless
        while more and size <= refuse_at:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise CallerLeft
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
            more = message.get("more_body", False)
        if size > limit or hopeless:
            raise BodyTooLarge(
                f"The request's body is larger than {limit} bytes.",
                extra={"limit": "body_bytes", "value": limit},
                headers={"Connection": "close"} if more or hopeless else None,
            )
        return b"".join(chunks)

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` should the caller leave before the answer is complete; use it once, after the body."""
        self._watcher = asyncio.create_task(self._watch(left))

    async def _watch(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        left()

    def close(self) -> None:
        """Stop watching: after the answer's end servers report every caller as gone."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        headers = [("Content-Length", str(len(reply.body)))] if reply.status != 204 else []
        await self._start(reply.status, reply.content_type, (*headers, *reply.headers))
        await self._write(reply.body, more=False)

    async def refuse(self, error: DomainError) -> None:
        """Send a refusal as the whole answer."""
        self.facts["code"] = error.code
        await self.reply(
            Reply(
                error.status, self.refusal_body(error, self.request_id), headers=tuple(error.headers.items())
            )
        )

    async def stream(self, chunk: bytes, *, last: bool = False) -> None:
        """Send a piece of a stream of events; the first begins it and tells every proxy to hold nothing back."""
        if not self.streaming:
            self.streaming = True
            await self._start(200, EVENT_STREAM, (("X-Accel-Buffering", "no"),))
        await self._write(chunk, more=not last)

    async def _start(self, status: int, content_type: str, headers: Iterable[tuple[str, str]]) -> None:
        self.status = status
        every = [
            ("Content-Type", content_type),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-Id", self.request_id),
            *self.limit_headers,
            *self.cors_headers,
            *((("Idempotent-Replayed", "true"),) if self.repeated else ()),
            *((("Warning", f'299 agentmart "Ignored: {" ".join(self.ignored)}"'),) if self.ignored else ()),
            *headers,
        ]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in every]
        await self._deliver({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, chunk: bytes, *, more: bool) -> None:
        if not more and len(chunk) > BUFFERED:
            # The end follows alone: it waits until the server's buffer has gone out, so "sent" means sent.
            await self._write(chunk, more=True)
            chunk = b""
        await self._deliver({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _deliver(self, message: Message) -> None:
        if self.gone:
            return
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._send(message)
        except (TimeoutError, OSError):
            self.gone = True
