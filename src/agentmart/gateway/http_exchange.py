"""A request that came over a connection of our own server: its body as it comes, its answer as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

from agentmart.gateway.http import (
    BUFFERED,
    DISCARD_FACTOR,
    BodyTooLarge,
    BodyTooSlow,
    CallerLeft,
    Exchange,
    Reply,
)
from agentmart.kit.errors import DomainError

MAX_DISCARDED = 8 * 1024 * 1024
"""Bytes of a body that nobody wants any more, read so that the client gets to read its answer."""

STATUS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


class BadBody(DomainError):
    """The request's body is not valid HTTP."""

    code = "bad_request"
    status = 400


class Carrier(Protocol):
    """What an exchange asks of its connection."""

    client: str
    held: bool
    loop: asyncio.AbstractEventLoop

    @property
    def draining(self) -> bool:
        """Whether this is the connection's last answer."""

    def write(self, data: bytes) -> None:
        """Write."""

    async def drained(self) -> bool:
        """Return once the client has taken most of it; False where it takes nothing for long."""

    def hold(self) -> None:
        """Read no more for now."""

    def go_on(self) -> None:
        """Read on."""

    def hang_up(self) -> None:
        """Close at once."""

    def answered(self, exchange: HttpExchange) -> None:
        """Go on with the next request, or close."""


