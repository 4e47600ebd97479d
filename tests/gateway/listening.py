"""A gateway that listens on a port of its own, in the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.support import World

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
    http = server.Server(world.app, shutdown_grace=5)
    await http.start("127.0.0.1")
    yield Served(world, http.port)
    world.runtime.release.set()
    await http.stop()
