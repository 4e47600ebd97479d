"""The flow importer: reads a Langflow export, classes its code by hash; executes nothing, no Django."""

from agentmart.agents.flows.inspection import inspect_flow
from agentmart.agents.flows.known import KnownComponents, load_known
from agentmart.agents.flows.report import (
    Endpoint,
    FlowLimits,
    FlowRefused,
    FlowReport,
    NodeReport,
    Permission,
    Problem,
    Requires,
    tweakable_dict,
)
from agentmart.agents.flows.tweaks import choose_tweakable

__all__ = [
    "Endpoint",
    "FlowLimits",
    "FlowRefused",
    "FlowReport",
    "KnownComponents",
    "NodeReport",
    "Permission",
    "Problem",
    "Requires",
    "choose_tweakable",
    "inspect_flow",
    "load_known",
    "tweakable_dict",
]
