"""The HTTP server: uvicorn on uvloop and httptools, with bounds on what a client may send before it is served."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from agentmart.kit.ids import new_id

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 75

_MESSAGES = {
    400: ("bad_request", "The request is not valid HTTP."),
    408: ("request_timeout", "The request did not come in time."),
    431: ("headers_too_large", "The request's line and headers are too large."),
}


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, plus: a request's head is bounded in bytes, fields and time, and every refusal is JSON."""

    _reason = 400
    _in_head = True
    _head_bytes = 0  # of the head under way, whole reads without its end
    _heads = 0  # complete ones
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request's head."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that goes on and on (the parser keeps an unfinished line to itself)."""
        heads = self._heads
        expected = self._in_head
        if expected:
            self._start_timer()
        super().data_received(data)
        if expected and heads == self._heads and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431)

    def on_url(self, url: bytes) -> None:
        """Count the request line."""
        super().on_url(url)
        self._check_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        super().on_header(name, value)
        self._check_head()

    def on_headers_complete(self) -> None:
        """Leave the rest to the application: it bounds the body."""
        self._in_head = False
        self._head_bytes = 0
        self._heads += 1
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser, or a bound of ours, refused."""
        self._refuse(self._reason)

    def _check_head(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self._reason = 431
            raise ValueError("head too large")  # the parser stops, and send_400_response answers

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_too_slow(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:  # else an earlier answer is still under way
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        if self.transport.is_closing():
            return
        code, detail = _MESSAGES[status]
        request_id = new_id().hex
        body = msgspec.json.encode({"detail": detail, "code": code, "request_id": request_id})
        head = (
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.close()


def config(app: Any, host: str, port: int, *, shutdown_grace: float) -> uvicorn.Config:
    """Return how uvicorn serves the gateway."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        reset_contextvars=True,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(shutdown_grace)),
    )


def serve(app: Any, host: str, port: int, *, shutdown_grace: float) -> None:
    """Serve until SIGTERM or SIGINT."""
    uvicorn.Server(config(app, host, port, shutdown_grace=shutdown_grace)).run()
