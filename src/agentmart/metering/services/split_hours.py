"""Writes: the sums by key and version of hours that are over, made from their events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentmart.infra import tenancy
from agentmart.metering.selectors import NO_PLAN

MOST = 20_000
"""Hours of one resource each that one run makes; the next one goes on."""

SPLIT = """
WITH whole AS (
    SELECT resource_id, hour, sum(events) AS events FROM metering_usage_hour
    WHERE hour >= %(since)s AND hour < %(until)s GROUP BY resource_id, hour
), split AS (
    SELECT resource_id, hour, sum(events) AS events FROM metering_usage_part
    WHERE hour >= %(since)s AND hour < %(until)s GROUP BY resource_id, hour
), behind AS MATERIALIZED (
    SELECT whole.resource_id, whole.hour, metering_first_id(whole.hour) AS low,
        metering_first_id(whole.hour + interval '1 hour') AS high
    FROM whole LEFT JOIN split USING (resource_id, hour)
    WHERE whole.events IS DISTINCT FROM split.events ORDER BY whole.hour LIMIT %(most)s
), made AS (
    INSERT INTO metering_usage_part (resource_id, hour, key_key, version_key, customer_id, provider_customer_id,
        events, errors, requests, input_tokens, output_tokens)
    SELECT behind.resource_id, behind.hour, coalesce(event.key_id, %(nothing)s),
        coalesce(event.flow_version_id, %(nothing)s), (array_agg(event.customer_id))[1],
        (array_agg(event.provider_customer_id))[1], count(*),
        count(*) FILTER (WHERE event.status IN ('error', 'timeout')), sum(event.requests),
        sum(event.input_tokens), sum(event.output_tokens)
    FROM behind CROSS JOIN LATERAL (
        SELECT * FROM metering_usage_event
        WHERE resource_id = behind.resource_id AND id >= behind.low AND id < behind.high OFFSET 0
    ) event
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (resource_id, hour, key_key, version_key) DO UPDATE SET events = excluded.events,
        errors = excluded.errors, requests = excluded.requests, input_tokens = excluded.input_tokens,
        output_tokens = excluded.output_tokens
)
SELECT count(*) FROM behind
"""


def split_hours(*, now: datetime, back: timedelta) -> int:
    """Make the parts of the hours of the last `back` that are over and do not add up yet; returns how many.

    Events are only ever added, so parts only grow. Safe to run at any time, and twice.
    """
    until = now.replace(minute=0, second=0, microsecond=0)
    with tenancy.as_system("metering.split_hours"), connection.cursor() as cursor:
        values: dict[str, Any] = {"since": until - back, "until": until, "most": MOST, "nothing": NO_PLAN}
        cursor.execute(SPLIT, values)
        return int(cursor.fetchone()[0])
