"""What a call leaves behind: its `started` row, its one usage event, and the statement that writes a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from agentmart.adapters.runtimes import TokenUsage
from agentmart.contracts.grants import Grant
from agentmart.contracts.keys import LIVE
from agentmart.contracts.tables import CALL_PAYLOAD, CALL_STARTED, IDEMPOTENT_CALL, USAGE_EVENT, USAGE_HOUR
from agentmart.contracts.usage import CallStarted, CallStatus, Completed, UsageEvent, UsageSource
from agentmart.kit.ids import uuid7_time
from agentmart.kit.tokens import count_tokens

MAX_INT = 2**31 - 1
MAX_CODE, MAX_MODEL = 60, 120


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Outcome:
    """How a run ended: its text so far, what the runtime reported, our code of a failure."""

    status: CallStatus
    text: str
    reported: TokenUsage | None = None
    error_code: str = ""


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Course:
    """How a call went: what its answer began with, where its time went (ms, from its first byte), bytes that came."""

    http_status: int | None = None
    queue_ms: int | None = None
    runtime_ms: int | None = None
    first_token_ms: int | None = None
    bytes_in: int | None = None


UNKNOWN = Course()


def started_of(grant: Grant, call_id: UUID, gateway_id: UUID) -> CallStarted:
    """Return the row that says the call exists."""
    return CallStarted(
        call_id=call_id,
        gateway_id=gateway_id,
        customer_id=grant.customer_id,
        provider_customer_id=grant.provider_customer_id,
        resource_id=grant.resource_id,
        key_id=grant.key_id,
        started_at=uuid7_time(call_id),
    )


def event_of(
    grant: Grant,
    call_id: UUID,
    outcome: Outcome,
    *,
    text: str,
    streamed: bool,
    duration_ms: int,
    received_at: datetime,
    course: Course = UNKNOWN,
) -> UsageEvent:
    """Return the usage event of a call.

    A call that succeeded, or that its caller left, is one request; a failed one is none, but its tokens count.
    Tokens are the runtime's own where it reported any; else those of the input and of the text made so far.
    """
    tokens, source = _tokens(outcome, text)
    return UsageEvent(
        id=call_id,
        customer_id=grant.customer_id,
        provider_customer_id=grant.provider_customer_id,
        project_id=grant.project_id,
        resource_id=grant.resource_id,
        offering_id=grant.offering_id,
        plan_id=grant.plan_id
        if grant.environment == LIVE
        else None,  # test calls are outside of any plan: not billed
        key_id=grant.key_id,
        flow_version_id=grant.flow_version_id,
        occurred_at=uuid7_time(call_id),
        received_at=received_at,
        status=outcome.status,
        requests=1 if outcome.status in (CallStatus.OK, CallStatus.CANCELLED) else 0,
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        source=source,
        duration_ms=min(max(duration_ms, 0), MAX_INT),
        streamed=streamed,
        error_code=_readable(outcome.error_code, MAX_CODE),
        http_status=course.http_status,
        queue_ms=course.queue_ms,
        runtime_ms=course.runtime_ms,
        first_token_ms=course.first_token_ms,
        bytes_in=course.bytes_in,
        bytes_out=len(outcome.text.encode(errors="replace")),
        model=_readable(outcome.reported.model, MAX_MODEL) if outcome.reported is not None else "",
    )


def _readable(text: str, most: int) -> str:
    """Return a word of somebody else's as the column holds it."""
    return text[:most] if text.isprintable() else "".join(c for c in text if c.isprintable())[:most]


def _tokens(outcome: Outcome, text: str) -> tuple[TokenUsage, UsageSource]:
    if outcome.reported is not None:
        reported = outcome.reported
        return TokenUsage(max(0, reported.input_tokens), max(0, reported.output_tokens)), UsageSource.RUNTIME
    failed = outcome.status in (CallStatus.ERROR, CallStatus.TIMEOUT)
    if failed and not outcome.text:
        return TokenUsage(0, 0), UsageSource.NONE
    return TokenUsage(count_tokens(text), count_tokens(outcome.text)), UsageSource.COUNTED


# -- writing: one statement, one round trip, one commit for whatever is waiting

