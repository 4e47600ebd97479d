"""One HTTP/1.1 connection: sends a request, parses the answer by httptools, holds the peer back when nobody reads.

One timer watches an exchange; bytes that come only note when, so a fast answer costs neither timers nor tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools

from agentmart.kit.alarms import Alarm, alarms_of
from agentmart.kit.header_names import HeaderNames

MAX_HEAD = 64 * 1024
MAX_HEADERS = 100
HIGH_WATER = 256 * 1024
_NO_CONTENT = (204, 304)
_NAMES = HeaderNames()


class Broken(Exception):
    """An exchange that failed; `code` is busy, connect, lost, timeout, protocol or too_large."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Patience:
    """Longest waits in seconds: for the answer's first byte, between two bytes, for all of it."""

    first_byte: float
    idle: float
    total: float


@dataclass(slots=True)
class Head:
    """Status and headers of an answer; names in lower case."""

    status: int
    headers: dict[str, str]


class _Answer:
    """What came of the answer under way."""

    __slots__ = ("complete", "count", "head", "headers", "most", "parts", "size", "total")

    def __init__(self, most: int | None) -> None:
        self.headers: dict[str, str] = {}
        self.count = 0
        self.head: Head | None = None
        self.parts: deque[bytes] = deque()
        self.size = 0  # bytes in parts
        self.total = 0  # bytes of the body so far
        self.most = most  # bytes that a whole body may have; None: it is read in parts
        self.complete = False


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. `ended` is called once, when the socket is closed."""

    def __init__(self, ended: Callable[[Connection], None] | None = None) -> None:
        self.used = False  # an exchange was completed before
        self.idle_since = 0.0
        self.answering = False  # the first byte of the answer has come
        self._ended = ended
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer: _Answer | None = None
        self._head_bytes = 0
        self._failure: Broken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._whole = False  # who waits, waits for the end
        self._closed: asyncio.Future[None] = self.loop.create_future()
        self._keep = False
        self._held = False
        self._alarms = alarms_of(self.loop)
        self._alarm: Alarm | None = None
        self._patience = Patience(0.0, 0.0, 0.0)
        self._deadline = 0.0
        self._heard = 0.0  # when somebody began to wait, or bytes came after that

    # -- for the client

    @property
    def open(self) -> bool:
        """Return whether a request could be sent."""
        return self._failure is None and self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Return whether the last answer is complete, read, and allows another request."""
        answer = self._answer
        return self._keep and answer is not None and answer.complete and not answer.parts and self.open

    def send(self, data: bytes, patience: Patience, deadline: float, *, most: int | None = None) -> None:
        """Send a whole request; raises Broken if the connection has gone.

        `deadline` is the event loop's time. With `most` the answer is for `whole`, and no body is longer.
        """
        if not self.open or self._transport is None:
            raise self._failure or Broken("lost", "closed")
        self._answer = _Answer(most)
        self._head_bytes = 0
        self.answering = self._keep = False
        self._patience = patience
        self._deadline = deadline
        self._heard = self.loop.time()
        self._watch(min(self._heard + patience.first_byte, deadline))
        self._transport.write(data)

    async def head(self) -> Head:
        """Return the answer's head; raises Broken."""
        answer = cast(_Answer, self._answer)
        while answer.head is None:
            await self._wait()
        return answer.head

    async def part(self) -> bytes:
        """Return the body's next bytes, none at its end; raises Broken."""
        answer = cast(_Answer, self._answer)
        while not answer.parts:
            if answer.complete:
                return b""
            await self._wait()
        part = answer.parts[0] if len(answer.parts) == 1 else b"".join(answer.parts)
        answer.parts.clear()
        answer.size = 0
        if self._held and self.open and self._transport is not None:
            self._held = False
            self._transport.resume_reading()
        return part

    async def whole(self) -> tuple[int, bytes]:
        """Return status and body once all has come; raises Broken."""
        answer = cast(_Answer, self._answer)
        self._whole = True
        try:
            while not answer.complete:
                await self._wait()
        finally:
            self._whole = False
        body = answer.parts[0] if len(answer.parts) == 1 else b"".join(answer.parts)
        answer.parts.clear()
        answer.size = 0
        return cast(Head, answer.head).status, body

    def rest(self) -> None:
        """Note that the connection waits for its next use."""
        self.used = True
        self._answer = None
        self._stop_watching()
        self.idle_since = self.loop.time()

    def abort(self) -> None:
        """Hang up at once; nobody is to be told."""
        self._stop_watching()
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Hang up and wait until the socket is closed."""
        self.abort()
        await self._closed

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.answering:
            self._heard = self.loop.time()  # silence counts from when somebody listens
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # -- time

    def _watch(self, due: float) -> None:
        self._stop_watching()
        self._alarm = self._alarms.at(due, self._look)

    def _stop_watching(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _look(self) -> None:
        """End an exchange that takes too long, or look again when it could."""
        self._alarm = None
        patience = self._patience.idle if self.answering else self._patience.first_byte
        now = self.loop.time()
        due = min(self._heard + patience, self._deadline)
        if self._waiter is None:  # nobody listens: the peer is not to blame
            due = min(now + max(patience, 0.01), self._deadline)
        if now < due:
            self._watch(due)
        else:
            self._fail(Broken("timeout", "no answer in time"))

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
            self._fail(Broken("protocol", str(error.__context__ or error)))
            return
        if answer.complete:
            self._wake()
            return
        if not self._bounded(answer):
            return
        if self._waiter is not None:
            self._heard = self.loop.time()
            if not self._whole:
                self._wake()

    def _bounded(self, answer: _Answer) -> bool:
        """Return whether an unfinished answer keeps its bounds; hold the server back where nobody reads."""
        if answer.head is None and self._head_bytes > MAX_HEAD:
            self._fail(Broken("protocol", "a head without end"))
            return False
        if answer.most is None:
            if answer.size > HIGH_WATER and not self._held and self._transport is not None:
                self._held = True
                self._transport.pause_reading()
        elif answer.total > answer.most:
            self._fail(Broken("too_large", f"more than {answer.most} bytes"))
            return False
        return True

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
        self._stop_watching()
        if self._ended is not None:
            self._ended(self)
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
            answer.headers[_NAMES[name]] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Give the head to who waits, unless it is an interim one."""
        answer = cast(_Answer, self._answer)
        status = self._parser.get_status_code()
        if status < 200:
            return
        headers = answer.headers
        if "content-encoding" in headers and headers["content-encoding"].strip().lower() != "identity":
            raise ValueError("an encoded body")
        answer.head = Head(status, headers)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        answer = cast(_Answer, self._answer)
        answer.parts.append(body)
        answer.size += len(body)
        answer.total += len(body)

    def on_message_complete(self) -> None:
        """Note the end; after an interim answer the real one is still to come."""
        answer = cast(_Answer, self._answer)
        if answer.head is None:
            answer.headers.clear()
            return
        if answer.most is not None and answer.total > answer.most:
            return  # `data_received` says so
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
