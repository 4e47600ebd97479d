"""How orders are answered, and what requests about them look like."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework import serializers

from agentmart.catalog.models import Offering, Plan
from agentmart.identity.models import Project
from agentmart.identity.permissions import permitted
from agentmart.infra.rest import ApiSerializer, HexUUIDField, JsonObject, Relation
from agentmart.kit.hosts import may_be_public
from agentmart.kit.money import money_text
from agentmart.ordering.models import Order
from agentmart.ordering.states import OPEN, PENDING, CallbackState, OrderState, OrderType
from agentmart.resources.api.sold import SoldSerializer
from agentmart.resources.states import ResourceState

MAX_NAME = 150
MAX_LIMIT = 2**31 - 1
MAX_COMMENT = 2000
NEVER_NULL = ("offering_uuid", "provider_uuid", "category_uuid", "marketplace_resource_uuid")


class CallbackField(serializers.URLField):
    """A public http(s) address, which is told of every state the order comes to."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address; refuses what is not public."""
        address = super().to_internal_value(data)
        try:
            parts = urlsplit(address)
            host = parts.hostname or ""
        except ValueError:
            raise serializers.ValidationError("Enter a valid URL.") from None
        allowed = parts.scheme in ("http", "https") and parts.username is None
        if not allowed or not may_be_public(host, settings.CALLBACK_HOSTS):
            raise serializers.ValidationError("Give a public http or https address.")
        return address


class StartDateField(serializers.DateField):
    """A day within reach of the calendar."""

    def to_internal_value(self, value: Any) -> date:
        """Return the day; refuses one further than the year 2999."""
        day: date = super().to_internal_value(value)
        if day.year > 2999:
            raise serializers.ValidationError("Give a day up to the year 2999.")
        return day


class OrderSerializer(SoldSerializer):
    """An order as buyer and provider see it."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-order-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    type = serializers.CharField(read_only=True)
    order_subtype = serializers.SerializerMethodField()
    state = serializers.CharField(read_only=True)
    completed_at = serializers.DateTimeField(read_only=True)
    offering_description = serializers.CharField(source="offering.description", read_only=True)
    marketplace_resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_name = serializers.CharField(read_only=True)
    resource_end_date = serializers.DateField(source="resource.end_date", read_only=True)
    slug = serializers.CharField(read_only=True)
    start_date = serializers.DateField(read_only=True)
    callback_url = serializers.SerializerMethodField()
    currency = serializers.CharField(read_only=True)
    cost = serializers.SerializerMethodField()
    fixed_price = serializers.FloatField(read_only=True)
    activation_price = serializers.FloatField(read_only=True)
    old_plan_uuid = HexUUIDField(source="old_plan_id", read_only=True)
    old_plan_name = serializers.CharField(source="old_plan.name", read_only=True, default=None)
    new_plan_uuid = HexUUIDField(source="plan_id", read_only=True)
    new_plan_name = serializers.CharField(source="plan.name", read_only=True, default=None)
    old_cost_estimate = serializers.FloatField(read_only=True)
    new_cost_estimate = serializers.SerializerMethodField()
    request_comment = serializers.CharField(read_only=True)
    created_by_username = serializers.CharField(read_only=True)
    created_by_full_name = serializers.CharField(read_only=True)
    consumer_reviewed_by = serializers.CharField(read_only=True)
    consumer_reviewed_by_username = serializers.CharField(source="consumer_reviewed_by", read_only=True)
    consumer_reviewed_at = serializers.DateTimeField(read_only=True)
    consumer_rejection_comment = serializers.CharField(read_only=True)
    consumer_message = serializers.CharField(read_only=True)
    provider_reviewed_by = serializers.CharField(read_only=True)
    provider_reviewed_by_username = serializers.CharField(source="provider_reviewed_by", read_only=True)
    provider_reviewed_at = serializers.DateTimeField(read_only=True)
    provider_rejection_comment = serializers.CharField(read_only=True)
    provider_message = serializers.CharField(read_only=True)
    provider_message_url = serializers.CharField(read_only=True)
    auto_approved = serializers.BooleanField(read_only=True)
    auto_approved_by_rule_uuid = HexUUIDField(source="auto_approved_by_rule_id", read_only=True)
    auto_approved_cost_limit_snapshot = serializers.SerializerMethodField()
    backend_id = serializers.CharField(read_only=True)
    output = serializers.CharField(read_only=True)
    error_message = serializers.CharField(read_only=True)
    error_traceback = serializers.SerializerMethodField()
    termination_comment = serializers.CharField(read_only=True)
    can_terminate = serializers.SerializerMethodField()

    def _money(self, order: Order, value: Any) -> str | None:
        """Return an amount as text, None where there is none."""
        return None if value is None else money_text(value, order.currency or "USD")

    def get_order_subtype(self, order: Order) -> str | None:
        """Return what an Update order changes."""
        return order.subtype or None

    def get_callback_url(self, order: Order) -> str | None:
        """Return the address that the buyer left."""
        return order.callback_url or None

    def get_cost(self, order: Order) -> str | None:
        """Return the full first period and what is due once."""
        return self._money(order, order.cost)

    def get_new_cost_estimate(self, order: Order) -> str | None:
        """Return what a period costs once the order is done."""
        return self._money(order, order.new_cost_estimate)

    def get_auto_approved_cost_limit_snapshot(self, order: Order) -> str | None:
        """Return the cost limit of the rule that approved the order, as it was then."""
        return self._money(order, order.auto_approved_cost_limit)

    def get_error_traceback(self, order: Order) -> str:
        """Return what failed in a programmer's words, for staff."""
        return order.error_traceback if "staff" in self.context["view"].actor.operator_roles else ""

    def get_can_terminate(self, order: Order) -> bool:
        """Return whether the reader may withdraw the order now."""
        executing = order.state == OrderState.EXECUTING and order.type in (
            OrderType.CREATE,
            OrderType.UPDATE,
        )
        actor = self.context["view"].actor
        if order.state not in PENDING and not executing:
            return False
        operation = (
            "order.review_as_consumer" if order.offering.shared else "order.review_as_consumer_private"
        )
        own = actor.user_id is not None and actor.user_id == order.created_by_id
        return own or permitted(actor, operation, customer_id=order.customer_id, project_id=order.project_id)


