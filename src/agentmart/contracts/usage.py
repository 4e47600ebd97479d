"""What the gateway records of a call: `started` before the run, one immutable event before the last byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from agentmart.contracts.payloads import KeptPayload


class CallStatus(StrEnum):
    """How a call ended, as its usage event says."""

    OK = "ok"
    ERROR = "error"  # the runtime failed; tokens it reported are billed, the request is not
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"  # the caller left; what was used is billed


class UsageSource(StrEnum):
    """Where token counts come from."""

    RUNTIME = "runtime"
    COUNTED = "counted"
    REPORTED = "reported"  # a provider's or operator's own report
    NONE = "none"


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class CallStarted:
    """A row of `metering_call_started`: the call exists, nothing is owed yet. Deleted after delivery."""

    call_id: UUID  # UUIDv7
    gateway_id: UUID
    customer_id: UUID
    provider_customer_id: UUID
    resource_id: UUID
    key_id: UUID
    started_at: datetime


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class UsageEvent:
    """A row of `metering_usage_event`; quantities as columns, further meters as JSON.

    The fields after `meters` describe the call; None where nobody measured it (events of older gateways).
    """

    id: UUID  # the call's UUIDv7; its time prefix is `occurred_at`
    customer_id: UUID
    provider_customer_id: UUID
    project_id: UUID
    resource_id: UUID
    offering_id: UUID
    plan_id: UUID | None
    key_id: UUID | None
    flow_version_id: UUID | None
    occurred_at: datetime
    received_at: datetime
    status: CallStatus
    requests: int
    input_tokens: int
    output_tokens: int
    source: UsageSource
    duration_ms: int
    streamed: bool
    error_code: str = ""
    meters: dict[str, Decimal] = field(default_factory=dict)
    http_status: int | None = (
        None  # what the answer began with; None where the caller had left before it began
    )
    queue_ms: int | None = None  # from the request's first byte until the runtime was asked
    runtime_ms: int | None = None  # the runtime's part of `duration_ms`
    first_token_ms: int | None = (
        None  # from the request's first byte to the answer's first piece; streams only
    )
    bytes_in: int | None = None  # the request's body
    bytes_out: int | None = None  # the answer's text, in UTF-8
    model: str = ""  # as the runtime named it


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Completed:
    """A call that has ended: its usage, and what is kept for a repetition of it under the same idempotency key."""

    event: UsageEvent
    keyed: bool = False  # the caller gave a key: its row is brought up to date with the event
    answer: bytes | None = None  # None where the run failed: the key may be used again
    payload: KeptPayload | None = None  # the call's content, where its buyer has it kept


METERS = ("requests", "input_tokens", "output_tokens")
"""Component types that the gateway feeds; a plan component of the same type is billed from them."""
