"""The HTTP server: takes connections in, ends what takes too long, drains at the end. docs/decisions/0020 says why
it is one of our own."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from typing import Protocol
from uuid import UUID

import uvloop

from agentmart.gateway.connection import Connection
from agentmart.gateway.http import Exchange
from agentmart.gateway.http_exchange import HttpExchange

logger = logging.getLogger("agentmart.gateway")

BACKLOG = 2048
MAX_CONNECTIONS = 20_000
TICK_SECONDS = 0.1
YOUNG_OBJECTS = 20_000
LAST_SECONDS = 1.0
"""What calls still get once the server, which stops first, has given them all of the grace."""


class Application(Protocol):
    """What is served."""

    @property
    def send_timeout(self) -> float:
        """Seconds after which a client that takes nothing has left."""

    def new_call_id(self) -> UUID:
        """Return the id of a request that has come."""

    async def serve(self, exchange: Exchange) -> None:
        """Answer a request; never raises."""

    async def startup(self) -> None:
        """Prepare to serve."""

    async def shutdown(self, grace: float | None = None) -> None:
        """End what is under way within the grace, the application's own where none is given."""


class Server:
    """Serves an application that was started; `start` and `stop` leave starting and ending it to others."""

    def __init__(
        self, app: Application, *, shutdown_grace: float, max_connections: int = MAX_CONNECTIONS
    ) -> None:
        self.draining = False
        self.send_timeout = app.send_timeout
        self.loop = asyncio.get_running_loop()
        self.new_call_id = app.new_call_id
        self._app = app
        self._grace = shutdown_grace
        self._max_connections = max_connections
        self._connections: set[Connection] = set()
        self._running: dict[HttpExchange, asyncio.Task[None]] = {}
        self._listening: asyncio.Server | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._quiet = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listening is not None
        return int(self._listening.sockets[0].getsockname()[1])

    async def start(self, host: str = "", port: int = 0, *, listening: socket.socket | None = None) -> None:
        """Listen, on a socket that is bound already or on an address; raises OSError."""
        if listening is not None:
            self._listening = await self.loop.create_server(self._connect, sock=listening, backlog=BACKLOG)
        else:
            self._listening = await self.loop.create_server(self._connect, host, port, backlog=BACKLOG)
        self._tick()

    async def stop(self) -> None:
        """Listen no more, let the requests under way be answered within the grace, hang up."""
        self.draining = True
        if self._listening is not None:
            self._listening.close()
        for connection in tuple(self._connections):
            connection.shut()
        self._quiet.clear()
        if self._connections or self._running:
            try:
                async with asyncio.timeout(self._grace):
                    await self._quiet.wait()
            except TimeoutError:
                logger.warning("requests_outlived_the_grace", extra={"requests": len(self._running)})
        if self._ticker is not None:
            self._ticker.cancel()
        for connection in tuple(self._connections):
            connection.hang_up()

    # -- for connections

    def opened(self, connection: Connection) -> bool:
        """Take a connection in; False where there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self._max_connections

    def closed(self, connection: Connection) -> None:
        """Let a connection go."""
        self._connections.discard(connection)
        self._check_quiet()

    def begin(self, exchange: HttpExchange) -> None:
        """Have a request answered."""
        self._running[exchange] = self.loop.create_task(self._serve(exchange))

    # -- inside

    def _connect(self) -> Connection:
        return Connection(self)

    async def _serve(self, exchange: HttpExchange) -> None:
        try:
            await self._app.serve(exchange)
        finally:
            del self._running[exchange]
            exchange.connection.answered(exchange)
            if self.draining:
                self._check_quiet()

    def _check_quiet(self) -> None:
        if self.draining and not self._connections and not self._running:
            self._quiet.set()

    def _tick(self) -> None:
        now = self.loop.time()
        for connection in tuple(self._connections):
            connection.tick(now)
        self._ticker = self.loop.call_later(TICK_SECONDS, self._tick)


async def _serve(
    app: Application, host: str, port: int, shutdown_grace: float, listening: socket.socket | None
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = Server(app, shutdown_grace=shutdown_grace)
    await app.startup()
    try:
        await server.start(host, port, listening=listening)
        logger.info("gateway_listens", extra={"host": host, "port": server.port})
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 50)
        await stopped.wait()
        await server.stop()
    finally:
        await app.shutdown(LAST_SECONDS)


def serve(
    app: Application, host: str, port: int, *, shutdown_grace: float, listening: socket.socket | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then let requests under way be answered; raises OSError for a taken port."""
    uvloop.run(_serve(app, host, port, shutdown_grace, listening))
