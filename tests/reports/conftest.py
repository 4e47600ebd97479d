"""A clock that tests set, and the cast at that time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.reports.support import At
from tests.support.world import World, make_world

from agentmart.infra import clock


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the clock of requests; it starts on 1 April 2026, when March's grace has passed."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    set_clock(datetime(2026, 4, 1, 2, tzinfo=UTC))
    return set_clock


@pytest.fixture
def world(db: None, at: At) -> World:
    return make_world()
