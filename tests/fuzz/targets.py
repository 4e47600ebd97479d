"""Every parser that reads what others wrote: what it is given to begin with, and what it may answer.

A parser returns, or raises what it says it raises; anything else would be a 500. Each target feeds one input.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from tests.gateway.support import KEYS, claims_of, make_grant, sign

from agentmart.adapters.runtimes.base import RuntimeFailure
from agentmart.adapters.runtimes.embedded import wire
from agentmart.adapters.runtimes.langflow import answers, events
from agentmart.adapters.runtimes.langflow.connection import Connection, Patience
from agentmart.contracts.grants import Tweakable
from agentmart.contracts.keys import parse_key
from agentmart.contracts.places import client_address
from agentmart.contracts.tweaks import check_tweaks
from agentmart.gateway import connection as server_connection
from agentmart.gateway.grants import grant_from_row
from agentmart.gateway.http import Reply, refusal_body
from agentmart.gateway.keys import KeyChecker, key_in
from agentmart.gateway.messages import InvokeDialect, asked_seconds, wants_stream
from agentmart.gateway.openai_chat import ChatDialect
from agentmart.gateway.openai_responses import ResponsesDialect
from agentmart.gateway.spool import read_lines
from agentmart.kit.errors import DomainError

_loop = asyncio.new_event_loop()
NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@dataclass(frozen=True)
class Target:
    """A parser: what it is fed by, and right inputs to begin with."""

    name: str
    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _no_header(_name: str) -> str | None:
    return None


def _body(dialect: Any) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        try:
            call = dialect.parse(data, _no_header)
        except DomainError as error:
            assert 400 <= error.status < 500, error
            dialect.refusal(error, "0" * 32)
        else:
            assert isinstance(call.text, str)
            call.text.encode()  # what the parser lets in can be written anywhere

    return feed


# -- headers

_checker = KeyChecker(KEYS)
_grant = make_grant(
    key_id=UUID(int=1), config_id=UUID(int=2), customer_id=UUID(int=3), project_id=UUID(int=4)
)
_key = sign(claims_of(_grant))


def _headers(data: bytes) -> None:
    """Every header that the gateway reads, of the same text as a server hands it on."""
    text = data.decode("latin-1")

    def header(_name: str) -> str | None:
        return text

    for read in (key_in, asked_seconds):
        with suppress(DomainError):
            read(header)
    wants_stream(text)
    client_address("192.0.2.1", (text,), ())
    client_address(text, (), ())
    parse_key(text)
    try:
        _checker.check(text, NOW)
    except DomainError as error:
        assert error.status == 401, error


# -- HTTP, as the server reads it


class _Wire:
    """The near end of a connection: keeps what is answered."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def write_eof(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, *_: Any, **__: Any) -> None: ...


class _Host:
    """A server that answers every request with its path, once all of it has come or nothing more comes."""

    draining = False
    send_timeout = 1.0

    def __init__(self) -> None:
        self.loop = _loop
        self.begun: list[server_connection.HttpExchange] = []

    def new_call_id(self) -> UUID:
        return UUID(int=7)

    def opened(self, _connection: Any) -> bool:
        return True

    def closed(self, _connection: Any) -> None: ...

    def begin(self, exchange: server_connection.HttpExchange) -> None:
        self.begun.append(exchange)

    def answer(self) -> None:
        """Answer what has begun, and what begins by that."""
        while self.begun:
            exchange = self.begun.pop(0)
            try:
                if exchange.complete:
                    _at_once(exchange.read_body(1000, 1.0))
                reply = Reply(200, exchange.path.encode("utf-8", "replace"))
            except DomainError as error:
                reply = Reply(error.status, refusal_body(error, exchange.request_id))
            _at_once(exchange.reply(reply))
            exchange.connection.answered(exchange)


def _at_once(coroutine: Any) -> None:
    """Run what need not wait."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


class _NoDefect:
    """Stands for the server's log, which is told of defects of ours alone."""

    def error(self, message: str, **facts: Any) -> None:
        raise AssertionError(message) from facts.get("exc_info")


