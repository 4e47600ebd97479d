"""Limits are exact, all or none, per key, plan, customer and agent; and their tables stay small."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.support import NOW, make_grant

from agentmart.contracts.grants import Caps, Grant, Limits
from agentmart.gateway.buckets import SECOND_NS, month_after, month_number, month_of
from agentmart.gateway.limits import (
    ContextTooLarge,
    Limiter,
    RateLimited,
    check_context,
    estimate,
    rules_of,
)

MONTH = month_number(NOW)
END = datetime(2026, 4, 1, tzinfo=UTC)
LEFT = int((END - NOW).total_seconds())
SCOPES = ("key", "plan", "customer", "agent")


class Time:
    """Nanoseconds that pass when told."""

    def __init__(self) -> None:
        self.ns = 10**18 + 7

    def __call__(self) -> int:
        return self.ns


def limiter(**options: int) -> tuple[Limiter, Time]:
    time = Time()
    return Limiter(time, **options), time


def load(limits: Limiter, grant: Grant, stored: int = 0) -> None:
    for _, meter in limits.allowance(grant).unloaded(MONTH):
        meter.load(MONTH, stored)


def admitted(limiter: Limiter, grant: Grant, tokens: int = 0) -> bool:
    try:
        limiter.take(grant, NOW, tokens).release(1, tokens)
    except RateLimited:
        return False
    return True


def refused(limiter: Limiter, grant: Grant, tokens: int = 0) -> dict[str, Any]:
    with pytest.raises(RateLimited) as refusal:
        limiter.take(grant, NOW, tokens)
    assert refusal.value.status == 429
    assert refusal.value.headers == {"Retry-After": str(refusal.value.extra["retry_after"])}
    return dict(refusal.value.extra)


def left(limiter: Limiter, grant: Grant) -> list[int]:
    return [bucket.left(limiter.clock_ns()) for bucket in limiter.allowance(grant).requests]


def limited(rate: int | None = None, **limits: Any) -> Grant:
    return make_grant(limits=Limits(requests_per_minute=rate, **limits))


def capped(scope: str, **caps: int) -> Grant:
    """Return a Grant whose only limits are these, of that scope."""
    if scope == "key":
        return make_grant(key_limits=Limits(**caps))
    if scope == "plan":
        return make_grant(limits=Limits(**caps))
    return make_grant(limits=Limits(**{scope: Caps(**caps)}))


def sibling(scope: str, grant: Grant) -> Grant:
    """Return another Grant that shares that scope with the first, and nothing narrower."""
    other = replace(grant, key_id=uuid4()) if scope != "key" else replace(grant)
    if scope in ("customer", "agent"):
        other = replace(other, resource_id=uuid4(), plan_id=uuid4())
    if scope == "agent":
        return replace(other, customer_id=uuid4())
    return replace(other, offering_id=uuid4()) if scope == "customer" else other


def stranger(scope: str, grant: Grant) -> Grant:
    """Return a Grant like the first but of another owner of that scope."""
    own = {"key": "key_id", "plan": "plan_id", "customer": "customer_id", "agent": "offering_id"}[scope]
    return replace(grant, resource_id=uuid4(), **{own: uuid4()})


# -- requests per minute


@given(st.integers(1, 400), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_of_n_at_once_exactly_the_limit_pass(rate: int, more: int) -> None:
    limits, _ = limiter()
    grant = limited(rate)
    assert sum(admitted(limits, grant) for _ in range(rate + more)) == rate


@given(
    st.integers(1, 300),
    st.sampled_from(SCOPES),
    st.lists(st.tuples(st.integers(0, 90 * SECOND_NS), st.integers(1, 400)), min_size=1, max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_any_stretch_of_time_admits_at_most_its_share(
    rate: int, scope: str, bursts: list[tuple[int, int]]
) -> None:
    limits, time = limiter()
    grant = capped(scope, requests_per_minute=rate)
    grants = (grant, sibling(scope, grant))
    moments: list[int] = []
    for pause, calls in bursts:
        time.ns += pause
        moments += [time.ns for call in range(calls) if admitted(limits, grants[call % 2])]
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            allowed = rate * 60 * SECOND_NS + rate * (moments[last] - start)
            assert (last - first + 1) * 60 * SECOND_NS <= allowed


@pytest.mark.parametrize("rate", [1, 7, 60, 1000, 59_999])
def test_a_refused_caller_who_waits_as_told_is_admitted_and_not_before(rate: int) -> None:
    limits, time = limiter()
    grant = limited(rate)
    assert all(admitted(limits, grant) for _ in range(rate))
    step = -(-60 * SECOND_NS // rate)
    assert refused(limits, grant)["retry_after"] == -(-step // SECOND_NS)
    time.ns += step - 1
    assert not admitted(limits, grant)
    time.ns += 1
    assert admitted(limits, grant)
    assert not admitted(limits, grant)


def test_a_refused_call_takes_nothing() -> None:
    limits, time = limiter()
    grant = limited(2)
    assert [admitted(limits, grant) for _ in range(9)] == [True] * 2 + [False] * 7
    time.ns += 30 * SECOND_NS
    assert [admitted(limits, grant) for _ in range(2)] == [True, False]


def test_a_changed_plan_keeps_what_was_used() -> None:
    limits, time = limiter()
    grant = limited(10)
    assert sum(admitted(limits, grant) for _ in range(10)) == 10
    smaller = replace(grant, limits=Limits(requests_per_minute=5))
    assert not admitted(limits, smaller)
    larger = replace(grant, limits=Limits(requests_per_minute=100))
    assert left(limits, larger) == [90]
    time.ns += 6 * SECOND_NS
    assert left(limits, larger) == [100]


def test_a_limit_of_nothing_admits_nothing() -> None:
    limits, _ = limiter()
    for kind in ("requests_per_minute", "concurrent_requests", "requests_per_month"):
        grant = make_grant(limits=Limits(**{kind: 0}))
        load(limits, grant)
        assert not admitted(limits, grant), kind
    for kind in ("tokens_per_minute", "tokens_per_month"):
        grant = make_grant(limits=Limits(**{kind: 0}))
        load(limits, grant)
        assert not admitted(limits, grant, tokens=1), kind


def test_without_limits_there_is_nothing_to_ask() -> None:
    limits, _ = limiter()
    assert rules_of(limited()) == ()
    assert all(admitted(limits, limited()) for _ in range(100))
    assert len(limits) == 0


# -- scopes


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_has_its_own_requests_per_minute(scope: str) -> None:
    limits, _ = limiter()
    grant = capped(scope, requests_per_minute=3)
    shared = sibling(scope, grant)
    assert [admitted(limits, one) for one in (grant, shared, grant)] == [True] * 3
    for one in (grant, shared):
        extra = refused(limits, one)
        assert (extra["limit"], extra["scope"], extra["value"]) == ("requests_per_minute", scope, 3)
    assert admitted(limits, stranger(scope, grant))


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_has_its_own_calls_at_once(scope: str) -> None:
    limits, _ = limiter()
    grant = capped(scope, concurrent_requests=2)
    leases = [limits.take(one, NOW) for one in (grant, sibling(scope, grant))]
    assert refused(limits, grant) == {
        "limit": "concurrent_requests",
        "scope": scope,
        "value": 2,
        "retry_after": 1,
    }
    limits.take(stranger(scope, grant), NOW).release(1)
    leases[0].release(1)
    leases[0].release(1)
    leases.append(limits.take(grant, NOW))
    refused(limits, grant)
    for lease in leases:
        lease.release(1)
    assert [place.taken for place in limits.allowance(grant).places] == [0]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["requests_per_month", "tokens_per_month"])
def test_each_scope_has_its_own_sums_of_a_month(scope: str, kind: str) -> None:
    limits, _ = limiter()
    grant = capped(scope, **{kind: 12})
    tokens = 1 if kind == "tokens_per_month" else 0
    load(limits, grant, stored=10)
    shared = sibling(scope, grant)
    assert [admitted(limits, one, tokens) for one in (grant, shared)] == [True] * 2
    assert refused(limits, shared, tokens) == {
        "limit": kind,
        "scope": scope,
        "value": 12,
        "retry_after": LEFT,
    }
    other = stranger(scope, grant)
    load(limits, other)
    assert admitted(limits, other, tokens)


def test_keys_share_their_plan_and_the_plans_of_a_customer_do_not_take_from_each_other() -> None:
    limits, _ = limiter()
    first = limited(3)
    second = replace(first, key_id=uuid4())
    third = replace(first, key_id=uuid4(), resource_id=uuid4())
    other_plan = replace(third, plan_id=uuid4())
    assert [admitted(limits, grant) for grant in (first, second, third)] == [True] * 3
    for grant in (first, second, third):
        assert refused(limits, grant)["scope"] == "plan"
    assert left(limits, other_plan) == [3]
    without_plan = replace(first, plan_id=None)
    assert [admitted(limits, without_plan) for _ in range(4)] == [True] * 3 + [False]
    assert admitted(limits, replace(without_plan, resource_id=uuid4()))


def test_the_months_of_two_resources_are_apart() -> None:
    limits, _ = limiter()
    grant = limited(requests_per_month=1)
    other = replace(grant, resource_id=uuid4())
    for one in (grant, other):
        load(limits, one)
        assert [admitted(limits, one) for _ in range(2)] == [True, False]


def test_all_or_none() -> None:
    limits, _ = limiter()
    grant = replace(limited(5), key_limits=Limits(requests_per_minute=2))
    other = replace(grant, key_id=uuid4(), key_limits=None)
    assert [admitted(limits, grant) for _ in range(3)] == [True, True, False]
    assert left(limits, grant) == [3, 0]  # the plan kept what the key had not
    assert sum(admitted(limits, other) for _ in range(9)) == 3
    assert refused(limits, grant)["scope"] == "plan"


def test_a_narrow_limit_that_can_never_refuse_first_is_not_asked() -> None:
    wide = Limits(
        requests_per_minute=10, customer=Caps(requests_per_minute=8), agent=Caps(concurrent_requests=4)
    )
    grant = make_grant(limits=wide, key_limits=Limits(requests_per_minute=9, concurrent_requests=3))
    assert [(rule.kind, rule.scope, rule.limit) for rule in rules_of(grant)] == [
        ("concurrent_requests", "agent", 4),
        ("concurrent_requests", "key", 3),
        ("requests_per_minute", "customer", 8),
    ]
    # A customer's calls are not all among the agent's: both are asked whatever their limits are.
    both = make_grant(limits=Limits(customer=Caps(requests_per_month=9), agent=Caps(requests_per_month=5)))
    assert [rule.scope for rule in rules_of(both)] == ["agent", "customer"]


@given(
    st.lists(
        st.tuples(st.none() | st.integers(1, 6), st.none() | st.integers(1, 6), st.integers(0, 1)),
        min_size=1,
        max_size=4,
    ),
    st.none() | st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20 * SECOND_NS)), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_leaving_out_what_cannot_refuse_changes_no_verdict(
    keys: list[tuple[int | None, int | None, int]], of_customer: int | None, calls: list[tuple[int, int]]
) -> None:
    """A model that asks every limit of every scope admits the same calls."""
    limits, time = limiter()
    base = make_grant()
    plans = (uuid4(), uuid4())
    caps = Caps(requests_per_minute=of_customer)
    rate_of_plan = (keys[0][1], keys[-1][1])
    grants = [
        replace(
            base,
            key_id=uuid4(),
            plan_id=plans[plan],
            limits=Limits(requests_per_minute=rate_of_plan[plan], customer=caps),
            key_limits=Limits(requests_per_minute=own),
        )
        for own, _, plan in keys
    ]
    full_at: dict[UUID, int] = {}
    for index, pause in calls:
        time.ns += pause
        grant = grants[index % len(grants)]
        asked = [
            (owner, rate)
            for owner, rate in (
                (grant.key_id, grant.key_limits and grant.key_limits.requests_per_minute),
                (grant.plan_id, grant.limits.requests_per_minute),
                (grant.customer_id, of_customer),
            )
            if owner and rate
        ]
        debts = {o: (r, max(0, full_at.get(o, 0) - time.ns * r)) for o, r in asked}
        fits = all(debt + 60 * SECOND_NS <= rate * 60 * SECOND_NS for rate, debt in debts.values())
        assert admitted(limits, grant) == fits
        if fits:
            full_at.update({o: time.ns * r + debt + 60 * SECOND_NS for o, (r, debt) in debts.items()})


# -- tokens


def test_tokens_per_minute_admit_on_what_is_left_and_charge_what_was_used() -> None:
    limits, time = limiter()
    grant = limited(tokens_per_minute=600)
    allowance = limits.allowance(grant)
    lease = limits.take(grant, NOW, 100)
    assert allowance.tokens[0].left(time.ns) == 500  # held while it runs
    lease.release(1, 250)
    assert allowance.tokens[0].left(time.ns) == 350  # charged
    lease.release(1, 250)
    assert allowance.tokens[0].left(time.ns) == 350
    limits.take(grant, NOW, 350).release(1, 950)  # fits, and turns out larger: 600 tokens below nothing
    extra = refused(limits, grant, 1)
    assert (extra["limit"], extra["scope"], extra["value"]) == ("tokens_per_minute", "plan", 600)
    assert extra["retry_after"] == 61  # 600 tokens at 10 a second, and one more
    time.ns += 60 * SECOND_NS
    assert not admitted(limits, grant, 1)
    time.ns += SECOND_NS // 10
    assert admitted(limits, grant, 1)


def test_a_run_that_uses_less_than_it_held_gives_the_rest_back() -> None:
    limits, time = limiter()
    grant = limited(tokens_per_minute=100)
    limits.take(grant, NOW, 100).release(1, 10)
    assert limits.allowance(grant).tokens[0].left(time.ns) == 90
    limits.take(grant, NOW, 90).give_back()
    assert limits.allowance(grant).tokens[0].left(time.ns) == 90


def test_calls_at_once_cannot_all_be_let_in_on_the_same_tokens() -> None:
    limits, _ = limiter()
    grant = limited(tokens_per_minute=100)
    leases = [limits.take(grant, NOW, 30) for _ in range(3)]
    assert refused(limits, grant, 30)["retry_after"] == 12
    limits.take(grant, NOW, 10)
    refused(limits, grant, 1)
    leases[0].release(0, 0)
    limits.take(grant, NOW, 30)


def test_an_input_larger_than_the_whole_minute_needs_a_full_bucket() -> None:
    limits, time = limiter()
    grant = limited(tokens_per_minute=100)
    limits.take(grant, NOW, 5_000).release(1, 200)
    assert refused(limits, grant, 5_000)["retry_after"] == 120
    time.ns += 120 * SECOND_NS
    assert admitted(limits, grant, 5_000)


def test_a_long_run_is_charged_when_it_ends() -> None:
    limits, time = limiter()
    grant = limited(tokens_per_minute=60)
    lease = limits.take(grant, NOW, 1)
    time.ns += 3600 * SECOND_NS
    lease.release(1, 60)
    assert limits.allowance(grant).tokens[0].left(time.ns) in (0, 1)  # what it held was paid back long ago
    time.ns += 30 * SECOND_NS
    assert limits.allowance(grant).tokens[0].left(time.ns) in (30, 31)


@given(
    st.integers(1, 200),
    st.lists(
        st.tuples(st.integers(0, 40 * SECOND_NS), st.integers(1, 60), st.integers(0, 60)),
        min_size=1,
        max_size=40,
    ),
)
@settings(max_examples=200, deadline=None)
def test_tokens_that_were_estimated_exactly_keep_the_bound(
    limit: int, calls: list[tuple[int, int, int]]
) -> None:
    """Where no run uses more than its estimate, any t seconds charge at most L + L·t/60 tokens."""
    limits, time = limiter()
    grant = limited(tokens_per_minute=limit)
    charged: list[tuple[int, int]] = []
    for pause, held, used in calls:
        time.ns += pause
        held = min(held, limit)
        try:
            limits.take(grant, NOW, held).release(1, min(used, held))
        except RateLimited:
            continue
        charged.append((time.ns, min(used, held)))
    for first, (start, _) in enumerate(charged):
        for last in range(first, len(charged)):
            total = sum(tokens for _, tokens in charged[first : last + 1])
            assert total * 60 * SECOND_NS <= limit * (60 * SECOND_NS + charged[last][0] - start)


def test_tokens_of_a_month() -> None:
    limits, _ = limiter()
    grant = limited(tokens_per_month=1000)
    load(limits, grant, stored=900)
    lease = limits.take(grant, NOW, 60)
    assert refused(limits, grant, 60)["limit"] == "tokens_per_month"
    lease.release(1, 70)
    limits.take(grant, NOW, 30).release(1, 400)  # fits, and turns out larger
    assert limits.allowance(grant).token_sums[0].used == 1370
    assert refused(limits, grant, 1) == {
        "limit": "tokens_per_month",
        "scope": "plan",
        "value": 1000,
        "retry_after": LEFT,
    }


def test_the_estimate_is_cheap_and_never_nothing() -> None:
    assert [estimate(text) for text in ("", "abc", "abcd", "x" * 4000)] == [1, 1, 2, 1001]


# -- months


def test_a_call_that_was_refused_later_gives_everything_back() -> None:
    limits, _ = limiter()
    grant = limited(1, concurrent_requests=1, requests_per_month=1, tokens_per_minute=9, tokens_per_month=9)
    load(limits, grant)
    for _ in range(3):
        lease = limits.take(grant, NOW, 9)
        lease.give_back()
        lease.give_back()
    lease = limits.take(grant, NOW, 9)
    refused(limits, grant, 9)
    lease.release(1, 9)


def test_the_month_is_counted_from_what_is_stored() -> None:
    limits, _ = limiter()
    grant = limited(requests_per_month=5)
    load(limits, grant, stored=3)
    limits.allowance(grant).request_sums[0].load(MONTH, 0)  # too late: counting has begun
    failed, good = limits.take(grant, NOW), limits.take(grant, NOW)
    assert refused(limits, grant)["retry_after"] == LEFT
    failed.release(0)
    good.release(1)
    assert limits.allowance(grant).request_sums[0].used == 4
    limits.take(grant, NOW)
    assert not admitted(limits, grant)
    assert admitted(limits, replace(grant, limits=Limits()))


def test_a_call_that_outlives_its_month_changes_nothing_of_the_next() -> None:
    limits, _ = limiter()
    grant = limited(requests_per_month=5, tokens_per_month=100)
    load(limits, grant, stored=2)
    lease = limits.take(grant, NOW, 10)
    next_month = month_number(END)
    for _, meter in limits.allowance(grant).unloaded(next_month):
        meter.load(next_month, 0)
    lease.release(1, 50)
    allowance = limits.allowance(grant)
    assert [total.used_in(next_month) for total in (*allowance.request_sums, *allowance.token_sums)] == [0, 0]
    assert allowance.unloaded(next_month) == []


def test_months() -> None:
    assert month_of(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert month_after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 2, 1, tzinfo=UTC)
    assert month_number(END) == month_number(NOW) + 1


# -- tables


def test_the_tables_stay_small() -> None:
    limits, time = limiter(table_size=30)
    for _ in range(2000):
        grant = replace(limited(2), key_limits=Limits(requests_per_minute=1))
        assert admitted(limits, grant)
        time.ns += SECOND_NS
    # Two buckets a call, full again after 60 s at the latest: 120 are needed, twice that may lie around.
    assert len(limits) <= 2 * 120 + 2
    assert len(limits._allowances) <= 30


def test_a_meter_in_use_is_never_dropped() -> None:
    limits, time = limiter(table_size=30)
    busy = limited(1)
    assert admitted(limits, busy)
    talking = limited(tokens_per_minute=100)
    lease = limits.take(talking, NOW, 1)
    running = limited(concurrent_requests=1)
    place = limits.take(running, NOW)
    counted = limited(requests_per_month=1)
    load(limits, counted)
    call = limits.take(counted, NOW)
    for _ in range(500):
        admitted(limits, limited(1))
    refused(limits, busy)
    time.ns += 3600 * SECOND_NS
    for _ in range(500):
        admitted(limits, limited(1))
    assert admitted(limits, busy)
    lease.release(1, 100)  # a bucket that looks full is kept for the call that will still charge it
    assert limits.allowance(talking).tokens[0].left(time.ns) <= 1
    refused(limits, running)
    place.release(1)
    assert admitted(limits, running)
    assert limits.allowance(counted).unloaded(MONTH) == []
    call.release(1)


# -- context


def test_context() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    grant = limited(max_context_tokens=5)
    check_context(grant, "é b", count)
    check_context(limited(), "x " * 1000, count)
    assert counted == []
    check_context(grant, "five words are all right", count)
    with pytest.raises(ContextTooLarge) as refusal:
        check_context(grant, "six words are one too many", count)
    assert refusal.value.extra == {"limit": "max_context_tokens", "value": 5, "tokens": 6}
    own = replace(limited(max_context_tokens=5), key_limits=Limits(max_context_tokens=4))
    with pytest.raises(ContextTooLarge) as refusal:
        check_context(own, "five words are all right", count)
    assert refusal.value.extra["value"] == 4
