"""Usage: what was metered by the gateway and reported by people, by component and by one more thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from agentmart.catalog.models import Offering, OfferingComponent, PlanComponent
from agentmart.contracts.usage import METERS
from agentmart.kit.errors import Invalid
from agentmart.kit.money import CONTEXT
from agentmart.reports.ranges import Range
from agentmart.reports.selectors.scope import Scope, names, rows

ZERO = Decimal(0)
GROUPS = ("month", "day", "offering", "customer", "project", "resource", "component")
BY_TIME = ("month", "day")

# Hourly sums of the gateway and reports of people (differences, each on its day), side by side.
USAGE = """
WITH hours AS (
    SELECT offering_id, CASE %(group_by)s
            WHEN 'month' THEN to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM')
            WHEN 'day' THEN to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            WHEN 'customer' THEN customer_id::text
            WHEN 'project' THEN project_id::text
            WHEN 'resource' THEN resource_id::text
            WHEN 'offering' THEN offering_id::text
        END AS key,
        sum(requests) AS requests, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM metering_usage_hour
    WHERE hour >= %(since)s AND hour < %(until)s
      AND (%(customer)s::uuid[] IS NULL OR customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR provider_customer_id = ANY(%(provider)s::uuid[]))
      AND (%(offering)s::uuid[] IS NULL OR offering_id = ANY(%(offering)s::uuid[]))
      AND (%(plan)s::uuid[] IS NULL OR plan_key = ANY(%(plan)s::uuid[]))
      AND (%(project)s::uuid[] IS NULL OR project_id = ANY(%(project)s::uuid[]))
      AND (%(resource)s::uuid[] IS NULL OR resource_id = ANY(%(resource)s::uuid[]))
    GROUP BY 1, 2
), used AS (
    SELECT h.offering_id, h.key, m.type, m.amount
    FROM hours h CROSS JOIN LATERAL (VALUES
        ('requests', h.requests), ('input_tokens', h.input_tokens), ('output_tokens', h.output_tokens)
    ) AS m(type, amount)
    UNION ALL
    SELECT u.offering_id, CASE %(group_by)s
            WHEN 'month' THEN to_char(e.day, 'YYYY-MM')
            WHEN 'day' THEN to_char(e.day, 'YYYY-MM-DD')
            WHEN 'customer' THEN u.customer_id::text
            WHEN 'project' THEN u.project_id::text
            WHEN 'resource' THEN u.resource_id::text
            WHEN 'offering' THEN u.offering_id::text
        END, u.component_type, sum(e.amount)
    FROM metering_component_usage u JOIN metering_component_event e ON e.usage_id = u.id
    WHERE u.month >= %(first_month)s AND u.month <= %(end)s AND e.day BETWEEN %(start)s AND %(end)s
      AND (%(customer)s::uuid[] IS NULL OR u.customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR u.provider_customer_id = ANY(%(provider)s::uuid[]))
      AND (%(offering)s::uuid[] IS NULL OR u.offering_id = ANY(%(offering)s::uuid[]))
      AND (%(plan)s::uuid[] IS NULL OR u.plan_id = ANY(%(plan)s::uuid[]))
      AND (%(project)s::uuid[] IS NULL OR u.project_id = ANY(%(project)s::uuid[]))
      AND (%(resource)s::uuid[] IS NULL OR u.resource_id = ANY(%(resource)s::uuid[]))
    GROUP BY 1, 2, 3
)
SELECT offering_id, type, COALESCE(key, type) AS key, sum(amount) AS amount FROM used
WHERE %(component)s::text[] IS NULL OR type = ANY(%(component)s::text[])
GROUP BY 1, 2, 3 HAVING sum(amount) <> 0 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What was used in one month or day, by one customer …"""

    key: str
    name: str
    usage: Decimal


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """What was used of one component of an offering."""

    offering_id: UUID
    offering_name: str
    country: str
    type: str
    name: str
    measured_unit: str
    parts: tuple[Part, ...]

    @property
    def usage(self) -> Decimal:
        """The sum of the parts."""
        total = ZERO
        for part in self.parts:
            total = CONTEXT.add(total, part.usage)
        return total


def usage(asked: Range, scope: Scope, *, group_by: str) -> list[ComponentUse]:
    """Return what was used in a range, by offering and component; offerings in the order of their names."""
    values = {
        **scope.values(),
        "since": asked.since,
        "until": asked.until,
        "start": asked.start,
        "end": asked.end,
        "first_month": asked.start.replace(day=1),
        "group_by": group_by,
    }
    found = rows(USAGE, values)
    if group_by not in (*BY_TIME, "component"):
        found = [{**row, "key": UUID(row["key"]).hex} for row in found]
    known = names(group_by, {row["key"] for row in found})
    parts: dict[tuple[UUID, str], list[Part]] = {}
    for row in found:
        part = Part(row["key"], known.get(row["key"], row["key"]), row["amount"])
        parts.setdefault((row["offering_id"], row["type"]), []).append(part)
    uses = _described(parts)
    return sorted(uses, key=lambda use: (use.offering_name, use.offering_id.hex, use.type))


def totals(uses: Iterable[ComponentUse]) -> dict[str, Decimal]:
    """Return the sums of what agents are metered by."""
    sums = dict.fromkeys(METERS, ZERO)
    for use in uses:
        if use.type in sums:
            sums[use.type] = CONTEXT.add(sums[use.type], use.usage)
    return sums


def _described(parts: dict[tuple[UUID, str], list[Part]]) -> list[ComponentUse]:
    ids = {offering_id for offering_id, _ in parts}
    offerings = {row.id: row for row in Offering.objects.filter(id__in=ids).only("id", "name", "country")}
    components = {
        (row.offering_id, row.type): row for row in OfferingComponent.objects.filter(offering_id__in=ids)
    }
    return [
        ComponentUse(
            offering_id=offering_id,
            offering_name=offerings[offering_id].name if offering_id in offerings else offering_id.hex,
            country=offerings[offering_id].country if offering_id in offerings else "",
            type=kind,
            name=components[offering_id, kind].name if (offering_id, kind) in components else kind,
            measured_unit=(
                components[offering_id, kind].measured_unit if (offering_id, kind) in components else ""
            ),
            parts=tuple(found),
        )
        for (offering_id, kind), found in parts.items()
    ]


def narrowed_to_components(scope: Scope, types: tuple[str, ...], ids: tuple[UUID, ...]) -> Scope:
    """Return the scope narrowed to components, named by type, or by uuid (their own, or a plan component's).

    Raises Invalid (`component`) for components of several offerings at once.
    """
    if not ids:
        return replace(scope, component=types or None)
    priced = PlanComponent.objects.filter(id__in=ids).values("component_id")
    named = list(OfferingComponent.objects.filter(Q(id__in=ids) | Q(id__in=priced)))
    offerings: set[Any] = {component.offering_id for component in named}
    if len(offerings) > 1:
        raise Invalid("Name components of one offering by uuid, or give types.", field="component")
    chosen = tuple(offerings)
    if scope.offering is not None:
        chosen = tuple(set(chosen) & set(scope.offering))
    return replace(scope, component=(*types, *(component.type for component in named)), offering=chosen)
