"""Limits are exact, all or none, and their tables stay small."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.support import NOW, make_grant

from agentmart.contracts.grants import Grant, Limits
from agentmart.gateway.limits import (
    SECOND_NS,
    ContextTooLarge,
    Limiter,
    MonthCounts,
    RateLimited,
    Standing,
    check_context,
    month_after,
    month_of,
)


class Time:
    """Nanoseconds that pass when told."""

    def __init__(self) -> None:
        self.ns = 10**18 + 7

    def __call__(self) -> int:
        return self.ns


def limiter(**options: int) -> tuple[Limiter, Time]:
    time = Time()
    return Limiter(time, **options), time


def admitted(limiter: Limiter, grant: Grant) -> bool:
    try:
        limiter.take(grant, NOW).release(1)
    except RateLimited:
        return False
    return True


def limited(rate: int | None = None, **limits: int) -> Grant:
    return make_grant(limits=Limits(requests_per_minute=rate, **limits))


@given(st.integers(1, 100_000), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_of_n_at_once_exactly_the_limit_pass(rate: int, more: int) -> None:
    limits, _ = limiter()
    grant = limited(min(rate, 500))
    passed = sum(admitted(limits, grant) for _ in range(min(rate, 500) + more))
    assert passed == min(rate, 500)


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 90 * SECOND_NS), st.integers(1, 400)), min_size=1, max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_any_stretch_of_time_admits_at_most_its_share(rate: int, bursts: list[tuple[int, int]]) -> None:
    limits, time = limiter()
    grant = limited(rate)
    moments: list[int] = []
    for pause, calls in bursts:
        time.ns += pause
        moments += [time.ns for _ in range(calls) if admitted(limits, grant)]
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            allowed = rate * 60 * SECOND_NS + rate * (moments[last] - start)
            assert (last - first + 1) * 60 * SECOND_NS <= allowed


@pytest.mark.parametrize("rate", [1, 7, 60, 1000, 59_999])
def test_a_refused_caller_who_waits_as_told_is_admitted_and_not_before(rate: int) -> None:
    limits, time = limiter()
    grant = limited(rate)
    assert all(admitted(limits, grant) for _ in range(rate))
    with pytest.raises(RateLimited) as refusal:
        limits.take(grant, NOW)
    step = -(-60 * SECOND_NS // rate)
    assert refusal.value.extra["retry_after"] == -(-step // SECOND_NS)
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


def test_keys_share_their_resource_and_resources_their_customers_plan() -> None:
    limits, _ = limiter()
    first = limited(3)
    second = replace(first, key_id=uuid4())
    third = replace(first, key_id=uuid4(), resource_id=uuid4())
    other_plan = replace(third, plan_id=uuid4())
    assert [admitted(limits, grant) for grant in (first, second, third)] == [True] * 3
    for grant in (first, second, third):
        with pytest.raises(RateLimited) as refusal:
            limits.take(grant, NOW)
        assert refusal.value.extra["scope"] == "customer"
    # The fourth resource has its own bucket left, but the customer's plan has not.
    assert limits.standing(replace(first, key_id=uuid4(), resource_id=uuid4()), NOW) == Standing(3, 0, 60)
    assert limits.standing(replace(other_plan, key_id=uuid4(), resource_id=uuid4()), NOW) == Standing(3, 3, 0)
    stranger = limited(3)
    assert [admitted(limits, stranger) for _ in range(4)] == [True] * 3 + [False]


def test_all_or_none() -> None:
    limits, _ = limiter()
    first = limited(2)
    sibling = replace(first, key_id=uuid4(), resource_id=uuid4())
    assert admitted(limits, first)
    assert admitted(limits, sibling)
    for _ in range(5):
        assert not admitted(limits, first)  # the customer's bucket is empty …
    alone = replace(first, customer_id=uuid4())
    assert limits.standing(alone, NOW) == Standing(2, 1, 30)  # … so key and resource were left alone


def test_a_call_that_was_refused_later_gives_everything_back() -> None:
    limits, _ = limiter()
    grant = limited(1, concurrent_requests=1, requests_per_month=1)
    limits.months.load(grant.resource_id, month_of(NOW), 0)
    for _ in range(3):
        lease = limits.take(grant, NOW)
        lease.give_back()
        lease.give_back()
    lease = limits.take(grant, NOW)
    with pytest.raises(RateLimited):
        limits.take(grant, NOW)
    lease.release(1)


def test_calls_at_the_same_time() -> None:
    limits, _ = limiter()
    grant = limited(concurrent_requests=2)
    leases = [limits.take(grant, NOW) for _ in range(2)]
    with pytest.raises(RateLimited) as refusal:
        limits.take(grant, NOW)
    assert refusal.value.extra == {
        "limit": "concurrent_requests",
        "scope": "key",
        "value": 2,
        "retry_after": 1,
    }
    leases[0].release(1)
    leases[0].release(1)
    leases.append(limits.take(grant, NOW))
    with pytest.raises(RateLimited):
        limits.take(grant, NOW)
    for lease in leases:
        lease.release(1)
    assert not limits._running


def test_a_changed_plan_keeps_what_was_used() -> None:
    limits, time = limiter()
    grant = limited(10)
    assert sum(admitted(limits, grant) for _ in range(10)) == 10
    larger = replace(grant, limits=Limits(requests_per_minute=100))
    assert not admitted(limits, replace(grant, limits=Limits(requests_per_minute=5)))
    standing = limits.standing(larger, NOW)
    assert standing is not None
    assert standing.remaining in range(0, 91)
    time.ns += 60 * SECOND_NS
    assert limits.standing(larger, NOW) == Standing(100, 100, 0)


def test_a_rate_of_nothing_admits_nothing() -> None:
    limits, _ = limiter()
    assert not admitted(limits, limited(0))
    assert limits.standing(limited(0), NOW) == Standing(0, 0, 60)
    assert not admitted(limits, limited(concurrent_requests=0))
    assert not admitted(limits, limited(requests_per_month=0))


def test_standing_without_limits_is_none() -> None:
    limits, _ = limiter()
    assert limits.standing(limited(), NOW) is None


def test_the_month_is_counted_from_what_is_stored() -> None:
    limits, _ = limiter()
    grant = limited(requests_per_month=5)
    limits.months.load(grant.resource_id, month_of(NOW), 3)
    limits.months.load(grant.resource_id, month_of(NOW), 0)  # too late: counting has begun
    failed, good = limits.take(grant, NOW), limits.take(grant, NOW)
    with pytest.raises(RateLimited) as refusal:
        limits.take(grant, NOW)
    end = datetime(2026, 4, 1, tzinfo=UTC)
    assert refusal.value.extra["retry_after"] == int((end - NOW).total_seconds())
    failed.release(0)
    good.release(1)
    assert limits.standing(grant, NOW) == Standing(5, 1, int((end - NOW).total_seconds()))
    limits.take(grant, NOW)
    assert not admitted(limits, grant)
    assert admitted(limits, replace(grant, limits=Limits()))


def test_months() -> None:
    assert month_of(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert month_after(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_tables_stay_small() -> None:
    limits, time = limiter(table_size=30)
    for _ in range(2000):
        assert admitted(limits, limited(1))
        time.ns += SECOND_NS
    # Three buckets a call, each full again after 60 s: at most 180 are needed, twice that may lie around.
    assert len(limits._buckets) <= 2 * 180 + 3
    busy = limited(1)
    assert admitted(limits, busy)
    for _ in range(500):
        admitted(limits, limited(1))
    assert not admitted(limits, busy)  # a bucket in use is never dropped


def test_the_month_table_stays_small_and_keeps_calls_under_way() -> None:
    months, month = MonthCounts(size=10), month_of(NOW)
    busy = uuid4()
    months.load(busy, month, 4)
    months.hold(busy, month)
    for _ in range(100):
        months.load(uuid4(), month, 0)
    assert len(months._counts) <= 11
    assert months.count(busy, month) == 5
    months.settle(busy, month, 1)
    months.load(uuid4(), month, 0)
    assert not months.known(busy, month)


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
