"""REST: orders, and ending a resource (which is an order)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.models import Offering, Plan
from agentmart.identity.models import Project
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    JsonObject,
    Relation,
    by_choice,
    by_uuid,
    fold,
)
from agentmart.ordering import services
from agentmart.ordering.models import Order
from agentmart.ordering.states import STATE_NAMES, OrderType
from agentmart.resources.api import ResourceViewSet as PlainResourceViewSet

MAX_NAME = 150
MAX_LIMIT = 2**31 - 1


class OrderSerializer(ApiSerializer):
    """An order as buyer and provider see it."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-order-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    type = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    completed_at = serializers.DateTimeField(read_only=True)
    offering = Relation(view_name="marketplace-offering-detail", read_only=True)
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    offering_name = serializers.CharField(source="offering.name", read_only=True)
    offering_type = serializers.CharField(source="offering.type", read_only=True)
    provider_uuid = HexUUIDField(source="provider_customer_id", read_only=True)
    plan = Relation(view_name="marketplace-plan-detail", read_only=True)
    plan_uuid = HexUUIDField(source="plan_id", read_only=True)
    plan_name = serializers.CharField(source="plan.name", read_only=True)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(read_only=True)
    marketplace_resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_name = serializers.CharField(read_only=True)
    attributes = serializers.JSONField(read_only=True)
    limits = serializers.JSONField(read_only=True)
    request_comment = serializers.CharField(read_only=True)
    created_by_username = serializers.CharField(read_only=True)
    consumer_reviewed_by = serializers.CharField(read_only=True)
    consumer_reviewed_at = serializers.DateTimeField(read_only=True)
    provider_reviewed_by = serializers.CharField(read_only=True)
    provider_reviewed_at = serializers.DateTimeField(read_only=True)
    provider_rejection_comment = serializers.CharField(read_only=True)
    error_message = serializers.CharField(read_only=True)


class AttributesField(JsonObject):
    """What the buyer says of the instance; `name` is its name."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Return the attributes; refuses a name that is no text, or too long."""
        value = super().to_internal_value(data)
        name = value.get("name", "")
        if not isinstance(name, str):
            raise serializers.ValidationError({"name": ["Not a valid string."]})
        if len(name) > MAX_NAME:
            message = f"Ensure this field has no more than {MAX_NAME} characters."
            raise serializers.ValidationError({"name": [message]})
        return {**value, "name": name.strip()} if name else value


class OrderCreateSerializer(serializers.Serializer[Any]):
    """An order as it is placed."""

    project = Relation(view_name="project-detail", queryset=Project.objects)
    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)
    plan = Relation(
        view_name="marketplace-plan-detail", queryset=Plan.objects, required=False, allow_null=True
    )
    attributes = AttributesField(required=False)
    limits = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=MAX_LIMIT), required=False
    )
    request_comment = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class RejectSerializer(serializers.Serializer[Any]):
    """Why an order is rejected, by either name."""

    comment = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    provider_rejection_comment = serializers.CharField(required=False, allow_blank=True, max_length=2000)


TYPE_NAMES = {fold(kind.value): (kind.value,) for kind in OrderType}


class OrderViewSet(ApiViewSet):
    """Orders of buyers, and of providers' offerings."""

    queryset = Order.objects.select_related("offering", "plan")
    serializer_class = OrderSerializer
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "type": by_choice("type", TYPE_NAMES),
        "offering_uuid": by_uuid("offering_id"),
        "project_uuid": by_uuid("project_id"),
        "customer_uuid": by_uuid("customer_id"),
        "provider_uuid": by_uuid("provider_customer_id"),
        "resource_uuid": by_uuid("resource_id"),
    }

    def create(self, request: Request) -> Response:
        """Place an order."""
        project = self.named(OrderCreateSerializer, "project")
        if project is not None:
            require(self.actor, "order.place", customer_id=project.customer_id, project_id=project.id)
        body = self.body(OrderCreateSerializer)
        order = services.place_order(
            actor=self.actor,
            now=self.now,
            project=body["project"],
            offering=body["offering"],
            plan=body.get("plan"),
            attributes=body.get("attributes", {}),
            limits=body.get("limits", {}),
            comment=body.get("request_comment", ""),
        )
        return self.answer(order, status=201)

    def _done(self, order: Order, detail: str) -> Response:
        """Answer a decision."""
        return Response({"detail": detail, "state": order.state})

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **kwargs: Any) -> Response:
        """Approve the step that is pending."""
        return self._approve()

    def _approve(self) -> Response:
        """Approve and answer."""
        order = services.approve_as_provider(self.get_object(), actor=self.actor, now=self.now)
        return self._done(order, "Order has been approved.")

    @action(detail=True, methods=["post"])
    def approve_by_provider(self, request: Request, **kwargs: Any) -> Response:
        """Approve for the provider."""
        return self._approve()

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, **kwargs: Any) -> Response:
        """Reject the step that is pending."""
        return self._reject()

    def _reject(self) -> Response:
        """Reject and answer."""
        order = self.get_object()
        require(self.actor, "order.review_as_provider", provider_id=order.provider_customer_id)
        body = self.body(RejectSerializer)
        comment = body.get("comment") or body.get("provider_rejection_comment") or ""
        order = services.reject_as_provider(order, comment, actor=self.actor, now=self.now)
        return self._done(order, "Order has been rejected.")

    @action(detail=True, methods=["post"])
    def reject_by_provider(self, request: Request, **kwargs: Any) -> Response:
        """Reject for the provider."""
        return self._reject()

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Withdraw a pending order."""
        order = services.cancel_order(self.get_object(), actor=self.actor, now=self.now)
        return Response({"detail": "Order has been canceled.", "state": order.state}, status=202)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Carry out an erred order once more."""
        return self._done(
            services.retry_order(self.get_object(), actor=self.actor, now=self.now), "Order is executing."
        )


class ResourceViewSet(PlainResourceViewSet):
    """Live instances, with their end."""

    @action(detail=True, methods=["post"])
    def terminate(self, request: Request, **kwargs: Any) -> Response:
        """Order the end of the resource."""
        order = services.order_termination(self.get_object(), actor=self.actor, now=self.now)
        return Response({"order_uuid": order.uuid})
