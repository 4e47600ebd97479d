"""The check behind every state table: a transition that is not listed does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from agentmart.kit.errors import Conflict

S = TypeVar("S", bound=str)


class IllegalTransition(Conflict):
    """The row is not in a state from which the operation is possible."""

    code = "wrong_state"


def sources_of(transitions: Mapping[S, frozenset[S]], target: S) -> tuple[S, ...]:
    """Return the states from which `target` can be reached, in table order."""
    return tuple(state for state, targets in transitions.items() if target in targets)


def check_transition(transitions: Mapping[S, frozenset[S]], state: S, target: S) -> None:
    """Raise IllegalTransition (409, names the valid states) unless `state` → `target` is listed."""
    if target not in transitions.get(state, frozenset()):
        valid = ", ".join(source for source, targets in transitions.items() if target in targets) or "none"
        raise IllegalTransition(f"Valid states for operation: {valid}.", extra={"state": str(state)})
