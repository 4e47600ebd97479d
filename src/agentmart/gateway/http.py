"""One HTTP exchange: a bounded request, one answer or one stream, and a caller who may leave.

What it is carried by is `connection` (our own server) or `asgi` (any other).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from agentmart.gateway.errors import body_of
from agentmart.kit.errors import DomainError

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
DISCARD_FACTOR = 8
"""A body too large is read on to this multiple of its bound, so that the caller gets to read the refusal."""

BUFFERED = 32 * 1024
"""A server takes this much at once without waiting for the caller to read."""


class CallerLeft(Exception):
    """The caller closed the connection before the request was complete: there is nobody to answer."""


class BodyTooLarge(DomainError):
    """The request's body exceeds the bound."""

    code = "request_too_large"
    status = 413


class BodyTooSlow(DomainError):
    """The request's body did not come in time."""

    code = "request_timeout"
    status = 408


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(status: int, content: Any, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Return an answer with `content` as JSON."""
    return Reply(status, msgspec.json.encode(content), headers=tuple(headers))


def refusal_body(error: DomainError, request_id: str) -> bytes:
    """Return a refusal's body in our own form; another dialect sets its own on the Exchange."""
    return msgspec.json.encode(body_of(error, request_id))


def event(name: str, data: Any) -> bytes:
    """Return one server-sent event; the JSON holds no raw newline, so one data line is enough."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


class Exchange:
    """One request and its answer.

    `limit_headers` are put on whatever is answered from the moment they are set; an answer before that
    asks `show_limits`. `gone` becomes true once the caller left; from then on everything written is dropped.
    """

    __slots__ = (
        "_again",
        "_headers",
        "begun",
        "call_id",
        "client",
        "cors_headers",
        "facts",
        "gone",
        "ignored",
        "limit_headers",
        "method",
        "path",
        "refusal_body",
        "repeated",
        "request_id",
        "show_limits",
        "status",
        "streaming",
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        client: str,
        call_id: UUID,
        *,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`headers` are by lower-case name, the first of each; `more` are those after it."""
        self.method = method
        self.path = path
        self.client = client
        self.call_id = call_id
        self.request_id = call_id.hex
        self.begun = monotonic()
        self.refusal_body = refusal_body
        self.limit_headers: tuple[tuple[str, str], ...] = ()
        self.show_limits: Callable[[], tuple[tuple[str, str], ...]] | None = None
        self.cors_headers: tuple[tuple[str, str], ...] = ()  # which web page may read the answer
        self.repeated = False  # the answer is that of an earlier call under the same key
        self.ignored: tuple[str, ...] = ()  # parts of the request that have no effect, told in `Warning`
        self.facts: dict[str, Any] = {}  # for the log line: ids, numbers and codes, never content
        self.status = 0
        self.gone = False
        self.streaming = False
        self._headers = headers
        self._again = more

    def header(self, name: str) -> str | None:
        """Return a request header by its lower-case name; of several, the first."""
        return self._headers.get(name)

    def headers(self, name: str) -> list[str]:
        """Return all values of a request header by its lower-case name, in the order they came."""
        first = self._headers.get(name)
        return [] if first is None else [first, *(value for key, value in self._again if key == name)]

    def shown_limits(self) -> tuple[tuple[str, str], ...]:
        """Return the headers of limits, looked up where nobody has yet."""
        if not self.limit_headers and self.show_limits is not None:
            self.limit_headers = self.show_limits()
        return self.limit_headers

    @property
    def arrived(self) -> bool:
        """Whether the whole body is here: reading it takes no time."""
        return False

    async def read_body(self, limit: int, timeout: float) -> bytes:
        """Return the body; raises BodyTooLarge, BodyTooSlow or CallerLeft."""
        raise NotImplementedError

    def watch(self, left: Callable[[], None]) -> None:
        """Call `left` should the caller leave before the answer is complete; use it once, after the body."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop watching."""

    async def reply(self, reply: Reply) -> None:
        """Send a whole answer."""
        raise NotImplementedError

    async def refuse(self, error: DomainError) -> None:
        """Send a refusal as the whole answer."""
        self.facts["code"] = error.code
        body = self.refusal_body(error, self.request_id)
        await self.reply(Reply(error.status, body, headers=tuple(error.headers.items())))

    async def stream(self, chunk: bytes, *, last: bool = False) -> None:
        """Send a piece of a stream of events; the first begins it and tells every proxy to hold nothing back."""
        raise NotImplementedError
