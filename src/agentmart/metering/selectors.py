"""Reads: what was used, from the hourly sums; single calls from the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.db.models.functions import Trunc

from agentmart.contracts.usage import METERS
from agentmart.infra.actors import Actor
from agentmart.kit.ids import uuid7_floor
from agentmart.metering.models import CallFlag, UsageEvent, UsageHour

SUMS = ("events", "errors", *METERS)
GRANULARITIES = ("hour", "day", "month")
NO_PLAN = UUID(int=0)
"""The `plan_key` of calls outside of any plan."""


def hours(
    resource_ids: Iterable[UUID], start: datetime, end: datetime, *, actor: Actor
) -> QuerySet[UsageHour]:
    """Return the hourly sums of these resources that begin in [start, end)."""
    rows: Any = UsageHour.objects.visible_to(actor)
    return rows.filter(resource_id__in=list(resource_ids), hour__gte=start, hour__lt=end)  # type: ignore[no-any-return]


def totals(rows: QuerySet[UsageHour]) -> dict[str, int]:
    """Return the sums of hourly rows, zero where there are none."""
    found: Mapping[str, Any] = rows.aggregate(**{name: Sum(name) for name in SUMS})
    return {name: int(found[name] or 0) for name in SUMS}


def series(rows: QuerySet[UsageHour], granularity: str) -> list[dict[str, Any]]:
    """Return the sums per hour, day or month (UTC), oldest first."""
    grouped = (
        rows.annotate(at=Trunc("hour", granularity))
        .values("at")
        .annotate(**{f"sum_{name}": Sum(name) for name in SUMS})
        .order_by("at")
    )
    found: list[Any] = list(grouped)
    return [{"at": row["at"], **{name: int(row[f"sum_{name}"]) for name in SUMS}} for row in found]


def events(resource_id: UUID, start: datetime, end: datetime, *, actor: Actor) -> QuerySet[UsageEvent]:
    """Return the single events of a resource in [start, end), oldest first; the id's time prefix is the key."""
    rows: Any = UsageEvent.objects.visible_to(actor)
    found: QuerySet[UsageEvent] = rows.filter(
        resource_id=resource_id, id__gte=uuid7_floor(start), id__lt=uuid7_floor(end)
    ).order_by("id")
    return found


def sums_by_plan(
    customer_id: UUID, start: datetime, end: datetime
) -> dict[tuple[UUID, UUID], dict[str, int]]:
    """Return a customer's sums in [start, end) by resource and plan; calls outside of any plan are left out.

    For billing: reads all of the customer's resources, whoever asks.
    """
    rows = (
        UsageHour.objects.filter(customer_id=customer_id, hour__gte=start, hour__lt=end)
        .exclude(plan_key=NO_PLAN)
        .values("resource_id", "plan_key")
        .annotate(**{f"sum_{name}": Sum(name) for name in METERS})
    )
    return {
        (row["resource_id"], row["plan_key"]): {name: int(row[f"sum_{name}"]) for name in METERS}
        for row in rows
    }


def flags(call_ids: Iterable[UUID], *, actor: Actor) -> dict[UUID, str]:
    """Return the flagged outcome of those of the calls that have one."""
    rows: Any = CallFlag.objects.visible_to(actor)
    return dict(rows.filter(call_id__in=list(call_ids)).values_list("call_id", "outcome"))
