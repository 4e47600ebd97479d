"""The Grant: all the gateway knows, and needs to know, of one API key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class GrantState(StrEnum):
    """Whether a key opens the door, and why not; each but ACTIVE maps to one refusal of the gateway."""

    ACTIVE = "active"
    REVOKED = "revoked"  # 401 revoked_key
    CUSTOMER_BLOCKED = "customer_blocked"  # 403 customer_blocked
    RESOURCE_PAUSED = "resource_paused"  # 403 resource_paused
    TERMINATED = "terminated"  # 403 resource_terminated
    BUDGET_EXHAUSTED = "budget_exhausted"  # 402 budget_exhausted
    UNAVAILABLE = "unavailable"  # 503 unavailable: emergency stop of the offering


@dataclass(frozen=True, slots=True)
class Limits:
    """What the plan allows; None means unlimited. Rates are per key, per resource and per customer alike."""

    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    requests_per_month: int | None = None
    max_context_tokens: int | None = None
    streaming: bool = True
    batch: bool = False
    priority: bool = False


@dataclass(frozen=True, slots=True)
class Tweakable:
    """One field of one node that a buyer may set; bounds apply to numbers, `options` to choices."""

    node: str
    field: str
    type: str  # "str" | "int" | "float" | "bool"
    label: str = ""
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    options: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of the table `access_grant`; `key_id` is the key's `jti`."""

    key_id: UUID
    key_sha256: bytes
    kind: str  # "secret" | "publishable"
    environment: str  # "live" | "test"
    state: GrantState
    customer_id: UUID
    provider_customer_id: UUID
    project_id: UUID
    resource_id: UUID
    config_id: UUID
    offering_id: UUID
    plan_id: UUID | None
    flow_version_id: UUID | None
    runtime: str  # a name of adapters.runtimes.KINDS
    deployment_id: str
    scopes: frozenset[str]
    expires_at: datetime | None
    limits: Limits = field(default_factory=Limits)
    tweakable: tuple[Tweakable, ...] = ()
    tweaks: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # the buyer's settings: node → field → value
    accept_until: datetime | None = None  # end of a rotated key's overlap
    model: str = ""  # what OpenAI's clients call the agent: the offering's slug
    version: int = 1
