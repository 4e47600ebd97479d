"""The invoke contract: what a call says, and the answer and events it gets. Pure; another dialect is another file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol
from uuid import UUID

import msgspec

from agentmart.gateway.http import EVENT_STREAM, JSON, event, refusal_body
from agentmart.kit.errors import DomainError, Invalid, NotFound
from agentmart.kit.ids import new_id

MAX_SESSION = 128
TIMEOUT_HEADER = "X-Request-Timeout"
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
Header = Callable[[str], str | None]


class UnsupportedMediaType(DomainError):
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = 415


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Invocation:
    """One call, checked for form: nothing here has been compared with the caller's Grant."""

    text: str
    session_id: str
    stream: bool
    tweaks: dict[str, dict[str, Any]] = field(default_factory=dict)
    named_session: bool = False  # the caller chose the session id
    agent: UUID | None = None
    model: str | None = None  # the agent by a name of its own, where a dialect has such names
    with_usage: bool = False  # whether a stream's last event tells the usage, where that is a choice
    ignored: tuple[str, ...] = ()  # what the caller asked for that an agent does not offer


class Answer(msgspec.Struct, frozen=True):
    """One finished call."""

    output: str
    session_id: str
    request_id: str
    input_tokens: int
    output_tokens: int
    elapsed_ms: int


class Events(Protocol):
    """One stream on its way to its caller: made per call, so that it may count and remember."""

    def token(self, text: str) -> bytes:
        """Return the event (or events) of one piece of the answer."""

    def failure(self, error: DomainError) -> bytes:
        """Return the event that says the run failed."""

    def end(self, answer: Answer | None, *, failed: bool) -> bytes:
        """Return what ends the stream; `answer` is None where a failed run left nothing to tell of."""


class Dialect(Protocol):
    """How one family of clients speaks: the same call, other shapes."""

    def parse(self, body: bytes, header: Header) -> Invocation:
        """Return the call of a request; raises a DomainError that names the field."""

    def answer(self, answer: Answer, call: Invocation) -> bytes:
        """Return the whole answer's body."""

    def refusal(self, error: DomainError, request_id: str) -> bytes:
        """Return a refusal's body."""

    def events(self, call: Invocation, request_id: str) -> Events:
        """Return what writes the call's stream."""


class _Body(msgspec.Struct):
    input: str
    session_id: str | None = None
    tweaks: dict[str, dict[str, Any]] | None = None
    stream: bool | None = None
    config_id: str | None = None
    agent: str | None = None


_decoder = msgspec.json.Decoder(_Body)
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>\w+)`")


def parse_invocation(body: bytes, header: Header) -> Invocation:
    """Return the call of a request body; raises Invalid (400, names the field) or UnsupportedMediaType (415)."""
    check_json(header)
    content = decode(_decoder, body)
    if not content.input.strip():
        raise invalid("input", "This field may not be blank.")
    named = content.config_id or content.agent
    return Invocation(
        text=content.input,
        session_id=session(content.session_id),
        named_session=content.session_id is not None,
        stream=wants_stream(header("accept")) if content.stream is None else content.stream,
        tweaks=content.tweaks or {},
        agent=None if named is None else agent_id(named),
    )


def check_json(header: Header) -> None:
    """Raise UnsupportedMediaType unless the body is said to be plain JSON, or nothing is said."""
    media_type = header("content-type") or JSON
    if media_type != JSON and media_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaType(f"Send the body as {JSON}.")
    encoding = header("content-encoding")
    if encoding and encoding.strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Return the decoded body; raises Invalid that names the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _field_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The body is not valid JSON: {error}.", code="invalid_request") from None
    except RecursionError:
        raise Invalid("The body is nested too deeply.", code="invalid_request") from None


def session(given: str | None) -> str:
    """Return the caller's session id, checked, or a fresh one; raises Invalid."""
    if given is None:
        return new_id().hex
    if not 1 <= len(given) <= MAX_SESSION or not given.isprintable():
        raise invalid("session_id", f"Give 1 to {MAX_SESSION} printable characters.")
    return given


def scoped_session(config_id: UUID, session_id: str) -> str:
    """Return the session id a runtime sees: made of config and caller's session, so nobody can name another's."""
    return f"{config_id.hex}:{session_id}"


def agent_id(text: str) -> UUID:
    """Return the agent a call names; what is no id at all is answered like an agent that does not exist."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("No such agent for this key.") from None


def wants_stream(accept: str | None) -> bool:
    """Return whether the Accept header asks for events."""
    if not accept:
        return False
    for part in accept.lower().split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        if media_type == EVENT_STREAM:
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False


def asked_seconds(header: Header) -> float:
    """Return how many seconds the caller waits (`X-Request-Timeout`), infinite where not said; raises Invalid."""
    given = header(TIMEOUT_HEADER.lower())
    if given is None:
        return inf
    number = given.strip(" \t")
    if not _SECONDS.fullmatch(number) or not float(number):
        raise invalid(TIMEOUT_HEADER, "Give a positive number of seconds, as 2.5.")
    return float(number)


class InvokeDialect:
    """Our own contract: `POST /api/agent-gateway/invoke/`."""

    def parse(self, body: bytes, header: Header) -> Invocation:
        """Return the call of a request."""
        return parse_invocation(body, header)

    def answer(self, answer: Answer, call: Invocation) -> bytes:
        """Return the whole answer's body."""
        usage = {
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "elapsed_ms": answer.elapsed_ms,
        }
        return msgspec.json.encode(
            {
                "output": answer.output,
                "session_id": answer.session_id,
                "request_id": answer.request_id,
                "usage": usage,
            }
        )

    def refusal(self, error: DomainError, request_id: str) -> bytes:
        """Return a refusal's body."""
        return refusal_body(error, request_id)

    def events(self, call: Invocation, request_id: str) -> Events:
        """Return what writes the call's stream."""
        return InvokeEvents(request_id)


class InvokeEvents:
    """The events `token`, `error` and, last, `usage`."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def token(self, text: str) -> bytes:
        """Return the event of one piece of the answer."""
        return event("token", {"text": text})

    def failure(self, error: DomainError) -> bytes:
        """Return the event that says the run failed."""
        return event("error", {"code": error.code, "detail": error.message, "request_id": self._request_id})

    def end(self, answer: Answer | None, *, failed: bool) -> bytes:
        """Return the stream's last event; a failed run's usage is told too, for its tokens count."""
        return b"" if answer is None else event("usage", msgspec.structs.asdict(answer))


def invalid(name: str, message: str) -> Invalid:
    """Return the refusal of one field."""
    return Invalid(message, code="invalid_request", field=name)


def _field_error(message: str) -> Invalid:
    missing = _MISSING.search(message)
    if missing:
        return invalid(missing["name"], "This field is required.")
    path = _PATH.search(message)
    text = _PATH.sub("", message) + "."
    if path and path["path"]:
        return invalid(path["path"].replace("[...]", ""), text)
    return Invalid(text, code="invalid_request")
