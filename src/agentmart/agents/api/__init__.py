"""REST of the module; publishing stands in `catalog.api`."""

from agentmart.agents.api.agents import AgentSerializer, AgentViewSet
from agentmart.agents.api.studios import StudioViewSet

__all__ = ["AgentSerializer", "AgentViewSet", "StudioViewSet"]
