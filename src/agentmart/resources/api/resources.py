"""REST: resources as they are shown; orders about them are in `ordering.api`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiViewSet,
    HexUUIDField,
    by_choice,
    by_exact,
    by_flag,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
)
from agentmart.resources import selectors, services, usage
from agentmart.resources.api.sold import SoldSerializer
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState

STATE_NAMES = {fold(state.value): (state.value,) for state in ResourceState}
MAX_DESCRIPTION = 10_000


def as_number(value: Decimal | int) -> int | float:
    """Return an amount as the JSON number that clients read: whole where it is whole."""
    return int(value) if value == int(value) else float(value)


class ResourceSerializer(SoldSerializer):
    """A resource as buyer and provider see it."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-resource-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    paused = serializers.BooleanField(read_only=True)
    downscaled = serializers.BooleanField(read_only=True)
    usage_limit_restriction = serializers.SerializerMethodField()
    error_message = serializers.CharField(read_only=True)
    offering_slug = serializers.CharField(source="offering.slug", read_only=True)
    offering_state = serializers.CharField(source="offering.state", read_only=True)
    options = serializers.JSONField(read_only=True)
    current_usages = serializers.SerializerMethodField()
    limit_usage = serializers.SerializerMethodField()
    is_usage_based = serializers.BooleanField(read_only=True, default=False)
    is_limit_based = serializers.BooleanField(read_only=True, default=False)
    backend_id = serializers.CharField(read_only=True)
    backend_metadata = serializers.JSONField(read_only=True)
    report = serializers.JSONField(read_only=True)
    last_sync = serializers.DateTimeField(source="synced_at", read_only=True)
    end_date = serializers.DateField(read_only=True)
    end_date_requested_by = serializers.CharField(read_only=True)
    end_date_updated_at = serializers.DateTimeField(read_only=True)
    endpoints = serializers.SerializerMethodField()
    agent_config = serializers.SerializerMethodField()
    activated_at = serializers.DateTimeField(read_only=True)
    terminated_at = serializers.DateTimeField(read_only=True)

    def get_usage_limit_restriction(self, resource: Resource) -> str:
        """Return what a usage limit did to the resource: nothing, limits are the gateway's."""
        return ""

    def get_current_usages(self, resource: Resource) -> dict[str, float]:
        """Return what it used this month, by component."""
        found = self.context.get("usages", {}).get(resource.pk, {})
        return {kind: as_number(amount) for kind, amount in found.items()}

    def get_limit_usage(self, resource: Resource) -> dict[str, float]:
        """Return what it used this month of the components that it has a limit for."""
        used = self.get_current_usages(resource)
        return {kind: used.get(kind, 0) for kind in resource.limits}

    def get_endpoints(self, resource: Resource) -> list[dict[str, str]]:
        """Return where it is called."""
        told: list[dict[str, str]] = resource.access_points
        if not resource.runtime:
            return told
        gateway = settings.GATEWAY_URL
        return [
            *told,
            {"name": "invoke", "url": f"{gateway}/api/agent-gateway/invoke/"},
            {"name": "openai", "url": f"{gateway}/v1"},
        ]

    def get_agent_config(self, resource: Resource) -> str | None:
        """Return the uuid of the buyer's settings; None for the provider, who does not see them."""
        config = getattr(resource, "config", None)
        return config.uuid if config else None


class ResourceUpdateSerializer(serializers.Serializer[Any]):
    """What may be changed of a resource without an order."""

    name = serializers.CharField(max_length=150)
    description = serializers.CharField(max_length=MAX_DESCRIPTION, required=False, allow_blank=True)
    end_date = serializers.DateField(required=False, allow_null=True)


class DownscaledSerializer(serializers.Serializer[Any]):
    """Whether the resource is marked as downscaled."""

    downscaled = serializers.BooleanField()


class StatusSerializer(serializers.Serializer[Any]):
    """What became of it."""

    status = serializers.CharField()


class PlanPeriodSerializer(serializers.Serializer[Any]):
    """The time a resource ran under one plan with the same limits."""

    uuid = HexUUIDField(source="id")
    plan_uuid = HexUUIDField(source="plan_id")
    plan_name = serializers.CharField(source="plan.name")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)
    limits = serializers.JSONField()
    components = serializers.SerializerMethodField()

    def get_components(self, row: Any) -> list[dict[str, Any]]:
        """Return the monthly usage under the plan, with its last period."""
        found: list[dict[str, Any]] = self.context["components"].get(row.pk, [])
        return found


