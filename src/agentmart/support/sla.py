"""The clocks of a promised answer: deadlines in calendar or business time, pauses, what is late; nothing else.

A target is a duration. Around the clock a day is 24 hours; with business hours only the time inside them counts, so
that a target of 8 hours is one working day of 8 hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_TARGET = timedelta(days=90)
SHORTEST_WEEK = timedelta(hours=1)
_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")

Window = tuple[timedelta, timedelta]
"""From and to, as time since midnight on the wall."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the desk works: around the clock without `week`, else the windows of each weekday (Monday is 0)."""

    week: tuple[tuple[Window, ...], ...] = ()
    zone: ZoneInfo = _UTC
    holidays: frozenset[date] = frozenset()

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Return the moment by which `duration` of working time has passed since `start`."""
        if not self.week:
            return start + duration
        if duration <= timedelta():
            return start
        left = duration
        for begin, end in self._windows(start):
            worked = end - max(begin, start)
            if worked >= left:
                return end - (worked - left)
            left -= worked
        raise AssertionError("unreachable: windows do not end")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time from `start` to `end`, none where `end` is not later."""
        if end <= start:
            return timedelta()
        if not self.week:
            return end - start
        total = timedelta()
        for begin, until in self._windows(start):
            if begin >= end:
                break
            total += min(until, end) - max(begin, start)
        return total

    def _windows(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working windows that end after `start`, in order, in UTC."""
        day = start.astimezone(self.zone).date() - _DAY
        while True:
            if day not in self.holidays:
                for first, last in self.week[day.weekday()]:
                    begin = _moment(day, first, self.zone, fold=0)
                    end = _moment(day, last, self.zone, fold=1)
                    if end > begin and end > start:
                        yield begin, end
            day += _DAY


ALWAYS = Calendar()


def _moment(day: date, since_midnight: timedelta, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return a time on the wall as UTC; of a repeated hour the `fold`-th, of a skipped one the moment of the skip."""
    wall = datetime.combine(day, time()) + since_midnight
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    earlier, later = sorted(wall.replace(tzinfo=zone, fold=side).astimezone(UTC) for side in (0, 1))
    before = earlier.astimezone(zone).utcoffset()
    while later - earlier > timedelta(seconds=1):
        middle = earlier + (later - earlier) / 2
        earlier, later = (
            (middle, later) if middle.astimezone(zone).utcoffset() == before else (earlier, middle)
        )
    return later.replace(microsecond=0)


def read_calendar(hours: str, zone: str = "UTC", holidays: str = "") -> Calendar:
    """Return the calendar that settings write as `Mon-Fri 09:00-17:00; Sat 10:00-12:00` (empty: always).

    Raises ValueError with a sentence for what cannot be read, and for less than an hour a week.
    """
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{zone!r} is not a time zone; give a name like Europe/Berlin") from None
    try:
        free = frozenset(date.fromisoformat(day.strip()) for day in holidays.split(",") if day.strip())
    except ValueError:
        raise ValueError(f"{holidays!r} is not a list of days like 2026-12-25,2027-01-01") from None
    if not hours.strip():
        return Calendar(zone=place, holidays=free)
    week: list[list[Window]] = [[] for _ in DAYS]
    for part in hours.split(";"):
        if part.strip():
            days, window = _read_part(part.strip())
            for day in days:
                week[day].append(window)
    for windows in week:
        windows.sort()
        if any(later[0] < earlier[1] for earlier, later in pairwise(windows)):
            raise ValueError(f"{hours!r} has hours of one day that overlap")
    if sum((end - begin for windows in week for begin, end in windows), timedelta()) < SHORTEST_WEEK:
        raise ValueError(f"{hours!r} leaves less than one working hour a week")
    return Calendar(tuple(tuple(windows) for windows in week), place, free)


def _read_part(text: str) -> tuple[list[int], Window]:
    """Read `Mon-Fri 09:00-17:00`; raises ValueError."""
    try:
        named, spoken = text.split()
        first, _, last = named.lower().partition("-")
        begin, _, end = spoken.partition("-")
        days = list(range(DAYS.index(first), DAYS.index(last or first) + 1))
        window = (_read_time(begin), _read_time(end))
    except ValueError:
        raise ValueError(f"{text!r} is not like Mon-Fri 09:00-17:00") from None
    if not days or window[0] >= window[1]:
        raise ValueError(f"{text!r} ends before it begins")
    return days, window


def _read_time(text: str) -> timedelta:
    """Read HH:MM up to 24:00; raises ValueError."""
    hour, minute = (int(part) for part in text.split(":"))
    if not (0 <= minute < 60 and timedelta() <= (found := timedelta(hours=hour, minutes=minute)) <= _DAY):
        raise ValueError(text)
    return found


class Clock(StrEnum):
    """The two things that are promised."""

    RESPONSE = "first response"
    RESOLUTION = "resolution"


class Level(StrEnum):
    """What there is to tell of a clock."""

    AT_RISK = "at_risk"
    BREACHED = "breached"


class Status(StrEnum):
    """How an issue stands against its promises."""

    OK = "ok"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    MET = "met"


@dataclass(frozen=True, slots=True)
class Due:
    """When something is due, and from when on less than a quarter of its time is left."""

    deadline: datetime
    at_risk_after: datetime


def due(start: datetime, target: timedelta, *, paused: timedelta = timedelta(), calendar: Calendar) -> Due:
    """Return when a promise made at `start` is due; `paused` working time does not count against it."""
    return Due(
        deadline=calendar.add(start, target + paused),
        at_risk_after=calendar.add(start, target * 3 / 4 + paused),
    )


@dataclass(frozen=True, slots=True)
class Clocks:
    """An issue's clocks: what is due, what has stopped, and when.

    `open` is whether the issue is; `answered_at` is the first response; `stopped_at` is since when the resolution
    clock stands still (waiting for the customer, or done), None while it runs.
    """

    response: Due
    resolution: Due
    open: bool
    answered_at: datetime | None
    stopped_at: datetime | None

    def levels(self, now: datetime) -> dict[Clock, Level]:
        """Return which clocks are at risk or breached at `now`; in time to the very moment of the deadline."""
        found = {
            Clock.RESPONSE: self._response_level(now),
            Clock.RESOLUTION: _level(self.resolution, self.stopped_at or now),
        }
        return {clock: level for clock, level in found.items() if level is not None}

    def _response_level(self, now: datetime) -> Level | None:
        if self.answered_at is not None:
            return Level.BREACHED if self.answered_at > self.response.deadline else None
        if not self.open:  # ended without an answer: nothing is owed any more
            return _breach_only(self.response, self.stopped_at or now)
        return _level(self.response, now)

    def status(self, now: datetime, *, breached_before: bool = False) -> Status:
        """Return how the issue stands; what was breached once stays breached."""
        levels = set(self.levels(now).values())
        if breached_before or Level.BREACHED in levels:
            return Status.BREACHED
        if not self.open:
            return Status.MET
        return Status.AT_RISK if levels else Status.OK


def _level(promise: Due, at: datetime) -> Level | None:
    """Return how late `at` is for a promise."""
    if at > promise.deadline:
        return Level.BREACHED
    return Level.AT_RISK if at > promise.at_risk_after else None


def _breach_only(promise: Due, at: datetime) -> Level | None:
    """Return whether a promise was broken by `at`; being near to it does not count."""
    return Level.BREACHED if at > promise.deadline else None
