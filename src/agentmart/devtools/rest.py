"""A small HTTP client for the demo and for tests of the real processes: JSON calls and event streams."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the parsed body (None where there is none), and headers by lower-case name."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Unexpected(Exception):
    """An answer had another status than the caller needs; the message holds call, status and body."""


class Rest:
    """One person's (or program's) calls to one server."""

    def __init__(self, base_url: str, authorization: str = "", *, timeout: float = 60.0) -> None:
        self._at = urlsplit(base_url)
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """Make a call and return its answer, whatever the status; raises OSError without one."""
        connection = self._send(method, path, body, query, self._headers)
        try:
            response = connection.getresponse()
            raw = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        return Answer(response.status, json.loads(raw) if raw else None, headers)

    def expect(self, status: int, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Make a call that must end in `status`; returns the body, raises Unexpected."""
        answer = self.call(method, path, body, **query)
        if answer.status != status:
            shown = json.dumps(answer.body)[:600]
            raise Unexpected(f"{method} {path}: expected {status}, got {answer.status}: {shown}")
        return answer.body

    def get(self, path: str, **query: Any) -> Any:
        """Return the body of a GET that must end in 200."""
        return self.expect(200, "GET", path, **query)

    def post(self, path: str, body: Any = None, *, status: int = 201) -> Any:
        """Return the body of a POST that must end in `status`."""
        return self.expect(status, "POST", path, body)

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """Yield every row of a list, page by page."""
        page = 1
        while True:
            answer = self.call("GET", path, page=page, page_size=300, **query)
            if answer.status != 200:
                raise Unexpected(f"GET {path}: expected 200, got {answer.status}: {answer.body}")
            yield from answer.body
            if page * 300 >= int(answer.headers["x-result-count"]):
                return
            page += 1

    def stream(self, path: str, body: Any) -> Iterator[tuple[str, Any]]:
        """Yield (event, data) of a server-sent event stream; raises Unexpected where the answer is none."""
        headers = {**self._headers, "Accept": "text/event-stream"}
        connection = self._send("POST", path, body, {}, headers)
        try:
            response = connection.getresponse()
            if response.status != 200:
                raise Unexpected(f"POST {path}: got {response.status}: {response.read(600).decode()}")
            yield from _events(response)
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, Any], headers: Mapping[str, str]
    ) -> http.client.HTTPConnection:
        """Send a request on a connection of its own."""
        connection = http.client.HTTPConnection(
            self._at.hostname or "", self._at.port or 80, timeout=self._timeout
        )
        address = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, address, content, dict(headers))
        return connection


def _events(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Read server-sent events from lines of bytes."""
    event, data = "message", ""
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield event, json.loads(data)
            event, data = "message", ""
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
