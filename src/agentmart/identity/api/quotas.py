"""REST: the quotas of all customers, and the roles there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import quotas
from agentmart.identity.models import Quota, Role
from agentmart.identity.roles import MEANINGS, ROLE_IDS, role_named
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField, by_choice, by_uuid


class CustomerQuotaSerializer(ApiSerializer):
    """How many of one kind a customer has."""

    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    customer_abbreviation = serializers.CharField(source="customer.abbreviation", read_only=True)
    quota_name = serializers.CharField(source="name", read_only=True)
    value = serializers.IntegerField(source="usage", read_only=True)
    limit = serializers.IntegerField(read_only=True)


class CustomerQuotaViewSet(ApiViewSet):
    """Quotas of customers, the most used first."""

    queryset = Quota.objects.select_related("customer")
    serializer_class = CustomerQuotaSerializer
    http_method_names = ("get", "head", "options")
    ordering = ("-usage", "customer__name", "id")
    orderings = {"value": "usage", "customer_name": "customer__name", "quota_name": "name"}
    filters = {
        "quota_name": by_choice("name", {name.replace("_", "-"): (name,) for name in quotas.NAMES}),
        "customer_uuid": by_uuid("customer_id"),
    }


class RoleSerializer(serializers.Serializer[Any]):
    """A role that people may have."""

    uuid = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    is_system_role = serializers.BooleanField()
    is_active = serializers.BooleanField()


class RoleViewSet(ApiViewSet):
    """The roles there are: fixed, each with a uuid that never changes."""

    queryset = Quota.objects  # not read: roles are no rows
    serializer_class = RoleSerializer
    http_method_names = ("get", "head", "options")
    filters: dict[str, Any] = {}
    orderings: dict[str, str] = {}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the roles."""
        self.asked_order()
        return self.get_paginated_response(self.paginate_queryset([_role(name) for name in Role.values]))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show a role."""
        name = role_named(self.kwargs["uuid"])
        if name is None:
            raise exceptions.NotFound
        return Response(_role(name))


def _role(name: str) -> dict[str, Any]:
    """Return a role as JSON."""
    uuid: UUID = ROLE_IDS[name]
    return {
        "uuid": uuid.hex,
        "name": name,
        "description": MEANINGS[name],
        "is_system_role": True,
        "is_active": True,
    }
