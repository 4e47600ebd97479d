"""Identifiers: random UUIDs for rows, time-ordered UUIDv7 for calls and events."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def new_id() -> UUID:
    """Return a random UUIDv4."""
    return uuid4()


def uuid7(now: datetime) -> UUID:
    """Return a UUIDv7 of the given moment: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562 §5.7)."""
    return UUID(bytes=uuid7_bytes(now))


def uuid7_bytes(now: datetime) -> bytes:
    """Return the bytes of a UUIDv7."""
    millis = (now - _EPOCH) // _MILLISECOND
    random = int.from_bytes(os.urandom(10), "big")
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random & 0xFFF) << 64
    return (value | 0b10 << 62 | random >> 12 & 0x3FFF_FFFF_FFFF_FFFF).to_bytes(16, "big")


def uuid7_floor(moment: datetime) -> UUID:
    """Return the smallest id a UUIDv7 of `moment` can have; the bound of a time-partitioned table."""
    millis = (moment - _EPOCH) // _MILLISECOND
    return UUID(int=(millis & 0xFFFF_FFFF_FFFF) << 80)


def uuid7_time(value: UUID) -> datetime:
    """Return the moment (UTC, milliseconds) that a UUIDv7 was made for."""
    return datetime.fromtimestamp((value.int >> 80) / 1000, tz=UTC)
