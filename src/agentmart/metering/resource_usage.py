"""What resources show of their usage, for `resources.usage`, which stands below and is told at start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentmart.kit.money import decimal_text
from agentmart.kit.periods import day_start
from agentmart.metering.models import ComponentUsage
from agentmart.metering.selectors import with_totals


def of_month(resource_ids: Iterable[UUID], day: date) -> dict[UUID, dict[str, Decimal]]:
    """Return the usage of resources in the month of a day: by resource, then by component; one query."""
    rows: Any = ComponentUsage.objects.filter(resource_id__in=list(resource_ids), month=day.replace(day=1))
    found: dict[UUID, dict[str, Decimal]] = {}
    for resource_id, kind, total in with_totals(rows).values_list("resource_id", "component_type", "total"):
        used = found.setdefault(resource_id, {})
        used[kind] = used.get(kind, Decimal(0)) + total
    return found


def by_plan(resource_id: UUID) -> dict[UUID, list[dict[str, Any]]]:
    """Return the monthly usage of a resource as plan periods show it: by plan, oldest month first."""
    rows: Any = ComponentUsage.objects.filter(resource_id=resource_id).order_by(
        "month", "component_type", "id"
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in with_totals(rows):
        found.setdefault(row.plan_id, []).append(
            {
                "uuid": row.uuid,
                "created": row.created,
                "type": row.component_type,
                "name": row.component_name,
                "measured_unit": row.measured_unit,
                "date": day_start(row.month),
                "usage": decimal_text(row.total),
                "description": row.description,
                "recurring": row.missing_usage_policy == "reuse",
            }
        )
    return found
