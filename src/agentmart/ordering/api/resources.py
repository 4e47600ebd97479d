"""REST: orders about a resource that exists, and how its open order is shown."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.access import services as access
from agentmart.access.catalog_api import OfferingViewSet
from agentmart.catalog.api import OfferingSerializer
from agentmart.catalog.models import Plan
from agentmart.identity.permissions import require
from agentmart.infra.rest import JsonObject, Relation, by_choice
from agentmart.ordering import selectors, services
from agentmart.ordering.api.serializers import (
    MAX_COMMENT,
    OrderedSerializer,
    OrderSerializer,
    StartDateField,
    StatusSerializer,
    can_end,
    limits_field,
)
from agentmart.ordering.states import STATE_NAMES
from agentmart.resources import services as resources
from agentmart.resources.api import ResourceSerializer as PlainResourceSerializer
from agentmart.resources.api import ResourceViewSet as PlainResourceViewSet
from agentmart.resources.models import Resource


class ResourceSerializer(PlainResourceSerializer):
    """A resource with its open order."""

    can_terminate = serializers.SerializerMethodField()
    order_in_progress = serializers.SerializerMethodField()

    def _order(self, order: Any) -> dict[str, Any]:
        """Return an order as it is shown elsewhere."""
        return self._orders.to_representation(order)

    @cached_property
    def _orders(self) -> OrderSerializer:
        """Return what shows orders."""
        return OrderSerializer(context=self.context)

    def get_can_terminate(self, resource: Resource) -> bool:
        """Return whether the reader may order its end now."""
        busy = bool(selectors.open_orders_of(resource))
        return can_end(self.context["view"].actor, resource, busy=busy)

    def get_order_in_progress(self, resource: Resource) -> dict[str, Any] | None:
        """Return the order that is not finished yet."""
        found = selectors.open_orders_of(resource)
        return self._order(found[0]) if found else None


class ResourceDetailSerializer(ResourceSerializer):
    """A resource with the order it was born of."""

    creation_order = serializers.SerializerMethodField()

    def get_creation_order(self, resource: Resource) -> dict[str, Any] | None:
        """Return the order that created it."""
        order = selectors.creation_order_of(resource)
        return self._order(order) if order else None


class TerminateSerializer(serializers.Serializer[Any]):
    """How the resource is to be ended."""

    attributes = JsonObject(required=False)
    termination_comment = serializers.CharField(required=False, allow_blank=True, max_length=MAX_COMMENT)


class SwitchPlanSerializer(serializers.Serializer[Any]):
    """The plan to run under."""

    plan = Relation(view_name="marketplace-plan-detail", queryset=Plan.objects)
    request_comment = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=MAX_COMMENT
    )


class LimitsSerializer(serializers.Serializer[Any]):
    """The quantities to order."""

    limits = limits_field(required=True)
    request_comment = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=MAX_COMMENT
    )


class OptionsSerializer(serializers.Serializer[Any]):
    """The options to set."""

    options = JsonObject(allow_null=True)


class EndDateSerializer(serializers.Serializer[Any]):
    """The last day, null for none."""

    end_date = StartDateField(required=False, allow_null=True)


class PausedSerializer(serializers.Serializer[Any]):
    """Whether the resource lets no calls in."""

    paused = serializers.BooleanField(required=False, default=False)


class ResourceViewSet(PlainResourceViewSet):
    """Live instances, and the orders that change and end them."""

    serializer_class = ResourceSerializer
    filters = {**PlainResourceViewSet.filters, "order_state": by_choice("orders__state", STATE_NAMES)}
    bodies = {
        **PlainResourceViewSet.bodies,
        "terminate": TerminateSerializer,
        "switch_plan": SwitchPlanSerializer,
        "update_limits": LimitsSerializer,
        "update_options": OptionsSerializer,
        "set_paused": PausedSerializer,
        "set_end_date": EndDateSerializer,
        "set_end_date_by_staff": EndDateSerializer,
    }
    answers: Any = {
        **PlainResourceViewSet.answers,
        "retrieve": ResourceDetailSerializer,
        "terminate": OrderedSerializer,
        "switch_plan": OrderedSerializer,
        "update_limits": OrderedSerializer,
        "update_options": [(200, StatusSerializer), (201, OrderedSerializer)],
        "restore": OrderedSerializer,
        "set_paused": StatusSerializer,
        "set_end_date": StatusSerializer,
        "set_end_date_by_staff": StatusSerializer,
        "offering": OfferingSerializer,
    }

    def get_serializer_class(self) -> Any:
        """Return the detailed form for one resource."""
        return ResourceSerializer if self.action == "list" else ResourceDetailSerializer

    def visible(self) -> QuerySet[Any]:
        """Return the resources the actor may see, each with its open order."""
        rows: QuerySet[Any] = selectors.with_open_order(super().visible())
        asked = self.action == "list" and "order_state" in self.request.query_params
        return rows.distinct() if asked else rows

    def _ordered(self, order: Any, *, status: int = 200) -> Response:
        """Answer with the order that was placed."""
        return Response({"order_uuid": order.uuid}, status=status)

    def _require_change(self, resource: Resource) -> None:
        """Raise what forbids to change the resource, before the body is read."""
        services.require_change(resource, actor=self.actor)

    @action(detail=True, methods=["post"])
    def terminate(self, request: Request, **kwargs: Any) -> Response:
        """Order the end of the resource."""
        resource = self.get_object()
        services.require_termination(resource, actor=self.actor)
        body = self.body()
        attributes = body.get("attributes", {})
        comment = body.get("termination_comment") or str(attributes.get("termination_comment", ""))
        order = services.order_termination(
            resource, actor=self.actor, now=self.now, attributes=attributes, comment=comment[:MAX_COMMENT]
        )
        return self._ordered(order)

    @action(detail=True, methods=["post"])
    def switch_plan(self, request: Request, **kwargs: Any) -> Response:
        """Order another plan of the same offering."""
        resource = self.get_object()
        self._require_change(resource)
        body = self.body()
        comment = body.get("request_comment") or ""
        return self._ordered(
            services.order_plan(resource, body["plan"], actor=self.actor, now=self.now, comment=comment)
        )

    @action(detail=True, methods=["post"])
    def update_limits(self, request: Request, **kwargs: Any) -> Response:
        """Order other quantities."""
        resource = self.get_object()
        self._require_change(resource)
        body = self.body()
        comment = body.get("request_comment") or ""
        return self._ordered(
            services.order_limits(resource, body["limits"], actor=self.actor, now=self.now, comment=comment)
        )

    @action(detail=True, methods=["post"])
    def update_options(self, request: Request, **kwargs: Any) -> Response:
        """Set options: at once, or by an order where the offering asks for one."""
        resource = self.get_object()
        self._require_change(resource)
        options = self.body()["options"] or {}
        order = services.change_options(resource, options, actor=self.actor, now=self.now)
        if order is not None:
            return self._ordered(order, status=201)
        return Response({"status": "Resource options are updated."})

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, **kwargs: Any) -> Response:
        """Order that an erred resource is made to run once more."""
        order = services.order_restoration(self.get_object(), actor=self.actor, now=self.now)
        return self._ordered(order)

    @action(detail=True, methods=["post"])
    def set_paused(self, request: Request, **kwargs: Any) -> Response:
        """Let no calls in, or let them in again (staff)."""
        resource = self.get_object()
        require(self.actor, "resource.pause")
        paused = self.body()["paused"]
        access.set_paused(resource, paused, actor=self.actor, now=self.now)
        return Response({"status": "Resource is paused." if paused else "Resource is not paused."})

    def _end_date(self) -> Response:
        """Set the resource's last day."""
        resource = self.get_object()
        resources.require_end(resource, actor=self.actor)
        resources.require_editable(resource)
        day = self.body().get("end_date")
        resources.set_end_date(resource, day, actor=self.actor, now=self.now)
        return Response({"status": f"The last day is {day}." if day else "There is no last day."})

    @action(detail=True, methods=["post"])
    def set_end_date(self, request: Request, **kwargs: Any) -> Response:
        """Set the resource's last day; its end is ordered after it."""
        return self._end_date()

    @action(detail=True, methods=["post"])
    def set_end_date_by_staff(self, request: Request, **kwargs: Any) -> Response:
        """Set the resource's last day (staff)."""
        self.get_object()
        require(self.actor, "resource.pause")
        return self._end_date()

    @action(detail=True, methods=["get"])
    def offering(self, request: Request, **kwargs: Any) -> Response:
        """Show the resource's offering as the caller sees it."""
        return shown_offering(request, self.get_object().offering_id)


def shown_offering(request: Request, offering_id: UUID) -> Response:
    """Return an offering as its own address answers; 404 where the caller does not see it (any more)."""
    shown: Response = OfferingViewSet.as_view({"get": "retrieve"})(request._request, uuid=offering_id.hex)
    return shown
