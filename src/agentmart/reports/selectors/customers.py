"""Customers: how many there are, have a plan, came and went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agentmart.reports.ranges import Range
from agentmart.reports.recurring import ratio
from agentmart.reports.selectors.scope import rows

_INSTANT = timedelta(microseconds=1)

REGISTERED = """
SELECT width_bucket(created, %(bounds)s::timestamptz[]) AS stretch, count(*) AS customers,
    count(*) FILTER (WHERE blocked) AS blocked
FROM identity_customer WHERE created < %(last)s AND NOT is_operator GROUP BY 1
"""

# A customer is active while any plan of its resources is in force.
ACTIVE = """
WITH edges AS (
    SELECT customer_id, width_bucket(start, %(bounds)s::timestamptz[]) AS stretch, 1 AS delta
    FROM resources_plan_period WHERE start < %(last)s AND ("end" IS NULL OR "end" > start)
    UNION ALL
    SELECT customer_id, width_bucket("end", %(bounds)s::timestamptz[]), -1
    FROM resources_plan_period WHERE "end" < %(last)s AND "end" > start
), sums AS (
    SELECT customer_id, stretch, sum(delta) AS delta FROM edges GROUP BY customer_id, stretch
), running AS (
    SELECT customer_id, stretch, delta, sum(delta) OVER (PARTITION BY customer_id ORDER BY stretch) AS plans
    FROM sums
)
SELECT stretch, count(*) FILTER (WHERE plans > 0 AND plans = delta) AS activated,
    count(*) FILTER (WHERE plans = 0 AND delta < 0) AS churned
FROM running GROUP BY stretch
"""


@dataclass(frozen=True, slots=True)
class CustomerMonth:
    """A month's customers: how many at its end, and what changed in it."""

    month: str
    total: int
    new: int
    active: int
    activated: int
    churned: int


@dataclass(frozen=True, slots=True)
class Customers:
    """A range's customers, as they stood at `as_of` (its end, or now); `blocked` is now."""

    as_of: datetime
    total_at_start: int
    active_at_start: int
    blocked: int
    months: tuple[CustomerMonth, ...]

    @property
    def total_at_end(self) -> int:
        """How many there are at the end."""
        return self.months[-1].total if self.months else self.total_at_start

    @property
    def active_at_end(self) -> int:
        """How many are active at the end."""
        return self.months[-1].active if self.months else self.active_at_start

    @property
    def growth(self) -> Decimal | None:
        """New customers ÷ those there were, None where there were none."""
        return ratio(self.total_at_end - self.total_at_start, self.total_at_start)


def customers(asked: Range, *, now: datetime) -> Customers:
    """Return how the customers of the installation changed, month by month."""
    as_of = min(asked.until, now)
    months = [part for part in asked.months() if part.since <= now]
    last = now + _INSTANT if as_of == now else as_of
    values = {"last": last, "bounds": [part.since for part in months] or [last]}
    registered = {row["stretch"]: row for row in rows(REGISTERED, values)}
    moved = {row["stretch"]: row for row in rows(ACTIVE, values)}

    def new(stretch: int) -> int:
        return registered[stretch]["customers"] if stretch in registered else 0

    def came(stretch: int) -> tuple[int, int]:
        row = moved.get(stretch)
        return (row["activated"], row["churned"]) if row else (0, 0)

    total_at_start, (active_at_start, _) = new(0), came(0)
    total, active = total_at_start, active_at_start
    found = []
    for stretch, part in enumerate(months, 1):
        activated, churned = came(stretch)
        total, active = total + new(stretch), active + activated - churned
        found.append(CustomerMonth(f"{part.start:%Y-%m}", total, new(stretch), active, activated, churned))
    blocked = sum(row["blocked"] for row in registered.values())
    return Customers(as_of, total_at_start, active_at_start, blocked, tuple(found))
