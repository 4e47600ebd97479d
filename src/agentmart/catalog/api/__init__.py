"""REST of the catalogue: categories, plans, offerings, who sells, and publishing an agent."""

from agentmart.catalog.api.categories import CategoryGroupViewSet, CategoryViewSet
from agentmart.catalog.api.files import OfferingFileViewSet, ScreenshotViewSet
from agentmart.catalog.api.offering_answers import OfferingSerializer
from agentmart.catalog.api.offerings import OfferingViewSet, ProviderOfferingViewSet, PublicOfferingViewSet
from agentmart.catalog.api.plan_components import PlanComponentViewSet
from agentmart.catalog.api.plans import PlanViewSet
from agentmart.catalog.api.providers import ServiceProviderViewSet
from agentmart.catalog.api.publishing import ProviderAgentViewSet

__all__ = [
    "CategoryGroupViewSet",
    "CategoryViewSet",
    "OfferingFileViewSet",
    "OfferingSerializer",
    "OfferingViewSet",
    "PlanComponentViewSet",
    "PlanViewSet",
    "ProviderAgentViewSet",
    "ProviderOfferingViewSet",
    "PublicOfferingViewSet",
    "ScreenshotViewSet",
    "ServiceProviderViewSet",
]
