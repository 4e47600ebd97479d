"""A gateway on a migrated database, with a scripted runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.gateway.listening import Served, listening
from tests.gateway.support import ScriptedRuntime, StillClock, Store, World, settings_for

from agentmart.config.database import DatabaseUrls
from agentmart.gateway.app import create_app


@pytest.fixture
async def store(fresh_database: DatabaseUrls) -> Store:
    """The test's own hand in the gateway's database."""
    return Store(fresh_database)


@pytest.fixture
async def world(fresh_database: DatabaseUrls, store: Store, tmp_path: Path) -> AsyncIterator[World]:
    """A running gateway; calls go in by ASGI without a socket."""
    settings = settings_for(fresh_database, tmp_path)
    runtime = ScriptedRuntime()
    app = create_app(settings, runtimes={"scripted": runtime})
    await app.startup()
    clock = settings.clock
    assert isinstance(clock, StillClock)
    yield World(app, runtime, store, clock, settings)
    runtime.release.set()
    await app.shutdown()


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    """The same on a port."""
    async with listening(world) as served:
        yield served
