"""One client's connection: HTTP/1.1 by httptools, one answer after the other in the order of the requests.

What a client may send before it is served is bounded in bytes, fields and time; every refusal is JSON. While an
answer is under way at most one read of further requests is taken in, then the client is held back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote
from uuid import UUID

import httptools
import msgspec

from agentmart.gateway.http import BUFFERED
from agentmart.gateway.http_exchange import STATUS, HttpExchange, finish
from agentmart.kit.header_names import HeaderNames
from agentmart.kit.ids import new_id

logger = logging.getLogger("agentmart.gateway")

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_WAITING = 64
"""Requests that wait behind an answer; what is sent beyond them is not read."""
HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75.0
DISCARD_SECONDS = 30.0
LINGER_SECONDS = 2.0

_MESSAGES = {
    400: ("bad_request", "The request is not valid HTTP."),
    408: ("request_timeout", "The request did not come in time."),
    417: ("expectation_failed", "The only expectation that is met is 100-continue."),
    431: ("headers_too_large", "The request's line and headers are too large."),
    503: ("unavailable", "The service has too many connections now. Try again shortly."),
    505: ("http_version_not_supported", "Speak HTTP/1.0 or HTTP/1.1."),
}
_NAMES = HeaderNames()


class Host(Protocol):
    """What a connection asks of its server."""

    draining: bool
    send_timeout: float
    loop: asyncio.AbstractEventLoop

    def new_call_id(self) -> UUID:
        """Return the id of a request that has come."""

    def begin(self, exchange: HttpExchange) -> None:
        """Have a request answered; its connection's `answered` is called at the end."""

    def opened(self, connection: Connection) -> bool:
        """Take a connection in; False where there are too many."""

    def closed(self, connection: Connection) -> None:
        """Let a connection go."""


