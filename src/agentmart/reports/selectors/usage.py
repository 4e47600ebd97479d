"""Usage: what was metered by the gateway and reported by people, by component and by one more thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from agentmart.catalog.models import OfferingComponent, PlanComponent
from agentmart.contracts.usage import METERS
from agentmart.kit.errors import Invalid
from agentmart.kit.money import CONTEXT
from agentmart.reports.ranges import Range
from agentmart.reports.selectors.scope import Scope, names, rows

ZERO = Decimal(0)
GROUPS = ("month", "day", "offering", "customer", "project", "resource", "component")

# By group: what an hour's row and a report's row are grouped by, and how that is shown. There are very many rows,
# so that texts are made of the groups' keys and not of every row's.
KEYS = {
    "month": (
        "date_trunc('month', hour AT TIME ZONE 'UTC')::date",
        "date_trunc('month', e.day::timestamp)::date",
        "to_char(key, 'YYYY-MM')",
    ),
    "day": ("(hour AT TIME ZONE 'UTC')::date", "e.day", "to_char(key, 'YYYY-MM-DD')"),
    "component": ("NULL::date", "NULL::date", "type"),
} | {
    kind: (f"{kind}_id", f"u.{kind}_id", "replace(key::text, '-', '')")
    for kind in ("offering", "customer", "project", "resource")
}

# Hourly sums of the gateway and reports of people (differences, each on its day), side by side.
USAGE = """
WITH hours AS (
    SELECT offering_id, {hour_key} AS key,
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
    WHERE m.amount <> 0
    UNION ALL
    SELECT u.offering_id, {report_key}, u.component_type, sum(e.amount)
    FROM metering_component_usage u JOIN metering_component_event e ON e.usage_id = u.id
    WHERE u.month >= %(first_month)s AND u.month <= %(end)s AND e.day BETWEEN %(start)s AND %(end)s
      AND (%(customer)s::uuid[] IS NULL OR u.customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR u.provider_customer_id = ANY(%(provider)s::uuid[]))
      AND (%(offering)s::uuid[] IS NULL OR u.offering_id = ANY(%(offering)s::uuid[]))
      AND (%(plan)s::uuid[] IS NULL OR u.plan_id = ANY(%(plan)s::uuid[]))
      AND (%(project)s::uuid[] IS NULL OR u.project_id = ANY(%(project)s::uuid[]))
      AND (%(resource)s::uuid[] IS NULL OR u.resource_id = ANY(%(resource)s::uuid[]))
    GROUP BY 1, 2, 3
), summed AS (
    SELECT offering_id, type, key, sum(amount) AS amount FROM used
    WHERE %(component)s::text[] IS NULL OR type = ANY(%(component)s::text[])
    GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
), parts AS (
    SELECT offering_id, type, sum(amount) AS usage, array_agg({shown} ORDER BY key) AS keys,
        array_agg(trim_scale(amount)::text ORDER BY key) AS amounts
    FROM summed GROUP BY 1, 2
)
SELECT p.*, COALESCE(o.name, replace(p.offering_id::text, '-', '')) AS offering_name,
    COALESCE(o.country, '') AS country, COALESCE(c.name, p.type) AS name,
    COALESCE(c.measured_unit, '') AS measured_unit
FROM parts p LEFT JOIN catalog_offering o ON o.id = p.offering_id
LEFT JOIN catalog_offering_component c ON c.offering_id = p.offering_id AND c.type = p.type
"""


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """What was used of one component of an offering: in all, and by month or day, customer …

    The parts stand side by side: `keys`, what people call them, and their amounts as text.
    """

    offering_id: UUID
    offering_name: str
    country: str
    type: str
    name: str
    measured_unit: str
    usage: Decimal
    keys: Sequence[str]
    names: Sequence[str]
    amounts: Sequence[str]


def usage(asked: Range, scope: Scope, *, group_by: str) -> list[ComponentUse]:
    """Return what was used in a range, by offering and component; offerings in the order of their names."""
    values = {
        **scope.values(),
        "since": asked.since,
        "until": asked.until,
        "start": asked.start,
        "end": asked.end,
        "first_month": asked.start.replace(day=1),
    }
    hour_key, report_key, shown = KEYS[group_by]
    statement = USAGE.format(hour_key=hour_key, report_key=report_key, shown=shown)
    found = rows(statement, values)
    known = names(group_by, {key for row in found for key in row["keys"]})
    uses = [ComponentUse(**row, names=_names(row["keys"], known)) for row in found]
    return sorted(uses, key=lambda use: (use.offering_name, use.offering_id.hex, use.type))


def _names(keys: Sequence[str], known: Mapping[str, str]) -> Sequence[str]:
    """Return what people call what stands behind the keys: themselves where they have no other name."""
    return [known.get(key, key) for key in keys] if known else keys


def totals(uses: Iterable[ComponentUse]) -> dict[str, Decimal]:
    """Return the sums of what agents are metered by."""
    sums = dict.fromkeys(METERS, ZERO)
    for use in uses:
        if use.type in sums:
            sums[use.type] = CONTEXT.add(sums[use.type], use.usage)
    return sums


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
