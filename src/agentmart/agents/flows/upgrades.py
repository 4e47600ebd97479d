"""Which old nodes the runtime brings up to date when it deploys the flow; the flow as stored stays as imported."""

from __future__ import annotations

from collections.abc import Sequence

from agentmart.agents.flows.known import KnownComponents
from agentmart.agents.flows.nodes import FlowGraph, FlowNode
from agentmart.agents.flows.report import NodeReport, Problem

MODEL = "model"


def upgrades_of(graph: FlowGraph, nodes: Sequence[NodeReport], known: KnownComponents) -> list[Problem]:
    """Return a notice for each known node whose model was saved in a form that the runtime's component lacks.

    Releases up to 1.7 kept provider and model name as two plain fields; the runtime's components have one model
    selection, which the runtime makes of them.
    """
    return [
        Problem("model_upgraded", _words(graph.nodes[report.id], report, known), node=report.id)
        for report in nodes
        if report.node_class == "known"
        and report.runtime_type in known.model_types
        and not _has_selection(graph.nodes[report.id])
    ]


def _has_selection(node: FlowNode) -> bool:
    field = node.template.get(MODEL)
    return isinstance(field, dict) and field.get("type") == MODEL


def _words(node: FlowNode, report: NodeReport, known: KnownComponents) -> str:
    chosen = " ".join(_value(node, name) for name in ("provider", "agent_llm", "model_name")).split()
    model = f" {' '.join(chosen)}" if chosen else ""
    return (
        f"Node {node.id} ({report.component}) was saved by an older Langflow: {known.runtime} runs it with its own "
        f"{report.runtime_type}, and its model{model} becomes a model selection."
    )


def _value(node: FlowNode, name: str) -> str:
    field = node.template.get(name)
    value = field.get("value") if isinstance(field, dict) else None
    return value[:80] if isinstance(value, str) else ""
