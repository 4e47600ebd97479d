"""Attempts to log in are counted by the minute, in the database, so that all web workers count together.

What is counted is kept as a hash: neither addresses nor the names that somebody tried stand in the table.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import connection, transaction

from agentmart.infra import tenancy
from agentmart.infra.models import LoginAttempts

MOST_PASSWORDS = 10
"""Wrong passwords a minute, by address and username."""
MOST_TOKENS = 100
"""Wrong tokens a minute, by address: nobody guesses one, but each costs the database a look."""
KEPT = timedelta(hours=1)

_COUNT = """
INSERT INTO infra_login_attempts AS known (id, who_sha256, minute, attempts)
VALUES (gen_random_uuid(), %s, %s, 1)
ON CONFLICT ON CONSTRAINT login_attempts_once DO UPDATE SET attempts = known.attempts + 1
RETURNING attempts
"""


def attempt(*who: str, most: int, now: datetime) -> int:
    """Count one attempt of `who`; returns how many seconds they must wait, 0 where this one is allowed.

    The row stays locked until the caller's transaction ends, so that attempts at once are counted one by one.
    """
    with transaction.atomic(), tenancy.elevated(), connection.cursor() as cursor:
        cursor.execute(_COUNT, [_hash(who), _minute(now)])
        (attempts,) = cursor.fetchone()
    return 60 - now.second if attempts > most else 0


def forgive(*who: str, now: datetime) -> None:
    """Forget the attempts of `who` in this minute: they got in."""
    with transaction.atomic(), tenancy.elevated():
        LoginAttempts.objects.filter(who_sha256=_hash(who), minute=_minute(now)).delete()


def sweep(*, now: datetime) -> int:
    """Delete the counts of an hour ago and before; returns how many."""
    deleted, _ = LoginAttempts.objects.filter(minute__lte=now - KEPT).delete()
    return deleted


def _hash(who: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(who).encode("utf-8", "surrogatepass")).digest()


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)
