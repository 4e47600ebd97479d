"""What jobs do for keys: answers only kept for a day, and when a key was last used."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from agentmart.access.models import IdempotentCall
from agentmart.contracts.tables import USAGE_EVENT
from agentmart.infra import tenancy
from agentmart.kit.ids import uuid7_floor

LOOK_BACK = timedelta(minutes=3)
"""How far back the job, which runs each minute, looks for calls."""

# By the events' primary key, whose first half is the time of the call: no call is made slower by this.
_NOTE_USES = f"""
UPDATE access_api_key held SET last_used_at = used.last
FROM (
    SELECT key_id, max(occurred_at) AS last FROM {USAGE_EVENT}
    WHERE id >= %s AND id < %s AND key_id IS NOT NULL GROUP BY key_id
) AS used
WHERE held.id = used.key_id AND (held.last_used_at IS NULL OR held.last_used_at < used.last)
"""  # noqa: S608  names of tables


def sweep_idempotent_calls(*, now: datetime) -> int:
    """Delete calls whose idempotency key may be used again; returns how many. Calls under way are not among them."""
    with tenancy.as_system("access.sweep_idempotent_calls"):
        deleted, _ = IdempotentCall.objects.filter(expires_at__lte=now).delete()
    return deleted


@transaction.atomic
def note_uses(*, now: datetime) -> int:
    """Write down when keys were last used, from the calls of the last minutes; returns how many keys."""
    with tenancy.as_system("access.note_uses"), connection.cursor() as cursor:
        cursor.execute(_NOTE_USES, [uuid7_floor(now - LOOK_BACK), uuid7_floor(now + LOOK_BACK)])
        return int(cursor.rowcount)
