"""Log lines: JSON with fixed fields, and nothing in them that opens a door."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agentmart.kit import logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    buffer = io.StringIO()
    logs.configure("gateway", "INFO", buffer)
    yield buffer
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_fields_and_its_extras(stream: io.StringIO):
    request = logs.request_id_var.set("req-1")
    call = logs.call_id_var.set("call-1")
    try:
        logging.getLogger("agentmart.x").info("answered %s", "it", extra={"status": 200})
    finally:
        logs.request_id_var.reset(request)
        logs.call_id_var.reset(call)
    (line,) = lines(stream)
    assert str(line.pop("time")).endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": "agentmart.x",
        "process": "gateway",
        "request_id": "req-1",
        "call_id": "call-1",
        "message": "answered it",
        "status": 200,
    }


def test_without_a_request_there_is_no_request_id(stream: io.StringIO):
    logging.getLogger("agentmart.x").warning("hello")
    (line,) = lines(stream)
    assert "request_id" not in line
    assert "call_id" not in line


def test_debug_lines_stay_out_and_levels_are_checked(stream: io.StringIO):
    logging.getLogger("agentmart.x").debug("detail")
    assert lines(stream) == []
    with pytest.raises(ValueError, match="LOUD"):
        logs.configure("gateway", "loud", stream)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"key ar_sk_live_{JWT} refused", "key ar_sk_live_[removed] refused"),
        ("ar_pk_live_abcdef123", "ar_pk_live_[removed]"),
        (f"Authorization: Bearer {JWT}", "Authorization: [removed] [removed]"),
        ("Token 0123456789abcdef0123456789abcdef01234567", "Token [removed]"),
        ("made 0123456789abcdef0123456789abcdef01234567", "made [removed]"),
        ("Basic dXNlcjpwYXNz1234==", "Basic [removed]"),
        ("sk-proj-abcdefgh12345678", "sk-[removed]"),
        ("postgresql://role:pass:word@/db?host=x", "postgresql://role:[removed]@/db?host=x"),
        ("PASSWORD=hunter2 next", "PASSWORD=[removed] next"),
        ('{"password": "hunter2", "a": 1}', '{"password": "[removed]", "a": 1}'),
        ('{\\"api_key\\": \\"hunter2\\"}', '{\\"api_key\\": \\"[removed]\\"}'),
    ],
)
def test_secrets_are_removed(text: str, left: str):
    assert logs.redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8001/health answered 200",
        "input_tokens: 25, output_tokens: 7",
        "the basic subscription costs 99.00; token validation failed",
        "0190a6c0-7b1e-7cc0-8d4e-000000000001",
    ],
)
def test_ordinary_text_stays(text: str):
    assert logs.redact(text) == text


def test_extras_and_tracebacks_are_redacted_too(stream: io.StringIO):
    try:
        raise RuntimeError("cannot reach postgresql://u:hunter2@host/db")
    except RuntimeError:
        logging.getLogger("agentmart.x").exception(
            "failed", extra={"headers": {"authorization": "Bearer abcdefghij"}}
        )
    assert "hunter2" not in stream.getvalue()
    assert "abcdefghij" not in stream.getvalue()
    (line,) = lines(stream)
    assert "RuntimeError" in str(line["exc_info"])
