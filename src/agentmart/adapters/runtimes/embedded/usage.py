"""Read the token usage out of an OpenAI-compatible answer as it passes by. Pure."""

from __future__ import annotations

import json

from agentmart.adapters.runtimes.base import TokenUsage

MAX_TOKENS = 10**9  # of one call; who reports more cannot count
LONGEST_NAME = 120
MAX_KEPT = 8 * 1024 * 1024
NAMES = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


class UsageReader:
    """Takes an answer's bytes in pieces, JSON or server-sent events alike, and knows its usage at the end.

    Services that repeat a growing usage in every event are read right: the last one counts.
    """

    def __init__(self) -> None:
        self._found: TokenUsage | None = None
        self._rest = b""
        self._is_stream: bool | None = None

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._rest += data
        if self._is_stream is None and self._rest.strip():
            self._is_stream = not self._rest.lstrip().startswith(b"{")
        if self._is_stream:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                self._read_line(line)
        if len(self._rest) > MAX_KEPT:
            self._rest = b""

    def result(self) -> TokenUsage | None:
        """Return what was reported, None if nothing was. What comes after is not read any more."""
        if self._is_stream:
            self._read_line(self._rest)
        elif self._rest:
            self._read_json(self._rest)
        self._rest = b""
        return self._found

    def _read_line(self, line: bytes) -> None:
        if line.startswith(b"data:") and b'"usage"' in line:
            self._read_json(line[5:])

    def _read_json(self, text: bytes) -> None:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return
        self._found = _usage(value) or self._found


def _usage(value: object) -> TokenUsage | None:
    if not isinstance(value, dict):
        return None
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return _usage(value.get("response"))  # the last event of a streamed Responses call nests it
    for names in NAMES:
        if isinstance(usage.get(names[0]), int):
            counts = [usage.get(name, 0) for name in names]
            if all(isinstance(count, int) and 0 <= count <= MAX_TOKENS for count in counts):
                return TokenUsage(counts[0], counts[1], model=_named(value))
    return None


def _named(value: dict[str, object]) -> str:
    """Return the model that the service says it was."""
    name = value.get("model")
    return name[:LONGEST_NAME] if isinstance(name, str) else ""
