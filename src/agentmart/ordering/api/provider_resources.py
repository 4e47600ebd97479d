"""REST: resources as their provider works on them (marketplace-provider-resources)."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.models import SELLERS
from agentmart.identity.permissions import require
from agentmart.infra.rest import JsonObject
from agentmart.ordering import services
from agentmart.ordering.api.resources import EndDateSerializer, ResourceViewSet
from agentmart.ordering.api.serializers import BackendIdSerializer, StatusSerializer, limits_field
from agentmart.resources import services as resources
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState

MOST_PARTS = 50


class FailureSerializer(serializers.Serializer[Any]):
    """Why a resource fails."""

    error_message = serializers.CharField(required=False, allow_blank=True, max_length=500)
    error_traceback = serializers.CharField(required=False, allow_blank=True, max_length=10_000)


class BackendMetadataSerializer(serializers.Serializer[Any]):
    """What the provider's system says of a resource."""

    backend_metadata = JsonObject()


class LimitsSetSerializer(serializers.Serializer[Any]):
    """The limits that the provider's system has."""

    limits = limits_field(required=True)


class EndpointSerializer(serializers.Serializer[Any]):
    """A name and an address."""

    name = serializers.CharField(max_length=150)
    url = serializers.URLField(max_length=500)

    def validate_url(self, value: str) -> str:
        """Return the address; refuses what a page must not link to."""
        if not value.lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Give an http or https address.")
        return value


class EndpointsSerializer(serializers.Serializer[Any]):
    """Where the provider serves a resource."""

    endpoints = EndpointSerializer(many=True, max_length=MOST_PARTS)  # type: ignore[call-arg]


class SectionSerializer(serializers.Serializer[Any]):
    """A part of a report."""

    header = serializers.CharField(max_length=150)
    body = serializers.CharField(max_length=10_000)


class ReportSerializer(serializers.Serializer[Any]):
    """What the provider reports of a resource."""

    report = SectionSerializer(many=True, max_length=MOST_PARTS)  # type: ignore[call-arg]


class ProviderResourceViewSet(ResourceViewSet):
    """Resources of the offerings one sells, and what a provider says of them."""

    bodies = {
        "set_as_ok": None,
        "set_state_ok": None,
        "set_as_erred": FailureSerializer,
        "set_backend_id": BackendIdSerializer,
        "set_backend_metadata": BackendMetadataSerializer,
        "set_limits": LimitsSetSerializer,
        "set_endpoints": EndpointsSerializer,
        "submit_report": ReportSerializer,
        "refresh_last_sync": None,
        "set_end_date_by_provider": EndDateSerializer,
    }
    answers: Any = dict.fromkeys(bodies, StatusSerializer)

    def visible(self) -> QuerySet[Any]:
        """Return the resources of one's offerings; operators see all."""
        rows = super().visible()
        if self.actor.is_operator:
            return rows
        return rows.filter(provider_customer_id__in=self.actor.customers_as(SELLERS))

    def _said(self, text: str) -> Response:
        """Answer what became of it."""
        return Response({"status": text})

    def _to_report(self) -> Resource:
        """Return the resource of the address for its provider; 404, then 403."""
        resource: Resource = self.get_object()
        require(self.actor, "order.review_as_provider", provider_id=resource.provider_customer_id)
        return resource

    def _note(self, resource: Resource, name: str, value: Any) -> None:
        """Note what the provider says."""
        resources.note_of_provider(resource, name, value, actor=self.actor, now=self.now)

    def _call_ok(self) -> Response:
        """Say that the resource of the address runs again."""
        services.call_ok(self.get_object(), actor=self.actor, now=self.now)
        return self._said("Resource is OK.")

    @action(detail=True, methods=["post"])
    def set_as_ok(self, request: Request, **kwargs: Any) -> Response:
        """Say that an erred resource runs again."""
        return self._call_ok()

    @action(detail=True, methods=["post"])
    def set_state_ok(self, request: Request, **kwargs: Any) -> Response:
        """Say that an erred resource runs again (another name)."""
        return self._call_ok()

    @action(detail=True, methods=["post"])
    def set_as_erred(self, request: Request, **kwargs: Any) -> Response:
        """Say that a running resource fails."""
        resource = self.get_object()
        services.require_word(resource, actor=self.actor, states=(ResourceState.OK,))
        message = self.body().get("error_message", "")
        services.call_erred(resource, message, actor=self.actor, now=self.now)
        return self._said("Resource is Erred.")

    @action(detail=True, methods=["post"])
    def set_backend_id(self, request: Request, **kwargs: Any) -> Response:
        """Note the name under which the provider's system knows the resource."""
        resource = self._to_report()
        self._note(resource, "backend_id", self.body()["backend_id"])
        return self._said("Backend ID has been set.")

    @action(detail=True, methods=["post"])
    def set_backend_metadata(self, request: Request, **kwargs: Any) -> Response:
        """Note what the provider's system says of the resource."""
        resource = self._to_report()
        self._note(resource, "backend_metadata", self.body()["backend_metadata"])
        return self._said("Backend metadata has been set.")

    @action(detail=True, methods=["post"])
    def set_endpoints(self, request: Request, **kwargs: Any) -> Response:
        """Note where the provider serves the resource."""
        resource = self._to_report()
        self._note(resource, "access_points", [dict(row) for row in self.body()["endpoints"]])
        return self._said("Endpoints have been set.")

    @action(detail=True, methods=["post"])
    def submit_report(self, request: Request, **kwargs: Any) -> Response:
        """Note what the provider reports of the resource."""
        resource = self._to_report()
        self._note(resource, "report", [dict(row) for row in self.body()["report"]])
        return self._said("Report has been set.")

    @action(detail=True, methods=["post"])
    def refresh_last_sync(self, request: Request, **kwargs: Any) -> Response:
        """Note that the provider's system has looked at the resource now."""
        self._note(self._to_report(), "last_sync", self.now)
        return self._said("Last sync has been set.")

    @action(detail=True, methods=["post"])
    def set_limits(self, request: Request, **kwargs: Any) -> Response:
        """Note the limits that the provider's system has; higher ones are ordered by the buyer."""
        resource = self.get_object()
        services.require_word(resource, actor=self.actor, states=(ResourceState.OK,))
        services.lower_limits(resource, self.body()["limits"], actor=self.actor, now=self.now)
        return self._said("Limits have been set.")

    @action(detail=True, methods=["post"])
    def set_end_date_by_provider(self, request: Request, **kwargs: Any) -> Response:
        """Set the resource's last day."""
        return self._end_date()