def _http(data: bytes) -> None:
    """What comes over a connection, in two reads, answered when nothing more comes."""
    server_connection.logger = _NoDefect()  # type: ignore[assignment]
    near, host = _Wire(), _Host()
    connection = server_connection.Connection(host)
    connection.connection_made(near)  # type: ignore[arg-type]
    middle = len(data) // 2
    for part in (data[:middle], data[middle:]):
        if part and not near.closed:
            connection.data_received(part)
    host.answer()
    connection.tick(_loop.time() + 1000)
    connection.connection_lost(None)
    rest = near.sent
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 (200|4\d\d|505) [A-Za-z ]+", lines[0]), lines[0]
        named = dict(line.split(b": ", 1) for line in lines[1:])
        assert len(named[b"x-request-id"]) == 32
        rest = rest[0 if head.startswith(b"HEAD") else int(named[b"content-length"]) :]


# -- what runtimes say


def _stream(data: bytes) -> None:
    """A Langflow server's stream, in pieces."""
    splitter, reader = events.Splitter(), events.Reader()
    size = max(1, len(data) // 3)
    with suppress(RuntimeFailure, answers.Unreadable):
        for start in range(0, len(data), size):
            for event in splitter.feed(data[start : start + size]):
                reader.read(event)
        for event in splitter.finish():
            reader.read(event)


def _answer(data: bytes) -> None:
    """A Langflow server's whole answer."""
    with suppress(answers.Unreadable):
        answer = answers.decode(data)
        answers.text_of(answer)
        answers.usage_of(answer)


def _upstream_head(data: bytes) -> None:
    """A Langflow server's HTTP, as our client reads it."""
    connection = _connection()
    connection.connection_made(_Wire())
    connection.send(b"GET / HTTP/1.1\r\n\r\n", Patience(1.0, 1.0, 1.0), _loop.time() + 1, most=1000)
    middle = len(data) // 2
    connection.data_received(data[:middle])
    connection.data_received(data[middle:])
    connection.connection_lost(None)


def _connection() -> Any:
    asyncio.set_event_loop(_loop)
    asyncio._set_running_loop(_loop)
    try:
        return Connection()
    finally:
        asyncio._set_running_loop(None)


def _frames(data: bytes) -> None:
    """The embedded runtime's replies."""
    with suppress(msgspec.MsgspecError, ValueError):
        wire.replies.decode(data)
    with suppress(msgspec.MsgspecError, ValueError):
        wire.requests.decode(data)


# -- what the database and the disk hold

_ROW: dict[str, Any] = {
    "key_id": UUID(int=1),
    "key_sha256": b"x" * 32,
    "kind": "secret",
    "environment": "live",
    "state": "active",
    "on_disconnect": "drain",
    "customer_id": UUID(int=2),
    "provider_customer_id": UUID(int=3),
    "project_id": UUID(int=4),
    "resource_id": UUID(int=5),
    "config_id": UUID(int=6),
    "offering_id": UUID(int=7),
    "plan_id": None,
    "flow_version_id": None,
    "runtime": "embedded",
    "deployment_id": "0" * 32,
    "expires_at": None,
    "accept_until": None,
    "version": 1,
    "model": "echo",
}


class _Row(dict[str, Any]):
    """A row whose JSON columns all hold the same text; columns this table does not know are empty."""

    def __init__(self, text: str) -> None:
        super().__init__(_ROW)
        self._text = text

    def __missing__(self, _name: str) -> Any:
        return self._text


def _grant_row(data: bytes) -> None:
    """A Grant's row: what is broken is a ValueError, which the gateway counts as its own defect and lets nobody in."""
    with suppress(ValueError, KeyError, TypeError):
        grant_from_row(_Row(data.decode("utf-8", "replace")))


def _spool(data: bytes) -> None:
    """A spool file: every line is a call, unreadable, or torn at the end."""
    calls, unreadable = read_lines(data)
    whole = data.rpartition(b"\n")[0]
    assert len(calls) + len(unreadable) == sum(1 for line in whole.split(b"\n") if line)


_TWEAKABLE = (
    Tweakable("Model", "temperature", "float", minimum=0, maximum=2),
    Tweakable("Model", "tokens", "int", minimum=1, maximum=100),
    Tweakable("Prompt", "style", "str", options=("short", "long")),
    Tweakable("Prompt", "text", "str", max_length=10),
    Tweakable("Prompt", "loud", "bool"),
)


def _tweaks(data: bytes) -> None:
    """What a buyer sets."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(DomainError):
        check_tweaks(content, _TWEAKABLE)


def _dumped(*values: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


TARGETS = (
    Target(
        "invoke body",
        _body(InvokeDialect()),
        _dumped(
            {"input": "Hello"},
            {"input": "Hi", "session_id": "s", "stream": True, "tweaks": {"Model": {"temperature": 0.5}}},
            {"input": "é\N{GRINNING FACE}", "config_id": "0" * 32, "agent": None},
        ),
    ),
    Target(
        "chat completions body",
        _body(ChatDialect()),
        _dumped(
            {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]},
            {
                "model": "echo",
                "stream": True,
                "stream_options": {"include_usage": True},
                "temperature": 1,
                "user": "u",
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                    {"role": "assistant", "content": "Yes?"},
                    {"role": "user", "content": "Go on", "name": "Ann"},
                ],
            },
            {"messages": [], "tools": [], "n": 2},
        ),
    ),
    Target(
        "responses body",
        _body(ResponsesDialect()),
        _dumped(
            {"model": "echo", "input": "Hello"},
            {
                "model": "echo",
                "stream": True,
                "instructions": "Be brief.",
                "previous_response_id": "resp_0",
                "input": [
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
                ],
            },
        ),
    ),
    Target(
        "headers",
        _headers,
        (
            f"Bearer {_key}".encode(),
            _key.encode(),
            b"text/event-stream;q=0.9, application/json",
            b"2.5",
            b"203.0.113.7, 2001:db8::1, unknown",
            b"https://www.example.com:8443",
        ),
    ),
    Target(
        "HTTP",
        _http,
        (
            b"POST /api/agent-gateway/invoke/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
            b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /ready HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
        ),
    ),
    Target(
        "Langflow stream",
        _stream,
        (
            b'{"event": "token", "data": {"chunk": "Hi", "id": "1"}}\n\n'
            b'{"event": "end", "data": {"result": {"outputs": []}}}\n\n',
            b'{"event": "add_message", "data": {"sender": "Machine", "text": "Hi", "properties": {"state": "complete", '
            b'"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}}}}\n\n',
            b'data: {"event": "error", "data": {"error": "Traceback"}}\n\n',
        ),
    ),
    Target(
        "Langflow answer",
        _answer,
        _dumped(
            {
                "session_id": "s",
                "outputs": [
                    {
                        "outputs": [
                            {
                                "results": {
                                    "message": {
                                        "text": "Hi",
                                        "properties": {
                                            "usage": {
                                                "input_tokens": 1,
                                                "output_tokens": 2,
                                                "total_tokens": 3,
                                            }
                                        },
                                    }
                                }
                            }
                        ]
                    }
                ],
            }
        ),
    ),
    Target(
        "Langflow HTTP",
        _upstream_head,
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nconnection: close\r\n\r\nno",
        ),
    ),
    Target(
        "runtime frames",
        _frames,
        tuple(
            wire.pack(reply)[4:]
            for reply in (
                wire.Piece(1, "Hi"),
                wire.Failed(1, "busy", "Full.", True, "", None),
                wire.Done(3),
                wire.Remove(4, "0" * 32),
            )
        ),
    ),
    Target(
        "Grant row",
        _grant_row,
        (
            b'["agent:invoke"]',
            b'{"requests_per_minute": 3, "streaming": true}',
            b'[{"node": "Model", "field": "temperature", "type": "float", "maximum": 2}]',
            b'{"Model": {"temperature": 1}}',
            b"null",
        ),
    ),
    Target(
        "spool",
        _spool,
        (
            b'{"event": {"id": "00000000-0000-0000-0000-000000000001"}, "keyed": false}\n',
            b"{}\n{}\n",
            b"\n",
        ),
    ),
    Target(
        "tweaks",
        _tweaks,
        _dumped(
            {"Model": {"temperature": 1.5, "tokens": 3}, "Prompt": {"style": "short", "loud": True}},
            {"Prompt": {"text": "short"}},
        ),
    ),
)
