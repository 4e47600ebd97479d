"""The runtimes of a gateway: which is asked for a run, and which next where the run cannot have begun.

A run is asked for again only if its runtime says that it cannot have begun; nobody is ever billed, and nothing ever
done, twice. First the same runtime once more where the connection was at fault, then the runtime that stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

from agentmart.adapters.runtimes import Runtime, RuntimeFailure
from agentmart.gateway.breakers import Breaker, State
from agentmart.gateway.errors import Unavailable

AGAIN = frozenset({"unreachable"})
"""Failures after which the same runtime is asked once more: the next connection may work."""
RUNTIMES_FAULT = frozenset({"unreachable"})
MAYBE_RUNTIMES_FAULT = frozenset({"crashed", "timeout"})


@dataclass(slots=True)
class Upstream:
    """One runtime and its breaker."""

    name: str
    runtime: Runtime
    breaker: Breaker = field(default_factory=Breaker)

    def failed(self, failure: RuntimeFailure, deployment: str) -> None:
        """Tell the breaker how a run failed."""
        if failure.code in RUNTIMES_FAULT:
            self.breaker.bad(monotonic())
        elif failure.code in MAYBE_RUNTIMES_FAULT:
            self.breaker.suspect(monotonic(), deployment)
        else:
            self.breaker.good(monotonic())


class Upstreams:
    """All runtimes by name. `stands_in` names, for a runtime, the one that runs its deployments too."""

    def __init__(self, runtimes: Mapping[str, Runtime], stands_in: Mapping[str, str]) -> None:
        self._all = {name: Upstream(name, runtime) for name, runtime in runtimes.items()}
        self._candidates = {name: self._asked_for(name, stands_in.get(name)) for name in self._all}

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._all.values())

    def state(self, name: str) -> State:
        """Return how a runtime's breaker stands."""
        return self._all[name].breaker.state(monotonic())

    def check(self, name: str) -> None:
        """Raise Unavailable for a runtime this gateway does not have, or while no breaker lets a call through."""
        candidates = self._candidates.get(name, ())
        now = monotonic()
        for upstream in candidates:
            if upstream.breaker.would_admit(now):
                return
        if not candidates:
            raise Unavailable
        raise Unavailable(
            "The agent's runtime does not answer at present. Try again shortly.",
            reason="circuit_open",
            retry_after=min(upstream.breaker.retry_after(now) for upstream in candidates),
        )

    def admitted(self, name: str) -> Iterator[Upstream]:
        """Yield the runtimes to be asked for a run, one after the other; each must be told how it went."""
        for upstream in self._candidates.get(name, ()):
            if upstream.breaker.admit(monotonic()):
                yield upstream

    def _asked_for(self, name: str, other: str | None) -> tuple[Upstream, ...]:
        if other is None or other == name or other not in self._all:
            return (self._all[name],)
        return self._all[name], self._all[other]
