"""REST: what agents used, and usage that people report."""

from agentmart.metering.api.agent_usage import CustomerAgentConfigViewSet
from agentmart.metering.api.component_usage import ComponentUsageViewSet

__all__ = ["ComponentUsageViewSet", "CustomerAgentConfigViewSet"]
