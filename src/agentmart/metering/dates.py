"""When reported usage happened, and over which months a limit is counted; pure, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from agentmart.kit.errors import Invalid
from agentmart.kit.periods import add_months

BACK = timedelta(days=35)
AHEAD = timedelta(minutes=5)
"""How far from now a provider's report may lie."""


@dataclass(frozen=True, slots=True)
class ReportDate:
    """The moment a report names (UTC); `whole_day` where it named a calendar day only."""

    moment: datetime
    whole_day: bool = False

    @property
    def day(self) -> date:
        """Return the calendar day (UTC)."""
        return self.moment.date()

    @property
    def month(self) -> date:
        """Return the first day of the billing month."""
        return self.moment.date().replace(day=1)

    def before(self, bound: datetime) -> bool:
        """Return whether it lies before a moment; a whole day only if it ended by then."""
        return self.day < bound.date() if self.whole_day else self.moment < bound

    def after(self, bound: datetime) -> bool:
        """Return whether it lies after a moment."""
        return self.moment > bound


def check_date(
    when: ReportDate,
    *,
    now: datetime,
    activated_at: datetime | None,
    ended_at: datetime | None,
    any_past_day: bool,
) -> None:
    """Raise Invalid for a time that usage of a resource cannot be reported for.

    Providers report 35 days back, and never before the activation; `any_past_day` lifts both (imported history).
    `ended_at`: when its end was begun, for calls and charges stop then, however long the end takes.
    """
    if activated_at is None:
        raise Invalid("The resource has not been activated; it has no usage yet.", field="resource")
    if when.after(now + AHEAD):
        raise Invalid("The date lies in the future.", field="date")
    if ended_at is not None and when.after(ended_at):
        raise Invalid(f"The resource ended on {ended_at:%Y-%m-%d %H:%M} UTC.", field="date")
    if any_past_day:
        return
    if when.before(now - BACK):
        raise Invalid(f"Usage is reported at most {BACK.days} days back.", field="date")
    if when.before(activated_at):
        raise Invalid(f"The resource was activated on {activated_at:%Y-%m-%d %H:%M} UTC.", field="date")


def limit_window(month: date, limit_period: str) -> tuple[date, date] | None:
    """Return the first month of a limit's period and the first after it, None for a limit without end."""
    match limit_period:
        case "total":
            return None
        case "annual":
            return month.replace(month=1), add_months(month.replace(month=1), 12)
        case "quarterly":
            first = month.replace(month=(month.month - 1) // 3 * 3 + 1)
            return first, add_months(first, 3)
        case _:
            return month, add_months(month, 1)
