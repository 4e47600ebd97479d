"""What the gateway knows of a server of shared counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class CountersAway(Exception):
    """The server cannot be reached, does not answer in time, or refuses; what was asked may have been done."""


class ScriptCall(NamedTuple):
    """One run of a script: its name, the keys it touches, its arguments."""

    script: str
    keys: Sequence[str]
    arguments: Sequence[str | int]


class Counters(Protocol):
    """A server that runs scripts one after the other, each as a whole."""

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """Run the scripts in their order, in one round trip; raises CountersAway."""

    async def close(self) -> None:
        """Close the connection."""
