"""Alarms that hardly ever ring: what guards every call must cost next to nothing to set and to take back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

GRAIN = 0.5
"""Seconds between two looks at the alarms that are further away than that."""


class Alarm:
    """Rings once, unless it is taken back before."""

    __slots__ = ("_far", "_ring", "_timer", "due")

    def __init__(self, due: float, ring: Callable[[], None], far: dict[Alarm, None]) -> None:
        self.due = due
        self._ring = ring
        self._far = far
        self._timer: asyncio.TimerHandle | None = None

    def set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop ring it."""
        self._timer = loop.call_at(self.due, self._ring)

    def cancel(self) -> None:
        """Take it back; once it has rung, nothing happens."""
        if self._timer is not None:
            self._timer.cancel()
        else:
            self._far.pop(self, None)


class Alarms:
    """The alarms of one event loop: only one that is due soon gets a timer of its own, so they ring in time.

    A timer of the event loop costs several microseconds, this a fraction of one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._far: dict[Alarm, None] = {}
        self._next_look = 0.0  # when the far ones are looked at again; nobody looks while there are none
        self._looking = False

    def at(self, due: float, ring: Callable[[], None]) -> Alarm:
        """Return an alarm that will ring at a moment of the loop's own clock."""
        alarm = Alarm(due, ring, self._far)
        if not self._looking:
            self._look_later()
        if due < self._next_look:
            alarm.set_timer(self._loop)
        else:
            self._far[alarm] = None
        return alarm

    def _look_later(self) -> None:
        self._looking = True
        self._next_look = self._loop.time() + GRAIN
        self._loop.call_at(self._next_look, self._look)

    def _look(self) -> None:
        if not self._far:
            self._looking = False
            return
        self._look_later()
        for alarm in [alarm for alarm in self._far if alarm.due < self._next_look]:
            del self._far[alarm]
            alarm.set_timer(self._loop)


_alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, Alarms] = WeakKeyDictionary()


def alarms_of(loop: asyncio.AbstractEventLoop) -> Alarms:
    """Return the loop's alarms."""
    found = _alarms.get(loop)
    if found is None:
        found = _alarms[loop] = Alarms(loop)
    return found
