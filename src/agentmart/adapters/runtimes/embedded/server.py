"""The parent's end of the private socket: many calls on one connection, each a task that can be cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

import msgspec

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RuntimeFailure,
    Token,
)
from agentmart.adapters.runtimes.embedded import wire

logger = logging.getLogger("agentmart.runtime.server")


class Backend(Protocol):
    """What the socket offers."""

    async def deploy(self, deployment: Deployment) -> None: ...

    async def remove(self, deployment_id: str) -> None: ...

    def run(self, request: RunRequest, *, stream: bool) -> AsyncGenerator[RunEvent, None]: ...

    def health(self) -> Health: ...


class Server:
    """Listens on the socket and carries requests to the backend."""

    def __init__(self, backend: Backend, path: Path) -> None:
        self._backend = backend
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._draining = False

    async def start(self) -> None:
        """Listen; only the owner may connect."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._connected, str(self._path))
        finally:
            os.umask(mask)

    async def drain(self, seconds: float) -> None:
        """Take no more requests and wait for those under way."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self) -> None:
        """Cancel what is left and hang up."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            while (body := await wire.read(reader)) is not None:
                request = wire.requests.decode(body)
                if isinstance(request, wire.Cancel):
                    if (running := tasks.get(request.id)) is not None:
                        running.cancel()
                    continue
                task = asyncio.create_task(self._answer(request, writer))
                tasks[request.id] = task
                self._tasks.add(task)
                task.add_done_callback(functools.partial(self._forget, tasks, request.id))
        except (msgspec.MsgspecError, ValueError):
            logger.error("a client of the runtime talks nonsense; it is cut off")
        finally:
            for task in tasks.values():
                task.cancel()
            self._writers.discard(writer)
            writer.close()

    def _forget(self, tasks: dict[int, asyncio.Task[None]], number: int, task: asyncio.Task[None]) -> None:
        tasks.pop(number, None)
        self._tasks.discard(task)

    async def _answer(self, request: wire.Request, writer: asyncio.StreamWriter) -> None:
        try:
            if self._draining and not isinstance(request, wire.Check):
                raise RuntimeFailure("busy", "The runtime is shutting down.", retryable=True, begun=False)
            await self._carry_out(request, writer)
        except RuntimeFailure as failure:
            fields = (failure.code, failure.message, failure.retryable, failure.detail, failure.usage)
            await _send(writer, wire.Failed(request.id, *fields, failure.begun))
        except ConnectionError:
            logger.debug("a client of the runtime hung up")
        except Exception:  # a flaw of ours must not leave the caller waiting
            logger.exception("the runtime failed")
            text = "The runtime failed; see its log."
            await _send(writer, wire.Failed(request.id, "crashed", text, False, "", None))

    async def _carry_out(self, request: wire.Request, writer: asyncio.StreamWriter) -> None:
        match request:
            case wire.Deploy():
                await self._backend.deploy(request.deployment)
                await _send(writer, wire.Done(request.id))
            case wire.Remove():
                await self._backend.remove(request.deployment_id)
                await _send(writer, wire.Done(request.id))
            case wire.Check():
                await _send(writer, wire.Condition(request.id, self._backend.health()))
            case wire.Run():
                events = self._backend.run(request.request, stream=request.stream)
                async with contextlib.aclosing(events):
                    async for event in events:
                        if isinstance(event, Token):
                            await _send(writer, wire.Piece(request.id, event.text))
                        else:
                            await _send(writer, wire.Answer(request.id, event))


async def _send(writer: asyncio.StreamWriter, reply: wire.Reply) -> None:
    writer.write(wire.pack(reply))
    await writer.drain()
