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

from agentmart.adapters.runtimes.langflow.connection import Broken, Connection, Head

CONNECT_SECONDS = 5.0
KEEP_SECONDS = (
    3.0  # Langflow's server closes what was silent for 5 s: what might be closing is not used again
)
KEEP_CONNECTIONS = 64
MAX_BODY = 16 * 1024 * 1024
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Patience:
    """Longest waits in seconds: for the answer's first byte, between two bytes, for all of it."""

    first_byte: float
    idle: float
    total: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. Only GET, PUT and DELETE may be sent twice."""

    method: str
    target: str  # path and query, percent-encoded
    body: bytes = b""


@dataclass(frozen=True, slots=True)
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
        self._idle: list[Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: Request, patience: Patience) -> Answer:
        """Return the whole answer; raises Broken."""
        async with self.opened(request, patience) as answer:
            return Answer(answer.status, await answer.body())

    @contextlib.asynccontextmanager
    async def opened(self, request: Request, patience: Patience) -> AsyncIterator[Opened]:
        """Send a request and yield its answer once its head is there; raises Broken.

        What was not read to its end when the block is left is hung up on.
        """
        deadline = asyncio.get_running_loop().time() + patience.total
        connection, head = await self._begun(request, patience, deadline)
        try:
            yield Opened(connection, head, patience, deadline)
        finally:
            self._settle(connection)

    async def close(self) -> None:
        """Close the connections kept."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
        self._loop = None

    async def _begun(self, request: Request, patience: Patience, deadline: float) -> tuple[Connection, Head]:
        """Send on a kept connection or a new one. A kept one that had died is replaced once, unless a run could
        have begun."""
        connection = self._kept() or await self._connect(deadline)
        try:
            return connection, await self._sent(connection, request, patience, deadline)
        except Broken as broken:
            again = broken.code == "lost" and connection.used and not connection.answering
            if not again or request.method not in IDEMPOTENT:
                raise
        connection = await self._connect(deadline)
        return connection, await self._sent(connection, request, patience, deadline)

    async def _sent(
        self, connection: Connection, request: Request, patience: Patience, deadline: float
    ) -> Head:
        length = f"content-length: {len(request.body)}\r\n" if request.body or request.method != "GET" else ""
        kind = "content-type: application/json\r\n" if request.body else ""
        line = f"{request.method} {self._path}{request.target} HTTP/1.1\r\n"
        try:
            connection.send(f"{line}{self._head}{kind}{length}\r\n".encode("ascii") + request.body)
            return await connection.head(_left(deadline, patience.first_byte))
        except BaseException:
            connection.abort()
            raise

    async def _connect(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(
            Connection,
            self._host,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
        )
        try:
            _, connection = await asyncio.wait_for(opening, _left(deadline, CONNECT_SECONDS))
        except (OSError, TimeoutError) as error:
            raise Broken("connect", str(error) or "no connection in time") from error
        return connection

    def _kept(self) -> Connection | None:
        """Return a kept connection of this event loop that should still be open, the last used first."""
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.is_closed():
            self._loop, self._idle = loop, []
        if self._loop is not loop:
            return None
        while self._idle:
            connection = self._idle.pop()
            if connection.open and loop.time() - connection.idle_since < KEEP_SECONDS:
                return connection
            connection.abort()
        return None

    def _settle(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop or not connection.reusable or len(self._idle) >= KEEP_CONNECTIONS:
            connection.abort()
            return
        connection.rest()
        self._idle = [kept for kept in self._idle if kept.open]
        self._idle.append(connection)


class Opened:
    """An answer whose head has come."""

    def __init__(self, connection: Connection, head: Head, patience: Patience, deadline: float) -> None:
        self.status = head.status
        self._connection = connection
        self._patience = patience
        self._deadline = deadline
        self._size = 0

    async def part(self, most: int) -> bytes:
        """Return the body's next bytes, none at its end; raises Broken, also once there are more than `most`."""
        part = await self._connection.part(_left(self._deadline, self._patience.idle))
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


def _left(deadline: float, most: float) -> float:
    return max(0.0, min(most, deadline - asyncio.get_running_loop().time()))


def _header_lines(headers: dict[str, str]) -> str:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ValueError(f"the header {name} must be printable ASCII")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
