"""REST of the module: customers, projects, people, tokens, invitations."""

from agentmart.identity.api.customers import CustomerSerializer, CustomerViewSet
from agentmart.identity.api.invitations import InvitationViewSet
from agentmart.identity.api.projects import ProjectSerializer, ProjectViewSet
from agentmart.identity.api.quotas import CustomerQuotaViewSet, RoleViewSet
from agentmart.identity.api.tokens import ApiTokenViewSet
from agentmart.identity.api.users import UserViewSet

__all__ = [
    "ApiTokenViewSet",
    "CustomerQuotaViewSet",
    "CustomerSerializer",
    "CustomerViewSet",
    "InvitationViewSet",
    "ProjectSerializer",
    "ProjectViewSet",
    "RoleViewSet",
    "UserViewSet",
]
