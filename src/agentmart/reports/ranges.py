"""Which days a report covers: inclusive dates (UTC) and the months they lie in; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from agentmart.kit.errors import Invalid
from agentmart.kit.periods import add_months, day_start

MOST_MONTHS = 36
FIRST_YEAR, LAST_YEAR = 2000, 2199
_DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True, slots=True)
class Range:
    """The days from `start` to `end`, both included."""

    start: date
    end: date

    @property
    def since(self) -> datetime:
        """The first instant."""
        return day_start(self.start)

    @property
    def until(self) -> datetime:
        """The first instant after it."""
        return day_start(self.end + _DAY)

    def months(self) -> list[Range]:
        """Return the calendar months it lies in, each cut to it, oldest first."""
        parts = []
        first = self.start
        while first <= self.end:
            last = add_months(first.replace(day=1), 1) - _DAY
            parts.append(Range(first, min(last, self.end)))
            first = last + _DAY
        return parts


def month_range(day: date) -> Range:
    """Return the whole calendar month of a day."""
    first = day.replace(day=1)
    return Range(first, add_months(first, 1) - _DAY)


def read_range(start: str | None, end: str | None, *, today: date, default: Range | None = None) -> Range:
    """Return the days that two texts (YYYY-MM-DD) name; both are included, a missing one is this month's.

    `default` stands in where both are missing. Raises Invalid (`start`, `end`) for what is no date, for a start
    after the end and for more than 36 months.
    """
    first, last = _date(start, "start"), _date(end, "end")
    if first is None and last is None and default is not None:
        return default
    if first is None:
        first = (last or today).replace(day=1)
    if last is None:
        last = month_range(max(first, today)).end
    if first > last:
        raise Invalid("The start lies after the end.", field="start")
    if last >= add_months(first, MOST_MONTHS):
        raise Invalid(f"At most {MOST_MONTHS} months; ask for a shorter range.", field="end")
    return Range(first, last)


def read_month(text: str) -> Range:
    """Return the month that a text (YYYY-MM) names; raises Invalid (`month`)."""
    try:
        if not _MONTH.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Invalid("Enter a valid month, for example 2026-01.", field="month") from None
    _check_year(day, "month")
    return month_range(day)


def _date(text: str | None, name: str) -> date | None:
    if text is None:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid("Enter a valid date, for example 2026-01-31.", field=name) from None
    _check_year(day, name)
    return day


def _check_year(day: date, name: str) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Invalid(f"Enter a year from {FIRST_YEAR} to {LAST_YEAR}.", field=name)
