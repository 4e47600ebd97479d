"""The Grant: all the gateway knows, and needs to know, of one API key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from agentmart.contracts.payloads import PayloadPolicy


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
class Caps:
    """What a customer as a whole, or all buyers of an offering together, may do; None means unlimited."""

    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    requests_per_month: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the plan allows; None means unlimited.

    Rates and calls at once hold for all resources that a customer has under the plan together, and so for each
    of their keys; sums of a month for each resource.
    """

    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    requests_per_month: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_month: int | None = None
    max_context_tokens: int | None = None
    streaming: bool = True
    batch: bool = False
    priority: bool = False
    customer: Caps | None = None  # of the customer, over all it has; set by the operator
    agent: Caps | None = None  # of the offering, over all who buy it; set by its provider


class OnDisconnect(StrEnum):
    """What becomes of a run whose caller left; the offering's provider decides."""

    DRAIN = "drain"  # it goes on to its end; all it used is billed
    CANCEL = "cancel"  # it is stopped; what it used by then is billed


class BudgetAction(StrEnum):
    """What happens when a budget is used up."""

    NOTIFY = "notify"  # the buyer is told, calls go on
    STOP = "stop"  # 402 budget_exhausted until the month ends or the budget is raised


@dataclass(frozen=True, slots=True)
class Budget:
    """The buyer's own bound on what an agent may cost in a calendar month (UTC), in the plan's currency."""

    amount: Decimal
    currency: str
    action: BudgetAction = BudgetAction.NOTIFY
    reached: int = 0  # percent: the last of BUDGET_STEPS that this month's charges have reached


BUDGET_STEPS = (50, 80, 100)
"""Percentages of a budget that its people are told of, once each and month."""


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
    runtime: str  # the name of a folder of adapters.runtimes
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
    key_limits: Limits | None = (
        None  # caps of this key alone, beside the plan's; None or unset: none of its own
    )
    budget: Budget | None = None  # of the agent, all its keys together
    allowed_origins: tuple[str, ...] = ()  # of a publishable key: `scheme://host[:port]`, compared exactly
    allowed_ips: tuple[str, ...] = ()  # networks that may use the key; empty: all
    on_disconnect: OnDisconnect = OnDisconnect.DRAIN
    payloads: PayloadPolicy | None = None  # the buyer has the content of calls kept; not in the row itself
    version: int = 1
