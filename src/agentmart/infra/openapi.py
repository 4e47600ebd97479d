"""The parts of the API's description that all operations share (operator-api §1), as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _json(schema: str) -> dict[str, Any]:
    """Return the content of a JSON answer with a schema of this file."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _text(description: str, **schema: Any) -> dict[str, Any]:
    """Return a header of answers."""
    return {"description": description, "schema": {"type": "string", **schema}}


def _request_header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a header of requests."""
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
AGAIN = {**REQUEST_ID, "Retry-After": {"$ref": "#/components/headers/RetryAfter"}}

SCHEMAS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "description": "A refusal: a sentence for people, a word for programs, facts where there are any.",
        "properties": {
            "detail": {"type": "string"},
            "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
            "extra": {"type": "object", "additionalProperties": True},
        },
        "required": ["detail"],
    },
    "FieldErrors": {
        "type": "object",
        "description": "What is wrong, nested like the request: under each key a list of sentences; across keys "
        "under `non_field_errors`. A refusal of a whole thing with reasons of its own has `detail` and `extra`.",
        "additionalProperties": True,
        "minProperties": 1,
    },
    "InternalError": {
        "type": "object",
        "properties": {
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": ["internal_error"]},
            "request_id": {"type": "string"},
        },
        "required": ["detail", "code", "request_id"],
    },
}

HEADERS: dict[str, Any] = {
    "RequestId": _text(
        "Names this request in our log; taken from the request where it gives a well-formed one."
    ),
    "ResultCount": {
        "description": "How many rows the list has.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Link": _text("The pages `first`, `prev`, `next`, `last`; commas in addresses are %2C."),
    "ETag": _text("Changes when the answer does (`If-None-Match`, `If-Match`).", pattern='^W/"[0-9a-f]+"$'),
    "Warning": _text("What was ignored of the request, one `299 agentmart` each."),
    "Replayed": _text("Present on the kept answer of an earlier request with the same key.", enum=["true"]),
    "RetryAfter": _text("Seconds to wait."),
    "Authenticate": _text("How to log in."),
    "Allow": _text("The methods that the address has."),
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": _request_header(
        "Idempotency-Key",
        "Any text of the caller's, new for each thing to do. A repetition within 24 hours gets the first answer "
        "again; with another body it is refused (409 `idempotency_mismatch`).",
        minLength=1,
        maxLength=255,
        pattern="^[!-~]+$",
    ),
    "IfNoneMatch": _request_header("If-None-Match", "Tags the caller holds; 304 where one still stands."),
    "IfMatch": _request_header(
        "If-Match", "The tag of the whole answer the caller changed; 412 where it stands no more."
    ),
    "Prefer": _request_header(
        "Prefer",
        "`handling=strict` refuses (400) parameters, keys and `field` names we lack instead of ignoring them.",
        enum=["handling=strict", "handling=lenient"],
    ),
}

ERRORS: dict[str, tuple[str, str]] = {
    "400": ("BadRequest", "A value is wrong; or, with `Prefer: handling=strict`, unknown."),
    "401": ("NotAuthenticated", "No login, or a bad one."),
    "403": ("PermissionDenied", "The caller sees it but may not do this."),
    "404": ("NotFound", "It does not exist, or not for the caller; or the page is out of range."),
    "406": ("NotAcceptable", "None of the media types in `Accept` is offered."),
    "409": ("Conflict", "The state, a quota or something that depends on it does not allow this."),
    "412": ("PreconditionFailed", "It has changed since the caller read it."),
    "413": ("TooLarge", "The body is too large."),
    "415": ("UnsupportedMediaType", "The body's type is not read."),
    "429": ("TooManyRequests", "Come back later."),
    "500": ("InternalError", "A bug on our side."),
    "503": ("Unavailable", "What this needs is not set up, or is stopped."),
}
"""Status → name of the answer among the components, and what it means."""

_SCHEMA_OF = {"400": "FieldErrors", "500": "InternalError"}
_HEADERS_OF: Mapping[str, dict[str, Any]] = {
    "401": {**REQUEST_ID, "WWW-Authenticate": {"$ref": "#/components/headers/Authenticate"}},
    "429": AGAIN,
    "503": AGAIN,
}

RESPONSES: dict[str, Any] = {
    name: {
        "description": told,
        "headers": _HEADERS_OF.get(status, REQUEST_ID),
        "content": _json(_SCHEMA_OF.get(status, "Error")),
    }
    for status, (name, told) in ERRORS.items()
} | {"NotModified": {"description": "The caller's copy still stands.", "headers": REQUEST_ID}}

COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": SCHEMAS,
    "headers": HEADERS,
    "parameters": PARAMETERS,
    "responses": RESPONSES,
}
