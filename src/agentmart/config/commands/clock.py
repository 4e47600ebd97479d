"""Reading moments and durations as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d+)([dhms])")


def moment(text: str) -> datetime:
    """Return an RFC 3339 moment in UTC; raises ValueError where the text is none or has no offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a moment such as 2026-01-31T23:59:00Z") from None
    if read.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; append Z for UTC")
    return read.astimezone(UTC)


def duration(text: str) -> timedelta:
    """Return a duration such as 30d or 1d12h; raises ValueError."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 30d, 12h, 45m, 10s or 1d12h")
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in parts})
