"""One thing a lint found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """Where, which rule, and what to do instead."""

    path: Path
    line: int
    rule: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.advice}"


def waived(lines: list[str], line: int, rule: str) -> bool:
    """Return whether a line carries `# lint: allow RULE (why)`; the reason is not optional."""
    _, marker, reason = lines[line - 1].partition(f"# lint: allow {rule} (")
    return bool(marker) and len(reason.rstrip().rstrip(")")) > 3
