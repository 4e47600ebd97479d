"""Flows for tests, derived from Langflow's own exports: nothing of Langflow's lies in this repository."""

from __future__ import annotations

import copy
import functools
import json
import os
from pathlib import Path
from typing import Any

from agentmart.devtools.corpus import ensure_starter_projects, starter_projects

CORPUS = Path(os.environ.get("AGENTMART_TEST_CORPUS", Path(__file__).parents[2] / ".agentmart" / "corpus"))

Flow = dict[str, Any]


def exports(version: str) -> list[Path]:
    """The starter projects of a release, downloaded once."""
    return starter_projects(version, CORPUS)


@functools.cache
def _text(version: str, name: str) -> str:
    return (ensure_starter_projects(version, CORPUS) / f"{name}.json").read_text("utf-8")


def export(name: str = "Basic Prompting", version: str = "1.13.0") -> Flow:
    """A private copy of one export."""
    flow: Flow = json.loads(_text(version, name))
    return flow


def node(flow: Flow, kind: str) -> Flow:
    """The first node of a component type."""
    found: Flow = next(item for item in flow["data"]["nodes"] if item["data"].get("type") == kind)
    return found


def template(flow: Flow, kind: str) -> Flow:
    """The template of the first node of a component type."""
    fields: Flow = node(flow, kind)["data"]["node"]["template"]
    return fields


def echo_flow() -> Flow:
    """ChatInput → Prompt → ChatOutput, out of Basic Prompting: runs without a model."""
    flow = export()
    keep = {"ChatInput", "Prompt", "ChatOutput"}
    flow["data"]["nodes"] = [item for item in flow["data"]["nodes"] if item["data"].get("type") in keep]
    fields = template(flow, "Prompt")
    fields["template"]["value"] = "You said: {text}"
    fields["text"] = {"name": "text", "display_name": "text", "type": "str", "value": "", "show": True} | {
        "advanced": False,
        "input_types": ["Message"],
        "multiline": True,
    }
    node(flow, "Prompt")["data"]["node"]["custom_fields"] = {"template": ["text"]}
    flow["data"]["edges"] = [
        edge(flow, "ChatInput", "message", "Prompt", "text"),
        edge(flow, "Prompt", "prompt", "ChatOutput", "input_value"),
    ]
    return flow


def edge(flow: Flow, source: str, output: str, target: str, field: str) -> Flow:
    """An edge between two component types, with both handle forms."""
    near, far = node(flow, source)["id"], node(flow, target)["id"]
    ends = {
        "sourceHandle": {"dataType": source, "id": near, "name": output, "output_types": ["Message"]},
        "targetHandle": {"fieldName": field, "id": far, "inputTypes": ["Message"], "type": "str"},
    }
    twins = {side: json.dumps(handle).replace('"', "œ") for side, handle in ends.items()}
    return {"id": f"{near}-{far}", "source": near, "target": far, "data": ends, **twins}


def renamed(item: Flow, new_id: str) -> Flow:
    """A copy of a node under another id."""
    fresh = copy.deepcopy(item)
    fresh["id"] = fresh["data"]["id"] = new_id
    return fresh


def grouped(flow: Flow, kind: str) -> Flow:
    """The flow with one node moved into a group, as Langflow saves it: fields and outputs become proxies."""
    inner = node(flow, kind)
    inner_id, body = inner["id"], inner["data"]["node"]
    group_id = "GroupNode-1"
    fields = {
        f"{name}_{inner_id}": value | {"proxy": {"id": inner_id, "field": name}}
        for name, value in body["template"].items()
        if isinstance(value, dict) and name != "code"
    }
    outputs = [row | {"proxy": {"id": inner_id, "name": row["name"]}} for row in body["outputs"]]
    group = {
        "id": group_id,
        "type": "genericNode",
        "data": {
            "id": group_id,
            "type": "GroupNode",
            "node": {
                "display_name": "Group",
                "template": fields,
                "outputs": outputs,
                "flow": {"data": {"nodes": [inner], "edges": []}},
            },
        },
    }
    others = [item for item in flow["data"]["nodes"] if item["id"] != inner_id]
    flow["data"]["nodes"] = [*others, group]
    for item in flow["data"]["edges"]:
        for end, side in (("source", "sourceHandle"), ("target", "targetHandle")):
            if item[end] == inner_id:
                item[end] = item["data"][side]["id"] = group_id
                if end == "target":
                    handle = item["data"][side]
                    handle["proxy"] = {"id": inner_id, "field": handle["fieldName"]}
                    handle["fieldName"] = f"{handle['fieldName']}_{inner_id}"
        item.pop("sourceHandle", None)
        item.pop("targetHandle", None)
    return flow
