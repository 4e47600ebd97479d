"""Many event streams at once: how long each waits for its first token."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from typing import Any

import uvloop

SPREAD_SECONDS = 4.0  # the streams begin evenly over so long, and last longer than that


class _Stream(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request
        self._seen = b""
        self._asked = 0.0
        self.first: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self) -> None:
        """Send the request."""
        self._asked = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.first.done():
            self._seen += data
            if b'"token"' in self._seen or b"event: token" in self._seen:
                self.first.set_result((time.perf_counter() - self._asked) * 1000)
        if data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self.first, self.ended):
            if not waiting.done():
                waiting.set_exception(ConnectionResetError(self._seen[:200]))


def knock(port: int) -> None:
    """Open a connection and close it; raises OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        pass


def run(port: int, path: str, key: str, body: bytes, streams: int) -> dict[str, float]:
    """Return the percentiles of the time to the first token, in ms."""
    return uvloop.run(_run(port, path, key, body, streams))


async def _run(port: int, path: str, key: str, body: bytes, streams: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{authorization}"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    opened: list[_Stream] = []
    for _ in range(streams):
        _, protocol = await loop.create_connection(lambda: _Stream(request), "127.0.0.1", port)
        opened.append(protocol)
    for number, stream in enumerate(opened):
        loop.call_later(number / streams * SPREAD_SECONDS, stream.ask)
    times = sorted(await asyncio.gather(*(stream.first for stream in opened)))
    await asyncio.gather(*(stream.ended for stream in opened))
    for stream in opened:
        stream.transport.close()
    return {
        "p50": round(statistics.median(times), 3),
        "p90": round(times[int(len(times) * 0.9)], 3),
        "p99": round(times[int(len(times) * 0.99)], 3),
        "max": round(times[-1], 3),
    }
