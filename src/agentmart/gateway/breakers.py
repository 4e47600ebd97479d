"""A circuit breaker: whether a runtime is worth asking. Pure; time is passed in, in monotonic seconds.

Closed, it counts the last seconds' calls. Once enough of them failed it opens: calls are refused at once instead of
waiting for what will not come. After a pause it is half open: one call at a time tries; a few good ones close it, a bad
one opens it for twice as long.

Who fails matters, for many providers share a runtime. `bad` is the runtime's own fault (not reachable, silent beyond
the deadline). `suspect` may be one flow's fault (it ran too long, its process died), so suspects count only once flows
of several deployments are among them: no provider's broken flow can shut out the others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum


class State(IntEnum):
    """How a breaker stands; the number is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens and closes; times in seconds."""

    window: int = 10  # the stretch of time that is looked at
    least: int = 5  # of failures in it, before anything happens
    ratio: float = 0.5  # of its calls
    deployments: int = 3  # among the suspects, for them to count
    pause: float = 2.0  # between opening and the first try; doubled by every try that fails
    longest_pause: float = 8.0
    closing: int = 2  # good tries in a row


@dataclass(slots=True)
class _Second:
    number: int
    calls: int = 0
    bad: int = 0
    suspects: int = 0
    suspected: set[str] = field(default_factory=set)


class Breaker:
    """One runtime's breaker: ask `admit` before a call, tell `good`, `bad`, `suspect` or `unknown` after it."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._seconds: deque[_Second] = deque()
        self._opened_until: float | None = None  # None: closed
        self._pause = self._rules.pause
        self._trying = False
        self._tried_well = 0

    def state(self, now: float) -> State:
        """Return how the breaker stands."""
        if self._opened_until is None:
            return State.CLOSED
        return State.OPEN if now < self._opened_until else State.HALF_OPEN

    def would_admit(self, now: float) -> bool:
        """Return whether `admit` would let a call through; takes nothing."""
        until = self._opened_until
        return until is None or (now >= until and not self._trying)

    def retry_after(self, now: float) -> int:
        """Return in how many whole seconds a refused caller may come again: at least one."""
        return max(1, math.ceil((self._opened_until or now) - now))

    def admit(self, now: float) -> bool:
        """Let a call through, or not; half open this takes the only place."""
        if not self.would_admit(now):
            return False
        self._trying = self._opened_until is not None
        return True

    def good(self, now: float) -> None:
        """Note that the runtime answered, be it with a failure of the flow."""
        if self._opened_until is None:
            self._second(now).calls += 1
            return
        if self._trying:
            self._trying = False
            self._tried_well += 1
            if self._tried_well >= self._rules.closing:
                self._close()

    def bad(self, now: float) -> None:
        """Note that the runtime itself failed."""
        if self._opened_until is not None:
            if self._trying:
                self._pause = min(2 * self._pause, self._rules.longest_pause)
                self._open(now)
            return
        second = self._second(now)
        second.calls += 1
        second.bad += 1
        self._judge(now)

    def suspect(self, now: float, deployment: str) -> None:
        """Note a failure that may be the flow's or the runtime's."""
        if self._opened_until is not None:
            self.unknown()
            return
        second = self._second(now)
        second.calls += 1
        second.suspects += 1
        if len(second.suspected) < self._rules.deployments:
            second.suspected.add(deployment)
        self._judge(now)

    def unknown(self) -> None:
        """Note that a call ended without telling anything of the runtime; a try's place is free again."""
        self._trying = False

    def _judge(self, now: float) -> None:
        calls = sum(second.calls for second in self._seconds)
        failed = sum(second.bad for second in self._seconds)
        suspected = set().union(*(second.suspected for second in self._seconds))
        if len(suspected) >= self._rules.deployments:
            failed += sum(second.suspects for second in self._seconds)
        if failed >= self._rules.least and failed >= self._rules.ratio * calls:
            self._pause = self._rules.pause
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened_until = now + self._pause
        self._trying = False
        self._tried_well = 0
        self._seconds.clear()

    def _close(self) -> None:
        self._opened_until = None
        self._tried_well = 0

    def _second(self, now: float) -> _Second:
        number = int(now)
        while self._seconds and self._seconds[0].number <= number - self._rules.window:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]
