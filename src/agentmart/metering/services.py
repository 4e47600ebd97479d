"""Writes: flags on calls whose end is unclear, and partitions for the months ahead."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

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


def sweep_calls(*, now: datetime, older_than: timedelta) -> int:
    """Flag calls that began before now − `older_than` and were never seen delivered; returns how many.

    `undelivered`: metered and billed, but the answer may not have arrived. `abandoned`: died before it was
    metered, nothing is owed.
    """
    with tenancy.as_system("metering.sweep_calls"), connection.cursor() as cursor:
        cursor.execute(SWEEP, {"before": now - older_than, "now": now})
        return int(cursor.rowcount)


@transaction.atomic
def ensure_partitions(*, now: datetime, months_ahead: int = 24) -> list[str]:
    """Create the event table's partitions for this month and the months ahead; returns the new ones.

    Needs the owner's role (migrations run it). Events of a month without partition go to the default one, so
    that nothing is lost; a month that has rows there keeps using it.
    """
    created = []
    with connection.cursor() as cursor:
        for ahead in range(-1, months_ahead + 1):
            first = add_months(month_of(now).start.date(), ahead)
            period = month(first.year, first.month)
            name = f"metering_usage_event_{period.start:%Y_%m}"
            low, high = uuid7_floor(period.start), uuid7_floor(period.end)
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is not None:
                continue
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM metering_usage_event_default WHERE id >= %s AND id < %s)",
                [low, high],
            )
            if cursor.fetchone()[0]:
                continue
            cursor.execute(
                f"CREATE TABLE {name} PARTITION OF metering_usage_event FOR VALUES FROM ('{low}') TO ('{high}')"
            )
            cursor.execute(seal(name))
            created.append(name)
    return created
