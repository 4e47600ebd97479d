"""The installation's clock, read at the edge (API, job entry) and passed on as `now`."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from agentmart.kit.clock import Clock, OffsetClock, SystemClock


def installed() -> Clock:
    """Return the clock that settings choose: the machine's, or the development clock with an offset."""
    return OffsetClock(settings.DEV_CLOCK_FILE) if settings.DEV_CLOCK else SystemClock()


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return installed().now()
