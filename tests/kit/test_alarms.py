"""Alarms ring once and in time, near or far; what was taken back does not ring, and nobody looks for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from agentmart.kit.alarms import GRAIN, Alarms, alarms_of


class Handle:
    def __init__(self, due: float, ring: Callable[[], None]) -> None:
        self.due, self.ring, self.cancelled = due, ring, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.handles: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, ring: Callable[[], None]) -> Handle:
        self.handles.append(Handle(due, ring))
        return self.handles[-1]

    def pass_until(self, moment: float) -> None:
        while True:
            due = [handle for handle in self.handles if not handle.cancelled and handle.due <= moment]
            if not due:
                break
            first = min(due, key=lambda handle: handle.due)
            self.handles.remove(first)
            self.now = max(self.now, first.due)
            first.ring()
        self.now = moment

    @property
    def open(self) -> list[Handle]:
        return [handle for handle in self.handles if not handle.cancelled]


def made() -> tuple[Loop, Alarms, list[tuple[str, float]]]:
    loop = Loop()
    return loop, Alarms(cast(Any, loop)), []


def test_near_and_far_alarms_ring_at_their_moment() -> None:
    loop, alarms, rung = made()
    for name, after in (("near", GRAIN / 4), ("next", GRAIN * 1.5), ("far", 30.0), ("past", -1.0)):
        alarms.at(loop.now + after, lambda name=name: rung.append((name, loop.now)))  # type: ignore[misc]
    loop.pass_until(200.0)
    assert rung == [("past", 100.0), ("near", 100 + GRAIN / 4), ("next", 100 + GRAIN * 1.5), ("far", 130.0)]
    assert loop.open == []  # and nobody looks any more


def test_what_is_taken_back_does_not_ring() -> None:
    loop, alarms, rung = made()
    far = alarms.at(130.0, lambda: rung.append(("far", loop.now)))
    near = alarms.at(100.1, lambda: rung.append(("near", loop.now)))
    late = alarms.at(130.0, lambda: rung.append(("late", loop.now)))
    far.cancel()
    near.cancel()
    loop.pass_until(129.9)
    late.cancel()  # has a timer of its own by now
    loop.pass_until(200.0)
    assert rung == []
    assert loop.open == []


def test_many_far_alarms_need_one_timer() -> None:
    loop, alarms, _ = made()
    found = [alarms.at(160.0, lambda: None) for _ in range(1000)]
    assert len(loop.open) == 1
    loop.pass_until(120.0)
    assert len(loop.open) == 1
    for alarm in found:
        alarm.cancel()
    loop.pass_until(121.0)
    assert loop.open == []
    rung: list[float] = []
    alarms.at(121.2, lambda: rung.append(loop.now))  # after a pause they go on
    alarms.at(140.0, lambda: rung.append(loop.now))
    loop.pass_until(150.0)
    assert rung == [121.2, 140.0]


async def test_a_loop_has_its_own() -> None:
    loop = asyncio.get_running_loop()
    assert alarms_of(loop) is alarms_of(loop)
    rung = asyncio.Event()
    alarms_of(loop).at(loop.time(), rung.set)
    await rung.wait()
