"""The clocks: deadlines, business hours over the change of summer time, pauses, what is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.support.sla import ALWAYS, Calendar, Clock, Clocks, Due, Level, Status, due, read_calendar

WEEK = read_calendar("Mon-Fri 09:00-17:00", "Europe/Berlin")
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
OPENED = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday


def at(text: str) -> datetime:
    """A time on the wall in Berlin, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


# -- calendars


def test_around_the_clock_time_is_time() -> None:
    assert ALWAYS.add(OPENED, 26 * HOUR) == OPENED + 26 * HOUR
    assert ALWAYS.between(OPENED, OPENED + 26 * HOUR) == 26 * HOUR
    assert ALWAYS.between(OPENED, OPENED) == ALWAYS.between(OPENED, OPENED - HOUR) == timedelta()
    assert read_calendar("", "Europe/Berlin", "2026-03-11").add(OPENED, 48 * HOUR) == OPENED + 48 * HOUR


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-10T10:00", 1, "2026-03-10T11:00"),
        ("2026-03-10T10:00", 7, "2026-03-10T17:00"),  # to the very end of the day, not to the next morning
        ("2026-03-10T10:00", 8, "2026-03-11T10:00"),
        ("2026-03-10T16:30", 1, "2026-03-11T09:30"),
        ("2026-03-10T20:00", 1, "2026-03-11T10:00"),  # after hours
        ("2026-03-10T03:00", 1, "2026-03-10T10:00"),  # before hours
        ("2026-03-13T16:00", 2, "2026-03-16T10:00"),  # over the weekend
        ("2026-03-14T12:00", 4, "2026-03-16T13:00"),  # opened on a Saturday
        ("2026-03-10T09:00", 40, "2026-03-16T17:00"),  # a week of work
        ("2026-03-10T09:00", 0, "2026-03-10T09:00"),
    ],
)
def test_business_hours_count_alone(start: str, hours: int, end: str) -> None:
    assert WEEK.add(at(start), hours * HOUR) == at(end)
    if hours:
        assert WEEK.between(at(start), at(end)) == hours * HOUR


def test_time_outside_the_hours_does_not_pass() -> None:
    assert WEEK.between(at("2026-03-13T17:00"), at("2026-03-16T09:00")) == timedelta()
    assert WEEK.between(at("2026-03-13T16:00"), at("2026-03-16T10:00")) == 2 * HOUR
    assert WEEK.between(at("2026-03-10T18:00"), at("2026-03-10T19:00")) == timedelta()


def test_holidays_are_skipped() -> None:
    calendar = read_calendar("Mon-Fri 09:00-17:00", "Europe/Berlin", "2026-04-03, 2026-04-06")  # Easter
    assert calendar.add(at("2026-04-02T16:00"), 2 * HOUR) == at("2026-04-07T10:00")
    assert calendar.between(at("2026-04-02T17:00"), at("2026-04-07T09:00")) == timedelta()


def test_several_windows_a_day() -> None:
    calendar = read_calendar("Mon-Fri 13:00-17:00; Mon-Thu 08:00-12:00; Sat 10:00-12:00", "UTC")
    tuesday = datetime(2026, 3, 10, 11, tzinfo=UTC)
    assert calendar.add(tuesday, 2 * HOUR) == tuesday.replace(hour=14)
    friday = datetime(2026, 3, 13, 16, tzinfo=UTC)
    assert calendar.add(friday, 2 * HOUR) == datetime(2026, 3, 14, 11, tzinfo=UTC)
    assert calendar.add(friday, 4 * HOUR) == datetime(2026, 3, 16, 9, tzinfo=UTC)


