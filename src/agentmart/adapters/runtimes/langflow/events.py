"""Read a run's stream: bare JSON objects with blank lines between them, whatever its header says. Pure.

Errors come under status 200, with the server's tracebacks and paths; only an `end` event is success.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from agentmart.adapters.runtimes.base import RuntimeFailure, Token, TokenUsage
from agentmart.adapters.runtimes.langflow import answers, failures

MAX_EVENT = 8 * 1024 * 1024


class _Line(msgspec.Struct):
    event: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Said(msgspec.Struct):
    """What counts of a `token` event."""

    chunk: str
    id: str | None = None


_lines = msgspec.json.Decoder(_Line)
_said = msgspec.json.Decoder(Said)
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Splitter:
    """Takes the stream's bytes in pieces and yields the objects in them.

    It also reads real server-sent events (`data:` lines), should a later server send those.
    """

    def __init__(self) -> None:
        self._line = bytearray()  # what came after the last line end
        self._block: list[bytes] = []  # lines since the last blank one
        self._size = 0

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | Said]:
        """Yield the objects that `data` completes, tokens in short; raises answers.Unreadable."""
        if not self._line and not self._block and data.endswith(b"\n\n"):
            quick = _quick(data)
            if quick is not None:
                yield from quick
                return
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._line) + line if self._line else line
            self._line.clear()
            yield from self._take(whole.rstrip(b"\r"))
        self._line += rest
        if self._size + len(self._line) > MAX_EVENT:
            raise answers.Unreadable(f"an event of more than {MAX_EVENT} bytes")

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yield the last object, if the stream ended without a blank line; raises answers.Unreadable."""
        yield from self._take(bytes(self._line))
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[dict[str, Any]]:
        if line.strip():
            self._block.append(line)
            self._size += len(line)
            return
        block, self._block, self._size = self._block, [], 0
        if block:
            yield from _objects(block)


def _quick(data: bytes) -> list[dict[str, Any] | Said] | None:
    """Return whole objects, one a line; None for anything else. It takes a tenth of the time of looking at lines."""
    try:
        return [
            _said.decode(line.data)
            if line.event == "token"
            else {"event": line.event, "data": msgspec.json.decode(line.data)}
            for line in _lines.decode_lines(data)
        ]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _objects(block: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of the lines between two blank ones: nearly always one object."""
    lines = [line.removeprefix(b"data:") for line in block if not line.startswith((b":", b"event:", b"id:"))]
    try:
        values = [msgspec.json.decode(b"\n".join(lines))] if lines else []
    except _NOT_JSON:
        try:
            values = [msgspec.json.decode(line) for line in lines]
        except _NOT_JSON as error:
            raise answers.Unreadable(str(error)) from error
    for value in values:
        if not isinstance(value, dict):
            raise answers.Unreadable("an event that is no object")
        yield value


@dataclass(frozen=True, slots=True)
class End:
    """The run succeeded."""

    text: str
    usage: TokenUsage | None


class Reader:
    """Turns a run's events into Tokens and the End; keeps what a failure must know."""

    def __init__(self) -> None:
        self.usage: TokenUsage | None = None  # the largest any message reported so far
        self._speaker: object = None  # the message whose tokens are the answer's
        self._text = ""  # of the last complete message
        self._said = ""  # of the last error message

    def read(self, event: dict[str, Any] | Said) -> Token | End | None:
        """Return what the event means for the caller; raises RuntimeFailure for an error, answers.Unreadable."""
        if isinstance(event, Said):
            return self._token(event.chunk, event.id)
        data = event.get("data")
        data = data if isinstance(data, dict) else {}
        kind = event.get("event")
        if kind == "token":
            return self._token(data.get("chunk"), data.get("id"))
        if kind == "add_message":
            self._message(data)
        elif kind == "error":
            raise self._error(data)
        elif kind == "end":
            return self._end(data)
        return None

    def _token(self, chunk: object, speaker: object) -> Token | None:
        if not isinstance(chunk, str) or not chunk:
            return None
        if self._speaker is None:
            self._speaker = speaker
        return Token(chunk) if speaker == self._speaker else None

    def _message(self, data: dict[str, Any]) -> None:
        if data.get("category") == "error":
            self._said = str(data.get("text") or "")
        elif data.get("sender") == "Machine" and _state(data) == "complete":
            self._text = data["text"] if isinstance(data.get("text"), str) else ""
        found = answers.message_usage(data)
        if found and (self.usage is None or _sum(found) > _sum(self.usage)):
            self.usage = found

    def _error(self, data: dict[str, Any]) -> RuntimeFailure:
        text = data.get("error") or data.get("text") or self._said
        failure = failures.of_stream(text if isinstance(text, str) else "")
        failure.usage = self.usage
        return failure

    def _end(self, data: dict[str, Any]) -> End:
        try:
            answer = msgspec.convert(data.get("result"), answers.RunAnswer)
        except msgspec.MsgspecError as error:
            raise answers.Unreadable(str(error)) from error
        return End(answers.text_of(answer) or self._text, answers.usage_of(answer) or self.usage)


def _state(message: dict[str, Any]) -> object:
    properties = message.get("properties")
    return properties.get("state") if isinstance(properties, dict) else None


def _sum(usage: TokenUsage) -> int:
    return usage.input_tokens + usage.output_tokens
