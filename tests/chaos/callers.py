"""Clients that go on calling whatever breaks, and note what became of every single attempt."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

INVOKE = "/api/agent-gateway/invoke/"
FAILURES = frozenset({409, 502, 503, 504})
"""Statuses by which a call may fail while things break."""
PATIENCE = 300.0
KEYED_EVERY, STREAMED_EVERY = 2, 4


@dataclass
class Message:
    """One thing to say: by new calls, or under a key by one that may be repeated, until it is answered."""

    number: int
    key: str | None
    stream: bool
    ids: set[str] = field(default_factory=set)
    since: float = 0.0


@dataclass
class Book:
    """What all callers saw."""

    answered: list[str] = field(default_factory=list)
    messages: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by status and code
    no_connection: int = 0  # nobody listened
    broken: int = 0  # broke off before the answer was complete
    complaints: list[str] = field(default_factory=list)


class Callers:
    """So many threads that work through so many messages."""

    def __init__(self, url: str, api_key: str, *, messages: int, threads: int) -> None:
        self._at = urlsplit(url)
        self._api_key = api_key
        self._numbers = iter(range(messages))
        self._later: list[Message] = []
        self._lock = threading.Lock()
        self.book = Book(messages=messages)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no further message."""
        with self._lock:
            self._numbers = iter(range(0))

    def join(self, seconds: float) -> None:
        """Wait until every message is answered."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"not done in time: {self.count()} answered, {self.book.complaints}"

    def count(self) -> int:
        """Return how many messages are answered."""
        with self._lock:
            return len(self.book.answered)

    def _work(self) -> None:
        connection = self._connect()
        while (message := self._next()) is not None:
            wait = self._attempt(connection, message)
            if wait:
                with self._lock:
                    self._later.append(message)
                time.sleep(wait)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(str(self._at.hostname), self._at.port, timeout=60)

    def _next(self) -> Message | None:
        """Return a message nobody has said yet; after the last of them those that must be said again."""
        with self._lock:
            number = next(self._numbers, None)
            if number is not None:
                key = f"message {number}" if number % KEYED_EVERY == 0 else None
                return Message(number, key, number % STREAMED_EVERY == 1, since=time.monotonic())
            return self._later.pop(0) if self._later else None

    def _attempt(self, connection: http.client.HTTPConnection, message: Message) -> float:
        """Say it once; returns the seconds to wait before it is said again, 0 once it is answered."""
        if time.monotonic() - message.since > PATIENCE:
            self._complain(f"message {message.number} was never answered")
            return 0.0
        headers = {"X-API-Key": self._api_key, "Content-Type": "application/json"}
        if message.key is not None:
            headers["Idempotency-Key"] = message.key
        body = {"input": f"Message {message.number}", "stream": message.stream, "session_id": "chaos"}
        try:
            connection.request("POST", INVOKE, json.dumps(body), headers)
        except OSError:
            connection.close()
            with self._lock:
                self.book.no_connection += 1
            return 0.1
        try:
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            with self._lock:
                self.book.broken += 1
            return 0.1
        return self._judge(message, answer, content)

    def _judge(self, message: Message, answer: http.client.HTTPResponse, content: bytes) -> float:
        """Note an answer; returns as `_attempt` does."""
        request_id = answer.headers.get("X-Request-Id") or ""
        if len(request_id) != 32:
            self._complain(f"status {answer.status} without a request id: {content[:200]!r}")
        text, code = (_streamed if answer.headers.get_content_type() == "text/event-stream" else _whole)(
            content
        )
        with self._lock:
            if answer.status == 200 and not code:
                told = _told_id(content)
                self.book.answered.append(told)
                self.book.repeated += answer.headers.get("Idempotent-Replayed") == "true"
                if text != f"Message {message.number}":
                    self.book.complaints.append(f"message {message.number} was answered {text[:80]!r}")
                return 0.0
            self.book.refused[f"{answer.status} {code}"] += 1
        if answer.status not in (*FAILURES, 200):
            self._complain(f"status {answer.status}: {content[:200]!r}")
        return 0.5 if answer.status == 409 else 0.1

    def _complain(self, what: str) -> None:
        with self._lock:
            self.book.complaints.append(what)


def _whole(content: bytes) -> tuple[str, str]:
    """Return text and code (empty: none) of an answer."""
    body: dict[str, Any] = json.loads(content)
    return body.get("output", ""), body.get("code", "")


def _streamed(content: bytes) -> tuple[str, str]:
    """Return text and code of a stream; one without its last event counts as broken off."""
    text, code, complete = "", "", False
    for event, data in _events(content):
        if event == "error":
            code = data["code"]
        elif event == "usage":
            text, complete = data["output"], True
    return text, code or ("" if complete else "incomplete")


def _told_id(content: bytes) -> str:
    """Return the id of the call that made an answer; a repeated answer tells the first call's."""
    if content.startswith(b"{"):
        return str(json.loads(content)["request_id"])
    return str(next(data["request_id"] for event, data in _events(content) if event == "usage"))


def _events(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in content.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found