class Connection(asyncio.Protocol):
    """Reads requests and has them answered, one after the other."""

    __slots__ = (
        "_active",
        "_deaf",
        "_fields",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_more",
        "_parser",
        "_paused",
        "_reading",
        "_reason",
        "_refusal",
        "_room",
        "_size",
        "_transport",
        "_url",
        "_used",
        "_waiting",
        "client",
        "deadline",
        "held",
        "host",
        "loop",
    )

    def __init__(self, host: Host) -> None:
        self.host = host
        self.loop = host.loop
        self.client = ""
        self.deadline = 0.0  # when the server ends what is waited for; 0 while a request is being answered
        self.held = False  # the client does not take what is written
        self._transport: Any = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._active: HttpExchange | None = None  # being answered
        self._reading: HttpExchange | None = None  # its body is coming, wanted or not
        self._waiting: deque[HttpExchange] = deque()  # behind the one being answered
        self._refusal = 0  # the status with which to end, once it is its turn
        self._reason = 400  # the status of what the parser is told to stop at
        self._deaf = False  # whatever comes is ignored
        self._paused = False
        self._used = False
        self._room: asyncio.Future[None] | None = None
        self._head_bytes = 0  # of the head under way, whole reads without its end
        self._in_head = True
        self._new_head()

    # -- for asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect a request's head."""
        self._transport = transport
        self._transport.set_write_buffer_limits(high=BUFFERED)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.client = str(peer[0])
        self.deadline = self.loop.time() + HEAD_SECONDS
        if not self.host.opened(self):
            self._stop_at(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever answers; what has not begun is not begun any more."""
        self.deadline = 0.0
        self._deaf = True
        self._waiting.clear()
        active, self._reading = self._active, None
        if active is not None:
            active.lost()
        self.resume_writing()
        self.host.closed(self)

    def pause_writing(self) -> None:
        """Hold back whoever writes."""
        self.held = True

    def resume_writing(self) -> None:
        """Let them go on."""
        self.held = False
        if self._room is not None:
            finish(self._room)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._deaf:
            return
        if self._in_head:
            if not self._head_bytes and self._active is None:
                self.deadline = self.loop.time() + HEAD_SECONDS
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade()
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError) and not _refused(error):
                logger.error("request_parser_broke", exc_info=error)
            self._stop_at(self._reason)
        else:
            # the parser keeps an unfinished line to itself: refuse a head that goes on and on
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
                self._stop_at(431)

    # -- for the parser, which stops at an exception

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request line."""
        self._url += url
        self._size += len(url)
        if self._size > MAX_HEAD_BYTES:
            self._too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of several with one name, the first. Trailers are counted, not kept."""
        self._fields += 1
        self._size += len(name) + len(value)
        if self._size > MAX_HEAD_BYTES or self._fields > MAX_HEADERS:
            self._too_large()
        if self._in_head:
            known = _NAMES[name]
            if known not in self._headers:
                self._headers[known] = value.decode("latin-1")
            elif known == "host":
                self._reason = 400
                raise ValueError("two hosts")
            else:
                self._more.append((known, value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Have the request answered, or put it behind those before it."""
        self._in_head = False
        self._head_bytes = 0
        exchange = self._new_exchange()
        self._reading = exchange
        if self._active is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            if len(self._waiting) >= MAX_WAITING:
                exchange.keep = False
                self._deaf = True
            self.hold()

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        if self._reading is not None:
            self._reading.feed(body)

    def on_message_complete(self) -> None:
        """Expect the next head."""
        exchange, self._reading = self._reading, None
        self._in_head = True
        self._new_head()
        if exchange is not None:
            exchange.end()
        if self._active is None:  # an answered one, of which the rest was not wanted
            self.deadline = self.loop.time() + KEEP_ALIVE_SECONDS

    # -- for the exchange

    @property
    def draining(self) -> bool:
        """Return whether the server is ending."""
        return self.host.draining

    def write(self, data: bytes) -> None:
        """Write; the transport keeps what the client does not take."""
        self._transport.write(data)

    async def drained(self) -> bool:
        """Return once the client has taken most of what was written; False where it takes nothing for long."""
        deadline = self.loop.time() + self.host.send_timeout
        while self.held:
            room = self._room = self.loop.create_future()
            timer = self.loop.call_at(deadline, finish, room)
            try:
                await room
            finally:
                timer.cancel()
                self._room = None
            if self.held and self.loop.time() >= deadline:
                return False
        return True

    def hold(self) -> None:
        """Read no more for now."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read on."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def hang_up(self) -> None:
        """Close at once; what was not sent is lost."""
        self._transport.abort()

    # -- for the server

    def answered(self, exchange: HttpExchange) -> None:
        """Go on with the next request, or close."""
        self._active = None
        if self._transport.is_closing():
            return
        if not exchange.status or not exchange.keep or self.host.draining:
            self._close(unread=not exchange.complete or bool(self._waiting) or self._paused)
        elif not exchange.complete:  # its body comes, though nobody wants it
            self.deadline = self.loop.time() + DISCARD_SECONDS
            self.go_on()
        elif self._waiting:
            self._begin(self._waiting.popleft())
        elif self._refusal:
            self._refuse()
        else:
            begun = self._head_bytes or self._url
            self.deadline = self.loop.time() + (HEAD_SECONDS if begun else KEEP_ALIVE_SECONDS)
            if self._paused:
                self.go_on()

    def tick(self, now: float) -> None:
        """End what was waited for too long."""
        if not self.deadline or now < self.deadline:
            return
        if self._deaf or self._reading is not None:
            self.hang_up()
        elif self._head_bytes or self._url or not self._used:
            self._stop_at(408)
        else:
            self._close(unread=False)

    def shut(self) -> None:
        """Close if nothing is under way; else `answered` does once it is."""
        if self._active is None and not self._transport.is_closing() and not self._deaf:
            self._close(unread=False)

    # -- inside

    def _new_head(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._more: list[tuple[str, str]] = []
        self._size = 0
        self._fields = 0

    def _too_large(self) -> NoReturn:
        self._reason = 431
        raise ValueError("head too large")

    def _new_exchange(self) -> HttpExchange:
        """Return the request of a head; raises ValueError, with `_reason` set, for one that cannot be served."""
        parser, headers = self._parser, self._headers
        version = parser.get_http_version()
        self._reason = 505
        if version not in ("1.1", "1.0"):
            raise ValueError("version")
        self._reason = 400
        if version == "1.1" and "host" not in headers:
            raise ValueError("no host")
        method = parser.get_method().decode("ascii")
        exchange = HttpExchange(
            self, self.host.new_call_id(), method, path_of(self._url), headers, self._more
        )
        exchange.keep = parser.should_keep_alive()
        if version == "1.0":
            exchange.minor = 0
        elif "expect" in headers:
            if headers["expect"].strip().lower() != "100-continue":
                self._reason = 417
                raise ValueError("expectation")
            exchange.expect()
        return exchange

    def _begin(self, exchange: HttpExchange) -> None:
        self._active = exchange
        self._used = True
        self.deadline = 0.0
        self.host.begin(exchange)

    def _ignore_upgrade(self) -> None:
        """Serve a request that asks for another protocol as what it is; nothing can follow it."""
        self._deaf = True
        exchange, self._reading = self._reading, None
        if exchange is not None:
            exchange.end()
        last = self._waiting[-1] if self._waiting else self._active
        if last is not None:
            last.keep = False

    def _stop_at(self, status: int) -> None:
        """Read no more. What is under way is answered first; a request whose body broke off answers for itself."""
        self._deaf = True
        broken, self._reading = self._reading, None
        if broken is not None and not broken.status:
            broken.broke()
        elif self._active is not None or self._waiting:
            self._refusal = status
        else:
            self._refusal = status
            self._refuse()

    def _refuse(self) -> None:
        if self._transport.is_closing():
            return
        status = self._refusal
        code, detail = _MESSAGES[status]
        request_id = new_id().hex
        body = msgspec.json.encode({"detail": detail, "code": code, "request_id": request_id})
        head = (
            f"HTTP/1.1 {status} {STATUS[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\nx-request-id: {request_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._close(unread=True)

    def _close(self, *, unread: bool) -> None:
        """Close once everything is sent. Bytes that nobody read are read on for a while: closing on them would tear
        the answer from the client's hands."""
        self._deaf = True
        self._waiting.clear()
        patience = self.host.send_timeout if self._transport.get_write_buffer_size() else LINGER_SECONDS
        self.deadline = self.loop.time() + patience
        if unread and self._transport.can_write_eof():
            self.go_on()
            self._transport.write_eof()
        else:
            self._transport.close()


def path_of(url: bytes) -> str:
    """Return the decoded path of a request's target; raises ValueError for one that is none."""
    if url[:1] == b"/" and b"?" not in url and b"%" not in url and b"#" not in url:
        return url.decode("ascii")
    if url == b"*":
        return "*"
    try:
        path = httptools.parse_url(url).path
    except httptools.HttpParserInvalidURLError:
        raise ValueError("target") from None
    return unquote((path or b"/").decode("ascii"))


def _refused(error: BaseException) -> bool:
    """Return whether a callback stopped the parser by a refusal of ours."""
    return isinstance(error.__cause__ or error.__context__, ValueError)
