"""Identifiers: random UUIDs for rows, time-ordered UUIDv7 for calls and events."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def new_id() -> UUID:
    """Return a random UUIDv4."""
    return uuid4()


def uuid7(now: datetime) -> UUID:
    """Return a UUIDv7 of the given moment: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562 §5.7)."""
    millis = (now - _EPOCH) // _MILLISECOND
    value = (millis & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= secrets.randbits(12) << 64
    value |= 0b10 << 62
    value |= secrets.randbits(62)
    return UUID(int=value)


def uuid7_floor(moment: datetime) -> UUID:
    """Return the smallest id a UUIDv7 of `moment` can have; the bound of a time-partitioned table."""
    millis = (moment - _EPOCH) // _MILLISECOND
    return UUID(int=(millis & 0xFFFF_FFFF_FFFF) << 80)


def uuid7_time(value: UUID) -> datetime:
    """Return the moment (UTC, milliseconds) that a UUIDv7 was made for."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)
