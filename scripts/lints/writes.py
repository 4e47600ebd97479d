"""Rows are written by the services of the module that owns them, so that a write has one place to be found."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.lints.finding import Finding, waived

RULE = "writes"
PACKAGE = "agentmart"
MANAGER_WRITES = frozenset(
    {"create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
)
ROW_WRITES = frozenset({"save", "delete", "asave", "adelete"})
_OPEN_LAYERS = frozenset({"infra", "devtools", "config", "gateway", "adapters", "contracts", "kit"})
"""Layers without business rows: infra writes audit and inbox rows for everybody, the others have no ORM."""


def module_of(path: Path) -> str:
    """Return the module (first folder inside the package) of a file, or an empty text."""
    parts = path.parts
    if PACKAGE not in parts:
        return ""
    inside = parts[parts.index(PACKAGE) + 1 :]
    return inside[0] if len(inside) > 1 else ""


def is_service(path: Path) -> bool:
    """Return whether a file may write rows of its own module."""
    return path.name == "services.py" or "services" in path.parts[:-1]


def check(path: Path, text: str, tree: ast.Module) -> list[Finding]:
    """Return writes outside services, and writes of another module's models inside them."""
    module = module_of(path)
    if not module or module in _OPEN_LAYERS or {"migrations", "tests"} & set(path.parts):
        return []
    lines = text.splitlines()
    foreign = _foreign_models(tree, module)
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        model = _written_model(node.func)
        if model is None or waived(lines, node.lineno, RULE):
            continue
        if not is_service(path):
            advice = f"{ast.unparse(node.func)}() outside services.py; call a service of {module}"
        elif model in foreign:
            advice = f"{model} belongs to {foreign[model]}; call a service of {foreign[model]}"
        else:
            continue
        found.append(Finding(path, node.lineno, RULE, advice))
    return found


def _written_model(function: ast.Attribute) -> str | None:
    """Return the model's name of a manager write, an empty text for `row.save()`, None for anything else."""
    manager = _manager(function.value)
    if manager is not None and function.attr in MANAGER_WRITES:
        return manager
    plain_row = isinstance(function.value, ast.Name | ast.Attribute) and manager is None
    return "" if plain_row and function.attr in ROW_WRITES and not _is_super(function.value) else None


def _manager(node: ast.expr) -> str | None:
    """Return the model of a chain such as `Model.objects.filter(…)`, else None."""
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr == "objects":
            return node.value.id if isinstance(node.value, ast.Name) else ast.unparse(node.value)
        node = node.func if isinstance(node, ast.Call) else node.value
    return None


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _foreign_models(tree: ast.Module, module: str) -> dict[str, str]:
    """Return imported model names of other modules, each with its module."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.endswith(".models"):
            owner = node.module.split(".")[1] if node.module.startswith(f"{PACKAGE}.") else ""
            if owner and owner not in (module, "infra"):
                found |= {alias.asname or alias.name: owner for alias in node.names}
    return found
