"""Runs every lint over the Python files under the given folders; exit status 1 when one finds something."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from scripts.lints import reads, sizes, writes
from scripts.lints.finding import Finding


def check(folder: Path) -> list[Finding]:
    """Return what the lints find in one folder, in the order of files and lines."""
    findings: list[Finding] = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        tree = ast.parse(text, str(path))
        for lint in (reads, writes, sizes):
            findings += lint.check(path, text, tree)
    return findings


def main(folders: list[str]) -> int:
    """Print the findings; returns the exit status."""
    findings = [finding for folder in folders for finding in check(Path(folder))]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["src"]))
