"""What a call may take: requests and tokens per minute, calls at once, requests and tokens per month. No I/O.

A rate of L per minute is a bucket of L that refills evenly: of N calls at once exactly L pass a full bucket, and
any t seconds admit at most L + L·t/60. Limits are set for a key, for a plan, for a customer and for an offering
(`scope` key, plan, customer, agent); a call takes from all that touch it or from none.

Tokens are known when a run has ended. A call is let in where what its input is estimated to have fits what is
left; it holds that much, and is charged what it really used instead once its usage is durable. So what is
charged beyond a limit is at most what the calls under way use beyond their estimates, and is waited for by the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from datetime import datetime
from time import monotonic_ns
from typing import NamedTuple

from agentmart.contracts.grants import Caps, Grant, Limits
from agentmart.gateway.buckets import (
    SECOND_NS,
    Bucket,
    Places,
    Sum,
    month_after,
    month_number,
    month_of,
)
from agentmart.kit.errors import DomainError

TABLE_SIZE = 50_000
CHARACTERS_PER_TOKEN = 4
KEY, PLAN, CUSTOMER, AGENT = "key", "plan", "customer", "agent"
REQUESTS_MINUTE = "requests_per_minute"
TOKENS_MINUTE = "tokens_per_minute"
AT_ONCE = "concurrent_requests"
REQUESTS_MONTH = "requests_per_month"
TOKENS_MONTH = "tokens_per_month"
KINDS = (REQUESTS_MONTH, TOKENS_MONTH, AT_ONCE, REQUESTS_MINUTE, TOKENS_MINUTE)
"""In the order they are asked in: the first that is used up is the one a refusal names."""

_OF_A_MONTH = (REQUESTS_MONTH, TOKENS_MONTH)
_WHOSE = {KEY: "The key", PLAN: "The plan", CUSTOMER: "The customer", AGENT: "The agent"}
_TOLD = {
    REQUESTS_MONTH: "{whose}'s {limit} requests of this month are used up.",
    TOKENS_MONTH: "{whose}'s {limit} tokens of this month do not suffice for this call.",
    AT_ONCE: "{whose} allows {limit} calls at the same time.",
    REQUESTS_MINUTE: "{whose} allows {limit} requests per minute.",
    TOKENS_MINUTE: "{whose} allows {limit} tokens per minute; fewer are left now than this call needs.",
}

Meter = Bucket | Places | Sum
_MAKE: dict[str, Callable[[int], Meter]] = {
    REQUESTS_MONTH: Sum,
    TOKENS_MONTH: Sum,
    AT_ONCE: Places,
    REQUESTS_MINUTE: Bucket,
    TOKENS_MINUTE: Bucket,
}


class RateLimited(DomainError):
    """A limit is reached; `extra.limit` names it, `Retry-After` says when to come again."""

    code = "rate_limited"
    status = 429

    def __init__(self, rule: Rule, retry_after: int) -> None:
        super().__init__(
            _TOLD[rule.kind].format(whose=_WHOSE[rule.scope], limit=rule.limit),
            extra={
                "limit": rule.kind,
                "scope": rule.scope,
                "value": rule.limit,
                "retry_after": retry_after,
            },
            headers={"Retry-After": str(retry_after)},
        )


class ContextTooLarge(DomainError):
    """The input holds more tokens than the plan or the key allows."""

    code = "context_too_large"
    status = 413


class Rule(NamedTuple):
    """One limit of one scope; a meter belongs to everything but the limit itself."""

    kind: str
    scope: str
    owner: Hashable
    limit: int


def rules_of(grant: Grant) -> tuple[Rule, ...]:
    """Return the limits that touch a call, without those that another one always reaches first or together.

    A key's calls are among its plan's, those among the customer's and among the agent's: a narrow limit
    that is no smaller than a wider one could never be the one that refuses. A customer's plans do not take
    from each other.
    """
    found = []
    limits = grant.limits
    under_plan = (grant.customer_id, grant.plan_id or grant.resource_id)
    caps: tuple[Limits | Caps | None, ...] = (limits.agent, limits.customer, limits, grant.key_limits)
    for kind in KINDS:
        planned = grant.resource_id if kind in _OF_A_MONTH else under_plan
        owners = (grant.offering_id, grant.customer_id, planned, grant.key_id)
        wider: int | None = (
            None  # the smallest of the wider ones; agent and customer are not within each other
        )
        for scope, owner, cap in zip((AGENT, CUSTOMER, PLAN, KEY), owners, caps, strict=True):
            limit = None if cap is None else getattr(cap, kind)
            if limit is None or (scope in (PLAN, KEY) and wider is not None and limit >= wider):
                continue
            found.append(Rule(kind, scope, owner, limit))
            wider = limit if wider is None else min(wider, limit)
    return tuple(found)


class Allowance:
    """The meters that a Grant's calls run by, found once for the Grant."""

    __slots__ = (
        "counts_tokens",
        "grant",
        "meters",
        "places",
        "request_sums",
        "requests",
        "rules",
        "sums",
        "token_sums",
        "tokens",
    )

    def __init__(self, grant: Grant, rules: tuple[Rule, ...], meters: tuple[Meter, ...]) -> None:
        self.grant = grant
        self.rules = rules
        self.meters = meters
        pairs = list(zip(rules, meters, strict=True))
        self.requests = tuple(m for r, m in pairs if r.kind == REQUESTS_MINUTE and isinstance(m, Bucket))
        self.tokens = tuple(m for r, m in pairs if r.kind == TOKENS_MINUTE and isinstance(m, Bucket))
        self.places = tuple(m for m in meters if isinstance(m, Places))
        self.request_sums = tuple(m for r, m in pairs if r.kind == REQUESTS_MONTH and isinstance(m, Sum))
        self.token_sums = tuple(m for r, m in pairs if r.kind == TOKENS_MONTH and isinstance(m, Sum))
        self.sums = self.request_sums + self.token_sums
        self.counts_tokens = bool(self.tokens or self.token_sums)  # is any limit one of tokens?

    def is_loaded(self, month: int) -> bool:
        """Return whether of every sum is known what this month has used."""
        return all(total.month == month for total in self.sums)

    def unloaded(self, month: int) -> list[tuple[Rule, Sum]]:
        """Return the sums of which nothing of this month is known yet."""
        return [
            (rule, meter)
            for rule, meter in zip(self.rules, self.meters, strict=True)
            if isinstance(meter, Sum) and meter.month != month
        ]

    def refusal(self, moment: int, now: datetime, tokens: int) -> RateLimited | None:
        """Return why a call cannot be let in now, or None."""
        for rule, meter in zip(self.rules, self.meters, strict=True):
            kind = rule.kind
            if isinstance(meter, Bucket):
                wait = meter.wait(moment, tokens if kind == TOKENS_MINUTE else 1)
                if wait:
                    return RateLimited(rule, _seconds(wait))
            elif isinstance(meter, Places):
                if meter.taken >= meter.limit:
                    return RateLimited(rule, 1)
            elif meter.used + (tokens if kind == TOKENS_MONTH else 1) > meter.limit:
                return RateLimited(rule, seconds_left(now))
        return None

    def take(self, moment: int, tokens: int) -> None:
        """Take one call from every meter."""
        for bucket in self.requests:
            bucket.take(moment, 1)
        for place in self.places:
            place.taken += 1
        for total in self.request_sums:
            total.hold(1)
        if tokens:
            for bucket in self.tokens:
                bucket.take(moment, tokens)
                bucket.open += 1
            for total in self.token_sums:
                total.hold(tokens)

    def settle(self, month: int, held: int, requests: int, tokens: int) -> None:
        """Free the place of a call and put what it used in the place of what it held."""
        for place in self.places:
            place.taken -= 1
        for total in self.request_sums:
            total.settle(month, 1, requests)
        if held:
            for bucket in self.tokens:
                bucket.add(held - tokens)
                bucket.open -= 1
            for total in self.token_sums:
                total.settle(month, held, tokens)


