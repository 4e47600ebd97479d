"""REST: statistics, key figures, and what a provider earns."""

from agentmart.reports.api.providers import ServiceProviderViewSet
from agentmart.reports.api.stats import StatsViewSet

__all__ = ["ServiceProviderViewSet", "StatsViewSet"]
