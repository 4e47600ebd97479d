"""Who gets a child, and when; with children that are none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any, cast

import pytest

from agentmart.adapters.runtimes import RuntimeFailure
from agentmart.adapters.runtimes.embedded.pools import Nursery, Pool, PoolLimits
from agentmart.adapters.runtimes.embedded.settings import ModelEndpoint, RuntimeSettings


class NoChild:
    """As much of a child as a pool looks at."""

    alive = True
    retiring = False
    leases = 0
    runs = 0
    idle_since = 0.0

    def holds(self, key: str) -> bool:
        """Hold nothing."""
        return False

    def kill(self) -> None:
        """End."""
        self.alive = False


class NoNursery:
    """Makes children when told to."""

    def __init__(self) -> None:
        self.settings = RuntimeSettings(Path(), Path(), Path(), ModelEndpoint("http://model/v1", ""))
        self.ready = asyncio.Event()

    async def make(self, *, custom: bool) -> Any:
        """Return a child, once there may be one."""
        await self.ready.wait()
        return NoChild()

    def serve(self, child: Any, pool: Pool) -> None:
        """Nothing to do."""


async def _pool(places: int) -> tuple[Pool, asyncio.Event]:
    nursery = NoNursery()
    return Pool(cast(Nursery, nursery), PoolLimits(1, 1, places), custom=False), nursery.ready


async def test_a_new_child_serves_as_many_waiting_runs_as_it_has_places() -> None:
    pool, ready = await _pool(places=3)
    running, done = 0, asyncio.Event()

    async def run() -> None:
        nonlocal running
        async with pool.lease("key", time.monotonic() + 20):
            running += 1
            await done.wait()

    async with asyncio.TaskGroup() as runs:
        for _ in range(3):
            runs.create_task(run())
        await asyncio.sleep(0)
        ready.set()
        async with asyncio.timeout(5):
            while running < 3:
                await asyncio.sleep(0)
        done.set()


async def test_whoever_gives_up_just_when_woken_passes_the_turn_on() -> None:
    pool, ready = await _pool(places=1)
    ready.set()
    first, second, third = (pool.lease("key", time.monotonic() + 20) for _ in range(3))
    await first.__aenter__()
    waiting = [asyncio.create_task(lease.__aenter__()) for lease in (second, third)]
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)  # wakes the second,
    waiting[0].cancel()  # who has left
    with contextlib.suppress(asyncio.CancelledError):
        await waiting[0]
    async with asyncio.timeout(5):
        await waiting[1]


async def test_no_room_in_time_is_busy() -> None:
    pool, _ = await _pool(places=1)
    with pytest.raises(RuntimeFailure) as caught:
        async with pool.lease("key", time.monotonic()):
            pass
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
