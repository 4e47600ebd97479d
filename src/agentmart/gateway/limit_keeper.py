"""The door to the limits: loads what a month has used when it is first asked for, then asks the meters."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from agentmart.contracts.grants import Grant
from agentmart.contracts.tables import GRANT, USAGE_EVENT, USAGE_HOUR
from agentmart.gateway.buckets import month_after, month_number, month_of
from agentmart.gateway.database import FAILED, Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.limit_headers import Headers, headers_of
from agentmart.gateway.limits import (
    AGENT,
    CUSTOMER,
    KEY,
    PLAN,
    REQUESTS_MONTH,
    Allowance,
    Limiter,
    Rule,
    estimate,
)
from agentmart.kit.ids import uuid7_floor

# ruff: noqa: S608  every name below is a constant of ours
_SUMS = "coalesce(sum(requests), 0)::bigint, coalesce(sum(input_tokens + output_tokens), 0)::bigint"
_HOURS = f"SELECT {_SUMS} FROM {USAGE_HOUR} WHERE hour >= $2 AND hour < $3 AND "
SUM_OF = {
    PLAN: _HOURS + "resource_id = $1",
    CUSTOMER: _HOURS + "customer_id = $1",
    # By the primary key, resource by resource: every resource that was ever called has a Grant.
    AGENT: _HOURS + f"resource_id IN (SELECT resource_id FROM {GRANT} WHERE offering_id = $1)",
    # By the index on (resource_id, id): an event's id begins with its time.
    KEY: f"SELECT {_SUMS} FROM {USAGE_EVENT} WHERE id >= $2 AND id < $3 AND key_id = $1 AND resource_id = $4",
}


class Held(Protocol):
    """What a call that was let in has taken."""

    def release(self, requests: int, tokens: int = 0) -> None:
        """Free the place; requests and tokens are what the call's usage event counts."""

    def give_back(self) -> None:
        """Undo everything: the call was refused after all."""


class LimitKeeper:
    """The limits of one gateway process."""

    def __init__(self, database: Database, limiter: Limiter | None = None) -> None:
        self._database = database
        self._limiter = limiter or Limiter()

    async def take(self, grant: Grant, now: datetime, text: str) -> Held:
        """Take from every limit of the Grant or from none; raises RateLimited, or Unavailable (503)."""
        limiter = self._limiter
        allowance = limiter.allowance(grant)
        if not allowance.is_loaded(month_number(now)):
            allowance = await self.loaded(allowance, now)
        return limiter.take_from(allowance, now, estimate(text) if allowance.counts_tokens else 0)

    def headers(self, grant: Grant, now: datetime) -> Headers:
        """Return where the limits stand, as headers."""
        return headers_of(self._limiter.allowance(grant), self._limiter.clock_ns(), now)

    @property
    def shared(self) -> bool:
        """Whether limits are counted with other gateways now."""
        return False

    async def close(self) -> None:
        """End; there is nothing to close."""

    async def loaded(self, allowance: Allowance, now: datetime) -> Allowance:
        """Return the Grant's meters once all their sums are known; raises Unavailable."""
        month = month_number(now)
        while missing := allowance.unloaded(month):
            rule, _ = missing[0]
            stored = await self.stored(allowance.grant, rule, now)
            allowance = self._limiter.allowance(allowance.grant)  # what was not used may have been dropped
            for known, meter in allowance.unloaded(month):
                if known == rule:
                    meter.load(month, stored)
        return allowance

    async def stored(self, grant: Grant, rule: Rule, now: datetime) -> int:
        """Return what usage says a scope has used in this month; raises Unavailable."""
        start = month_of(now)
        end = month_after(start)
        values = (
            (uuid7_floor(start), uuid7_floor(end), grant.resource_id) if rule.scope == KEY else (start, end)
        )
        try:
            row = await self._database.row(SUM_OF[rule.scope], rule.owner, *values)
        except FAILED:
            raise Unavailable from None
        return 0 if row is None else int(row[0 if rule.kind == REQUESTS_MONTH else 1])
