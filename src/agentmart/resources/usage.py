"""Where the usage of resources is read from: `metering`, which stands above, says so when the program starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

Usages = Mapping[UUID, Mapping[str, Decimal]]
"""By resource, then by component type."""
ReadMonth = Callable[[Iterable[UUID], date], Usages]
ReadPeriods = Callable[[UUID], Mapping[UUID, list[dict[str, Any]]]]

_sources: dict[str, Any] = {}


def read_by(*, month: ReadMonth, periods: ReadPeriods) -> None:
    """Name the readers: of several resources' usage in the month of a day, and of a resource's rows by plan."""
    _sources.update(month=month, periods=periods)


def of_month(resource_ids: Iterable[UUID], day: date) -> Usages:
    """Return what the resources have used in the month of that day, nothing where nobody measures."""
    read: ReadMonth | None = _sources.get("month")
    return read(resource_ids, day) if read else {}


def by_plan(resource_id: UUID) -> Mapping[UUID, list[dict[str, Any]]]:
    """Return the monthly usage rows of a resource, as they are answered, by plan."""
    read: ReadPeriods | None = _sources.get("periods")
    return read(resource_id) if read else {}
