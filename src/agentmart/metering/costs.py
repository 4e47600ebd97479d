"""What a resource costs in a range of time: `billing`, which stands above, says so when the program starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

Costs = Mapping[str, Decimal]
"""By currency, net of tax."""
ReadCosts = Callable[[UUID, datetime, datetime], Costs | None]

_source: list[ReadCosts] = []


def read_by(read: ReadCosts) -> None:
    """Name the reader of a resource's costs in [start, end)."""
    _source[:] = [read]


def of_resource(resource_id: UUID, start: datetime, end: datetime) -> Costs | None:
    """Return what the resource costs in [start, end) by currency; None where nobody rates, or it cannot be rated."""
    return _source[0](resource_id, start, end) if _source else None
