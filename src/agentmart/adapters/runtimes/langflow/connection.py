"""One HTTP/1.1 connection: sends a request, parses the answer by httptools, holds the peer back when nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

MAX_HEAD = 64 * 1024
MAX_HEADERS = 100
HIGH_WATER = 256 * 1024
_NO_CONTENT = (204, 304)


class Broken(Exception):
    """An exchange that failed; `code` is connect, lost, timeout, protocol or too_large."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(slots=True)
class Head:
    """Status and headers of an answer; names in lower case."""

    status: int
    headers: dict[str, str]


@dataclass(slots=True)
class _Answer:
    """What came of the answer under way."""

    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0
    head: Head | None = None
    parts: deque[bytes] = field(default_factory=deque)
    size: int = 0  # bytes in parts
    complete: bool = False


class Connection(asyncio.Protocol):
    """Carries one exchange at a time."""

    def __init__(self) -> None:
        self.used = False  # an exchange was completed before
        self.idle_since = 0.0
        self.answering = False  # the first byte of the answer has come
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._answer: _Answer | None = None
        self._head_bytes = 0
        self._failure: Broken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keep = False

    # -- for the client

    @property
    def open(self) -> bool:
        """Return whether a request could be sent."""
        return self._failure is None and self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Return whether the last answer is complete, read, and allows another request."""
        answer = self._answer
        return self.open and self._keep and answer is not None and answer.complete and not answer.parts

    def send(self, data: bytes) -> None:
        """Send a whole request; raises Broken if the connection has gone."""
        if not self.open or self._transport is None:
            raise self._failure or Broken("lost", "closed")
        self._answer = _Answer()
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0
        self.answering = self._keep = False
        self._transport.write(data)

    async def head(self, seconds: float) -> Head:
        """Return the answer's head; raises Broken."""
        answer = cast(_Answer, self._answer)
        deadline = asyncio.get_running_loop().time() + seconds
        while answer.head is None:
            await self._wait(deadline)
        return answer.head

    async def part(self, seconds: float) -> bytes:
        """Return the body's next bytes, none at its end; raises Broken."""
        answer = cast(_Answer, self._answer)
        deadline = asyncio.get_running_loop().time() + seconds
        while not answer.parts:
            if answer.complete:
                return b""
            await self._wait(deadline)
        part = b"".join(answer.parts)
        answer.parts.clear()
        answer.size = 0
        if self.open and self._transport is not None:
            self._transport.resume_reading()
        return part

    def rest(self) -> None:
        """Note that the connection waits for its next use."""
        self.used = True
        self._answer = None
        self.idle_since = asyncio.get_running_loop().time()

    def abort(self) -> None:
        """Hang up at once; nobody is to be told."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Hang up and wait until the socket is closed."""
        self.abort()
        await self._closed

    async def _wait(self, deadline: float) -> None:
        if self._failure is not None:
            raise self._failure
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        try:
            async with asyncio.timeout_at(deadline):
                await self._waiter
        except TimeoutError:
            raise Broken("timeout", "no answer in time") from None
        finally:
            self._waiter = None

    # -- for asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse; what comes unasked, or is not HTTP, ends the connection."""
        answer = self._answer
        if answer is None or answer.complete:
            self._fail(Broken("protocol", "bytes that nobody asked for"))
            return
        self.answering = True
        if answer.head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Broken("protocol", "an upgrade"))
            return
        except httptools.HttpParserError as error:
            self._fail(Broken("protocol", str(error.__cause__ or error)))
            return
        if answer.head is None and self._head_bytes > MAX_HEAD:
            self._fail(Broken("protocol", "a head without end"))
        if answer.size > HIGH_WATER and not answer.complete and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits; a body that only the end of the connection ends is complete then."""
        answer = self._answer
        orderly = exc is None and self._failure is None
        if orderly and answer is not None and answer.head is not None and not _framed(answer.head):
            answer.complete = True
        if self._failure is None:
            self._failure = Broken("lost", str(exc) if exc else "closed by the server")
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()

    # -- for the parser, which stops at an exception

    def on_message_begin(self) -> None:
        """Refuse a second answer in the same bytes; the first one stays good."""
        if cast(_Answer, self._answer).complete:
            raise ValueError("bytes that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        answer = cast(_Answer, self._answer)
        answer.count += 1
        if answer.count > MAX_HEADERS:
            raise ValueError("too many headers")
        if answer.head is None:
            answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Give the head to who waits, unless it is an interim one."""
        answer = cast(_Answer, self._answer)
        status = self._parser.get_status_code()
        if status < 200:
            return
        headers = answer.headers
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise ValueError("an encoded body")
        answer.head = Head(status, headers)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        answer = cast(_Answer, self._answer)
        answer.parts.append(body)
        answer.size += len(body)

    def on_message_complete(self) -> None:
        """Note the end; after an interim answer the real one is still to come."""
        answer = cast(_Answer, self._answer)
        if answer.head is None:
            answer.headers.clear()
            return
        answer.complete = True
        self._keep = self._parser.should_keep_alive() and _framed(answer.head)

    # -- inside

    def _fail(self, failure: Broken) -> None:
        if self._failure is None:
            self._failure = failure
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            with contextlib.suppress(asyncio.InvalidStateError):
                self._waiter.set_result(None)


def _framed(head: Head) -> bool:
    sized = "content-length" in head.headers or "transfer-encoding" in head.headers
    return sized or head.status in _NO_CONTENT
