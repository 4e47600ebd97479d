"""What the development model says: one deterministic answer per chat, and vectors made of hashed words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, takewhile
from typing import Any

from agentmart.kit.tokens import count_chat_tokens, count_tokens

QUOTE_LENGTH = 200
_PIECES = re.compile(r"\s*\S+")
_WORDS = re.compile(r"\w+")
_HASHES = 8


class BadRequest(Exception):
    """A request that cannot be served; `param` is the field at fault."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat, its content flattened to text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer's pieces (joined, they are the text), token counts and why it ended (`stop` or `length`)."""

    pieces: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    finish_reason: str

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def answer(messages: Sequence[Message], *, tools: int = 0, max_tokens: int | None = None) -> Answer:
    """Return the answer to a chat: always the same for the same messages, cut at `max_tokens` if given."""
    pieces = tuple(_PIECES.findall(_sentence(messages, tools)))
    finish = "stop"
    if max_tokens is not None:
        counts = accumulate(pieces, lambda text, piece: text + piece)
        kept = sum(1 for _ in takewhile(lambda text: count_tokens(text) <= max_tokens, counts))
        if kept < len(pieces):
            pieces, finish = pieces[:kept], "length"
    return Answer(
        pieces,
        count_chat_tokens((message.role, message.text) for message in messages),
        count_tokens("".join(pieces)),
        finish,
    )


def _sentence(messages: Sequence[Message], tools: int) -> str:
    turns = [message.text for message in messages if message.role == "user"]
    parts = ["I am the Agentmart development model; I repeat and do not think."]
    parts.append(f"You said: '{quote(turns[-1])}'." if turns else "You have not said anything yet.")
    earlier = turns[:-1]
    if earlier:
        number = "1 message" if len(earlier) == 1 else f"{len(earlier)} messages"
        parts.append(
            f"Before that I saw {number} of yours; earlier in this chat you said: '{quote(earlier[-1])}'."
        )
    if tools:
        parts.append(f"I was offered {tools} tool{'s' if tools > 1 else ''} and call none.")
    return " ".join(parts)


def quote(text: str) -> str:
    """Return a text on one line, cut at 200 characters."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_LENGTH else f"{line[:QUOTE_LENGTH]}…"


def read_messages(raw: Any, param: str) -> list[Message]:
    """Return the turns of a chat from OpenAI's forms (content text, or a list of parts); raises BadRequest."""
    if not isinstance(raw, list) or not raw:
        raise BadRequest(f"'{param}' must be a list with at least one message.", param)
    return [_read_message(item, f"{param}[{index}]") for index, item in enumerate(raw)]


def _read_message(item: Any, param: str) -> Message:
    if not isinstance(item, dict):
        raise BadRequest(f"'{param}' must be an object.", param)
    role = item.get("role", "")
    if not isinstance(role, str) or (not role and "type" not in item):
        raise BadRequest(f"'{param}.role' must be text.", f"{param}.role")
    content = item.get("content")
    if content is None:
        content = item.get("output") or item.get("arguments") or ""  # tool calls and their results
    if isinstance(content, str):
        return Message(role, content)
    if not isinstance(content, list):
        raise BadRequest(f"'{param}.content' must be text or a list of parts.", f"{param}.content")
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return Message(role, "\n".join(text for text in texts if isinstance(text, str)))


def embed(text: str, dimensions: int) -> list[float]:
    """Return a unit vector that depends on the words alone: texts with words in common lie closer together."""
    vector = [0.0] * dimensions
    for word in _WORDS.findall(text.lower()) or [text]:
        digest = blake2b(word.encode("utf-8", "replace"), digest_size=4 * _HASHES).digest()
        for index in range(_HASHES):
            number = int.from_bytes(digest[4 * index : 4 * index + 4], "big")
            vector[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:  # the words cancelled each other out
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in vector]