def test_working_hours_keep_to_the_wall_over_the_change_of_time() -> None:
    # Summer time begins on 2026-03-29: 09:00 on Monday is 07:00 UTC, on Friday before it was 08:00 UTC.
    assert WEEK.add(at("2026-03-27T16:00"), 2 * HOUR) == datetime(2026, 3, 30, 8, tzinfo=UTC)
    assert WEEK.add(at("2026-10-23T16:00"), 2 * HOUR) == datetime(2026, 10, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "day", "worked"),
    [
        ("Sun 00:00-24:00", "2026-03-29", 23),  # the day that lacks 02:00-03:00
        ("Sun 00:00-24:00", "2026-10-25", 25),  # the day that has it twice
        ("Sun 00:00-24:00", "2026-03-22", 24),
        ("Sun 01:00-04:00", "2026-03-29", 2),
        ("Sun 01:00-04:00", "2026-10-25", 4),
        ("Sun 02:30-04:00", "2026-03-29", 1),  # begins in the hour that is skipped: at the skip
        ("Sun 01:00-02:30", "2026-03-29", 1),  # ends there
        ("Sun 02:00-03:00", "2026-10-25", 2),  # the repeated hour, both times
        ("Sun 02:30-02:45; Mon-Sat 09:00-10:00", "2026-03-29", 0),  # lies in the skipped hour
    ],
)
def test_windows_on_the_nights_of_the_change(hours: str, day: str, worked: int) -> None:
    calendar = read_calendar(hours, "Europe/Berlin")
    midnight = at(f"{day}T00:00")
    next_midnight = at(f"{datetime.fromisoformat(day).date() + timedelta(days=1)}T00:00")
    assert calendar.between(midnight, next_midnight) == worked * HOUR
    if worked:
        assert calendar.between(midnight, calendar.add(midnight, worked * HOUR)) == worked * HOUR
        assert calendar.add(midnight, worked * HOUR) <= next_midnight


def test_a_skipped_hour_is_skipped_to_the_second() -> None:
    calendar = read_calendar("Sun 02:17-04:00", "Europe/Berlin")
    assert calendar.add(at("2026-03-29T00:00"), SECOND) == datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC)


@given(
    start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    minutes=st.integers(1, 60 * 24 * 30),
    calendar=st.sampled_from(
        [
            ALWAYS,
            WEEK,
            read_calendar("Sun 01:00-04:00; Mon-Tue 22:00-24:00", "Europe/Berlin"),
            read_calendar("Mon-Fri 08:30-18:00; Sat 09:00-12:15", "America/New_York", "2026-07-04"),
            read_calendar("Mon-Sun 00:00-24:00", "Australia/Lord_Howe"),
        ]
    ),
)
def test_add_and_between_undo_each_other(start: datetime, minutes: int, calendar: Calendar) -> None:
    duration = minutes * MINUTE
    end = calendar.add(start, duration)
    assert calendar.between(start, end) == duration
    assert calendar.between(start, end - SECOND) < duration
    middle = calendar.add(start, duration / 2)
    assert calendar.between(start, middle) + calendar.between(middle, end) == duration


