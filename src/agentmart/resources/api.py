"""REST: resources, and the buyer's settings as far as they need no keys (`access.api` adds those)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.selectors import plan_limits
from agentmart.identity.permissions import viewer
from agentmart.infra.actors import Actor
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_choice,
    by_uuid,
    fold,
)
from agentmart.resources import selectors
from agentmart.resources.models import AgentConfig, Resource
from agentmart.resources.states import ResourceState


class ResourceSerializer(ApiSerializer):
    """A resource as buyer and provider see it."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-resource-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    paused = serializers.BooleanField(read_only=True)
    error_message = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    offering = Relation(view_name="marketplace-offering-detail", read_only=True)
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    offering_name = serializers.CharField(source="offering.name", read_only=True)
    plan = Relation(view_name="marketplace-plan-detail", read_only=True)
    plan_uuid = HexUUIDField(source="plan_id", read_only=True)
    plan_name = serializers.CharField(source="plan.name", read_only=True)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(read_only=True)
    provider_uuid = HexUUIDField(source="provider_customer_id", read_only=True)
    agent_config = serializers.SerializerMethodField()
    activated_at = serializers.DateTimeField(read_only=True)
    terminated_at = serializers.DateTimeField(read_only=True)

    def get_agent_config(self, resource: Resource) -> str | None:
        """Return the uuid of the buyer's settings; None for the provider, who does not see them."""
        config = getattr(resource, "config", None)
        return config.uuid if config else None


STATE_NAMES = {fold(state.value): (state.value,) for state in ResourceState}


class ResourceViewSet(ApiViewSet):
    """Live instances; born of orders and ended by them."""

    queryset = Resource.objects.select_related("offering", "plan", "config")
    serializer_class = ResourceSerializer
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "offering_uuid": by_uuid("offering_id"),
        "project_uuid": by_uuid("project_id"),
        "customer_uuid": by_uuid("customer_id"),
        "provider_uuid": by_uuid("provider_customer_id"),
    }

    @action(detail=True, methods=["get"])
    def plan_periods(self, request: Request, **kwargs: Any) -> Response:
        """List the times the resource ran under its plans."""
        rows = selectors.plan_periods_of(self.get_object())
        return Response(
            [
                {
                    "uuid": row.uuid,
                    "plan_uuid": row.plan_id.hex,
                    "plan_name": row.plan.name,
                    "start": row.start,
                    "end": row.end,
                }
                for row in rows
            ]
        )


class AgentConfigSerializer(ApiSerializer):
    """The buyer's settings of one agent."""

    url = serializers.HyperlinkedIdentityField(
        view_name="customer-agent-config-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    state = serializers.CharField(source="resource.state", read_only=True)
    resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    offering_uuid = HexUUIDField(source="resource.offering_id", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    project_uuid = HexUUIDField(source="resource.project_id", read_only=True)
    tweaks = serializers.JSONField(read_only=True)
    tweakable = serializers.JSONField(read_only=True)
    limits = serializers.SerializerMethodField()
    endpoints = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)

    def get_limits(self, config: AgentConfig) -> dict[str, Any]:
        """Return the limits in force."""
        return plan_limits(config.resource.plan)

    def get_endpoints(self, config: AgentConfig) -> dict[str, str]:
        """Return where the agent is called."""
        return {"invoke": f"{settings.GATEWAY_URL}/api/agent-gateway/invoke/"}


class AgentConfigViewSet(ApiViewSet):
    """Settings of one's agents."""

    queryset = AgentConfig.objects.select_related("resource__plan")
    serializer_class = AgentConfigSerializer
    filters = {"resource_uuid": by_uuid("resource_id"), "customer_uuid": by_uuid("customer_id")}

    def viewer(self) -> Actor:
        """Return the actor; catalog managers see no buyer's settings."""
        return viewer(self.actor, "config.see")
