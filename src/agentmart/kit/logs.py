"""Structured logs: one JSON object a line on standard error, joined by request id, never with a secret."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from pythonjsonlogger.json import JsonFormatter

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the running code serves; web and gateway set it, jobs and runtime calls carry it on."""

call_id_var: ContextVar[str] = ContextVar("call_id", default="")
"""The gateway call that the running code serves (UUIDv7, also the id of its usage event)."""

REMOVED = "[removed]"
TOGETHER_SECONDS = 0.05
"""Lines of a hot path are written together so often."""

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Our own keys and tokens, by their prefixes; the kind stays readable.
    (re.compile(r"\b(a[a-z]_(?:sk|pk)_(?:live|test)_)[A-Za-z0-9_.\-]+"), rf"\1{REMOVED}"),
    (re.compile(r"\b[0-9a-f]{40}\b"), REMOVED),
    # Any JWT, and the keys of model vendors.
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"), REMOVED),
    (re.compile(r"\b(sk-|whsec_|rk_live_|sk_live_|sk_test_)[A-Za-z0-9_\-]{8,}"), rf"\1{REMOVED}"),
    (re.compile(r"(?i)\b(bearer)(\s+)[A-Za-z0-9_.~+/\-]{8,}=*"), rf"\1\2{REMOVED}"),
    (re.compile(r"(?i)\b(token|basic)(\s+)(?=[A-Za-z+/\-]*\d)[A-Za-z0-9_.~+/\-]{8,}=*"), rf"\1\2{REMOVED}"),
    # Passwords in addresses.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://[^\s:/@\"]*):[^\s@/\"]+@"), rf"\1:{REMOVED}@"),
    # name=value and "name": "value", however deep the quotes are escaped.
    (
        re.compile(
            r"(?i)((?:password|passwd|pwd|secret|api[_-]?key|secret[_-]?key|access[_-]?token|authorization|cookie)"
            r"\\*[\"']?\s*[=:]\s*\\*[\"']?)(?!\[removed\])[^\s\"'\\,;&}]+"
        ),
        rf"\1{REMOVED}",
    ),
)


def redact(text: str) -> str:
    """Return the text without anything shaped like a key, a bearer token or a password."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class QuickLines:
    """Lines of a hot path: the same JSON, but made at once and written some at a time.

    For fields that hold ids, numbers and codes of ours alone: nothing is redacted. Where somebody else listens
    (tests, a handler of an application's own), or nobody configured this process's log, they are ordinary records.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._waiting: list[bytes] = []
        self._second = 0
        self._prefix = ""
        self._timer: asyncio.TimerHandle | None = None
        self._fixed: dict[tuple[str, str], bytes] = {}  # of every line, by process and message

    def add(self, message: str, fields: dict[str, Any], *, request_id: str) -> None:
        """Keep a line at level INFO for a moment, until the running event loop, or `flush`, writes what is kept."""
        handler = self._handler()
        if handler is None:
            self._logger.info(message, extra={"request_id": request_id, **fields})
            return
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._prefix = datetime.fromtimestamp(self._second, UTC).isoformat()[:19]
        fixed = self._fixed.get((handler.process_name, message))
        if fixed is None:
            said = {
                "level": "INFO",
                "logger": self._logger.name,
                "process": handler.process_name,
                "message": message,
            }
            fixed = self._fixed[handler.process_name, message] = msgspec.json.encode(said)[1:-1]
        moment = f'{{"time":"{self._prefix}.{int(now % 1 * 1000):03d}+00:00",'.encode()
        rest = msgspec.json.encode({"request_id": request_id, **fields})
        self._waiting.append(b"%b%b,%b" % (moment, fixed, rest[1:]))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what is kept."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._waiting = self._waiting, []
        handler = self._handler()
        if lines and handler is not None:
            handler.write(b"\n".join(lines).decode() + "\n")

    def _handler(self) -> _Handler | None:
        """Return the process's own handler where it alone would get the line."""
        handlers = self._logger.root.handlers
        if len(handlers) == 1 and isinstance(handlers[0], _Handler) and not self._logger.handlers:
            return handlers[0]
        return None


class _Handler(logging.StreamHandler[TextIO]):
    """Writes the process's lines."""

    def __init__(self, stream: TextIO, process_name: str) -> None:
        super().__init__(stream)
        self.process_name = process_name

    def write(self, text: str) -> None:
        """Write whole lines; a stream that takes nothing is no reason to fail."""
        self.acquire()
        try:
            self.stream.write(text)
            self.flush()
        except (OSError, ValueError):
            return
        finally:
            self.release()


class _Formatter(JsonFormatter):
    """Formats a record; redaction comes last, so that extras and tracebacks are covered too."""

    def __init__(self, process_name: str) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False)
        self._process_name = process_name

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put the fixed fields first, then the message and the extras."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["process"] = self._process_name
        for name, variable in (("request_id", request_id_var), ("call_id", call_id_var)):
            if variable.get():
                log_data[name] = variable.get()
        super().add_fields(log_data, record, message_dict)
        log_data.pop("color_message", None)  # uvicorn's message again, with terminal codes

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one redacted line of JSON."""
        return redact(super().format(record))


def configure(process_name: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every logger of this process to standard error (or `stream`) as JSON lines.

    Raises ValueError for an unknown level.
    """
    handler = _Handler(stream or sys.stderr, process_name)
    handler.setFormatter(_Formatter(process_name))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # Libraries whose INFO lines name every request or job with its arguments: those hold tenants' data.
    for name in ("httpx", "httpcore", "openai", "procrastinate", "asyncio", "django.server"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
