"""The port's client: what gateway and worker hold. One connection to the parent carries all calls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    RuntimeFailure,
    Token,
)
from agentmart.adapters.runtimes.embedded import wire

CONNECT_SECONDS = 5.0
ADMIN_SECONDS = 60.0
GRACE_SECONDS = 10.0  # beyond a run's own limit, which the parent enforces
CLOSED = None
APART = 64  # pieces that wait for their reader as they came
JOINED = 16 * 1024  # characters of pieces that were joined


class EmbeddedRuntime:
    """A runtime behind a Unix socket.

    Calls of the event loop that used it first share a connection. `persistent=False` opens one per call instead,
    for callers whose every call has an event loop of its own (`async_to_sync`).
    """

    def __init__(self, socket_path: str | Path, *, persistent: bool = True) -> None:
        self._path = str(socket_path)
        self._persistent = persistent
        self._connection: _Connection | None = None
        self._opening: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def deploy(self, deployment: Deployment) -> None:
        """Take a flow and prove that it can be built; raises RuntimeFailure."""
        async with self._connected() as connection:
            await connection.ask(wire.Deploy(connection.number(), deployment))

    async def remove(self, deployment_id: str) -> None:
        """Forget a deployment and its sessions; raises RuntimeFailure."""
        async with self._connected() as connection:
            await connection.ask(wire.Remove(connection.number(), deployment_id))

    async def invoke(self, request: RunRequest) -> RunResult:
        """Run once and return the answer; raises RuntimeFailure. Cancelling the task cancels the run."""
        async with (
            self._connected() as connection,
            contextlib.aclosing(connection.run(request, False)) as run,
        ):
            async for event in run:
                if isinstance(event, RunResult):
                    return event
        raise _lost()

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunEvent, None]:
        """Run once, yielding tokens and the result last; raises RuntimeFailure. Closing it cancels the run."""
        async with self._connected() as connection, contextlib.aclosing(connection.run(request, True)) as run:
            async for event in run:
                yield event

    async def health(self) -> Health:
        """Say how the runtime is; never raises."""
        try:
            async with self._connected() as connection:
                reply = await connection.ask(wire.Check(connection.number()))
        except RuntimeFailure as failure:
            return Health(ok=False, message=failure.message)
        return reply.health if isinstance(reply, wire.Condition) else Health(ok=False, message="No answer.")

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Connection]:
        loop = asyncio.get_running_loop()
        if self._persistent and self._loop is None:
            self._loop, self._opening = loop, asyncio.Lock()
        if self._loop is loop and self._opening is not None:
            async with self._opening:
                if self._connection is None or self._connection.lost:
                    self._connection = await _open(self._path)
            yield self._connection
            return
        connection = await _open(self._path)
        try:
            yield connection
        finally:
            await connection.close()


def _lost(*, begun: bool = True) -> RuntimeFailure:
    return RuntimeFailure("unreachable", "The connection to the runtime broke off.", begun=begun)


async def _open(path: str) -> _Connection:
    try:
        opening = asyncio.open_unix_connection(path)
        reader, writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise RuntimeFailure(
            "unreachable", "The runtime is not running.", retryable=True, detail=str(error), begun=False
        ) from error
    return _Connection(reader, writer)


class _Replies(asyncio.Queue[wire.Reply | None]):
    """What came for one call. A reader that is far behind gets its pieces joined: a thousand words of one letter
    cost no more memory than one word."""

    _queue: deque[wire.Reply | None]

    def _put(self, item: wire.Reply | None) -> None:
        if isinstance(item, wire.Piece) and len(self._queue) >= APART:
            last = self._queue[-1]
            if isinstance(last, wire.Piece) and len(last.text) < JOINED:
                self._queue[-1] = wire.Piece(item.id, last.text + item.text)
                return
        self._queue.append(item)


class _Connection:
    """One socket, many calls: replies find their call by its number."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count(1)
        self._calls: dict[int, _Replies] = {}
        self.lost = False
        self._reading = asyncio.create_task(self._read(reader))

    def number(self) -> int:
        """Return a fresh call number."""
        return next(self._numbers)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (body := await wire.read(reader)) is not None:
                reply = wire.replies.decode(body)
                if (call := self._calls.get(reply.id)) is not None:
                    call.put_nowait(reply)
        finally:
            self.lost = True
            self._writer.close()
            for call in self._calls.values():
                call.put_nowait(CLOSED)

    async def ask(self, request: wire.Deploy | wire.Remove | wire.Check) -> wire.Reply:
        """Send a request and return its reply; raises RuntimeFailure."""
        async with self._call(request) as replies:
            return await _next(replies, ADMIN_SECONDS)

    async def run(self, request: RunRequest, stream: bool) -> AsyncGenerator[RunEvent, None]:
        """Yield the events of a run; raises RuntimeFailure. Closing it cancels the run."""
        async with self._call(wire.Run(self.number(), request, stream)) as replies:
            while True:
                reply = await _next(replies, request.timeout_seconds + GRACE_SECONDS)
                if isinstance(reply, wire.Piece):
                    yield Token(reply.text)
                elif isinstance(reply, wire.Answer):
                    yield reply.result
                    return

    @contextlib.asynccontextmanager
    async def _call(self, request: wire.Request) -> AsyncIterator[asyncio.Queue[wire.Reply | None]]:
        replies = _Replies()
        self._calls[request.id] = replies
        try:
            self._write(request)
            yield replies
        except (GeneratorExit, asyncio.CancelledError):
            with contextlib.suppress(RuntimeFailure):
                self._write(wire.Cancel(request.id))
            raise
        finally:
            del self._calls[request.id]

    def _write(self, message: wire.Request) -> None:
        if self.lost:
            raise _lost(begun=False)
        try:
            self._writer.write(wire.pack(message))
        except ValueError as error:
            raise RuntimeFailure("bad_flow", "The request is too large for the runtime.") from error

    async def close(self) -> None:
        """Hang up and wait until the reader is done."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def _next(replies: asyncio.Queue[wire.Reply | None], seconds: float) -> wire.Reply:
    try:
        reply = await asyncio.wait_for(replies.get(), seconds)
    except TimeoutError:
        raise RuntimeFailure("timeout", "The runtime did not answer in time.") from None
    if reply is None:
        raise _lost()
    if isinstance(reply, wire.Failed):
        raise RuntimeFailure(
            reply.code,
            reply.message,
            retryable=reply.retryable,
            detail=reply.detail,
            usage=reply.usage,
            begun=reply.begun,
        )
    return reply
