"""What a plan allows, kept in memory: requests per minute (GCRA), requests at once, requests per month. No I/O.

A rate limit of L per minute is a bucket of L that refills evenly: of N calls at once exactly L pass a full
bucket, and any t seconds admit at most L + L·t/60. Arithmetic is in whole numbers, so the bound is exact. Every
limit holds per key, per resource and per customer under one plan; a call takes from all of them or from none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic_ns
from uuid import UUID

from agentmart.contracts.grants import Grant
from agentmart.kit.errors import DomainError

MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
TABLE_SIZE = 50_000

Scope = tuple[str, Hashable]
_Month = tuple[UUID, datetime]


class RateLimited(DomainError):
    """A limit is reached; `extra.limit` names it, `Retry-After` says when to come again."""

    code = "rate_limited"
    status = 429

    def __init__(self, limit: str, scope: str, value: int, retry_after: int, message: str) -> None:
        super().__init__(
            message,
            extra={"limit": limit, "scope": scope, "value": value, "retry_after": retry_after},
            headers={"Retry-After": str(retry_after)},
        )


class ContextTooLarge(DomainError):
    """The input holds more tokens than the plan allows."""

    code = "context_too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a bucket stands: calls left now, seconds until it is full again."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the X-RateLimit headers."""
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(self.reset)),
        )