class HttpExchange(Exchange):
    """A request that came over a Connection."""

    __slots__ = (
        "_body",
        "_broken",
        "_chunked",
        "_expects",
        "_left",
        "_limit",
        "_size",
        "_waiter",
        "complete",
        "connection",
        "declared",
        "keep",
        "minor",
    )

    def __init__(
        self,
        connection: Carrier,
        call_id: UUID,
        method: str,
        path: str,
        headers: dict[str, str],
        more: Sequence[tuple[str, str]],
    ) -> None:
        super().__init__(method, path, headers, connection.client, call_id, more=more)
        self.keep = True  # another request may follow
        self.minor = 1  # of HTTP/1.x
        self.complete = False  # all of the body has come
        self.declared = headers.get("content-length", "")
        self.connection = connection
        self._body: list[bytes] = []
        self._size = 0
        self._limit = 0  # once the body is being read: what is kept of it
        self._broken = False
        self._expects = False
        self._chunked = False  # the answer is
        self._waiter: asyncio.Future[None] | None = None
        self._left: Callable[[], None] | None = None

    # -- for the connection

    def expect(self) -> None:
        """Note that the client waits to be told to send its body."""
        self._expects = True

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._size += len(piece)
        if self.status:
            if self._size > MAX_DISCARDED:
                self.connection.hang_up()
        elif self._limit and self._size > self._limit:
            self._body.clear()
            self._wake()
        else:
            self._body.append(piece)
            if not self._limit and self._size > BUFFERED:
                self.connection.hold()  # nobody has asked for it yet

    def end(self) -> None:
        """Note that all of the body has come."""
        self.complete = True
        self._wake()

    def broke(self) -> None:
        """Note that the body is no HTTP."""
        self._broken = True
        self.keep = False
        self._wake()

    def lost(self) -> None:
        """Note that the client has left."""
        self.gone = True
        self._wake()
        if self._left is not None:
            self._left()
            self._left = None

    def _wake(self) -> None:
        if self._waiter is not None:
            finish(self._waiter)

    # -- the request

    @property
    def arrived(self) -> bool:
        """Whether the whole body is here."""
        return self.complete

    async def read_body(self, limit: int, timeout: float) -> bytes:
        """Return the body; raises BodyTooLarge, BodyTooSlow, BadBody or CallerLeft."""
        self._limit = limit
        if not self.complete:
            await self._read(limit, timeout)
        if self._size > limit:
            raise self._too_large(limit)
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    async def _read(self, limit: int, timeout: float) -> None:
        hopeless = limit * DISCARD_FACTOR
        if self.declared.isdigit() and int(self.declared) > hopeless:
            raise self._too_large(limit)
        if self._expects:
            self._expects = False
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.connection.go_on()
        deadline = self.connection.loop.time() + timeout
        while not self.complete and self._size <= hopeless:
            if self.gone:
                raise CallerLeft
            if self._broken:
                raise BadBody("The request's body is not valid HTTP.")
            if not await self._more(deadline):
                self.keep = False
                raise BodyTooSlow(f"The request's body did not come within {timeout:g} seconds.")

    async def _more(self, deadline: float) -> bool:
        loop = self.connection.loop
        self._waiter = loop.create_future()
        timer = loop.call_at(deadline, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()
        return loop.time() < deadline or self.complete

    def _too_large(self, limit: int) -> BodyTooLarge:
        if not self.complete:
            self.keep = False
        return BodyTooLarge(
            f"The request's body is larger than {limit} bytes.",
            extra={"limit": "body_bytes", "value": limit},
        )

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` should the client leave before the answer is complete."""
        if self.gone:
            left()
        else:
            self._left = left

    def close(self) -> None:
        """Nobody is to be told any more."""
        self._left = None

    # -- the answer

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        body = reply.body
        empty = reply.status == 204
        length = "" if empty else f"content-length: {len(body)}\r\n"
        head = self._head(reply.status, reply.content_type, reply.headers, length)
        self.status = reply.status
        if self.gone:
            return
        connection = self.connection
        connection.write(head if empty or self.method == "HEAD" else head + body)
        if connection.held:
            await self._sent()

    async def stream(self, chunk: bytes, *, last: bool = False) -> None:
        """Send a piece of a stream of events; the first begins it and tells every proxy to hold nothing back."""
        data = b""
        if not self.streaming:
            self.streaming = True
            self.status = 200
            self._chunked = self.minor > 0
            if not self._chunked:
                self.keep = False
            framing = "transfer-encoding: chunked\r\n" if self._chunked else ""
            data = self._head(200, "text/event-stream", (("X-Accel-Buffering", "no"),), framing)
        if self.gone:
            return
        if self.method != "HEAD":
            if not self._chunked:
                data += chunk
            elif chunk:
                data += b"%x\r\n%b\r\n" % (len(chunk), chunk)
            if last and self._chunked:
                data += b"0\r\n\r\n"
        connection = self.connection
        if data:
            connection.write(data)
        if connection.held:
            await self._sent()

    async def _sent(self) -> None:
        """Wait until the client has taken most of it; one that takes nothing for long has left."""
        if not await self.connection.drained():
            self.gone = True
            self.connection.hang_up()

    def _head(self, status: int, content_type: str, headers: Any, framing: str) -> bytes:
        if not self.complete and self._expects:
            self.keep = False  # the body will not come, or it will: the next request cannot be told from it
        lines = [
            f"HTTP/1.1 {status} {STATUS.get(status, '')}\r\ncontent-type: {content_type}\r\n"
            f"cache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: {self.request_id}\r\n"
        ]
        for name, value in self.shown_limits():
            lines.append(f"{_lower(name)}: {value}\r\n")
        for name, value in self.cors_headers:
            lines.append(f"{_lower(name)}: {_line(value)}\r\n")
        if self.repeated:
            lines.append("idempotent-replayed: true\r\n")
        if self.ignored:
            lines.append(f'warning: 299 agentmart "Ignored: {_line(" ".join(self.ignored))}"\r\n')
        for name, value in headers:
            if name == "Connection":
                self.keep = False
            else:
                lines.append(f"{_lower(name)}: {_line(value)}\r\n")
        if not self.keep or self.connection.draining:
            lines.append("connection: close\r\n")
        elif self.minor == 0:
            lines.append("connection: keep-alive\r\n")
        return ("".join(lines) + framing + "\r\n").encode("latin-1", "replace")


_lower = lru_cache(256)(str.lower)


def _line(value: str) -> str:
    """Return a header's value without line ends: nothing that a value holds may begin another header."""
    if "\n" in value or "\r" in value:
        return value.replace("\r", " ").replace("\n", " ")
    return value


def finish(waiting: asyncio.Future[None]) -> None:
    """Let go on who waits."""
    if not waiting.done():
        waiting.set_result(None)
