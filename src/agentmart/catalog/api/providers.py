"""REST: who sells."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import services
from agentmart.catalog.models import ServiceProvider
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_moment,
    by_uuid,
    by_words,
)

NOTIFICATIONS = (
    "Whether the provider wishes to be mailed of usage that was not reported. Kept and answered for programs that "
    "read it; this marketplace sends providers no mail."
)


class ServiceProviderBody(serializers.Serializer[Any]):
    """A customer that shall sell."""

    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    description = serializers.CharField(required=False, allow_blank=True)
    enable_notifications = serializers.BooleanField(required=False, help_text=NOTIFICATIONS)


class ServiceProviderChange(serializers.Serializer[Any]):
    """What a provider says of itself."""

    description = serializers.CharField(required=False, allow_blank=True)
    enable_notifications = serializers.BooleanField(required=False, help_text=NOTIFICATIONS)


class ServiceProviderSerializer(ApiSerializer):
    """A customer that sells."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-service-provider-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    customer = Relation(view_name="customer-detail", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="name", read_only=True)
    description = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    image = serializers.SerializerMethodField()
    enable_notifications = serializers.BooleanField(read_only=True, help_text=NOTIFICATIONS)
    organization_groups = serializers.SerializerMethodField()
    allowed_domains = serializers.SerializerMethodField()
    account_options = serializers.SerializerMethodField()
    offering_count = serializers.IntegerField(read_only=True, default=0)

    def get_image(self, provider: ServiceProvider) -> str | None:
        """Return none: providers have no picture."""
        return None

    def get_organization_groups(self, provider: ServiceProvider) -> list[dict[str, Any]]:
        """Return none."""
        return []

    def get_allowed_domains(self, provider: ServiceProvider) -> list[str]:
        """Return none."""
        return []

    def get_account_options(self, provider: ServiceProvider) -> dict[str, Any]:
        """Return none."""
        return {}


class ServiceProviderViewSet(ApiViewSet):
    """Customers that sell."""

    queryset = ServiceProvider.objects
    serializer_class = ServiceProviderSerializer
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "customer_keyword": by_words("name"),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {"created": "created", "modified": "modified", "customer_name": "name"}
    bodies = {"create": ServiceProviderBody, "partial_update": ServiceProviderChange}
    answers = {"destroy": None}

    def visible(self) -> QuerySet[Any]:
        """Return providers with how many of their offerings the reader may see."""
        rows: QuerySet[Any] = super().visible().annotate(offering_count=Count("offerings"))
        return rows

    def create(self, request: Request) -> Response:
        """Make a customer a service provider."""
        require(self.actor, "customer.create")
        provider = services.register_provider(actor=self.actor, now=self.now, **self.body())
        return self.answer(provider, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change what a provider says of itself."""
        provider = self.get_object()
        require(self.actor, "provider.edit", provider_id=provider.customer_id)
        changes = self.body(partial=True)
        return self.answer(services.update_provider(provider, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """End a customer's selling, once it has no offerings."""
        services.delete_provider(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)