class Buckets:
    """Rate buckets, made when first used and dropped when full again.

    A bucket holds its limit L and the moment it will be full, in nanoseconds times L: then a call costs exactly
    one minute, whatever L is.
    """

    def __init__(self, size: int = TABLE_SIZE) -> None:
        self._full_at: dict[Scope, tuple[int, int]] = {}
        self._size = size
        self._sweep_at = size

    def __len__(self) -> int:
        return len(self._full_at)

    def debt(self, scope: Scope, limit: int, now: int) -> int:
        """Return what is missing in the bucket, in minutes of nanoseconds (one call = MINUTE_NS)."""
        known = self._full_at.get(scope)
        if known is None:
            return 0
        old_limit, full_at = known
        if old_limit != limit:  # the plan changed: what is missing stays missing
            full_at = -(-full_at * limit // old_limit)
        return max(0, full_at - now * limit)

    def wait(self, scope: Scope, limit: int, now: int) -> int:
        """Return the nanoseconds until one more call fits; 0 means now."""
        over = self.debt(scope, limit, now) + MINUTE_NS - limit * MINUTE_NS
        return 0 if over <= 0 else -(-over // limit) if limit else MINUTE_NS

    def take(self, scope: Scope, limit: int, now: int) -> None:
        """Take one call out; the caller has asked `wait` before."""
        if len(self._full_at) >= self._sweep_at:
            self._sweep(now)
        self._full_at[scope] = (limit, now * limit + self.debt(scope, limit, now) + MINUTE_NS)

    def give_back(self, scope: Scope) -> None:
        """Undo one `take`."""
        known = self._full_at.get(scope)
        if known is not None:
            self._full_at[scope] = (known[0], known[1] - MINUTE_NS)

    def _sweep(self, now: int) -> None:
        """Drop full buckets; what stays was used within a minute. Done rarely enough to cost nothing per call."""
        self._full_at = {s: kept for s, kept in self._full_at.items() if kept[1] > now * kept[0]}
        self._sweep_at = max(self._size, 2 * len(self._full_at))


class MonthCounts:
    """Requests of a resource in a calendar month (UTC): loaded once from the stored usage, then counted along."""

    def __init__(self, size: int = TABLE_SIZE) -> None:
        self._counts: dict[_Month, int] = {}
        self._held: dict[_Month, int] = {}
        self._size = size

    def known(self, resource_id: UUID, month: datetime) -> bool:
        """Return whether the count was loaded."""
        return (resource_id, month) in self._counts

    def load(self, resource_id: UUID, month: datetime, stored: int) -> None:
        """Take over the stored count; ignored where counting has begun. The oldest entry nobody holds makes room."""
        key = (resource_id, month)
        if key in self._counts:
            return
        self._counts[key] = stored
        if len(self._counts) > self._size:
            idle = next((old for old in self._counts if old != key and old not in self._held), None)
            if idle is not None:
                del self._counts[idle]

    def count(self, resource_id: UUID, month: datetime) -> int:
        """Return the requests so far, those under way included."""
        return self._counts.get((resource_id, month), 0)

    def hold(self, resource_id: UUID, month: datetime) -> None:
        """Count a call that is let in."""
        key = (resource_id, month)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._held[key] = self._held.get(key, 0) + 1

    def settle(self, resource_id: UUID, month: datetime, requests: int) -> None:
        """Replace the held call by what its usage event says (0 or 1 requests)."""
        key = (resource_id, month)
        self._counts[key] += requests - 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


def month_of(now: datetime) -> datetime:
    """Return the first moment of the calendar month (UTC)."""
    now = now.astimezone(UTC)
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """Return the first moment of the next month."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


class Lease:
    """What one call has taken; ends by `release` after the call, or `give_back` where nothing was run."""

    def __init__(self, limiter: Limiter, grant: Grant, month: datetime | None) -> None:
        self._limiter = limiter
        self._grant = grant
        self._month = month
        self._open = True

    def release(self, requests: int) -> None:
        """Free the place; `requests` is what the call's usage event counts."""
        if self._open:
            self._open = False
            self._limiter.release(self._grant, self._month, requests)

    def give_back(self) -> None:
        """Undo everything: the call was refused after all."""
        if self._open:
            self._limiter.give_back(self._grant)
            self.release(0)


class Limiter:
    """All limits of one gateway process."""

    def __init__(self, clock_ns: Callable[[], int] = monotonic_ns, *, table_size: int = TABLE_SIZE) -> None:
        self._clock_ns = clock_ns
        self._buckets = Buckets(table_size)
        self._running: dict[Scope, int] = {}
        self.months = MonthCounts(table_size)

    def take(self, grant: Grant, now: datetime) -> Lease:
        """Take from every limit of the Grant or from none; raises RateLimited that names the limit."""
        rate = grant.limits.requests_per_minute
        at_once = grant.limits.concurrent_requests
        scopes = scopes_of(grant)
        moment = self._clock_ns()
        month = month_of(now) if grant.limits.requests_per_month is not None else None
        self._check_month(grant, month, now)
        if at_once is not None:
            self._check_running(scopes, at_once)
        if rate is not None:
            self._check_rate(scopes, rate, moment)
            for scope in scopes:
                self._buckets.take(scope, rate, moment)
        for scope in scopes:
            self._running[scope] = self._running.get(scope, 0) + 1
        if month is not None:
            self.months.hold(grant.resource_id, month)
        return Lease(self, grant, month)

    def standing(self, grant: Grant, now: datetime) -> Standing | None:
        """Return the standing of the rate bucket that has least left, or of the month; None where nothing limits."""
        rate = grant.limits.requests_per_minute
        if rate is not None:
            moment = self._clock_ns()
            debt = max(self._buckets.debt(scope, rate, moment) for scope in scopes_of(grant))
            remaining = max(0, (rate * MINUTE_NS - debt) // MINUTE_NS)
            return Standing(rate, remaining, _seconds(-(-debt // rate) if rate else MINUTE_NS))
        quota = grant.limits.requests_per_month
        if quota is not None:
            month = month_of(now)
            used = self.months.count(grant.resource_id, month)
            return Standing(quota, max(0, quota - used), _until(month_after(month), now))
        return None

    def release(self, grant: Grant, month: datetime | None, requests: int) -> None:
        """Free what `Lease.release` frees."""
        for scope in scopes_of(grant):
            self._running[scope] -= 1
            if not self._running[scope]:
                del self._running[scope]
        if month is not None:
            self.months.settle(grant.resource_id, month, requests)

    def give_back(self, grant: Grant) -> None:
        """Put one call back into the rate buckets."""
        if grant.limits.requests_per_minute is not None:
            for scope in scopes_of(grant):
                self._buckets.give_back(scope)

    def _check_month(self, grant: Grant, month: datetime | None, now: datetime) -> None:
        quota = grant.limits.requests_per_month
        if month is None or quota is None or self.months.count(grant.resource_id, month) < quota:
            return
        wait = _until(month_after(month), now)
        raise RateLimited(
            "requests_per_month",
            "resource",
            quota,
            wait,
            f"The plan's {quota} requests of this month are used up.",
        )

    def _check_running(self, scopes: tuple[Scope, ...], at_once: int) -> None:
        for scope in scopes:
            if self._running.get(scope, 0) >= at_once:
                message = f"The plan allows {at_once} calls at the same time."
                raise RateLimited("concurrent_requests", scope[0], at_once, 1, message)

    def _check_rate(self, scopes: tuple[Scope, ...], rate: int, moment: int) -> None:
        for scope in scopes:
            wait = self._buckets.wait(scope, rate, moment)
            if wait:
                message = f"The plan allows {rate} requests per minute."
                raise RateLimited("requests_per_minute", scope[0], rate, _seconds(wait), message)


def scopes_of(grant: Grant) -> tuple[Scope, ...]:
    """Return whose limits a call touches. A customer's plans do not take from each other."""
    return (
        ("key", grant.key_id),
        ("resource", grant.resource_id),
        ("customer", (grant.customer_id, grant.plan_id or grant.resource_id)),
    )


def check_context(grant: Grant, text: str, count_tokens: Callable[[str], int]) -> None:
    """Raise ContextTooLarge if the input holds more tokens than the plan allows.

    A token is at least one byte, so a text of no more bytes than the limit needs no counting.
    """
    limit = grant.limits.max_context_tokens
    if limit is None or len(text.encode()) <= limit:
        return
    tokens = count_tokens(text)
    if tokens > limit:
        raise ContextTooLarge(
            f"The input has {tokens} tokens; the plan allows {limit}.",
            extra={"limit": "max_context_tokens", "value": limit, "tokens": tokens},
            field="input",
        )


def _seconds(nanoseconds: int) -> int:
    return max(0, math.ceil(nanoseconds / SECOND_NS))


def _until(moment: datetime, now: datetime) -> int:
    return max(1, math.ceil((moment - now).total_seconds()))
