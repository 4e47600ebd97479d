"""The nodes and edges of an export as typed rows, groups opened, every malformed place named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agentmart.agents.flows.parse import Unreadable, shown
from agentmart.agents.flows.report import FlowLimits, Problem

CODE = "code"
MAX_ID_LENGTH = 200


@dataclass(slots=True)
class FlowNode:
    """One node that is not a comment; `body` is the live object inside the document, so stripping edits it."""

    id: str
    path: str
    type: str
    display_name: str
    body: dict[str, Any]
    template: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    code: str | None
    is_group: bool
    group: str

    def fields(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (name, field) of the template's well-formed fields; `_type` and flags are not fields."""
        for name, value in self.template.items():
            if isinstance(value, dict):
                yield name, value

    def field_path(self, name: str) -> str:
        """Return where a field lies in the document."""
        return f"{self.path}.data.node.template.{name}"


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """One edge; `loop` means it ends at a loop's own output handle and so may close a cycle."""

    path: str
    source: str
    target: str
    output: str
    field: str
    loop: bool


@dataclass(slots=True)
class FlowGraph:
    """Everything the checks need: nodes by id, edges of all levels, what was wrong on the way."""

    nodes: dict[str, FlowNode] = field(default_factory=dict)
    edges: list[FlowEdge] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: int = 0

    def add(self, code: str, message: str, path: str = "", node: str = "") -> None:
        """Record an error."""
        self.problems.append(Problem(code, message, path, node))


def read_graph(document: dict[str, Any], limits: FlowLimits) -> FlowGraph:
    """Read nodes and edges of all levels; raises Unreadable where there is no graph or it is too large."""
    graph = FlowGraph()
    levels: list[tuple[dict[str, Any], str, str]] = [(_top(document), "data", "")]
    nodes = edges = 0
    while levels:
        level, path, group = levels.pop()
        level_nodes, level_edges = level.get("nodes"), level.get("edges", [])
        if not isinstance(level_nodes, list) or not isinstance(level_edges, list):
            graph.add("bad_shape", f"{path}.nodes and {path}.edges must be lists.", path, group)
            continue
        nodes, edges = nodes + len(level_nodes), edges + len(level_edges)
        if nodes > limits.max_nodes:
            raise Unreadable("too_many_nodes", f"The flow has more than {limits.max_nodes} nodes.", path=path)
        if edges > limits.max_edges:
            raise Unreadable("too_many_edges", f"The flow has more than {limits.max_edges} edges.", path=path)
        levels.extend(_read_level(graph, level_nodes, level_edges, path, group))
    if not graph.nodes and not graph.problems:
        raise Unreadable("empty_flow", "The flow has no nodes.", path="data.nodes")
    return graph


def _top(document: dict[str, Any]) -> dict[str, Any]:
    data = document.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("nodes"), list):
        hint = (
            " It looks like a list of flows: export one." if isinstance(document.get("flows"), list) else ""
        )
        raise Unreadable(
            "not_a_flow", f"Not a Langflow export: data.nodes is missing.{hint}", path="data.nodes"
        )
    if document.get("is_component") is True:
        message = "This is the export of a single component, not of a flow (is_component is true)."
        raise Unreadable("is_component", message, path="is_component")
    return data


