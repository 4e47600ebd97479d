"""REST: resources, and the buyer's settings as far as they need no keys (`access.api` adds those)."""

from agentmart.resources.api.configs import AgentConfigSerializer, AgentConfigViewSet, ConfigUpdateSerializer
from agentmart.resources.api.resources import ResourceSerializer, ResourceViewSet

__all__ = [
    "AgentConfigSerializer",
    "AgentConfigViewSet",
    "ConfigUpdateSerializer",
    "ResourceSerializer",
    "ResourceViewSet",
]
