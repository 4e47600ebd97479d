"""Old nodes brought to what the pinned runtime reads."""

from __future__ import annotations

from collections.abc import Sequence

from agentmart.agents.flows.nodes import FlowGraph
from agentmart.agents.flows.report import NodeReport, Problem


def upgrade(graph: FlowGraph, nodes: Sequence[NodeReport]) -> list[Problem]:
    """Edit old nodes in place and return what was changed."""
    return []