def _read_level(
    graph: FlowGraph, nodes: list[Any], edges: list[Any], path: str, group: str
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Read one level's rows; yields the flows inside its groups."""
    for index, raw in enumerate(nodes):
        node = _read_node(raw, f"{path}.nodes[{index}]", group, graph)
        if node is not None and node.is_group:
            yield node.body["flow"]["data"], f"{node.path}.data.node.flow.data", node.id
    for index, raw in enumerate(edges):
        edge = _read_edge(raw, f"{path}.edges[{index}]", graph)
        if edge is not None:
            graph.edges.append(edge)


def _read_node(raw: Any, path: str, group: str, graph: FlowGraph) -> FlowNode | None:
    if not isinstance(raw, dict) or not _is_id(raw.get("id")) or not isinstance(raw.get("data"), dict):
        graph.add("bad_node", f"{path} is not a node: it needs an id and data.", path)
        return None
    node_id, data = raw["id"], raw["data"]
    body = _object(data.get("node"))
    template = _object(body.get("template"))
    code = _read_code(template, node_id, path, graph)
    kind = raw.get("type", "genericNode")
    if kind == "noteNode" and code is None and not isinstance(body.get("flow"), dict):
        graph.notes += 1
        return None
    if kind != "genericNode":
        what = "a comment that carries code" if kind == "noteNode" else f"of the unknown kind {shown(kind)}"
        graph.add("bad_node", f"Node {node_id} is {what}.", f"{path}.type", node_id)
    if data.get("id", node_id) != node_id:
        graph.add(
            "id_mismatch",
            f"Node {node_id} names itself otherwise inside its data.",
            f"{path}.data.id",
            node_id,
        )
    node = FlowNode(
        id=node_id,
        path=path,
        type=data["type"] if isinstance(data.get("type"), str) else "",
        display_name=_name(body, data, node_id),
        body=body,
        template=template,
        outputs=_outputs(body),
        code=code,
        is_group=_holds_flow(body),
        group=group,
    )
    if node_id in graph.nodes:
        graph.add("duplicate_node", f"Two nodes have the id {node_id}.", f"{path}.id", node_id)
        return None
    graph.nodes[node_id] = node
    _check_node(node, graph)
    return node


def _check_node(node: FlowNode, graph: FlowGraph) -> None:
    where = f"{node.path}.data"
    if not node.type and not node.is_group:
        graph.add("bad_node", f"Node {node.id} has no component type.", f"{where}.type", node.id)
    if node.code is None and not node.is_group:
        message = f"Node {node.id} ({node.display_name}) carries no component source (template.code.value)."
        graph.add("no_code", message, f"{where}.node.template.code", node.id)
    code_field = node.template.get(CODE)
    if isinstance(code_field, dict) and code_field.get("load_from_db"):
        message = f"The source of node {node.id} must not come from a variable."
        graph.add("code_from_variable", message, node.field_path(CODE), node.id)
    for name, value in node.fields():
        proxy = value.get("proxy")
        if isinstance(proxy, dict) and proxy.get("field") == CODE:
            message = f"Field {shown(name)} of group {node.id} replaces the source of node {shown(proxy.get('id'))}."
            graph.add("code_replaced", message, node.field_path(name), node.id)


def _read_code(template: dict[str, Any], node_id: str, path: str, graph: FlowGraph) -> str | None:
    """Return the source; exports may hold it as a list of lines, which becomes one text in the document."""
    held = template.get(CODE)
    value = held.get("value") if isinstance(held, dict) else held
    if isinstance(held, dict) and isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = held["value"] = "\n".join(value)
    if isinstance(value, str) and isinstance(held, dict):
        return value if value.strip() else None
    if value:
        message = f"The source of node {node_id} is not text."
        graph.add("bad_code", message, f"{path}.data.node.template.code", node_id)
    return None


def _read_edge(raw: Any, path: str, graph: FlowGraph) -> FlowEdge | None:
    source, target = (raw.get("source"), raw.get("target")) if isinstance(raw, dict) else (None, None)
    if not isinstance(raw, dict) or not _is_id(source) or not _is_id(target):
        graph.add("bad_edge", f"{path} is not an edge: it needs source and target.", path)
        return None
    near, far = _handle(raw, "sourceHandle"), _handle(raw, "targetHandle")
    if near is None or far is None:
        side = "sourceHandle" if near is None else "targetHandle"
        message = f"The edge from {source} to {target} has no readable {side}."
        graph.add("bad_edge", message, f"{path}.{side}", str(target))
        return None
    if near.get("id", source) != source or far.get("id", target) != target:
        message = f"The edge from {source} to {target} names other nodes in its handles."
        graph.add("bad_edge", message, f"{path}.data", str(target))
        return None
    loop = not isinstance(far.get("fieldName"), str) and isinstance(far.get("name"), str)
    field_name = far.get("name") if loop else far.get("fieldName")
    return FlowEdge(path, str(source), str(target), _text(near.get("name")), _text(field_name), loop)


def _handle(raw: dict[str, Any], side: str) -> dict[str, Any] | None:
    """Return a handle in its object form, else from its string twin (JSON with œ for quotes)."""
    data = raw.get("data")
    for value in (data.get(side) if isinstance(data, dict) else None, raw.get(side)):
        if isinstance(value, dict):
            return value
        if isinstance(value, str):
            try:
                parsed = json.loads(value.replace("œ", '"'))
            except (ValueError, RecursionError):
                continue
            if isinstance(parsed, dict):
                return parsed
    return None


def _outputs(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = body.get("outputs")
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return {row["name"]: row for row in rows if isinstance(row.get("name"), str)}


def _holds_flow(body: dict[str, Any]) -> bool:
    flow = body.get("flow")
    return isinstance(flow, dict) and isinstance(flow.get("data"), dict)


def _name(body: dict[str, Any], data: dict[str, Any], node_id: str) -> str:
    for value in (body.get("display_name"), data.get("type")):
        if isinstance(value, str) and value:
            return value[:120]
    return node_id


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
