"""A reader far behind: what waits for it in memory is bounded by its text, not by the number of its pieces."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from agentmart.adapters.runtimes import Deployment, Health, RunEvent, RunRequest, RunResult, Token
from agentmart.adapters.runtimes.embedded import client
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.server import Server

REQUEST = RunRequest("0" * 32, "1" * 32, "Hello", "s")
TEXT = "".join(chr(ord("a") + number % 26) for number in range(100_000))


class Talkative:
    """A backend that tells its answer letter by letter."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def deploy(self, deployment: Deployment) -> None:
        """Nothing to do."""

    async def remove(self, deployment_id: str) -> None:
        """Nothing to do."""

    async def run(self, request: RunRequest, *, stream: bool) -> AsyncGenerator[RunEvent, None]:
        """Tell it."""
        for letter in TEXT:
            yield Token(letter)
        self.told.set()
        yield RunResult(TEXT, None, 1)

    def health(self) -> Health:
        """Be well."""
        return Health(ok=True)


async def test_pieces_that_wait_are_joined() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path, backend = Path(folder) / "r.sock", Talkative()
        server = Server(backend, path)
        await server.start()
        runtime = EmbeddedRuntime(path)
        async with aclosing(runtime.stream(REQUEST)) as events:
            pieces = [await anext(events)]
            await asyncio.wait_for(backend.told.wait(), 60)
            assert (await runtime.health()).ok  # asked after it, on the same connection: all of it has come
            pieces += [event async for event in events]
        await runtime.close()
        await server.close()
    *tokens, result = pieces
    texts = [piece.text for piece in tokens if isinstance(piece, Token)]
    assert "".join(texts) == TEXT
    assert isinstance(result, RunResult)
    assert texts[: client.APART - 1] == list(TEXT[: client.APART - 1]), (
        "a reader that keeps up gets every piece"
    )
    assert len(texts) <= client.APART + 1 + len(TEXT) // client.JOINED + 2