class Lease:
    """What one call has taken; ends by `release` after the call, or `give_back` where nothing was run."""

    __slots__ = ("_allowance", "_clock_ns", "_held", "_month", "_open")

    def __init__(self, allowance: Allowance, clock_ns: Callable[[], int], month: int, held: int) -> None:
        self._allowance = allowance
        self._clock_ns = clock_ns
        self._month = month
        self._held = held
        self._open = True

    def release(self, requests: int, tokens: int = 0) -> None:
        """Free the place; requests and tokens are what the call's usage event counts."""
        if self._open:
            self._open = False
            if self._held and tokens > self._held:
                self._refill()
            self._allowance.settle(self._month, self._held, requests, tokens)

    def give_back(self) -> None:
        """Undo everything: the call was refused after all."""
        if self._open:
            for bucket in self._allowance.requests:
                bucket.add(1)
            self.release(0)

    def _refill(self) -> None:
        """Bring the buckets up to the present: one that filled up meanwhile has no more than full to be charged."""
        moment = self._clock_ns()
        for bucket in self._allowance.tokens:
            bucket.take(moment, 0)


class Limiter:
    """All limits of one gateway process."""

    def __init__(self, clock_ns: Callable[[], int] = monotonic_ns, *, table_size: int = TABLE_SIZE) -> None:
        self.clock_ns = clock_ns
        self._meters: dict[tuple[str, str, Hashable], Meter] = {}
        self._allowances: dict[
            int, Allowance
        ] = {}  # by the Grant's identity; each entry keeps its Grant alive
        self._size = table_size
        self._sweep_at = table_size

    def __len__(self) -> int:
        return len(self._meters)

    def allowance(self, grant: Grant) -> Allowance:
        """Return the meters of a Grant; ask anew after every await, for meters that nobody uses are dropped."""
        known = self._allowances.get(id(grant))
        return known if known is not None else self._bind(grant)

    def take(self, grant: Grant, now: datetime, tokens: int = 0) -> Lease:
        """Take from every limit of the Grant or from none; raises RateLimited that names the limit.

        `tokens` is the estimate of the input's, at least 1 where `counts_tokens`; sums have been loaded.
        """
        return self.take_from(self.allowance(grant), now, tokens)

    def take_from(self, allowance: Allowance, now: datetime, tokens: int) -> Lease:
        """Take from every meter of an allowance that was asked for after the last await; else like `take`."""
        moment = self.clock_ns()
        refusal = allowance.refusal(moment, now, tokens)
        if refusal is not None:
            raise refusal
        allowance.take(moment, tokens)
        return Lease(allowance, self.clock_ns, month_number(now), tokens)

    def _bind(self, grant: Grant) -> Allowance:
        moment = self.clock_ns()
        if len(self._meters) >= self._sweep_at:
            self._sweep(moment)
        rules = rules_of(grant)
        allowance = Allowance(grant, rules, tuple(self._meter(rule, moment) for rule in rules))
        if len(self._allowances) >= self._size:
            del self._allowances[next(iter(self._allowances))]
        self._allowances[id(grant)] = allowance
        return allowance

    def _meter(self, rule: Rule, moment: int) -> Meter:
        name = rule[:3]
        meter = self._meters.get(name)
        if meter is None:
            meter = self._meters[name] = _MAKE[rule.kind](rule.limit)
        else:
            meter.set_limit(rule.limit, moment)
        return meter

    def _sweep(self, moment: int) -> None:
        """Drop meters with which nothing is lost; done rarely enough to cost nothing per call."""
        self._meters = {name: meter for name, meter in self._meters.items() if not meter.idle(moment)}
        self._allowances.clear()  # they may hold what was dropped
        self._sweep_at = max(self._size, 2 * len(self._meters))


