"""Billing time: half-open periods of UTC instants, and the local calendars they are cut from."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agentmart.kit.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The instants from `start` up to, not including, `end`; both aware, kept in UTC; never empty.

    Raises ValueError for naive times or an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "end", _utc(self.end))
        if self.end <= self.start:
            raise ValueError(f"a period must end after it starts: {self.start} .. {self.end}")

    @property
    def seconds(self) -> int:
        """The length in whole seconds; each bound is cut to its full second, so parts add up to the whole."""
        return _whole_seconds(self.end) - _whole_seconds(self.start)

    def days(self, tz: str = "UTC") -> int:
        """Return the local calendar dates from the start's to the end's, the end's not counted."""
        return days_between(self.start, self.end, tz)

    def contains(self, moment: datetime) -> bool:
        """Return whether the instant lies in the period (the end does not)."""
        return self.start <= moment < self.end

    def intersect(self, other: Period) -> Period | None:
        """Return what both periods share; None where they only touch or are apart."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None

    def split(self, moment: datetime) -> tuple[Period, Period]:
        """Return the parts before and from an instant strictly inside; raises ValueError elsewhere."""
        return Period(self.start, moment), Period(moment, self.end)


def zone(name: str) -> ZoneInfo:
    """Return the IANA time zone; raises Invalid if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f"{name!r} is not a time zone; give an IANA name like Europe/Berlin.",
            code="unknown_timezone",
            field="timezone",
        ) from None


def month(year: int, month: int, tz: str = "UTC") -> Period:
    """Return a calendar month of a zone, from its first local instant to the next month's."""
    first = date(year, month, 1)
    return Period(day_start(first, tz), day_start(add_months(first, 1), tz))


def month_of(moment: datetime, tz: str = "UTC") -> Period:
    """Return the local calendar month that holds an instant."""
    local = local_date(moment, tz)
    return _month(local.year, local.month, tz)


def day_start(day: date, tz: str = "UTC") -> datetime:
    """Return the first instant of a local date, in UTC; also where midnight is skipped or comes twice."""
    return instant(datetime.combine(day, time()), tz)


def local_date(moment: datetime, tz: str = "UTC") -> date:
    """Return the calendar date that an instant falls on in a zone."""
    return _utc(moment).astimezone(zone(tz)).date()


def days_between(start: datetime, end: datetime, tz: str = "UTC") -> int:
    """Return the difference of the two local calendar dates; a day of 23 or 25 hours counts as one."""
    return (local_date(end, tz) - local_date(start, tz)).days


def add_months(day: date, months: int, anchor_day: int | None = None) -> date:
    """Return the date some months later on the anchor day (default: its own), clamped to the month's last.

    Pass the anchor, or 31 January → 28 February → 28 March loses it.
    """
    anchor = day.day if anchor_day is None else anchor_day
    if not 1 <= anchor <= 31:
        raise ValueError(f"an anchor day lies between 1 and 31, not {anchor}")
    years, index = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, index + 1, min(anchor, monthrange(years, index + 1)[1]))


def anniversary_period(anchor: datetime, index: int, months: int = 1, tz: str = "UTC") -> Period:
    """Return billing period number `index` (0 = first) of `months` months, counted from an anchor instant.

    Every bound keeps the anchor's local day (clamped) and local time of day.
    """
    local = _utc(anchor).astimezone(zone(tz)).replace(tzinfo=None)

    def bound(number: int) -> datetime:
        day = add_months(local.date(), number * months)
        return _utc(anchor) if number == 0 else instant(datetime.combine(day, local.time()), tz)

    return Period(bound(index), bound(index + 1))


def instant(local: datetime, tz: str = "UTC") -> datetime:
    """Return the UTC instant at which a zone's clocks first show a local (naive) time.

    Where clocks jump over that time it is the moment of the jump; where they show it twice, the first.
    """
    place = zone(tz)
    guess = local.replace(tzinfo=place, fold=0).astimezone(UTC)
    shown = guess.astimezone(place).replace(tzinfo=None)
    if shown == local:
        return guess
    # The clocks jumped over it: the jump lies within the gap's length before the guess.
    early, late = guess - (shown - local) - _SECOND, guess
    while late - early > _SECOND:
        middle = early + timedelta(seconds=(late - early) // _SECOND // 2)
        if middle.astimezone(place).replace(tzinfo=None) < local:
            early = middle
        else:
            late = middle
    return late


_month = month  # `month` is also the usual name of a number


def _utc(moment: datetime) -> datetime:
    """Return an aware instant in UTC; raises ValueError for a naive one."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"a naive time has no place in billing: {moment}")
    return moment.astimezone(UTC)


def _whole_seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND
