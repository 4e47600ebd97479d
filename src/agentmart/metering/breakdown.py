"""Usage by key and by version: out of sums made afterwards, and out of the events of hours that these do not cover.

The gateway writes hourly sums with every call (`UsageHour`); sums by key and version would cost each call more. A job
makes them later (`services.split_hours`). An hour's parts are used only if they add up to its hourly sum: so an answer
is exact at any moment, also for calls that were written late.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from agentmart.access.models import ApiKey
from agentmart.agents.models import FlowVersion
from agentmart.infra import tenancy
from agentmart.metering.selectors import NO_PLAN as NOTHING
from agentmart.metering.selectors import SUMS

GROUPS = {"key": ("key_key", "key_id"), "version": ("version_key", "flow_version_id")}
"""What usage is grouped by: the column of the parts, that of the events."""

_BY_PART = """
WITH whole AS (
    SELECT hour, sum(events) AS events FROM metering_usage_hour
    WHERE resource_id = %(resource)s AND hour >= %(start)s AND hour < %(end)s GROUP BY hour
), split AS (
    SELECT hour, sum(events) AS events FROM metering_usage_part
    WHERE resource_id = %(resource)s AND hour >= %(start)s AND hour < %(end)s GROUP BY hour
), unsplit AS MATERIALIZED (
    SELECT whole.hour, metering_first_id(whole.hour) AS low, metering_first_id(whole.hour + interval '1 hour') AS high
    FROM whole LEFT JOIN split USING (hour) WHERE whole.events IS DISTINCT FROM split.events
), rows AS (
    SELECT part.hour, part.{part} AS part, part.events, part.errors, part.requests, part.input_tokens,
        part.output_tokens
    FROM metering_usage_part part
    WHERE part.resource_id = %(resource)s AND part.hour >= %(start)s AND part.hour < %(end)s
    AND part.hour NOT IN (SELECT hour FROM unsplit)
    UNION ALL
    SELECT unsplit.hour, coalesce(event.{event}, %(nothing)s), count(*), count(*) FILTER (WHERE event.failed),
        sum(event.requests), sum(event.input_tokens), sum(event.output_tokens)
    FROM unsplit CROSS JOIN LATERAL (
        SELECT {event}, status IN ('error', 'timeout') AS failed, requests, input_tokens, output_tokens
        FROM metering_usage_event
        WHERE resource_id = %(resource)s AND id >= unsplit.low AND id < unsplit.high OFFSET 0
    ) event
    GROUP BY 1, 2
)
SELECT date_trunc(%(granularity)s, hour, 'UTC') AS at, part, sum(events)::bigint, sum(errors)::bigint,
    sum(requests)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint
FROM rows GROUP BY 1, 2 ORDER BY 1, 2
"""
"""OFFSET 0 has each hour's events found by the index; joined any other way, all events meet all hours."""


def series_by(
    group: str, resource_id: UUID, start: datetime, end: datetime, granularity: str
) -> list[dict[str, Any]]:
    """Return a resource's sums in [start, end) per hour, day or month (UTC) and key or version, oldest first.

    `part` is the id of the key or version, None for calls without one. For resources that the caller may see.
    """
    part, event = GROUPS[group]
    values: dict[str, Any] = {
        "resource": resource_id,
        "start": start,
        "end": end,
        "granularity": granularity,
        "nothing": NOTHING,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BY_PART.format(part=part, event=event), values)
        rows = cursor.fetchall()
    return [
        {"at": at, "part": None if found == NOTHING else found, **dict(zip(SUMS, sums, strict=True))}
        for at, found, *sums in rows
    ]


def totals_by_part(series: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sums of a series by key or version, the most requests first."""
    found: dict[UUID | None, dict[str, Any]] = {}
    for row in series:
        sums = found.setdefault(row["part"], {"part": row["part"], **dict.fromkeys(SUMS, 0)})
        for name in SUMS:
            sums[name] += row[name]
    return sorted(found.values(), key=lambda sums: (-sums["requests"], str(sums["part"])))


def key_names(ids: Collection[UUID | None]) -> dict[UUID, dict[str, str]]:
    """Return name and first and last characters of the keys among those that the reader's tenants have."""
    rows = ApiKey.objects.filter(pk__in=[one for one in ids if one is not None])
    return {
        uuid: {"name": name, "prefix": prefix, "last4": last4}
        for uuid, name, prefix, last4 in rows.values_list("id", "name", "prefix", "last4")
    }


def version_numbers(ids: Collection[UUID | None]) -> dict[UUID, int]:
    """Return the numbers of flow versions, whose rows are their provider's."""
    with tenancy.elevated():
        rows = FlowVersion.objects.filter(pk__in=[one for one in ids if one is not None])
        return dict(rows.values_list("id", "version"))
