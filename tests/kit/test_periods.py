"""Periods and local calendars: half-open, exact across clock changes, clamped anchors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.kit.errors import Invalid
from agentmart.kit.periods import (
    Period,
    add_months,
    anniversary_period,
    day_start,
    days_between,
    instant,
    local_date,
    month,
    month_of,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OCTOBER = Period(utc("2026-10-01"), utc("2026-11-01"))


def test_a_period_is_half_open_and_kept_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    period = Period(datetime(2026, 10, 1, 2, tzinfo=berlin), datetime(2026, 11, 1, 2, tzinfo=berlin))
    assert period == OCTOBER
    assert period.start.tzinfo is UTC
    assert period.contains(utc("2026-10-01"))
    assert period.contains(utc("2026-10-31T23:59:59.999999"))
    assert not period.contains(utc("2026-11-01"))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 1, 1), utc("2026-02-01")),  # noqa: DTZ001
        (utc("2026-01-01"), datetime(2026, 2, 1)),  # noqa: DTZ001
        (utc("2026-01-01"), utc("2026-01-01")),
        (utc("2026-01-02"), utc("2026-01-01")),
    ],
)
def test_naive_empty_and_reversed_periods_are_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match=r"naive|must end after"):
        Period(start, end)


def test_seconds_count_full_seconds_of_each_bound() -> None:
    assert OCTOBER.seconds == 31 * 86_400
    assert Period(utc("2026-10-01T00:00:00.9"), utc("2026-10-01T00:00:02.1")).seconds == 2


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    st.integers(1, 10**13),
    st.integers(1, 10**13),
)
def test_parts_of_a_period_add_up_in_seconds_and_days(start: datetime, first: int, second: int) -> None:
    begin = start.replace(tzinfo=UTC)
    middle = begin + timedelta(microseconds=first)
    end = middle + timedelta(microseconds=second)
    whole = Period(begin, end)
    left, right = whole.split(middle)
    assert left.seconds + right.seconds == whole.seconds
    assert left.days("Europe/Berlin") + right.days("Europe/Berlin") == whole.days("Europe/Berlin")


def test_intersect() -> None:
    late = Period(utc("2026-10-20"), utc("2026-12-01"))
    assert OCTOBER.intersect(late) == late.intersect(OCTOBER) == Period(utc("2026-10-20"), utc("2026-11-01"))
    assert OCTOBER.intersect(Period(utc("2026-11-01"), utc("2026-12-01"))) is None


@pytest.mark.parametrize(
    ("year", "number", "tz", "start", "end", "hours", "days"),
    [
        (2026, 10, "UTC", "2026-10-01T00:00", "2026-11-01T00:00", 744, 31),
        (2026, 12, "UTC", "2026-12-01T00:00", "2027-01-01T00:00", 744, 31),
        (2026, 3, "Europe/Berlin", "2026-02-28T23:00", "2026-03-31T22:00", 743, 31),
        (2026, 10, "Europe/Berlin", "2026-09-30T22:00", "2026-10-31T23:00", 745, 31),
        (2024, 2, "America/New_York", "2024-02-01T05:00", "2024-03-01T05:00", 696, 29),
        # Apia skipped 30 December 2011: its calendar has the date, its clocks never showed it.
        (2011, 12, "Pacific/Apia", "2011-12-01T10:00", "2011-12-31T10:00", 720, 31),
    ],
)
def test_month(year: int, number: int, tz: str, start: str, end: str, hours: int, days: int) -> None:
    period = month(year, number, tz)
    assert period == Period(utc(start), utc(end))
    assert period.seconds == hours * 3600
    assert period.days(tz) == days
    assert month_of(period.start, tz) == period
    assert month_of(period.end, tz) != period


@pytest.mark.parametrize(
    ("day", "tz", "first"),
    [
        ("2024-04-26", "Africa/Cairo", "2024-04-25T22:00"),  # clocks jump from 00:00 to 01:00
        ("2023-11-05", "America/Havana", "2023-11-05T04:00"),  # 00:00 comes twice; the first counts
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00"),  # the whole date is skipped
        ("1919-03-31", "America/Toronto", "1919-03-31T04:30"),  # clocks jump from 23:30 to 00:30
        ("2026-07-01", "Asia/Kathmandu", "2026-06-30T18:15"),
    ],
)
def test_the_first_instant_of_a_date(day: str, tz: str, first: str) -> None:
    start = day_start(date.fromisoformat(day), tz)
    assert start == utc(first)
    before = (start - timedelta(seconds=1)).astimezone(ZoneInfo(tz)).date()
    assert before < date.fromisoformat(day) <= local_date(start, tz)


def test_a_local_time_in_the_gap_is_the_moment_of_the_jump() -> None:
    gap = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001
    assert instant(gap, "Europe/Berlin") == utc("2026-03-29T01:00")
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    assert instant(twice, "Europe/Berlin") == utc("2026-10-25T00:30")


@pytest.mark.parametrize(
    ("tz", "start", "end", "days"),
    [
        ("America/New_York", "2024-11-02T04:00", "2024-11-04T05:00", 2),  # 49 hours
        ("America/New_York", "2024-03-09T05:00", "2024-03-11T04:00", 2),  # 47 hours
        ("UTC", "2026-10-01T23:59:59", "2026-10-02T00:00", 1),
        ("UTC", "2026-10-01T00:00", "2026-10-01T23:59:59", 0),
        ("Asia/Tokyo", "2026-10-01T14:59:59", "2026-10-01T15:00", 1),
    ],
)
def test_days_are_calendar_dates(tz: str, start: str, end: str, days: int) -> None:
    assert days_between(utc(start), utc(end), tz) == days


@pytest.mark.parametrize(
    ("day", "months", "anchor", "expected"),
    [
        ("2026-01-31", 1, None, "2026-02-28"),
        ("2024-01-31", 1, None, "2024-02-29"),
        ("2026-02-28", 1, 31, "2026-03-31"),
        ("2026-02-28", 1, None, "2026-03-28"),
        ("2026-12-15", 1, None, "2027-01-15"),
        ("2026-03-31", -1, None, "2026-02-28"),
        ("2024-02-29", 12, None, "2025-02-28"),
        ("2024-02-29", 48, None, "2028-02-29"),
        ("2026-05-10", 0, 31, "2026-05-31"),
    ],
)
def test_add_months(day: str, months: int, anchor: int | None, expected: str) -> None:
    assert add_months(date.fromisoformat(day), months, anchor) == date.fromisoformat(expected)


def test_an_impossible_anchor_is_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 31, not 32"):
        add_months(date(2026, 1, 1), 1, 32)


def test_anniversaries_keep_the_day_and_the_local_time() -> None:
    anchor = utc("2026-01-31T09:30")  # 10:30 in Berlin
    bounds = [anniversary_period(anchor, index, tz="Europe/Berlin").start for index in range(5)]
    assert bounds == [
        utc("2026-01-31T09:30"),
        utc("2026-02-28T09:30"),
        utc("2026-03-31T08:30"),
        utc("2026-04-30T08:30"),
        utc("2026-05-31T08:30"),
    ]
    year = anniversary_period(utc("2024-02-29T00:00"), 0, months=12)
    assert year == Period(utc("2024-02-29"), utc("2025-02-28"))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(-30, 30))  # noqa: DTZ001
def test_anniversary_periods_follow_each_other_without_gap(start: datetime, index: int) -> None:
    anchor = start.replace(tzinfo=UTC)
    tz = "America/Sao_Paulo"
    assert anniversary_period(anchor, index, tz=tz).end == anniversary_period(anchor, index + 1, tz=tz).start


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused_by_field(name: str) -> None:
    with pytest.raises(Invalid, match="is not a time zone") as refusal:
        month(2026, 1, name)
    assert refusal.value.field == "timezone"
