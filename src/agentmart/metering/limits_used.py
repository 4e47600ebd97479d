"""How much of its limits an agent has used, as far as the database knows: the gateway counts for itself.

By name: `…_per_month` are sums of the calendar month (UTC), reset with the next; `…_per_minute` sums of the last 60
seconds, at zero again 60 seconds after the latest call; `concurrent_requests` the calls under way;
`max_context_tokens` bounds a single call, so nothing of it is ever used up; `budget` is the month's cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, Sum

from agentmart.kit.ids import uuid7_floor
from agentmart.kit.money import money_text
from agentmart.kit.periods import Period
from agentmart.metering.models import CallStarted, UsageEvent, UsageHour

MINUTE = timedelta(minutes=1)
LONGEST_CALL = timedelta(hours=1)
"""What began longer ago is no call under way, but one whose end nobody saw."""

Used = int | str | None


@dataclass(frozen=True, slots=True)
class LimitUsed:
    """One limit: `used` and `resets_at` are None where they mean nothing."""

    name: str
    limit: int | str
    used: Used
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spending:
    """The buyer's own bound on a month's cost, and what the month has cost; None where it cannot be told."""

    limit: Decimal
    currency: str
    cost: Decimal | None


def limits_used(
    resource_id: UUID, limits: Mapping[str, Any], *, now: datetime, month: Period, budget: Spending | None
) -> list[LimitUsed]:
    """Return the limits in force and what of them is used, in at most four queries."""
    numbers = {name: value for name, value in limits.items() if type(value) is int}
    counted = _Counted(resource_id, now=now, month=month)
    found = [LimitUsed(name, value, *counted.of(name)) for name, value in sorted(numbers.items())]
    if budget is not None:
        used = None if budget.cost is None else money_text(budget.cost, budget.currency)
        found.append(LimitUsed("budget", money_text(budget.limit, budget.currency), used, month.end))
    return found


class _Counted:
    """Counts of one resource, read when first asked for."""

    def __init__(self, resource_id: UUID, *, now: datetime, month: Period) -> None:
        self._resource_id = resource_id
        self._now = now
        self._period = month
        self._month: dict[str, int] | None = None
        self._minute: dict[str, Any] | None = None

    def of(self, name: str) -> tuple[Used, datetime | None]:
        """Return what is used of a limit, and when that is over."""
        what, _, per = name.partition("_per_")
        if per == "month":
            return self._in_month(what), self._period.end
        if per == "minute":
            return self._in_minute(what)
        return (self._running(), None) if name == "concurrent_requests" else (None, None)

    def _in_month(self, what: str) -> int | None:
        if self._month is None:
            rows: Any = UsageHour.objects.filter(
                resource_id=self._resource_id, hour__gte=self._period.start, hour__lt=self._period.end
            )
            sums = rows.aggregate(
                requests=Sum("requests"), tokens=Sum(F("input_tokens") + F("output_tokens"))
            )
            self._month = {name: int(value or 0) for name, value in sums.items()}
        return self._month.get(what)

    def _in_minute(self, what: str) -> tuple[int | None, datetime | None]:
        if self._minute is None:
            rows: Any = UsageEvent.objects.filter(
                resource_id=self._resource_id, id__gte=uuid7_floor(self._now - MINUTE)
            )
            tokens = Sum(F("input_tokens") + F("output_tokens"))
            self._minute = rows.aggregate(requests=Count("id"), tokens=tokens, latest=Max("occurred_at"))
        latest = self._minute["latest"]
        used = int(self._minute[what] or 0) if what in ("requests", "tokens") else None
        return used, None if latest is None else latest + MINUTE

    def _running(self) -> int:
        rows: Any = CallStarted.objects.filter(
            resource_id=self._resource_id, started_at__gte=self._now - LONGEST_CALL
        )
        return int(rows.count())
