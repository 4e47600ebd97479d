"""Load shedding: calls are refused once others wait too long to begin. Pure; time is passed in, in monotonic seconds.

What is watched is one thing: how long the oldest of the calls that were let in has waited for its run to begin. That
wait holds whatever is short, be it the processor, the database or the disk. A burst may make calls wait; only a
wait that stays beyond the bound for as long again is a queue that does not drain (the thought behind CoDel). From
then on newcomers are refused until the wait is within the bound again: those inside are served in time, and those
outside know at once.
"""

from __future__ import annotations

from agentmart.gateway.errors import Unavailable

RETRY_AFTER = 2


class Overloaded(Unavailable):
    """More calls come than the gateway can begin in time; nothing was run and nothing is owed."""

    def __init__(self) -> None:
        super().__init__(
            "The service has more calls than it can begin in time. Try again shortly.",
            reason="overloaded",
            retry_after=RETRY_AFTER,
        )


class Shedder:
    """The calls that wait to begin. `bound` is the longest wait in seconds that is nothing to speak of; 0: any."""

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._waiting: dict[object, float] = {}  # in the order of arrival
        self._above_since: float | None = None
        self.shed = 0

    def check(self, now: float) -> None:
        """Raise Overloaded if a call that comes now should be refused."""
        if not self._bound:
            return
        self._look(now)
        if self._above_since is not None and now - self._above_since >= self._bound:
            self.shed += 1
            raise Overloaded

    def enter(self, call: object, now: float) -> None:
        """Note that a call was let in and waits for its run to begin."""
        self._waiting[call] = now

    def leave(self, call: object, now: float) -> None:
        """Note that a call's run has begun, or that it will not."""
        self._look(now)
        self._waiting.pop(call, None)
        if self._above_since is not None:
            self._look(now)

    def wait(self, now: float) -> float:
        """Return how long the oldest waiting call has waited, in seconds."""
        for since in self._waiting.values():
            return now - since
        return 0.0

    def _look(self, now: float) -> None:
        waited = self.wait(now)
        if waited <= self._bound:
            self._above_since = None
        elif self._above_since is None:
            self._above_since = now - (waited - self._bound)
