"""The desk's tests set the time themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.support.world import NOW

from agentmart.infra import clock


class Time:
    """The installation's clock, standing still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def go(self, **duration: float) -> datetime:
        """Let time pass; the moment it is then."""
        self.now += timedelta(**duration)
        return self.now

    def text(self, **duration: float) -> str:
        """The moment so long after the start of the test, as the API writes it."""
        return f"{NOW + timedelta(**duration):%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock of this test, at `NOW`."""
    standing = Time()
    monkeypatch.setattr(clock, "now", lambda: standing.now)
    return standing
