"""REST: orders, what is said of them, rules that approve them, and orders about a resource."""

from agentmart.ordering.api.orders import OrderViewSet
from agentmart.ordering.api.provider_resources import ProviderResourceViewSet
from agentmart.ordering.api.resources import ResourceViewSet
from agentmart.ordering.api.rules import ApprovalRuleViewSet, ProjectAutoApprovalViewSet

__all__ = [
    "ApprovalRuleViewSet",
    "OrderViewSet",
    "ProjectAutoApprovalViewSet",
    "ProviderResourceViewSet",
    "ResourceViewSet",
]
