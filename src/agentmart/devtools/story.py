"""Telling a run step by step: numbered lines with times for people, the same as JSON for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Story:
    """The steps and checks of one run."""

    say: Callable[[str], None]
    steps: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time a step; what is told and checked inside belongs to it."""
        began = time.monotonic()
        row: dict[str, Any] = {"number": len(self.steps) + 1, "title": title, "lines": []}
        self.steps.append(row)
        self.say(f"\n{row['number']}. {title}")
        try:
            yield
        finally:
            row["seconds"] = round(time.monotonic() - began, 3)
            self.say(f"   ({row['seconds']:.2f} s)")

    def tell(self, line: str) -> None:
        """Say what happened."""
        if self.steps:
            self.steps[-1]["lines"].append(line)
        self.say(f"   {line}")

    def check(self, name: str, ok: bool, found: object = "") -> None:
        """Note whether something that must hold does; `found` is shown where it does not."""
        self.checks.append({"name": name, "ok": bool(ok)})
        self.tell(f"[{'ok' if ok else 'FAILED'}] {name}" + ("" if ok else f": {found}"))

    @property
    def ok(self) -> bool:
        """Return whether every check held (and there were any)."""
        return bool(self.checks) and all(check["ok"] for check in self.checks)
