"""What goes wrong at a Langflow server, as the port's failures: one table for each kind of call. Pure.

What the server wrote goes into `detail` alone: it holds tracebacks, paths and node ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentmart.adapters.runtimes.base import RuntimeFailure
from agentmart.adapters.runtimes.langflow.connection import Broken

MAX_DETAIL = 4000
MAX_COMPONENTS = 300

Row = tuple[str, str, bool]  # code, message, retryable

NOT_DEPLOYED: Row = ("not_deployed", "This agent is not deployed in the runtime.", True)
TIMEOUT: Row = ("timeout", "The flow took longer than it may.", False)
FLOW_ERROR: Row = ("flow_error", "The agent's flow failed.", False)
BROKE_OFF: Row = ("crashed", "The agent's answer broke off.", False)
UNREADABLE: Row = ("crashed", "The Langflow server's answer cannot be read.", False)

_KEY: Row = ("unreachable", "The Langflow server refuses our API key.", False)
_BUSY: Row = ("busy", "The Langflow server is busy.", True)
_AWAY: Row = ("unreachable", "The Langflow server is not reachable.", True)
_MOVED: Row = ("unreachable", "The Langflow server redirects; its address must be the final one.", False)

# by status; by hundreds where the status itself is not named
RUN: Mapping[int, Row] = {
    300: _MOVED,
    400: ("refused", "The Langflow server refuses to run this flow.", False),
    401: _KEY,
    403: _KEY,
    404: NOT_DEPLOYED,
    408: TIMEOUT,
    413: ("refused", "The Langflow server finds the input too large.", False),
    422: ("refused", "The Langflow server refuses these settings.", False),
    429: _BUSY,
    500: FLOW_ERROR,
    502: _AWAY,
    503: _BUSY,
    504: TIMEOUT,
}
ADMIN: Mapping[int, Row] = {
    300: _MOVED,
    400: ("bad_flow", "The Langflow server cannot build this flow.", False),
    401: _KEY,
    403: _KEY,
    404: ("refused", "The Langflow server holds this flow for another user.", False),
    413: ("bad_flow", "The flow is too large for the Langflow server.", False),
    429: _BUSY,
    500: ("unreachable", "The Langflow server failed to store or remove the flow.", True),
    502: _AWAY,
    503: _BUSY,
    504: _AWAY,
}
# a run's connection may break after the run began: a caller may try again, we never do
CONNECTION: Mapping[str, Row] = {
    "busy": ("busy", "Too many calls are under way at the Langflow server.", True),
    "connect": _AWAY,
    "lost": ("unreachable", "The connection to the Langflow server broke off.", False),
    "timeout": ("timeout", "The Langflow server did not answer in time.", False),
    "protocol": UNREADABLE,
    "too_large": ("flow_error", "The agent's answer is too large.", False),
}
ADMIN_CONNECTION: Mapping[str, Row] = {
    **CONNECTION,
    "lost": ("unreachable", "The connection to the Langflow server broke off.", True),
    "timeout": ("unreachable", "The Langflow server did not answer in time.", True),
    "too_large": UNREADABLE,
}
# under status 200 only the text tells a refusal from a failure
STREAMED = (
    ("Refused tweak", RUN[422]),
    ("Flow build blocked", RUN[400]),
)
_BLOCKED = (
    (
        re.compile(r"components are not allowed: (.+)", re.DOTALL),
        "The Langflow server lacks, or does not allow, these components: ",
    ),
    (
        re.compile(r"outdated components must be updated before running: (.+)", re.DOTALL),
        "The Langflow server has other versions of these components and may not use them instead: ",
    ),
)


def failure(row: Row, detail: str = "") -> RuntimeFailure:
    """Return the port's failure."""
    code, message, retryable = row
    return RuntimeFailure(code, message, retryable=retryable, detail=detail[:MAX_DETAIL])


def of_status(status: int, body: bytes, table: Mapping[int, Row]) -> RuntimeFailure:
    """Return what an answer that is no success means."""
    row = table.get(status) or table.get(status // 100 * 100) or UNREADABLE
    text = said(body)
    if row[0] == "bad_flow":
        row = (row[0], _why_blocked(text) or row[1], row[2])
    return failure(row, f"{status}: {text}")


def _why_blocked(text: str) -> str:
    """Return which components keep a flow from being built, by the names they have in it."""
    for pattern, sentence in _BLOCKED:
        if found := pattern.search(text):
            names = found[1].strip()[:MAX_COMPONENTS]
            return sentence + "".join(sign if sign.isprintable() else " " for sign in names) + "."
    return ""


def of_connection(broken: Broken, table: Mapping[str, Row]) -> RuntimeFailure:
    """Return what a failed exchange means."""
    failed = failure(table[broken.code], str(broken))
    failed.begun = broken.code not in ("busy", "connect")  # without a connection nothing can have begun
    return failed


def of_stream(text: str) -> RuntimeFailure:
    """Return what an error event means."""
    row = next((row for start, row in STREAMED if text.startswith(start)), FLOW_ERROR)
    return failure(row, text)


def said(body: bytes) -> str:
    """Return the text of an error's body: `detail`, which may itself be JSON in a string, else the body."""
    value = _parsed(body)
    detail = value.get("detail") if isinstance(value, dict) else None
    inner = _parsed(detail) if isinstance(detail, str) else detail
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        return str(inner["message"])
    if isinstance(detail, str):
        return detail
    return body[:MAX_DETAIL].decode("utf-8", "replace")


def _parsed(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
