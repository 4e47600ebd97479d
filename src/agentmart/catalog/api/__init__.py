"""REST of the catalogue: categories, plans, offerings, and publishing an agent."""

from agentmart.catalog.api.categories import CategoryViewSet
from agentmart.catalog.api.offerings import OfferingViewSet, ProviderOfferingViewSet, ServiceProviderViewSet
from agentmart.catalog.api.plans import PlanViewSet
from agentmart.catalog.api.publishing import ProviderAgentViewSet

__all__ = [
    "CategoryViewSet",
    "OfferingViewSet",
    "PlanViewSet",
    "ProviderAgentViewSet",
    "ProviderOfferingViewSet",
    "ServiceProviderViewSet",
]
