"""The plan periods of a resource up to a month's end, in the order of time; pure, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from agentmart.billing.invoicing import Ordered
from agentmart.billing.waterfall import ZERO
from agentmart.kit.periods import Period


class HistoryRow(Protocol):
    """What of a plan period is looked at."""

    @property
    def plan_id(self) -> UUID:
        """The plan."""

    @property
    def limits(self) -> Mapping[str, Any]:
        """What was ordered by limit."""

    @property
    def start(self) -> datetime:
        """When it began."""

    @property
    def end(self) -> datetime | None:
        """When it ended."""


@dataclass(slots=True)
class History:
    """The plan periods of one resource up to a month's end; `ordered` those in the month, by plan, oldest first."""

    first_start: datetime | None = None
    ordered: dict[UUID, list[Ordered]] = field(default_factory=dict)
    switches: dict[UUID, list[datetime]] = field(default_factory=dict)
    last_plan: UUID | None = None
    most: dict[str, Decimal] = field(default_factory=dict)

    def of(self, plan_id: UUID) -> list[Ordered]:
        """Return the periods under one plan."""
        return self.ordered.get(plan_id, [])

    def add(self, row: HistoryRow, month: Period) -> None:
        """Note the next period."""
        end = row.end or max(month.end, row.start + timedelta(microseconds=1))
        if end <= row.start:
            return
        limits = {name: Decimal(str(value)) for name, value in row.limits.items()}
        if end > month.start:
            ordered = Ordered(Period(row.start, end), limits, dict(self.most))
            self.ordered.setdefault(row.plan_id, []).append(ordered)
        if self.first_start is None:
            self.first_start = row.start
        elif row.plan_id != self.last_plan:
            self.switches.setdefault(row.plan_id, []).append(row.start)
        self.last_plan = row.plan_id
        for name, value in limits.items():
            self.most[name] = max(value, self.most.get(name, ZERO))
