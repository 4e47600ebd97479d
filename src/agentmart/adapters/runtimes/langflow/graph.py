"""What must be known of a flow's graph, or filled in, before a server takes it. Pure; code is never touched."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

CHAT_INPUT = "ChatInput"
DEFAULT_MODEL = {"name": "gpt-4o-mini", "provider": "OpenAI", "category": "OpenAI", "metadata": {}}
MAX_DEPTH = 8


def prepared(data: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which every node that needs a model has one: starter projects come with none selected.

    The key is the server's business: it looks for the variable of the model's provider.
    """
    data = copy.deepcopy(data)
    for node in _nodes(data):
        body = node.get("node")
        template = body.get("template") if isinstance(body, dict) else None
        field = template.get("model") if isinstance(template, dict) else None
        if not isinstance(field, dict) or field.get("type") != "model":
            continue
        if not field.get("value") and field.get("model_type") != "embedding":
            field["value"] = [dict(DEFAULT_MODEL)]
    return data


def takes_chat(data: dict[str, Any]) -> bool:
    """Return whether the flow's input goes to a Chat Input; else it goes to whatever inputs there are."""
    return any(node.get("type") == CHAT_INPUT for node in _nodes(data))


def _nodes(data: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every node's data, those inside groups too."""
    nodes = data.get("nodes") if isinstance(data, dict) else None
    for node in nodes if isinstance(nodes, list) and depth <= MAX_DEPTH else ():
        inner = node.get("data") if isinstance(node, dict) else None
        if isinstance(inner, dict):
            yield inner
            body = inner.get("node")
            group = body.get("flow") if isinstance(body, dict) else None
            if isinstance(group, dict):
                yield from _nodes(group.get("data"), depth + 1)