def can_end(actor: Any, resource: Any, *, busy: bool) -> bool:
    """Return whether the actor may order the resource's end now."""
    return (
        not busy
        and resource.state in (ResourceState.OK, ResourceState.ERRED)
        and permitted(
            actor,
            "resource.terminate",
            customer_id=resource.customer_id,
            project_id=resource.project_id,
            provider_id=resource.provider_customer_id,
        )
    )


def is_open(order: Order) -> bool:
    """Return whether the order is not finished yet."""
    return order.state in OPEN


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


def limits_field(*, required: bool = False) -> serializers.DictField:
    """Return a field of ordered quantities by component type."""
    quantity = serializers.IntegerField(min_value=0, max_value=MAX_LIMIT)
    return serializers.DictField(child=quantity, required=required)


class OrderCreateSerializer(serializers.Serializer[Any]):
    """An order as it is placed."""

    project = Relation(view_name="project-detail", queryset=Project.objects)
    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)
    plan = Relation(
        view_name="marketplace-plan-detail", queryset=Plan.objects, required=False, allow_null=True
    )
    attributes = AttributesField(required=False)
    limits = limits_field()
    accepting_terms_of_service = serializers.BooleanField(required=False, default=False)
    callback_url = CallbackField(required=False, allow_null=True, allow_blank=True, max_length=500)
    request_comment = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=MAX_COMMENT
    )
    start_date = StartDateField(required=False, allow_null=True)
    slug = serializers.SlugField(required=False, allow_blank=True, max_length=50)


class OrderUpdateSerializer(serializers.Serializer[Any]):
    """What may be changed of a pending order."""

    limits = limits_field()
    attributes = AttributesField(required=False)
    start_date = StartDateField(required=False, allow_null=True)


class RejectSerializer(serializers.Serializer[Any]):
    """Why an order is rejected, by any name."""

    comment = serializers.CharField(required=False, allow_blank=True, max_length=MAX_COMMENT)
    consumer_rejection_comment = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_COMMENT
    )
    provider_rejection_comment = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_COMMENT
    )


class ApproveSerializer(serializers.Serializer[Any]):
    """What the provider adds to the order while approving it."""

    attributes = JsonObject(required=False)


class ErredSerializer(serializers.Serializer[Any]):
    """Why the provider could not carry the order out."""

    error_message = serializers.CharField(required=False, allow_blank=True, max_length=500)
    error_traceback = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    consumer_rejection_comment = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_COMMENT
    )


class BackendIdSerializer(serializers.Serializer[Any]):
    """The name under which the provider's system knows the order."""

    backend_id = serializers.CharField(max_length=255, allow_blank=True)


class ConsumerInfoSerializer(serializers.Serializer[Any]):
    """What the buyer lets the provider know."""

    consumer_message = serializers.CharField(required=False, allow_blank=True, max_length=5000)


class ProviderInfoSerializer(serializers.Serializer[Any]):
    """What the provider lets the buyer know."""

    provider_message = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    provider_message_url = serializers.URLField(required=False, allow_blank=True, max_length=500)

    def validate_provider_message_url(self, value: str) -> str:
        """Return the address; refuses what a page must not link to."""
        if value and not value.lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Give an http or https address.")
        return value


class DetailSerializer(serializers.Serializer[Any]):
    """What was done, in a sentence."""

    detail = serializers.CharField()


class DecisionSerializer(DetailSerializer):
    """What was done, and where the order stands now."""

    state = serializers.CharField()


class StatusSerializer(serializers.Serializer[Any]):
    """What became of it."""

    status = serializers.CharField()


class OrderedSerializer(serializers.Serializer[Any]):
    """The order that was placed."""

    order_uuid = serializers.CharField()


class CallbackSerializer(ApiSerializer):
    """A message to the address that the buyer left with an order."""

    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    url = serializers.CharField(read_only=True)
    order_state = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=CallbackState.choices, read_only=True)
    attempts = serializers.IntegerField(read_only=True)
    last_status = serializers.IntegerField(read_only=True, allow_null=True)
    last_error = serializers.CharField(read_only=True)
    delivered_at = serializers.DateTimeField(read_only=True, allow_null=True)


class CallbackSecretSerializer(serializers.Serializer[Any]):
    """What messages to this buyer's addresses are signed with."""

    secret = serializers.CharField(read_only=True)


class CommentSerializer(ApiSerializer):
    """What one side said about an order."""

    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    side = serializers.CharField(read_only=True)
    author_name = serializers.CharField(read_only=True)
    text = serializers.CharField(max_length=5000)
