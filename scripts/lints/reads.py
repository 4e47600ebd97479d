"""Reads start at `visible_to(actor)`: entry points never say `Model.objects`, or a tenant's rows could leak."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.lints.finding import Finding, waived

RULE = "reads"
MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_VISIBLE = "visible_to"


def is_entry_point(path: Path) -> bool:
    """Return whether the rule holds for a file: api.py, tasks.py, and all of the portal."""
    return path.name in {"api.py", "tasks.py"} or bool({"api", "tasks", "portal"} & set(path.parts[:-1]))


def check(path: Path, text: str, tree: ast.Module) -> list[Finding]:
    """Return every use of a manager that does not go straight on to `visible_to`."""
    if not is_entry_point(path):
        return []
    lines = text.splitlines()
    allowed = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == _VISIBLE and isinstance(node.value, ast.Attribute)
    }
    return [
        Finding(
            path,
            node.lineno,
            RULE,
            f"{ast.unparse(node)} in an entry point; read through Model.objects.visible_to(actor), a selector or a service",
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in MANAGERS
        and _names_a_model(node.value)
        and id(node) not in allowed
        and not waived(lines, node.lineno, RULE)
    ]


def _names_a_model(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name[:1].isupper()