_STARTED = (
    ("call_id", "uuid"),
    ("gateway_id", "uuid"),
    ("customer_id", "uuid"),
    ("provider_customer_id", "uuid"),
    ("resource_id", "uuid"),
    ("key_id", "uuid"),
    ("started_at", "timestamptz"),
)
_EVENT = (
    ("id", "uuid"),
    ("customer_id", "uuid"),
    ("provider_customer_id", "uuid"),
    ("project_id", "uuid"),
    ("resource_id", "uuid"),
    ("offering_id", "uuid"),
    ("plan_id", "uuid"),
    ("key_id", "uuid"),
    ("flow_version_id", "uuid"),
    ("occurred_at", "timestamptz"),
    ("received_at", "timestamptz"),
    ("status", "text"),
    ("requests", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("source", "text"),
    ("duration_ms", "integer"),
    ("streamed", "boolean"),
    ("error_code", "text"),
    ("meters", "jsonb"),
    ("http_status", "smallint"),
    ("queue_ms", "integer"),
    ("runtime_ms", "integer"),
    ("first_token_ms", "integer"),
    ("bytes_in", "bigint"),
    ("bytes_out", "bigint"),
    ("model", "text"),
)
_PAYLOAD = (
    ("call_id", "uuid"),
    ("customer_id", "uuid"),
    ("occurred_at", "timestamptz"),
    ("config_id", "uuid"),
    ("expires_at", "timestamptz"),
    ("sealed", "bytea"),
)


def _names(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name for name, _ in columns)


def _arrays(columns: Sequence[tuple[str, str]], first: int) -> str:
    return ", ".join(f"${first + i}::{kind}[]" for i, (_, kind) in enumerate(columns))


_KEPT = len(_STARTED) + len(_EVENT) + 2
# ruff: noqa: S608  every name below is a constant of ours
WRITE_BATCH = f"""
WITH started AS (
    INSERT INTO {CALL_STARTED} ({_names(_STARTED)})
    SELECT * FROM unnest({_arrays(_STARTED, 1)}) ON CONFLICT DO NOTHING
), delivered AS (
    DELETE FROM {CALL_STARTED} WHERE call_id = ANY (${len(_STARTED) + 1}::uuid[])
), stored AS (
    INSERT INTO {USAGE_EVENT} ({_names(_EVENT)})
    SELECT * FROM unnest({_arrays(_EVENT, len(_STARTED) + 2)}) ON CONFLICT DO NOTHING
    RETURNING *
), summed AS (
    INSERT INTO {USAGE_HOUR} AS total (
        resource_id, hour, plan_key, customer_id, provider_customer_id, project_id, offering_id,
        events, errors, requests, input_tokens, output_tokens)
    SELECT resource_id, date_trunc('hour', occurred_at, 'UTC') AS hour,
           coalesce(plan_id, '00000000-0000-0000-0000-000000000000') AS plan_key,
           (array_agg(customer_id))[1], (array_agg(provider_customer_id))[1],
           (array_agg(project_id))[1], (array_agg(offering_id))[1],
           count(*), count(*) FILTER (WHERE status IN ('error', 'timeout')),
           sum(requests), sum(input_tokens), sum(output_tokens)
    FROM stored GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (resource_id, hour, plan_key) DO UPDATE SET
        events = total.events + excluded.events, errors = total.errors + excluded.errors,
        requests = total.requests + excluded.requests,
        input_tokens = total.input_tokens + excluded.input_tokens,
        output_tokens = total.output_tokens + excluded.output_tokens
), kept AS (
    UPDATE {IDEMPOTENT_CALL} call SET answer = ended.answer,
        expires_at = CASE WHEN ended.answer IS NULL THEN call.claimed_at ELSE call.expires_at END
    FROM unnest(${_KEPT}::uuid[], ${_KEPT + 1}::bytea[]) AS ended (call_id, answer)
    WHERE call.call_id = ended.call_id
), payloads AS (
    INSERT INTO {CALL_PAYLOAD} ({_names(_PAYLOAD)})
    SELECT * FROM unnest({_arrays(_PAYLOAD, _KEPT + 2)}) ON CONFLICT DO NOTHING
)
SELECT count(*) FROM stored
"""
"""Stores what is new and adds only that to the hourly sums, in key order so that two gateways cannot deadlock."""

COUNT_MONTH = f"""
SELECT coalesce(sum(requests), 0)::bigint AS requests FROM {USAGE_HOUR}
WHERE resource_id = $1 AND hour >= $2 AND hour < $3
"""


def batch_values(
    started: Iterable[CallStarted], ended: Iterable[Completed], delivered: Iterable[UUID]
) -> list[list[Any]]:
    """Return the arrays that WRITE_BATCH takes."""
    calls = list(ended)
    columns = _columns(_STARTED_VALUES, started, len(_STARTED))
    columns.append(list(delivered))
    columns += _columns(_EVENT_VALUES, (call.event for call in calls), len(_EVENT))
    for place in _JSON_PLACES:
        values = columns[len(_STARTED) + 1 + place]
        columns[len(_STARTED) + 1 + place] = [_as_json(value) for value in values]
    keyed = [call for call in calls if call.keyed]
    columns.append([call.event.id for call in keyed])
    columns.append([call.answer for call in keyed])
    columns.extend(_payload_columns(calls))
    return columns


_STARTED_VALUES = attrgetter(*(name for name, _ in _STARTED))
_EVENT_VALUES = attrgetter(*(name for name, _ in _EVENT))
_JSON_PLACES = tuple(place for place, (_, kind) in enumerate(_EVENT) if kind == "jsonb")


def _columns(values: Callable[[Any], tuple[Any, ...]], rows: Iterable[Any], width: int) -> list[Any]:
    """Return the rows' values by column."""
    return list(zip(*map(values, rows), strict=True)) or [()] * width


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode() if value else "{}"


def _payload_columns(calls: Sequence[Completed]) -> list[list[Any]]:
    kept = [(call.event, call.payload) for call in calls if call.payload is not None]
    rows = [
        (
            event.id,
            event.customer_id,
            event.occurred_at,
            payload.config_id,
            payload.expires_at,
            payload.sealed,
        )
        for event, payload in kept
    ]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in _PAYLOAD]