class ResourceViewSet(ApiViewSet):
    """Live instances; born of orders and ended by them."""

    queryset = Resource.objects.select_related(
        "offering__category", "offering__service_provider", "plan", "config"
    )
    serializer_class = ResourceSerializer
    wide = True
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "offering": by_uuid("offering_id"),
        "offering_uuid": by_uuid("offering_id"),
        "offering_slug": by_exact("offering__slug"),
        "offering_type": by_exact("offering__type"),
        "offering_shared": by_flag("offering__shared"),
        "offering_billable": by_flag("offering__billable"),
        "plan_uuid": by_uuid("plan_id"),
        "project_uuid": by_uuid("project_id"),
        "project_name": by_text("project_name"),
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "provider_uuid": by_uuid("provider_customer_id"),
        "category_uuid": by_uuid("offering__category_id"),
        "name": by_text("name"),
        "name_exact": by_exact("name"),
        "query": by_words("name", "description", "offering__name", "project_name", "customer_name"),
        "backend_id": by_exact("backend_id"),
        "paused": by_flag("paused"),
        "downscaled": by_flag("downscaled"),
        "usage_based": by_flag("is_usage_based"),
        "limit_based": by_flag("is_limit_based"),
        "has_terminate_date": by_flag("has_end_date"),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {
        "created": "created",
        "name": "name",
        "state": "state",
        "backend_id": "backend_id",
        "end_date": "end_date",
        "customer_name": "customer_name",
        "project_name": "project_name",
        "offering_name": "offering__name",
        "plan_name": "plan__name",
    }
    bodies = {"partial_update": ResourceUpdateSerializer, "set_downscaled": DownscaledSerializer}
    answers: Any = {
        "set_downscaled": StatusSerializer,
        "plan_periods": PlanPeriodSerializer(many=True),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the resources the actor may see, each with how it is charged."""
        return selectors.with_charging(super().visible())

    def _shown(self, rows: list[Resource], **options: Any) -> Any:
        """Return resources as JSON, with this month's usage read once for all of them."""
        return self.get_serializer_class()(rows, many=True, context=self._context(rows), **options).data

    def _context(self, rows: list[Resource]) -> dict[str, Any]:
        """Return what the serializer needs besides the rows."""
        used = usage.of_month([row.pk for row in rows], self.now.date())
        return {**self.get_serializer_context(), "usages": used}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of resources."""
        return self.get_paginated_response(self._shown(self.page_of(self.get_queryset())))

    def answer(self, row: Any, *, status: int = 200, **extra: Any) -> Response:
        """Return one resource."""
        data = self.get_serializer_class()(row, context=self._context([row])).data
        return Response({**data, **extra}, status=status)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change name, description or end date."""
        resource = self.get_object()
        require(self.actor, "resource.edit", customer_id=resource.customer_id, project_id=resource.project_id)
        services.require_editable(resource)
        changes = self.body(partial=True)
        services.describe_resource(resource, changes, actor=self.actor, now=self.now)
        return self.answer(resource)

    @action(detail=True, methods=["post"])
    def set_downscaled(self, request: Request, **kwargs: Any) -> Response:
        """Mark the resource as downscaled, or not (staff)."""
        resource = self.get_object()
        require(self.actor, "resource.pause")
        downscaled = self.body()["downscaled"]
        services.set_downscaled(resource, downscaled, actor=self.actor, now=self.now)
        return Response(
            {"status": "Resource is downscaled." if downscaled else "Resource is not downscaled."}
        )

    @action(detail=True, methods=["get"])
    def plan_periods(self, request: Request, **kwargs: Any) -> Response:
        """List the times the resource ran under its plans, with the usage under each."""
        resource = self.get_object()
        page = self.page_of(selectors.plan_periods_of(resource))
        used = dict(usage.by_plan(resource.pk))
        components = {row.pk: used.pop(row.plan_id, []) for row in reversed(page)}
        shown = PlanPeriodSerializer(page, many=True, context={"components": components})
        return self.get_paginated_response(shown.data)
