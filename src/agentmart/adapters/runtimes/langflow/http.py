"""A small HTTP/1.1 client that keeps connections: one server; bounded heads, bodies and times.

It follows no redirects and keeps no cookies.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentmart.adapters.runtimes.langflow.connection import Broken, Connection, Head, Patience

__all__ = ["Answer", "HttpClient", "Opened", "Patience", "Request"]

CONNECT_SECONDS = 5.0
KEEP_SECONDS = (
    3.0  # Langflow's server closes what was silent for 5 s: what might be closing is not used again
)
KEEP_CONNECTIONS = 1024
MAX_CONNECTIONS = 4096
MAX_BODY = 16 * 1024 * 1024
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Request:
    """What is asked. Only GET, PUT and DELETE may be sent twice."""

    method: str
    target: str  # path and query, percent-encoded
    body: bytes = b""


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Answer:
    """A whole answer."""

    status: int
    body: bytes


class HttpClient:
    """Connections to one server. The event loop that asks first keeps them; in others each call has its own."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        """`headers` go with every request. Raises ValueError for an address or header that cannot be used."""
        parts = urlsplit(base_url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the address must be http://host[:port][/path] or https://…")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("the address must have neither a login nor a query")
        self._host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._path = parts.path.rstrip("/")
        self._head = _header_lines({"host": parts.netloc, "user-agent": "agentmart", **headers})
        self._idle: dict[Connection, None] = {}  # in the order of their last use
        self._count = 0  # connections that are open
        self._opening = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: Request, patience: Patience) -> Answer:
        """Return the whole answer; raises Broken."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.total
        data = self._bytes(request)
        kept = self._kept(loop)
        while True:
            connection = kept or await self._connect(loop, deadline)
            try:
                connection.send(data, patience, deadline, most=MAX_BODY)
                status, body = await connection.whole()
                return Answer(status, body)
            except Broken as broken:
                if kept is None or not _may_repeat(broken, connection, request):
                    raise
            finally:
                self._settle(connection)
            kept = None  # it had died: once more on a new one

    @contextlib.asynccontextmanager
    async def opened(self, request: Request, patience: Patience) -> AsyncIterator[Opened]:
        """Send a request and yield its answer once its head is there; raises Broken.

        What was not read to its end when the block is left is hung up on.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.total
        connection, head = await self._begun(request, patience, deadline, loop)
        try:
            yield Opened(connection, head)
        finally:
            self._settle(connection)

    async def close(self) -> None:
        """Close the connections kept."""
        idle, self._idle = self._idle, {}
        for connection in idle:
            await connection.close()
        self._loop = None

    async def _begun(
        self, request: Request, patience: Patience, deadline: float, loop: asyncio.AbstractEventLoop
    ) -> tuple[Connection, Head]:
        """Send on a kept connection or a new one. A kept one that had died is replaced once, unless a run could
        have begun."""
        data = self._bytes(request)
        connection = self._kept(loop) or await self._connect(loop, deadline)
        try:
            return connection, await _sent(connection, data, patience, deadline)
        except Broken as broken:
            if not _may_repeat(broken, connection, request):
                raise
        connection = await self._connect(loop, deadline)
        return connection, await _sent(connection, data, patience, deadline)

    def _bytes(self, request: Request) -> bytes:
        length = f"content-length: {len(request.body)}\r\n" if request.body or request.method != "GET" else ""
        kind = "content-type: application/json\r\n" if request.body else ""
        line = f"{request.method} {self._path}{request.target} HTTP/1.1\r\n"
        return f"{line}{self._head}{kind}{length}\r\n".encode("ascii") + request.body

    async def _connect(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Connection:
        if self._count + self._opening >= MAX_CONNECTIONS:
            raise Broken("busy", f"{MAX_CONNECTIONS} connections are in use")
        opening = loop.create_connection(
            lambda: Connection(self._ended),
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
        )
        self._opening += 1
        try:
            _, connection = await asyncio.wait_for(opening, _left(loop, deadline, CONNECT_SECONDS))
        except (OSError, TimeoutError) as error:
            raise Broken("connect", str(error) or "no connection in time") from error
        finally:
            self._opening -= 1
        self._count += 1
        return connection

    def _ended(self, connection: Connection) -> None:
        self._count -= 1
        self._idle.pop(connection, None)

    def _kept(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """Return a kept connection of this event loop that should still be open, the last used first."""
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                return None
            self._loop, self._idle = loop, {}
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.open and loop.time() - connection.idle_since < KEEP_SECONDS:
                return connection
            connection.abort()
        return None

    def _settle(self, connection: Connection) -> None:
        """Keep a connection that can be used again, and drop the oldest where they rest too long or are too many."""
        if connection.loop is not self._loop or not connection.reusable:
            connection.abort()
            return
        connection.rest()
        idle = self._idle
        idle[connection] = None
        oldest = next(iter(idle))
        if oldest is not connection and (
            len(idle) > KEEP_CONNECTIONS or connection.idle_since - oldest.idle_since >= KEEP_SECONDS
        ):
            del idle[oldest]
            oldest.abort()


def _may_repeat(broken: Broken, connection: Connection, request: Request) -> bool:
    """Return whether a request may be sent again: on a kept connection that had died, and where it changes nothing."""
    again = broken.code == "lost" and connection.used and not connection.answering
    return again and request.method in IDEMPOTENT


async def _sent(connection: Connection, data: bytes, patience: Patience, deadline: float) -> Head:
    try:
        connection.send(data, patience, deadline)
        return await connection.head()
    except BaseException:
        connection.abort()
        raise


class Opened:
    """An answer whose head has come."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self.status = head.status
        self._connection = connection
        self._size = 0

    async def part(self, most: int) -> bytes:
        """Return the body's next bytes, none at its end; raises Broken, also once there are more than `most`."""
        part = await self._connection.part()
        self._size += len(part)
        if self._size > most:
            raise Broken("too_large", f"more than {most} bytes")
        return part

    async def body(self) -> bytes:
        """Return the whole body; raises Broken."""
        parts = []
        while part := await self.part(MAX_BODY):
            parts.append(part)
        return b"".join(parts)


def _left(loop: asyncio.AbstractEventLoop, deadline: float, most: float) -> float:
    return max(0.0, min(most, deadline - loop.time()))


def _header_lines(headers: dict[str, str]) -> str:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header {name} must be printable ASCII")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
