"""A gateway that listens on a port of its own, in the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from tests.gateway.support import World, eventually

from agentmart.gateway import server


class Served:
    """A gateway listening on a port."""

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def raw(self, data: bytes) -> bytes:
        """Send bytes and return everything that comes until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[Served]:
    """Let a gateway, which somebody else starts and stops, listen."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await world.app(scope, receive, send)
        else:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})

    uvicorn_server = uvicorn.Server(server.config(app, "127.0.0.1", 0, shutdown_grace=5))
    task = asyncio.create_task(uvicorn_server.serve())

    async def started() -> bool:
        return uvicorn_server.started

    await eventually(started)
    port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
    yield Served(world, port)
    world.runtime.release.set()
    uvicorn_server.should_exit = True
    await task
