"""Writes: flags on calls whose end is unclear, and partitions for the months ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from agentmart.infra import tenancy
from agentmart.infra.rls import seal
from agentmart.kit.ids import uuid7_floor
from agentmart.kit.periods import add_months, month, month_of

SWEEP = """
WITH stale AS (
    DELETE FROM metering_call_started WHERE started_at < %(before)s RETURNING *
)
INSERT INTO metering_call_flag
    (call_id, customer_id, provider_customer_id, resource_id, key_id, started_at, flagged_at, outcome)
SELECT s.call_id, s.customer_id, s.provider_customer_id, s.resource_id, s.key_id, s.started_at, %(now)s,
       CASE WHEN e.id IS NULL THEN 'abandoned' ELSE 'undelivered' END
FROM stale s LEFT JOIN metering_usage_event e ON e.id = s.call_id
ON CONFLICT (call_id) DO NOTHING
"""

# A call can outlast the sweeper's patience, or its event waits in a gateway's spool while the database is away.
METERED_AFTER_ALL = """
UPDATE metering_call_flag f SET outcome = 'undelivered' FROM metering_usage_event e
WHERE e.id = f.call_id AND f.outcome = 'abandoned' AND f.started_at >= %(since)s
"""
LATEST_EVENT = timedelta(days=35)


def sweep_calls(*, now: datetime, older_than: timedelta) -> int:
    """Flag calls that began before now − `older_than` and were never seen delivered; returns how many.

    `undelivered`: metered and billed, but the answer may not have arrived. `abandoned`: died before it was
    metered, nothing is owed; should its event arrive after all, it becomes `undelivered`.
    """
    with tenancy.as_system("metering.sweep_calls"), connection.cursor() as cursor:
        cursor.execute(SWEEP, {"before": now - older_than, "now": now})
        flagged = int(cursor.rowcount)
        cursor.execute(METERED_AFTER_ALL, {"since": now - LATEST_EVENT})
        return flagged


def ensure_partitions(*, now: datetime, months_ahead: int = 24) -> list[str]:
    """Create the event table's partitions for this month and the months ahead; returns the new ones.

    Needs the owner's role (migrations run it). Events of a month without partition go to the default one, so
    that nothing is lost; a month that has rows there keeps using it. No partition can be emptied.
    """
    created = []
    with tenancy.as_system("metering.ensure_partitions"), connection.cursor() as cursor:
        for ahead in range(-1, months_ahead + 1):
            first = add_months(month_of(now).start.date(), ahead)
            period = month(first.year, first.month)
            name = f"metering_usage_event_{period.start:%Y_%m}"
            low, high = uuid7_floor(period.start), uuid7_floor(period.end)
            if not _exists(cursor, name):
                if _has_events(cursor, low, high):
                    continue
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF metering_usage_event FOR VALUES FROM ('{low}') TO ('{high}')"
                )
                cursor.execute(seal(name))
                created.append(name)
            # PostgreSQL passes triggers for rows on to partitions, but not those for TRUNCATE.
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION agentmart_refuse_change()"
            )
    return created


def _exists(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
    return bool(cursor.fetchone()[0])


def _has_events(cursor: Any, low: UUID, high: UUID) -> bool:
    """Whether there are events of these ids; asked of the whole table, for partitions show no rows to anybody."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM metering_usage_event WHERE id >= %s AND id < %s)", [low, high]
    )
    return bool(cursor.fetchone()[0])
