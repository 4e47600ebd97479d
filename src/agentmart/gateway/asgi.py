"""An exchange over ASGI: for servers that are not ours, and for tests that want no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from uuid import UUID

from agentmart.gateway.http import (
    BUFFERED,
    DISCARD_FACTOR,
    EVENT_STREAM,
    BodyTooLarge,
    BodyTooSlow,
    CallerLeft,
    Exchange,
    Reply,
)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiExchange(Exchange):
    """A request that came as an ASGI scope."""

    __slots__ = ("_receive", "_send", "_send_timeout", "_watcher")

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, call_id: UUID, send_timeout: float
    ) -> None:
        headers: dict[str, str] = {}
        more: list[tuple[str, str]] = []
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name in headers:
                more.append((name, value))
            else:
                headers[name] = value
        client = (scope.get("client") or ("", 0))[0]
        super().__init__(scope["method"], scope["path"], headers, client, call_id, more=more)
        self._receive = receive
        self._send = send
        self._send_timeout = send_timeout
        self._watcher: asyncio.Task[None] | None = None

    async def read_body(self, limit: int, timeout: float) -> bytes:
        """Return the body; raises BodyTooLarge, BodyTooSlow or CallerLeft."""
        try:
            async with asyncio.timeout(timeout):
                return await self._read_body(limit)
        except TimeoutError:
            raise BodyTooSlow(
                f"The request's body did not come within {timeout:g} seconds.",
                headers={"Connection": "close"},
            ) from None

    async def _read_body(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        declared = self._headers.get("content-length", "")
        refuse_at = limit * DISCARD_FACTOR
        hopeless = declared.isdigit() and int(declared) > refuse_at
        more = not hopeless
        while more and size <= refuse_at:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise CallerLeft
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
            more = message.get("more_body", False)
        if size > limit or hopeless:
            raise BodyTooLarge(
                f"The request's body is larger than {limit} bytes.",
                extra={"limit": "body_bytes", "value": limit},
                headers={"Connection": "close"} if more or hopeless else None,
            )
        return b"".join(chunks)

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` should the caller leave before the answer is complete; use it once, after the body."""
        self._watcher = asyncio.create_task(self._watch(left))

    async def _watch(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        left()

    def close(self) -> None:
        """Stop watching: after the answer's end servers report every caller as gone."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        headers = [("Content-Length", str(len(reply.body)))] if reply.status != 204 else []
        await self._start(reply.status, reply.content_type, (*headers, *reply.headers))
        await self._write(reply.body, more=False)

    async def stream(self, chunk: bytes, *, last: bool = False) -> None:
        """Send a piece of a stream of events; the first begins it and tells every proxy to hold nothing back."""
        if not self.streaming:
            self.streaming = True
            await self._start(200, EVENT_STREAM, (("X-Accel-Buffering", "no"),))
        await self._write(chunk, more=not last)

    async def _start(self, status: int, content_type: str, headers: Iterable[tuple[str, str]]) -> None:
        self.status = status
        every = [
            ("Content-Type", content_type),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Request-Id", self.request_id),
            *self.shown_limits(),
            *self.cors_headers,
            *((("Idempotent-Replayed", "true"),) if self.repeated else ()),
            *((("Warning", f'299 agentmart "Ignored: {" ".join(self.ignored)}"'),) if self.ignored else ()),
            *headers,
        ]
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in every]
        await self._deliver({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, chunk: bytes, *, more: bool) -> None:
        if not more and len(chunk) > BUFFERED:
            # The end follows alone: it waits until the server's buffer has gone out, so "sent" means sent.
            await self._write(chunk, more=True)
            chunk = b""
        await self._deliver({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _deliver(self, message: Message) -> None:
        if self.gone:
            return
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._send(message)
        except (TimeoutError, OSError):
            self.gone = True
