"""Writes of the module, one function per use case."""

from agentmart.agents.services.agents import (
    AgentUsed,
    create_agent,
    delete_agent,
    exposed_tweaks,
    import_flow,
    inspect,
    update_agent,
)
from agentmart.agents.services.studio_calls import (
    LookedAt,
    Picked,
    StudioAway,
    caller,
    check_studio,
    fetch_flows,
    list_flows,
)
from agentmart.agents.services.studio_imports import Imported, import_from_studio
from agentmart.agents.services.studios import create_studio, delete_studio, update_studio

__all__ = [
    "AgentUsed",
    "Imported",
    "LookedAt",
    "Picked",
    "StudioAway",
    "caller",
    "check_studio",
    "create_agent",
    "create_studio",
    "delete_agent",
    "delete_studio",
    "exposed_tweaks",
    "fetch_flows",
    "import_flow",
    "import_from_studio",
    "inspect",
    "list_flows",
    "update_agent",
    "update_studio",
]
