"""Which flow runtimes there are, and which an installation has: read alike by web, gateway and worker.

A runtime is one folder of `adapters/runtimes`. Its file `kind.py` says in `KIND` what the rest of the product must
know of it; nothing else names it. The folders are found, not listed.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from agentmart.kit.env import BadSetting, Environment, Setting

FOLDER = "agentmart.adapters.runtimes"


@dataclass(frozen=True, slots=True)
class RuntimeKind:
    """What a runtime's folder says of itself."""

    client: str  # dotted name of the class that is the port, loaded where it is used
    parameters: Callable[[Environment], dict[str, Any] | None]
    """What the class is made from, its keys included; None where the installation has none. Raises BadSetting."""
    settings: tuple[Setting, ...] = ()  # of its own
    needed: tuple[str, ...] = ()  # the settings without which there is none
    elsewhere: bool = True  # a service that is started, and may be away, without us
    places: Callable[[Environment], int] | None = None
    """How many calls a gateway lets it run at once; 0, and without it: any number. Raises BadSetting."""


@cache
def kinds() -> dict[str, RuntimeKind]:
    """Return every runtime that there is, by its folder's name."""
    package = importlib.import_module(FOLDER)
    names = sorted(entry.name for entry in pkgutil.iter_modules(package.__path__) if entry.ispkg)
    found = {}
    for name in names:
        if importlib.util.find_spec(f"{FOLDER}.{name}.kind") is not None:
            found[name] = importlib.import_module(f"{FOLDER}.{name}.kind").KIND
    return found


def runtime_parameters(env: Environment) -> dict[str, dict[str, Any]]:
    """Return kind → parameters of its client, of the runtimes that are set up: `embedded` always is.

    The parameters hold the servers' keys. Raises BadSetting.
    """
    found = {name: kind.parameters(env) for name, kind in kinds().items()}
    return {name: parameters for name, parameters in found.items() if parameters is not None}


def runtime_places(env: Environment) -> dict[str, int]:
    """Return kind → calls that a gateway lets it run at once, where that is bounded; raises BadSetting."""
    found = {name: kind.places(env) for name, kind in kinds().items() if kind.places is not None}
    return {name: places for name, places in found.items() if places}


def runtimes_elsewhere(env: Environment) -> list[str]:
    """Return the kinds that are set up and are not started by us; raises BadSetting."""
    return [name for name in runtime_parameters(env) if kinds()[name].elsewhere]


def new_runtime(env: Environment) -> str:
    """Return the kind that new resources get; raises BadSetting for one that does not exist."""
    kind = env.text("AGENTMART_RUNTIME")
    if kind not in kinds():
        raise BadSetting(f"AGENTMART_RUNTIME must be one of {', '.join(kinds())}, not {kind!r}")
    return kind


def fallback_runtime(env: Environment) -> str:
    """Return the kind that stands in for others, empty where none does; raises BadSetting for one not set up."""
    kind = env.text("AGENTMART_FALLBACK_RUNTIME")
    if kind and kind not in runtime_parameters(env):
        known = (
            f"{name} with {kinds()[name].needed[0]}" if kinds()[name].needed else name for name in kinds()
        )
        raise BadSetting(
            f"AGENTMART_FALLBACK_RUNTIME must be a runtime that is set up ({', or '.join(known)}), not {kind!r}"
        )
    return kind
