"""The one base of every refusal a person or program can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """A refusal with its HTTP status: a sentence for people, a snake_case code for programs.

    `extra` holds JSON-ready facts (limit, state …); `field` names the request field at fault, which
    turns the rendered body into the field form `{"field": ["message"]}` for status 400.
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
