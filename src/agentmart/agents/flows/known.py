"""The allow-list of component sources and what the pinned runtime can build, read from data files."""

from __future__ import annotations

import functools
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

EXTENSION_TYPE = re.compile(r"^ext:[^:]+:(?P<name>[^@]+)@.+$")
ORIGINS = {"m": "source", "i": "index", "s": "starter"}


@dataclass(frozen=True, slots=True)
class KnownSource:
    """One published component source: every name it goes by, and where it was seen."""

    names: tuple[str, ...]
    module: str
    releases: str
    origin: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownComponents:
    """Lookups by hash, by name and by module; `types` maps a runtime's component type to its dotted class."""

    sources: Mapping[str, list[Any]]
    releases: tuple[str, ...]
    modules: tuple[str, ...]
    module_names: frozenset[str]
    names: frozenset[str]
    types: Mapping[str, str]
    runtime_hints: Mapping[str, frozenset[str]]  # class of the runtime → what its source reaches for
    aliases: Mapping[str, str]
    model_types: frozenset[str]  # types of the runtime whose model is one selection field
    runtime: str  # "lfx 1.13.0"
    capabilities: Mapping[str, Mapping[str, str]]
    ignored: Mapping[str, frozenset[str]]
    reasons: Mapping[str, str]
    permission: frozenset[str]  # capabilities that need the operator's permission

    def source(self, sha256: str) -> KnownSource | None:
        """Return what is known of a source by the full SHA-256 of its UTF-8 text."""
        row = self.sources.get(sha256)
        if row is None:
            return None
        names, modules, ranges, origins, hints = row
        origin = next((word for letter, word in ORIGINS.items() if letter in origins), "")
        module = self.modules[modules[-1]] if modules else ""
        return KnownSource(tuple(names), module, self._release_text(ranges), origin, tuple(hints))

    def runtime_type(self, claimed: str) -> str:
        """Return the runtime's component for a node's type, found as the runtime finds it; "" where it has none."""
        return claimed if claimed in self.types else self.aliases.get(claimed, "")

    def capabilities_of(self, source: KnownSource, runtime_type: str) -> dict[str, str]:
        """Return capability → reason of a known node: of its source, and of the component that runs in its place."""
        found = self._reviewed(source.names, source.hints)
        if runtime_type:
            names = (runtime_type, self.types[runtime_type].rpartition(".")[2])
            found |= self._reviewed(names, self.runtime_hints.get(names[1], ()))
        return found

    def _reviewed(self, names: tuple[str, ...], hints: Iterable[str]) -> dict[str, str]:
        """Reviewed entries first, then what the source was seen to reach for."""
        found: dict[str, str] = {}
        for name in names:
            found.update(self.capabilities.get(name, {}))
        for hint in hints:
            if not any(hint in self.ignored.get(name, frozenset()) for name in names):
                found.setdefault(hint, self.reasons[hint])
        return found

    def _release_text(self, ranges: list[int]) -> str:
        parts = []
        for first, last in zip(ranges[::2], ranges[1::2], strict=True):
            # One run of neighbours may cross from one package into the next.
            run = self.releases[first : last + 1]
            for package in dict.fromkeys(release.split()[0] for release in run):
                versions = [release.split()[1] for release in run if release.split()[0] == package]
                span = versions[0] if len(versions) == 1 else f"{versions[0]}-{versions[-1]}"
                parts.append(f"{package} {span}")
        return ", ".join(parts)


def plain_type(claimed: str) -> str:
    """Return the class name of an extension type (`ext:bundle:Class@slot`), else the type itself."""
    match = EXTENSION_TYPE.match(claimed)
    return match["name"] if match else claimed


@functools.cache
def load_known() -> KnownComponents:
    """Read the data files once per process."""
    folder = files(__package__) / "data"
    known = json.loads(gzip.decompress((folder / "known.json.gz").read_bytes()))
    available = json.loads((folder / "available.json").read_text("utf-8"))
    reviewed = json.loads((folder / "capabilities.json").read_text("utf-8"))
    return KnownComponents(
        sources=known["sources"],
        releases=tuple(known["releases"]),
        modules=tuple(known["modules"]),
        module_names=frozenset(known["modules"]),
        names=frozenset(name for row in known["sources"].values() for name in row[0]),
        types=available["types"],
        runtime_hints=_runtime_hints(known, available),
        aliases=available["aliases"],
        model_types=frozenset(available["model_types"]),
        runtime=f"lfx {available['lfx']}",
        capabilities=reviewed["components"],
        ignored={name: frozenset(hints) for name, hints in reviewed["ignore"].items()},
        reasons=reviewed["reasons"],
        permission=frozenset(reviewed["permission"]),
    )


def _runtime_hints(known: dict[str, Any], available: dict[str, Any]) -> dict[str, frozenset[str]]:
    releases = {f"{package} {version}" for package, version in available["packages"].items()}
    places = {index for index, release in enumerate(known["releases"]) if release in releases}
    hints: dict[str, frozenset[str]] = {}
    for names, _modules, ranges, _origins, found in known["sources"].values():
        runs = zip(ranges[::2], ranges[1::2], strict=True)
        if found and any(first <= place <= last for first, last in runs for place in places):
            hints |= {name: hints.get(name, frozenset()) | frozenset(found) for name in names}
    return hints
