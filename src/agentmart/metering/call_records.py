"""Single calls as their buyer finds them: newest first, by what a search names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from agentmart.agents.models import FlowVersion
from agentmart.infra import tenancy
from agentmart.kit.ids import uuid7_floor
from agentmart.metering.models import CallPayload, UsageEvent, UsageHour
from agentmart.resources.models import Resource


@dataclass(frozen=True, slots=True)
class Search:
    """Which calls of a resource are wanted; empty means all."""

    start: datetime | None
    end: datetime | None
    statuses: tuple[str, ...] = ()
    key_ids: tuple[UUID, ...] = ()
    version_ids: tuple[UUID, ...] | None = None
    request_ids: tuple[UUID, ...] = ()
    before: UUID | None = None  # only calls older than this one

    @property
    def plain(self) -> bool:
        """Return whether only time is asked for, so that the hourly sums know the number of calls."""
        return not (self.statuses or self.key_ids or self.request_ids) and (
            self.version_ids is None and self.before is None
        )


class Calls:
    """The calls of a resource, newest first; a page is read by the index of resource and id, which tells the time."""

    def __init__(self, resource_id: UUID, search: Search) -> None:
        self._resource_id = resource_id
        self._search = search
        rows: Any = UsageEvent.objects.filter(resource_id=resource_id)
        if search.start is not None:
            rows = rows.filter(id__gte=uuid7_floor(search.start))
        if search.end is not None:
            rows = rows.filter(id__lt=uuid7_floor(search.end))
        if search.before is not None:
            rows = rows.filter(id__lt=search.before)
        if search.request_ids:
            rows = rows.filter(id__in=search.request_ids)
        if search.statuses:
            rows = rows.filter(status__in=search.statuses)
        if search.key_ids:
            rows = rows.filter(key_id__in=search.key_ids)
        if search.version_ids is not None:
            rows = rows.filter(flow_version_id__in=search.version_ids)
        self.rows: QuerySet[UsageEvent] = rows.order_by("-id")

    def count(self) -> int:
        """Return how many calls there are; bounds of whole hours are counted by the hourly sums."""
        if not self._search.plain:
            return self.rows.count()
        hours: Any = UsageHour.objects.filter(resource_id=self._resource_id)
        if self._search.start is not None:
            hours = hours.filter(hour__gte=self._search.start)
        if self._search.end is not None:
            hours = hours.filter(hour__lt=self._search.end)
        return int(hours.aggregate(sum=Sum("events"))["sum"] or 0)

    def __getitem__(self, part: slice) -> list[UsageEvent]:
        """Return the calls of a page."""
        return list(self.rows[part])


def versions_of(resource: Resource, numbers: Collection[int]) -> tuple[UUID, ...]:
    """Return the ids of these versions of the agent that a resource runs, whose rows are its provider's."""
    with tenancy.elevated():
        version = resource.flow_version
        if version is None:
            return ()
        found = FlowVersion.objects.filter(agent_id=version.agent_id, version__in=numbers)
        return tuple(found.values_list("id", flat=True))


def with_payload(call_ids: Collection[UUID], *, now: datetime) -> set[UUID]:
    """Return those of the calls whose content is kept."""
    rows = CallPayload.objects.filter(call_id__in=call_ids, expires_at__gt=now)
    return set(rows.values_list("call_id", flat=True))