def estimate(text: str) -> int:
    """Return roughly how many tokens a text has, at least 1; costs nothing however long it is."""
    return len(text) // CHARACTERS_PER_TOKEN + 1


def check_context(grant: Grant, text: str, count_tokens: Callable[[str], int]) -> None:
    """Raise ContextTooLarge if the input holds more tokens than the plan or the key allows.

    A token is at least one byte, so a text of no more bytes than the limit needs no counting.
    """
    limit = grant.limits.max_context_tokens
    if grant.key_limits is not None and grant.key_limits.max_context_tokens is not None:
        own = grant.key_limits.max_context_tokens
        limit = own if limit is None else min(own, limit)
    if limit is None or len(text) * 4 <= limit or len(text.encode()) <= limit:
        return
    tokens = count_tokens(text)
    if tokens > limit:
        raise ContextTooLarge(
            f"The input has {tokens} tokens; {limit} are allowed.",
            extra={"limit": "max_context_tokens", "value": limit, "tokens": tokens},
            field="input",
        )


def seconds_left(now: datetime) -> int:
    """Return the seconds until the calendar month (UTC) ends."""
    return max(1, math.ceil((month_after(month_of(now)) - now).total_seconds()))


def _seconds(nanoseconds: int) -> int:
    return max(1, -(-nanoseconds // SECOND_NS))
