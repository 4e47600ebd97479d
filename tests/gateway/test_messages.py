"""Requests and answers as bytes, errors as bodies, usage as events: the pure parts."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.support import NOW, make_grant

from agentmart.adapters.runtimes import RuntimeFailure, TokenUsage
from agentmart.contracts.usage import CallStarted, CallStatus, Completed, UsageEvent, UsageSource
from agentmart.gateway import usage
from agentmart.gateway.errors import body_of, from_runtime
from agentmart.gateway.http import event
from agentmart.gateway.messages import parse_invocation, scoped_session, wants_stream
from agentmart.gateway.settings import settings_from_environment
from agentmart.gateway.spool import Spool, read_lines
from agentmart.gateway.usage import Outcome, event_of
from agentmart.kit.clock import OffsetClock, SystemClock
from agentmart.kit.env import BadSetting
from agentmart.kit.errors import DomainError, Invalid
from agentmart.kit.ids import uuid7


def no_header(_name: str) -> None:
    return None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    try:
        parse_invocation(body, no_header)
    except DomainError as error:
        assert error.status == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["input", "session_id", "tweaks", "stream", "config_id", "agent", "other"], _json
        ),
    )
)
def test_no_json_breaks_the_parser(content: dict[str, object]) -> None:
    try:
        call = parse_invocation(json.dumps(content).encode(), no_header)
    except DomainError as error:
        assert error.status in (400, 404)
    else:
        assert call.text == content["input"]
        assert call.text.strip()
        assert 1 <= len(call.session_id) <= 128
        assert call.tweaks == (content.get("tweaks") or {})
        assert call.stream is bool(content.get("stream"))


def test_no_session_id_can_name_anothers() -> None:
    mine, other = uuid4(), uuid4()
    for attempt in (f"{other.hex}:s", f":{other.hex}", other.hex, ":"):
        assert scoped_session(mine, attempt).startswith(f"{mine.hex}:")
        assert scoped_session(mine, attempt) != scoped_session(other, "s")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("application/json, text/event-stream;q=0.9", True),
        ("TEXT/Event-Stream; charset=utf-8", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream; q=0.00", False),
        ("text/event-streams", False),
    ],
)
def test_accept(accept: str | None, wanted: bool) -> None:
    assert wants_stream(accept) is wanted


def test_an_event_is_one_line_whatever_the_text() -> None:
    text = "a\nb\r\n\n\x00data: x\u2028\x85"
    raw = event("token", {"text": text})
    head, data, *rest = raw.split(b"\n")
    assert head == b"event: token"
    assert rest == [b"", b""]
    assert b"\r" not in raw
    assert json.loads(data.removeprefix(b"data: ")) == {"text": text}


def test_error_bodies() -> None:
    plain = DomainError("No.", code="no", status=403)
    assert body_of(plain, "r1") == {"detail": "No.", "code": "no", "request_id": "r1"}
    field = Invalid("Bad.", code="invalid_tweak", field="tweaks.Prompt-1.x")
    assert body_of(field, "r1") == {
        "tweaks": {"Prompt-1": {"x": ["Bad."]}},
        "detail": "Bad.",
        "code": "invalid_tweak",
        "extra": {"field": "tweaks.Prompt-1.x"},
        "request_id": "r1",
    }


def test_a_runtimes_detail_stays_inside() -> None:
    for code in (
        "flow_error",
        "timeout",
        "crashed",
        "not_deployed",
        "busy",
        "refused",
        "unreachable",
        "bad_flow",
        "new",
    ):
        error = from_runtime(RuntimeFailure(code, "It failed.", detail="/srv/secret.py line 3"))
        assert "secret" not in json.dumps(body_of(error, "r"))
        assert error.status in (502, 503, 504)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(CallStatus.OK, "hello world", TokenUsage(11, 7)), (1, 11, 7, UsageSource.RUNTIME)),
        (Outcome(CallStatus.OK, "hello world", TokenUsage(0, 0)), (1, 0, 0, UsageSource.RUNTIME)),
        (Outcome(CallStatus.OK, "hello world", TokenUsage(-1, 7)), (1, 0, 7, UsageSource.RUNTIME)),
        (Outcome(CallStatus.OK, "hello world"), (1, 3, 2, UsageSource.COUNTED)),
        (Outcome(CallStatus.OK, ""), (1, 3, 0, UsageSource.COUNTED)),
        (Outcome(CallStatus.CANCELLED, "hello world"), (1, 3, 2, UsageSource.COUNTED)),
        (Outcome(CallStatus.ERROR, ""), (0, 0, 0, UsageSource.NONE)),
        (Outcome(CallStatus.TIMEOUT, "hello"), (0, 3, 1, UsageSource.COUNTED)),
        (Outcome(CallStatus.ERROR, "", TokenUsage(11, 0)), (0, 11, 0, UsageSource.RUNTIME)),
    ],
)
def test_what_a_call_counts(outcome: Outcome, expected: tuple[object, ...]) -> None:
    made = event_of(
        make_grant(),
        uuid7(NOW),
        outcome,
        text="hello big world",
        streamed=False,
        duration_ms=-1,
        received_at=NOW,
    )
    assert (made.requests, made.input_tokens, made.output_tokens, made.source) == expected
    assert (made.duration_ms, made.occurred_at) == (0, NOW)


def test_the_statement_has_the_contracts_columns_in_order() -> None:
    assert [name for name, _ in usage._EVENT] == [field.name for field in fields(UsageEvent)]
    assert [name for name, _ in usage._STARTED] == [field.name for field in fields(CallStarted)]


def _event() -> UsageEvent:
    outcome = Outcome(CallStatus.OK, "x", TokenUsage(1, 2))
    return event_of(
        make_grant(), uuid7(NOW), outcome, text="x", streamed=True, duration_ms=3, received_at=NOW
    )


async def test_a_spool_gives_back_what_it_took(tmp_path: Path) -> None:
    dead, heir = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    assert heir.adopt() == ([], [])
    events = [Completed(_event()) for _ in range(3)]
    for one in events:
        await dead.append(one)
    assert heir.adopt() == ([], [])  # its gateway lives
    dead.close()
    found, files = heir.adopt()
    assert found == events
    assert len(files) == 1


async def test_a_spool_that_was_written_out_is_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    await spool.append(Completed(_event()))
    await spool.clear()
    second = Completed(_event())
    await spool.append(second)
    (path,) = tmp_path.glob("*.jsonl")
    assert read_lines(path.read_bytes()) == ([second], [])
    assert path.stat().st_mode & 0o777 == 0o600
    await spool.clear()
    spool.close()
    assert not list(tmp_path.iterdir())


def test_a_torn_line_is_left_out() -> None:
    assert read_lines(b"") == ([], [])
    assert read_lines(b'{"id": "0') == ([], [])


SECRET = "x" * 32
ENVIRONMENT = {
    "AGENTMART_GATEWAY_DATABASE_URL": "postgresql://u:p@/d?host=/s",
    "AGENT_KEYS_SECRET_KEY": SECRET,
    "AGENTMART_DATA_DIR": "/data",
}


def _settings(**changes: str):
    from agentmart.contracts.environment import environment

    return settings_from_environment(environment({**ENVIRONMENT, **changes}))


def test_settings() -> None:
    settings = _settings()
    assert settings.runtimes == {"embedded": {"socket_path": "/data/run/runtime/runtime.sock"}}
    assert isinstance(settings.clock, SystemClock)
    assert settings.run_timeout == 60.0
    assert SECRET not in repr(settings)
    assert "u:p" not in repr(settings)
    assert isinstance(_settings(AGENTMART_DEV_CLOCK="true").clock, OffsetClock)
    assert _settings(AGENTMART_RUNTIME_SOCKET="/s").runtimes == {"embedded": {"socket_path": "/s"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENTMART_GATEWAY_DATABASE_URL", ""),
        ("AGENTMART_GATEWAY_DATABASE_URL", "mysql://x"),
        ("AGENT_KEYS_SECRET_KEY", "x" * 31),
        ("AGENT_KEYS_ALGORITHM", "none"),
        ("AGENTMART_RUN_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_bad_settings_name_themselves(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        _settings(**{name: value})
