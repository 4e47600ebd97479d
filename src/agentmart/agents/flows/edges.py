"""Whether the edges fit the nodes, and whether the graph has an order to run in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from agentmart.agents.flows.nodes import CODE, FlowEdge, FlowGraph, FlowNode
from agentmart.agents.flows.parse import shown

MAX_SHOWN_CYCLE = 12


def check_edges(graph: FlowGraph, loops: Collection[str]) -> None:
    """Record every edge that leads nowhere, feeds a source or closes a cycle.

    `loops` are ids of nodes whose own source proves that they are Loop components: an edge into the loop output
    of one of these is the only one that may close a cycle.
    """
    arrows: list[tuple[str, str]] = []
    for edge in graph.edges:
        source, target = graph.nodes.get(edge.source), graph.nodes.get(edge.target)
        if source is None or target is None:
            missing = edge.source if source is None else edge.target
            message = f"The edge from {edge.source} to {edge.target} needs node {missing}, which is missing."
            graph.add("missing_node", message, edge.path, missing)
            continue
        if _fits(graph, edge, source, target, loops) and not edge.loop:
            arrows.append(
                (_inner_source(graph, source, edge.output), _inner_target(graph, target, edge.field))
            )
    cycle = find_cycle(arrows)
    if cycle:
        shown_ids = " → ".join([*cycle[:MAX_SHOWN_CYCLE], "…"] if len(cycle) > MAX_SHOWN_CYCLE else cycle)
        message = f"The flow has a cycle: {shown_ids}. Only a Loop component may lead back to itself."
        graph.add("cycle", message, "data.edges", cycle[0])


def connected_fields(graph: FlowGraph) -> set[tuple[str, str]]:
    """Return (node id, field) of every field that an edge fills."""
    return {(edge.target, edge.field) for edge in graph.edges if not edge.loop}


def find_cycle(arrows: list[tuple[str, str]]) -> list[str]:
    """Return the nodes of one cycle, first node repeated last; empty if there is none."""
    after: dict[str, set[str]] = defaultdict(set)
    incoming: dict[str, int] = defaultdict(int)
    for source, target in arrows:
        if target not in after[source]:
            after[source].add(target)
            incoming[target] += 1
    ready = [node for node in after if not incoming[node]]
    done: set[str] = set()
    while ready:
        node = ready.pop()
        done.add(node)
        for target in after.get(node, ()):
            incoming[target] -= 1
            if not incoming[target]:
                ready.append(target)
    # What is left has an open arrow into it; walking those backwards must come round.
    left = sorted(node for node, count in incoming.items() if count > 0 and node not in done)
    if not left:
        return []
    before = {target: source for source in left for target in sorted(after.get(source, ()), reverse=True)}
    walk = [left[0]]
    while walk[-1] not in walk[:-1]:
        walk.append(before[walk[-1]])
    return walk[walk.index(walk[-1]) :][::-1]


def _fits(
    graph: FlowGraph, edge: FlowEdge, source: FlowNode, target: FlowNode, loops: Collection[str]
) -> bool:
    words = f"The edge from {source.id} to {target.id}"
    if edge.output not in source.outputs:
        message = f"{words} starts at the output {shown(edge.output)}, which {source.id} does not have."
        graph.add("missing_output", message, edge.path, source.id)
        return False
    if edge.loop:
        return _loop_fits(graph, edge, target, words, loops)
    value = target.template.get(edge.field)
    if not isinstance(value, dict):
        message = f"{words} ends at the field {shown(edge.field)}, which {target.id} does not have."
        graph.add("missing_field", message, edge.path, target.id)
        return False
    proxy = value.get("proxy")
    if (
        edge.field == CODE
        or value.get("type") == CODE
        or (isinstance(proxy, dict) and proxy.get("field") == CODE)
    ):
        message = f"{words} feeds the code field {shown(edge.field)}: source must not come from another node."
        graph.add("edge_into_code", message, edge.path, target.id)
        return False
    return True


def _loop_fits(
    graph: FlowGraph, edge: FlowEdge, target: FlowNode, words: str, loops: Collection[str]
) -> bool:
    output = target.outputs.get(edge.field)
    if target.id in loops and output is not None and output.get("allows_loop") is True:
        return True
    message = f"{words} leads back into the output {shown(edge.field)}, but {target.id} is no Loop component."
    graph.add("loop_not_allowed", message, edge.path, target.id)
    return False


def _inner_source(graph: FlowGraph, node: FlowNode, output: str) -> str:
    """Follow a group's output to the node inside it that makes it."""
    for _ in graph.nodes:
        proxy = node.outputs.get(output, {}).get("proxy") if node.is_group else None
        inner = _proxied(graph, proxy)
        if inner is None or not isinstance(proxy, dict):
            break
        node, output = inner, str(proxy.get("name", ""))
    return node.id


def _inner_target(graph: FlowGraph, node: FlowNode, name: str) -> str:
    """Follow a group's field to the node inside it that takes it."""
    for _ in graph.nodes:
        value = node.template.get(name) if node.is_group else None
        proxy = value.get("proxy") if isinstance(value, dict) else None
        inner = _proxied(graph, proxy)
        if inner is None or not isinstance(proxy, dict):
            break
        node, name = inner, str(proxy.get("field", ""))
    return node.id


def _proxied(graph: FlowGraph, proxy: Any) -> FlowNode | None:
    inner = proxy.get("id") if isinstance(proxy, dict) else None
    return graph.nodes.get(inner) if isinstance(inner, str) else None
