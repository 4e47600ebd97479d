"""What the OpenAI-shaped dialects share: errors, texts of messages, names of agents. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from agentmart.gateway.messages import Header, decode, invalid, session
from agentmart.kit.errors import DomainError, Invalid
from agentmart.kit.ids import uuid7_time

NAMES = {
    "system": "System",
    "developer": "System",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
    "function": "Tool",
}
TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
MAX_IGNORED = 20
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,40}")
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
_CODES = {"invalid_key": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}


class Unsupported(Invalid):
    """The request asks for something that an agent cannot do; leaving it out would change the answer's meaning."""

    code = "unsupported_parameter"


class Message(msgspec.Struct):
    """One message of a conversation, as chat completions and the items of a response have it."""

    role: str
    content: str | list[dict[str, Any]] | None = None


def error_of(error: DomainError, request_id: str) -> dict[str, Any]:
    """Return a refusal as OpenAI's clients read it, with our request id beside."""
    kind = _TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": error.field,
            "code": _CODES.get(error.code, error.code),
            "request_id": request_id,
        }
    }


def created_at(request_id: str) -> int:
    """Return when a call came in, in Unix seconds; its id begins with the time."""
    return int(uuid7_time(UUID(request_id)).timestamp())


def text_of(content: str | list[dict[str, Any]] | None, field: str) -> str:
    """Return the text of a message's content; raises Unsupported for a part that is no text."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for index, part in enumerate(content):
        kind = str(part.get("type"))
        text = part.get("text") if kind in TEXT_PARTS else part.get("refusal") if kind == "refusal" else None
        if not isinstance(text, str):
            raise Unsupported("Only text can be sent to this agent.", field=f"{field}.{index}")
        texts.append(text)
    return "".join(texts)


def conversation(messages: Sequence[Message], *, field: str, remembered: bool) -> str:
    """Return what the agent is given of a conversation; raises Invalid unless it ends with words of the user.

    A single message is given as it is. Of several, an agent that remembers the session gets what came after its last
    answer; otherwise it gets all of them, each after its speaker's name.
    """
    if not messages or messages[-1].role not in ("user", "tool", "function"):
        raise invalid(field, "The last message must be the user's.")
    said: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        name = NAMES.get(message.role)
        if name is None:
            raise invalid(f"{field}.{index}.role", f"Give one of {', '.join(NAMES)}.")
        text = text_of(message.content, f"{field}.{index}.content")
        if remembered and name == "Assistant":
            said.clear()
        elif text.strip():
            said.append((name, text))
    if not said or not said[-1][1].strip():
        raise invalid(field, "There is no text in the last message.")
    if len(said) == 1:
        return said[0][1]
    return "\n\n".join(f"{name}: {text}" for name, text in said)


def session_of(given: str | None, header: Header) -> tuple[str, bool]:
    """Return the session of a call and whether the caller named it: in `session_id`, or the header X-Session-Id."""
    named = given if given is not None else header("x-session-id")
    return session(named), named is not None


def ignored_of(body: bytes, read: Collection[str]) -> tuple[str, ...]:
    """Return the parameters that have no effect here (what is null asks for nothing); raises Invalid."""
    given = decode(_keys, body).items()
    names = [name for name, value in given if name not in read and bytes(value) != b"null"]
    return tuple(name for name in names if _PLAIN.fullmatch(name))[:MAX_IGNORED]


def refuse_tools(tools: Any, field: str) -> None:
    """Raise Unsupported where the caller brings tools: an agent has its own, and would not call these."""
    if tools:
        raise Unsupported("The agent uses its own tools; it cannot call the caller's.", field=field)


def data(value: Any) -> bytes:
    """Return one unnamed server-sent event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
