"""REST: customers and projects, as far as their keys and resources are concerned."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.access import services, tenants
from agentmart.catalog.models import ServiceProvider
from agentmart.identity.api import CustomerSerializer as IdentityCustomerSerializer
from agentmart.identity.api import CustomerViewSet as IdentityCustomerViewSet
from agentmart.identity.api import ProjectSerializer as IdentityProjectSerializer
from agentmart.identity.api import ProjectViewSet as IdentityProjectViewSet
from agentmart.identity.models import Customer, Project
from agentmart.identity.permissions import require
from agentmart.infra.filters import FLAGS, BadFilter, Filter, Rows
from agentmart.infra.rest import Relation
from agentmart.resources.states import ResourceState


class CustomerSerializer(IdentityCustomerSerializer):
    """An organization, with what it sells as."""

    is_service_provider = serializers.SerializerMethodField()
    service_provider = serializers.SerializerMethodField()
    service_provider_uuid = serializers.SerializerMethodField()

    def get_is_service_provider(self, customer: Customer) -> bool:
        """Return whether the customer is registered as a provider."""
        return _provider(customer) is not None

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_service_provider(self, customer: Customer) -> str | None:
        """Return the registration's address."""
        provider = _provider(customer)
        if provider is None:
            return None
        relation = Relation(view_name="marketplace-service-provider-detail", read_only=True)
        relation.bind("service_provider", self)
        return relation.to_representation(provider)

    def get_service_provider_uuid(self, customer: Customer) -> str | None:
        """Return the registration's uuid."""
        provider = _provider(customer)
        return provider.uuid if provider else None


def _provider(customer: Customer) -> ServiceProvider | None:
    """Return the customer's registration as a provider, read with it."""
    found: ServiceProvider | None = getattr(customer, "service_provider", None)
    return found


def is_provider() -> Filter:
    """Return a filter on customers that are registered as providers."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        if any(value.lower() not in FLAGS for value in values):
            raise BadFilter("Must be a valid boolean.")
        wanted = Q()
        for value in values:
            wanted |= Q(service_provider__isnull=not FLAGS[value.lower()])
        return rows.filter(wanted)

    return Filter(apply, {"type": "boolean"}, "Registered as a provider.")


class BlockSerializer(serializers.Serializer[Any]):
    """Why a customer is blocked."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class BlockedSerializer(serializers.Serializer[Any]):
    """A sentence, and whether the customer is blocked."""

    detail = serializers.CharField()
    blocked = serializers.BooleanField()


class CustomerViewSet(IdentityCustomerViewSet):
    """Organizations."""

    queryset = Customer.objects.select_related("service_provider").prefetch_related("quotas")
    serializer_class = CustomerSerializer
    filters = {**IdentityCustomerViewSet.filters, "is_service_provider": is_provider()}
    bodies = {**IdentityCustomerViewSet.bodies, "block": BlockSerializer, "unblock": BlockSerializer}
    answers = {
        **IdentityCustomerViewSet.answers,
        "block": BlockedSerializer,
        "unblock": BlockedSerializer,
    }

    @action(detail=True, methods=["post"])
    def block(self, request: Request, **kwargs: Any) -> Response:
        """Block: nothing new, no calls; nothing is lost."""
        return self._set_blocked(True)

    @action(detail=True, methods=["post"])
    def unblock(self, request: Request, **kwargs: Any) -> Response:
        """Undo a block."""
        return self._set_blocked(False)

    def _set_blocked(self, blocked: bool) -> Response:
        """Change and answer."""
        customer = self.get_object()
        require(self.actor, "customer.block", customer_id=customer.id)
        reason = self.body(BlockSerializer).get("reason", "")
        customer = services.set_blocked(customer, blocked, reason=reason, actor=self.actor, now=self.now)
        word = "blocked" if blocked else "not blocked"
        return Response({"detail": f"{customer.name} is {word}.", "blocked": customer.blocked})

    def change(self, customer: Customer, changes: dict[str, Any], limits: dict[str, int]) -> None:
        """Carry a change out, to the customer's keys."""
        tenants.update_customer(customer, changes, limits=limits, actor=self.actor, now=self.now)


class ProjectSerializer(IdentityProjectSerializer):
    """A project, with how much runs in it."""

    resources_count = serializers.IntegerField(read_only=True)


class ProjectViewSet(IdentityProjectViewSet):
    """Parts of organizations."""

    queryset = Project.objects.select_related("customer").annotate(
        resources_count=Count("resources", filter=~Q(resources__state=ResourceState.TERMINATED))
    )
    serializer_class = ProjectSerializer

    def remove(self, project: Project) -> None:
        """Carry a removal out where nothing runs."""
        tenants.delete_project(project, actor=self.actor, now=self.now)
