"""Files of at most 500 lines and functions of at most 60: the tail of huge ones is what makes a codebase hard."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.lints.finding import Finding, waived

RULE = "sizes"
FILE_LINES = 500
FUNCTION_LINES = 60


def check(path: Path, text: str, tree: ast.Module) -> list[Finding]:
    """Return files and functions that are too long; migrations are written once and may be."""
    if "migrations" in path.parts:
        return []
    lines = text.splitlines()
    found = []
    if len(lines) > FILE_LINES and not waived(lines, 1, RULE):
        found.append(
            Finding(path, 1, RULE, f"{len(lines)} lines; split it by use case (at most {FILE_LINES})")
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES and not waived(lines, node.lineno, RULE):
                advice = f"{node.name} has {length} lines; take steps out of it (at most {FUNCTION_LINES})"
                found.append(Finding(path, node.lineno, RULE, advice))
    return found
