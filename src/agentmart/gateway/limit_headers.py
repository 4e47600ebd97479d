"""What an answer's headers say of limits: what is left of requests and tokens, and which sums run out."""

from __future__ import annotations

from datetime import datetime

from agentmart.gateway.buckets import SECOND_NS, Bucket, Sum, month_number
from agentmart.gateway.limits import Allowance, seconds_left

Headers = tuple[tuple[str, str], ...]
WARN_PERCENT = 80
"""From so much of a month's sum on, every answer says so in `X-Limit-Warning`."""


def headers_of(allowance: Allowance, moment: int, now: datetime) -> Headers:
    """Return the headers: `X-RateLimit-*` for requests as ever, and one triple each for requests and tokens.

    A triple speaks of the scope that has least left in this minute, or where no rate is set, in this month.
    """
    if not allowance.rules and allowance.grant.budget is None:
        return ()
    requests = _standing(allowance.requests, allowance.request_sums, moment, now)
    tokens = _standing(allowance.tokens, allowance.token_sums, moment, now)
    found: Headers = ()
    if requests is not None:
        limit, left, reset = str(requests[0]), str(requests[1]), requests[2]
        found = (
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", left),
            ("x-ratelimit-reset", str(reset)),
            ("x-ratelimit-limit-requests", limit),
            ("x-ratelimit-remaining-requests", left),
            ("x-ratelimit-reset-requests", duration(reset)),
        )
    if tokens is not None:
        found += (
            ("x-ratelimit-limit-tokens", str(tokens[0])),
            ("x-ratelimit-remaining-tokens", str(tokens[1])),
            ("x-ratelimit-reset-tokens", duration(tokens[2])),
        )
    if allowance.grant.budget is not None or allowance.sums:
        warning = _warning(allowance, month_number(now))
        if warning:
            return (*found, ("x-limit-warning", warning))
    return found


def duration(seconds: int) -> str:
    """Return a time as OpenAI's headers write it: `0s`, `17s`, `6m0s`, `49h0m3s`."""
    minutes, seconds = divmod(seconds, 60)
    if not minutes:
        return f"{seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s"


def _standing(
    buckets: tuple[Bucket, ...], sums: tuple[Sum, ...], moment: int, now: datetime
) -> tuple[int, int, int] | None:
    """Return limit, what is left, and the seconds until all of it is there again."""
    if buckets:
        bucket = min(buckets, key=lambda one: one.left(moment)) if len(buckets) > 1 else buckets[0]
        return bucket.limit, bucket.left(moment), -(-bucket.reset(moment) // SECOND_NS)
    if sums:
        month = month_number(now)
        left, limit = min((max(0, s.limit - s.used_in(month)), s.limit) for s in sums)
        return limit, left, seconds_left(now)
    return None


def _warning(allowance: Allowance, month: int) -> str:
    """Return which sums of the month are nearly or wholly used up, the budget among them; usually nothing."""
    found = []
    budget = allowance.grant.budget
    if budget is not None and budget.reached >= WARN_PERCENT:
        found.append(f"budget {budget.reached}%")
    for name, sums in (
        ("requests_per_month", allowance.request_sums),
        ("tokens_per_month", allowance.token_sums),
    ):
        percent = max((total.percent(month) for total in sums), default=0)
        if percent >= WARN_PERCENT:
            found.append(f"{name} {percent}%")
    return ", ".join(found)
