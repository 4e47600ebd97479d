"""The one base of every refusal a person or program can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_STEP = re.compile(r"\[(\d{1,9})\]|([^.\[\]]+)")
MAX_STEPS = 12
LONGEST_LIST = 1000


def steps_of(place: str) -> list[str | int]:
    """Return a place in a request step by step: `usages[0].type` is `usages`, 0, `type`."""
    found: list[str | int] = []
    for match in _STEP.finditer(place):
        if len(found) == MAX_STEPS - 1:
            return [*found, place[match.start() :]]
        index, name = match.groups()
        found.append(int(index) if index is not None else name)
    return found


def nested(place: Sequence[str | int], message: str) -> dict[str, Any]:
    """Return what is wrong, nested like the request: `{"usages": [{}, {"type": ["message"]}]}`.

    The items of a list of objects that have nothing wrong stand as `{}`; a plain value in a list is named by its
    number: `{"tags": {"3": ["message"]}}`.
    """
    inner: Any = [message]
    below: str | int | None = None
    for step in reversed(place):
        if isinstance(step, int) and isinstance(below, str) and step < LONGEST_LIST:
            inner = [*({} for _ in range(step)), inner]
        else:
            inner = {str(step): inner}
        below = step
    return inner if isinstance(inner, dict) and isinstance(below, str) else {"non_field_errors": [message]}


class DomainError(Exception):
    """A refusal with its HTTP status: a sentence for people, a snake_case code for programs.

    `extra` holds JSON-ready facts (limit, state …); `field` names the request field at fault (`usages[0].type`),
    which turns the rendered body into the field form for status 400, nested like the request.
    """

    code = "error"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        extra: Mapping[str, Any] | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status or self.status
        self.extra: dict[str, Any] = dict(extra or {})
        self.field = field
        self.headers: dict[str, str] = dict(headers or {})


class NotFound(DomainError):
    """The object does not exist or lies outside the actor's view; both answer alike."""

    code = "not_found"
    status = 404


class Forbidden(DomainError):
    """The actor sees the object but may not do this with it."""

    code = "permission_denied"
    status = 403


class Conflict(DomainError):
    """The object's state, or something that depends on it, does not allow the operation."""

    code = "conflict"
    status = 409


class Invalid(DomainError):
    """A value of the request is wrong; `field` says which."""

    code = "invalid"
    status = 400
