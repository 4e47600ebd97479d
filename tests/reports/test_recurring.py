"""Recurring revenue: what a plan is worth a month, how the sum moves, the ratios."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.reports.recurring import (
    Change,
    Movement,
    Stretch,
    Version,
    average,
    courses,
    empty,
    monthly,
    movement,
    ratio,
    stretches,
    yearly,
)

D = Decimal
JAN, FEB, MAR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("price", "unit", "count", "currency", "expected"),
    [
        ("99.00", "month", 1, "USD", "99.00"),
        ("1200", "month", 12, "USD", "100.00"),
        ("100", "month", 12, "USD", "8.33"),
        ("100", "month", 3, "USD", "33.33"),
        ("100", "quarter", 1, "USD", "33.33"),
        ("200", "quarter", 2, "USD", "33.33"),
        ("10", "half_month", 1, "USD", "20.00"),
        ("1", "day", 1, "USD", "30.42"),  # 365 / 12 = 30.41666…
        ("0.01", "hour", 1, "USD", "7.30"),
        ("5", "quantity", 1, "USD", "0"),
        ("0.005", "month", 1, "USD", "0.01"),
        ("0.06", "month", 12, "USD", "0.01"),  # an exact tie, 0.005
        ("1000", "month", 12, "JPY", "83"),
        ("6", "month", 12, "JPY", "1"),
        ("1", "month", 3, "KWD", "0.333"),
    ],
)
def test_a_price_per_month(price: str, unit: str, count: int, currency: str, expected: str) -> None:
    assert str(monthly(D(price), unit, count, currency)) == expected


def test_a_year_is_twelve_months() -> None:
    assert yearly(D("8.33")) == D("99.96")


def test_revenue_per_customer() -> None:
    assert str(average(D("100"), 3, "USD")) == "33.33"
    assert str(average(D("0.01"), 2, "USD")) == "0.01"
    assert average(D("0"), 0, "USD") == 0


def test_ratios_have_four_places_and_none_without_a_whole() -> None:
    assert str(ratio(1, 3)) == "0.3333"
    assert str(ratio(2, 3)) == "0.6667"
    assert str(ratio(1, 32)) == "0.0313"  # 0.03125, half up
    assert str(ratio(0, 5)) == "0.0000"
    assert str(ratio(-1, 2)) == "-0.5000"
    assert ratio(3, 0) is None and ratio(0, 0) is None


def test_a_movement_has_one_name() -> None:
    assert movement(D(0), D(10), paid_earlier=False) == Movement(new=D(10))
    assert movement(D(0), D(10), paid_earlier=True) == Movement(reactivation=D(10))
    assert movement(D(10), D(0), paid_earlier=True) == Movement(churn=D(-10))
    assert movement(D(10), D(15), paid_earlier=True) == Movement(expansion=D(5))
    assert movement(D(10), D(4), paid_earlier=True) == Movement(contraction=D(-6))
    assert movement(D(10), D(10), paid_earlier=True) == Movement()


def test_a_plan_s_sum_is_cut_where_a_price_changes() -> None:
    base = [Version(JAN, D(10)), Version(MAR, D(12))]
    seats = [Version(FEB, D(5)), Version(MAR, D(3))]
    assert stretches([base]) == [Stretch(None, MAR, D(10)), Stretch(MAR, None, D(12))]
    assert stretches([base, seats]) == [Stretch(None, None, D(15))]  # 10 + 5, then 12 + 3
    assert stretches([[Version(JAN, D(10))]]) == [Stretch(None, None, D(10))]
    assert stretches([]) == [Stretch(None, None, D(0))]


def test_of_two_prices_for_one_moment_the_last_counts() -> None:
    assert stretches([[Version(JAN, D(1)), Version(MAR, D(2)), Version(MAR, D(3))]]) == [
        Stretch(None, MAR, D(1)),
        Stretch(MAR, None, D(3)),
    ]
    assert stretches([[Version(JAN, D(1)), Version(JAN, D(2)), Version(MAR, D(2))]]) == [
        Stretch(None, None, D(2))
    ]


def change(customer: UUID, stretch: int, up: int = 0, down: int = 0, net: int = 0) -> Change:
    return Change("USD", customer, stretch, D(up), D(down), net)


def test_the_course_of_two_customers() -> None:
    (course,) = courses(
        [
            change(ONE, 0, up=100, net=1),
            change(ONE, 1, up=50, net=1),  # expansion
            change(ONE, 2, down=150, net=-2),  # churn
            change(ONE, 4, up=30, net=1),  # reactivation
            change(TWO, 2, up=80, net=1),  # new
            change(TWO, 3, up=20, down=80),  # a smaller plan: contraction
        ],
        4,
    )
    assert course.opening.closing == 100 and course.opening.customers == 1
    assert [month.opening for month in course.months] == [100, 150, 80, 20]
    assert [month.closing for month in course.months] == [150, 80, 20, 50]
    assert [month.customers for month in course.months] == [1, 1, 1, 2]
    assert [month.subscriptions for month in course.months] == [2, 1, 1, 2]
    assert [month.moved for month in course.months] == [
        Movement(expansion=D(50)),
        Movement(churn=D(-150), new=D(80)),
        Movement(contraction=D(-60)),
        Movement(reactivation=D(30)),
    ]
    assert course.moved == Movement(D(80), D(50), D(-60), D(-150), D(30))
    assert course.last is course.months[-1]


def test_who_paid_and_left_before_the_report_comes_back_as_reactivation() -> None:
    (course,) = courses([change(ONE, 0, up=10, down=10), change(ONE, 1, up=10, net=1)], 1)
    assert course.months[0].moved == Movement(reactivation=D(10))


def test_who_came_and_went_within_a_month_moved_nothing() -> None:
    (course,) = courses([change(ONE, 1, up=10, down=10), change(ONE, 2, up=10, net=1)], 2)
    assert course.months[0].moved == Movement()
    assert course.months[1].moved == Movement(reactivation=D(10))


def test_currencies_are_apart() -> None:
    euro = Change("EUR", ONE, 1, D(7), D(0), 1)
    found = courses([euro, change(ONE, 1, up=10, net=1)], 1)
    assert [(course.currency, course.last.closing) for course in found] == [("EUR", 7), ("USD", 10)]
    assert courses([], 3) == []
    assert [month.closing for month in empty("USD", 2).months] == [0, 0]


@dataclass(frozen=True)
class Subscription:
    """A plan of a customer, from one step of time to before another (of 20)."""

    customer: int
    start: int
    end: int | None
    price: int


subscriptions = st.builds(
    lambda customer, start, length, price: Subscription(
        customer, start, None if length is None else start + length, price
    ),
    st.integers(1, 4),
    st.integers(0, 19),
    st.none() | st.integers(1, 10),
    st.integers(1, 500),
)


@given(st.lists(subscriptions, max_size=12))
def test_any_history_adds_up_and_is_what_counting_month_by_month_finds(history: list[Subscription]) -> None:
    bounds = [4, 8, 12, 16, 20]  # the report begins at 4 and has four months
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    def stretch(moment: int) -> int:
        return sum(moment >= bound for bound in bounds[:-1])

    for row in history:
        part = sums[row.customer, stretch(row.start)]
        part[0], part[2] = part[0] + row.price, part[2] + 1
        if row.end is not None and row.end < bounds[-1]:
            part = sums[row.customer, stretch(row.end)]
            part[1], part[2] = part[1] + row.price, part[2] - 1
    found = courses(
        [change(UUID(int=who), where, *map(int, part)) for (who, where), part in sorted(sums.items())], 4
    )
    (course,) = found or [empty("USD", 4)]

    def worth(who: int, bound: int) -> int:
        alive = [
            row
            for row in history
            if row.customer == who and row.start < bound and (row.end is None or row.end >= bound)
        ]
        return sum(row.price for row in alive)

    people = {row.customer for row in history}
    for month, (before, after) in zip(course.months, pairwise(bounds), strict=True):
        assert month.opening == sum(worth(who, before) for who in people)
        assert month.closing == sum(worth(who, after) for who in people)
        assert month.opening + month.moved.change == month.closing
        assert month.customers == sum(worth(who, after) > 0 for who in people)
        lost = sum(worth(who, before) for who in people if not worth(who, after))
        assert month.moved.churn == -lost
        came = {who for who in people if worth(who, after) and not worth(who, before)}
        known = {who for who in came if any(row.customer == who and row.start < before for row in history)}
        assert month.moved.reactivation == sum(worth(who, after) for who in known)
        assert month.moved.new == sum(worth(who, after) for who in came - known)
    assert course.opening.closing + course.moved.change == course.last.closing
