"""Orders: how many, in which state, what they cost and how long they took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agentmart.kit.money import CONTEXT
from agentmart.ordering.states import OrderState, OrderType
from agentmart.reports.ranges import Range
from agentmart.reports.recurring import ratio
from agentmart.reports.selectors.scope import Scope, names, rows

GROUPS = ("day", "month", "customer", "provider", "offering", "plan", "project", "state", "type")
BY_TIME = ("day", "month")
EARNING = (OrderType.CREATE, OrderType.UPDATE)

_ASKED = """
FROM ordering_order o
WHERE o.created >= %(since)s AND o.created < %(until)s
  AND (%(customer)s::uuid[] IS NULL OR o.customer_id = ANY(%(customer)s::uuid[]))
  AND (%(provider)s::uuid[] IS NULL OR o.provider_customer_id = ANY(%(provider)s::uuid[]))
  AND (%(offering)s::uuid[] IS NULL OR o.offering_id = ANY(%(offering)s::uuid[]))
  AND (%(plan)s::uuid[] IS NULL OR o.plan_id = ANY(%(plan)s::uuid[]))
  AND (%(project)s::uuid[] IS NULL OR o.project_id = ANY(%(project)s::uuid[]))
  AND (%(resource)s::uuid[] IS NULL OR o.resource_id = ANY(%(resource)s::uuid[]))
  AND (%(currency)s::text[] IS NULL OR o.currency = ANY(%(currency)s::text[]))
"""

COUNTS = (
    """
SELECT CASE %(group_by)s
        WHEN 'day' THEN to_char(o.created AT TIME ZONE 'UTC', 'YYYY-MM-DD')
        WHEN 'month' THEN to_char(o.created AT TIME ZONE 'UTC', 'YYYY-MM')
        WHEN 'customer' THEN replace(o.customer_id::text, '-', '')
        WHEN 'provider' THEN replace(o.provider_customer_id::text, '-', '')
        WHEN 'offering' THEN replace(o.offering_id::text, '-', '')
        WHEN 'plan' THEN COALESCE(replace(o.plan_id::text, '-', ''), '')
        WHEN 'project' THEN replace(o.project_id::text, '-', '')
        WHEN 'state' THEN o.state
        ELSE o.type
    END AS key, o.state, o.type, o.currency, count(*) AS orders, sum(o.cost) AS cost
"""
    + _ASKED
    + "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
)

# An order that waited for nobody was reviewed the moment it was placed.
PACE = """
, timed AS (
    SELECT type, state, created, completed_at,
        greatest(created, consumer_reviewed_at, provider_reviewed_at) AS approved_at,
        COALESCE(executing_since, greatest(created, consumer_reviewed_at, provider_reviewed_at)) AS begun_at
    FROM asked
)
SELECT
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM approved_at - created)) FILTER (
        WHERE state IN ('executing', 'done', 'erred') AND approved_at > created) AS to_approve,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM completed_at - begun_at)) FILTER (
        WHERE state = 'done' AND type = 'Create') AS to_provision
FROM timed
"""
PACE = "WITH asked AS (SELECT o.* " + _ASKED + ")" + PACE


@dataclass(slots=True)
class Tally:
    """Orders of one day, customer …: counted by state and type, costs by currency."""

    key: str = ""
    name: str = ""
    by_state: Counter[str] = field(default_factory=Counter)
    by_type: Counter[str] = field(default_factory=Counter)
    cost: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    revenue: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @property
    def submitted(self) -> int:
        """How many there are."""
        return sum(self.by_state.values())

    @property
    def done(self) -> int:
        """How many of them are done."""
        return self.by_state[OrderState.DONE]

    @property
    def pending(self) -> int:
        """How many of them wait for somebody, or for their day."""
        return sum(number for state, number in self.by_state.items() if state.startswith("pending-"))

    @property
    def completion(self) -> Decimal | None:
        """Done ÷ submitted, None without any."""
        return ratio(self.done, self.submitted)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count in a row of the statement."""
        self.by_state[row["state"]] += row["orders"]
        self.by_type[row["type"]] += row["orders"]
        if row["cost"] is None:
            return
        currency = row["currency"]
        self.cost[currency] = CONTEXT.add(self.cost[currency], row["cost"])
        if row["type"] in EARNING:
            self.revenue[currency] = CONTEXT.add(self.revenue[currency], row["cost"])


@dataclass(frozen=True, slots=True)
class Orders:
    """All orders of a range, and by group; the two medians are seconds, None where no order tells."""

    total: Tally
    items: tuple[Tally, ...]
    to_approve: float | None
    to_provision: float | None


def orders(asked: Range, scope: Scope, *, group_by: str) -> Orders:
    """Return the orders submitted in a range, and how long they took."""
    values = {**scope.values(), "since": asked.since, "until": asked.until}
    total, items = _tallies(rows(COUNTS, {**values, "group_by": group_by}))
    (pace,) = rows(PACE, values)
    known = names(group_by, (item.key for item in items if item.key))
    for item in items:
        item.name = known.get(item.key, item.key)
    if group_by not in BY_TIME:
        items.sort(key=lambda item: (-item.submitted, item.name, item.key))
    return Orders(total, tuple(items), pace["to_approve"], pace["to_provision"])


def daily_orders(asked: Range, scope: Scope) -> Orders:
    """Return the orders submitted in a range by day, without how long they took."""
    values = {**scope.values(), "since": asked.since, "until": asked.until, "group_by": "day"}
    total, items = _tallies(rows(COUNTS, values))
    return Orders(total, tuple(items), None, None)


def _tallies(found: Iterable[Mapping[str, Any]]) -> tuple[Tally, list[Tally]]:
    total = Tally()
    items: dict[str, Tally] = {}
    for row in found:
        total.add(row)
        items.setdefault(row["key"], Tally(row["key"])).add(row)
    return total, list(items.values())
