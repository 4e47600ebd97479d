"""Reads start at `visible_to(actor)`: entry points never query `Model.objects`, or a tenant's rows could leak.

Declaring `queryset = Model.objects` for a viewset, or for a Relation field, is no query: their base narrows it.
"""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.lints.finding import Finding, waived

RULE = "reads"
MANAGERS = frozenset({"objects", "_default_manager", "_base_manager"})
_VISIBLE = "visible_to"
_NARROWING_FIELD = "Relation"  # infra.rest: looks its row up through visible_to


def is_entry_point(path: Path) -> bool:
    """Return whether the rule holds for a file: api.py, tasks.py, and all of the portal."""
    return path.name in {"api.py", "tasks.py"} or bool({"api", "tasks", "portal"} & set(path.parts[:-1]))


def check(path: Path, text: str, tree: ast.Module) -> list[Finding]:
    """Return every use of a manager that does not go straight on to `visible_to`."""
    if not is_entry_point(path):
        return []
    lines = text.splitlines()
    allowed = _narrowed(tree)
    return [
        Finding(
            path,
            node.lineno,
            RULE,
            f"{ast.unparse(node)} in an entry point; use visible_to(actor), a selector or a service",
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in MANAGERS
        and _names_a_model(node.value)
        and id(node) not in allowed
        and not waived(lines, node.lineno, RULE)
    ]


def _narrowed(tree: ast.Module) -> set[int]:
    """Return ids of expressions that `visible_to` narrows: here, or in the base class they are declared for."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == _VISIBLE:
            found.add(id(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(_NARROWING_FIELD):
            found |= {id(part) for word in node.keywords if word.arg == "queryset" for part in ast.walk(word)}
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and "queryset" in _targets(statement):
                    found |= {id(part) for part in ast.walk(statement)}
    return found


def _targets(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _names_a_model(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name[:1].isupper()