@pytest.mark.parametrize(
    ("hours", "zone", "holidays", "problem"),
    [
        ("nine to five", "UTC", "", "'nine to five' is not like Mon-Fri 09:00-17:00"),
        ("Mon-Fri", "UTC", "", "'Mon-Fri' is not like Mon-Fri 09:00-17:00"),
        ("Mon-Fre 09:00-17:00", "UTC", "", "'Mon-Fre 09:00-17:00' is not like Mon-Fri 09:00-17:00"),
        ("Mon-Fri 09:00-24:01", "UTC", "", "'Mon-Fri 09:00-24:01' is not like Mon-Fri 09:00-17:00"),
        ("Mon-Fri 09:60-17:00", "UTC", "", "'Mon-Fri 09:60-17:00' is not like Mon-Fri 09:00-17:00"),
        ("Mon-Fri 17:00-09:00", "UTC", "", "'Mon-Fri 17:00-09:00' ends before it begins"),
        ("Fri-Mon 09:00-17:00", "UTC", "", "'Fri-Mon 09:00-17:00' ends before it begins"),
        (
            "Mon 09:00-12:00; Mon 11:00-13:00",
            "UTC",
            "",
            "'Mon 09:00-12:00; Mon 11:00-13:00' has hours of one day that overlap",
        ),
        ("Mon 09:00-09:30", "UTC", "", "'Mon 09:00-09:30' leaves less than one working hour a week"),
        (";", "UTC", "", "';' leaves less than one working hour a week"),
        ("", "Berlin", "", "'Berlin' is not a time zone; give a name like Europe/Berlin"),
        ("", "../etc/passwd", "", "'../etc/passwd' is not a time zone; give a name like Europe/Berlin"),
        ("", "UTC", "Xmas", "'Xmas' is not a list of days like 2026-12-25,2027-01-01"),
    ],
)
def test_what_cannot_be_read_is_said(hours: str, zone: str, holidays: str, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_calendar(hours, zone, holidays)
    assert str(refused.value) == problem


# -- promises


def test_due_and_at_risk_around_the_clock() -> None:
    assert due(OPENED, 4 * HOUR, calendar=ALWAYS) == Due(OPENED + 4 * HOUR, OPENED + 3 * HOUR)
    assert due(OPENED, 4 * HOUR, paused=10 * HOUR, calendar=ALWAYS) == Due(
        OPENED + 14 * HOUR, OPENED + 13 * HOUR
    )


def test_due_in_business_hours() -> None:
    promise = due(at("2026-03-13T15:00"), 8 * HOUR, calendar=WEEK)
    assert promise == Due(at("2026-03-16T15:00"), at("2026-03-16T13:00"))


def clocks(
    *,
    open: bool = True,
    answered: timedelta | None = None,
    stopped: timedelta | None = None,
) -> Clocks:
    """An issue with four hours to answer and a day to resolve."""
    return Clocks(
        response=due(OPENED, 4 * HOUR, calendar=ALWAYS),
        resolution=due(OPENED, 24 * HOUR, calendar=ALWAYS),
        open=open,
        answered_at=None if answered is None else OPENED + answered,
        stopped_at=None if stopped is None else OPENED + stopped,
    )


R, S = Clock.RESPONSE, Clock.RESOLUTION


@pytest.mark.parametrize(
    ("shape", "now", "levels", "status"),
    [
        ({}, timedelta(), {}, Status.OK),
        ({}, 3 * HOUR, {}, Status.OK),  # a quarter of the time is left: not less than a quarter
        ({}, 3 * HOUR + SECOND, {R: Level.AT_RISK}, Status.AT_RISK),
        ({}, 4 * HOUR, {R: Level.AT_RISK}, Status.AT_RISK),  # in time to the very moment
        ({}, 4 * HOUR + SECOND, {R: Level.BREACHED}, Status.BREACHED),
        ({"answered": 4 * HOUR}, 5 * HOUR, {}, Status.OK),
        ({"answered": 4 * HOUR + SECOND}, 5 * HOUR, {R: Level.BREACHED}, Status.BREACHED),
        ({"answered": HOUR}, 18 * HOUR, {}, Status.OK),
        ({"answered": HOUR}, 18 * HOUR + SECOND, {S: Level.AT_RISK}, Status.AT_RISK),
        ({"answered": HOUR}, 24 * HOUR, {S: Level.AT_RISK}, Status.AT_RISK),
        ({"answered": HOUR}, 24 * HOUR + SECOND, {S: Level.BREACHED}, Status.BREACHED),
        ({}, 25 * HOUR, {R: Level.BREACHED, S: Level.BREACHED}, Status.BREACHED),
        # waiting for the customer: the resolution's clock stands still, the answer's does not
        ({"answered": HOUR, "stopped": 2 * HOUR}, 90 * HOUR, {}, Status.OK),
        ({"answered": HOUR, "stopped": 20 * HOUR}, 90 * HOUR, {S: Level.AT_RISK}, Status.AT_RISK),
        ({"stopped": 2 * HOUR}, 5 * HOUR, {R: Level.BREACHED}, Status.BREACHED),
        # ended
        ({"open": False, "answered": HOUR, "stopped": 23 * HOUR}, 90 * HOUR, {S: Level.AT_RISK}, Status.MET),
        (
            {"open": False, "answered": HOUR, "stopped": 25 * HOUR},
            90 * HOUR,
            {S: Level.BREACHED},
            Status.BREACHED,
        ),
        ({"open": False, "stopped": HOUR}, 90 * HOUR, {}, Status.MET),  # canceled before anybody answered
        ({"open": False, "stopped": 4 * HOUR}, 90 * HOUR, {}, Status.MET),
        ({"open": False, "stopped": 5 * HOUR}, 90 * HOUR, {R: Level.BREACHED}, Status.BREACHED),
    ],
)
def test_how_an_issue_stands(
    shape: dict[str, timedelta], now: timedelta, levels: dict[Clock, Level], status: Status
) -> None:
    issue = clocks(**shape)  # type: ignore[arg-type]
    assert issue.levels(OPENED + now) == levels
    assert issue.status(OPENED + now) is status
    assert issue.status(OPENED + now, breached_before=True) is Status.BREACHED
