"""What must not be done too often is counted by the minute or the day, in the database: all web workers count together.

What is counted is kept as a hash: neither addresses nor the names that somebody tried stand in the table.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import connection, transaction

from agentmart.infra import tenancy
from agentmart.infra.models import LoginAttempts
from agentmart.kit.errors import DomainError

MOST_PASSWORDS = 10
"""Wrong passwords a minute, by address and username."""
MOST_TOKENS = 100
"""Wrong tokens a minute, by address: nobody guesses one, but each costs the database a look."""
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
KEPT = timedelta(hours=1)

_COUNT = """
INSERT INTO infra_login_attempts AS known (id, who_sha256, minute, attempts)
VALUES (gen_random_uuid(), %s, %s, 1)
ON CONFLICT ON CONSTRAINT login_attempts_once DO UPDATE SET attempts = known.attempts + 1
RETURNING attempts
"""


class TooOften(DomainError):
    """Somebody did something too often; they must wait."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, message: str, *, wait: int, code: str | None = None) -> None:
        headers = {"Retry-After": str(wait)}
        super().__init__(message, code=code, extra={"retry_after": wait}, headers=headers)


def attempt(*who: str, most: int, now: datetime, each: timedelta = MINUTE) -> int:
    """Count one attempt of `who` in this minute (or day); returns the seconds they must wait, 0 where it is allowed.

    The row stays locked until the caller's transaction ends, so that attempts at once are counted one by one.
    """
    begin = _begin(now, each)
    with transaction.atomic(), tenancy.elevated(), connection.cursor() as cursor:
        cursor.execute(_COUNT, [_hash(who), begin])
        (attempts,) = cursor.fetchone()
    return -((now - begin - each) // timedelta(seconds=1)) if attempts > most else 0


def forgive(*who: str, now: datetime) -> None:
    """Forget the attempts of `who` in this minute: they got in."""
    with transaction.atomic(), tenancy.elevated():
        LoginAttempts.objects.filter(who_sha256=_hash(who), minute=_begin(now, MINUTE)).delete()


def sweep(*, now: datetime) -> int:
    """Delete the counts of an hour ago and before, but for those of this day; returns how many."""
    over = LoginAttempts.objects.filter(minute__lte=now - KEPT).exclude(minute=_begin(now, DAY))
    deleted, _ = over.delete()
    return deleted


def _hash(who: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(who).encode("utf-8", "surrogatepass")).digest()


def _begin(now: datetime, each: timedelta) -> datetime:
    """Return when this minute or day (UTC) began."""
    minute = now.replace(second=0, microsecond=0)
    return minute if each == MINUTE else minute.replace(hour=0, minute=0)
