"""REST: offerings, under three families of paths, and who sells them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.api.categories import public
from agentmart.catalog.api.plans import PlanBodySerializer, PlanSerializer
from agentmart.catalog.models import TYPES, Category, Offering, ServiceProvider
from agentmart.catalog.states import OfferingState
from agentmart.identity import selectors as identity
from agentmart.identity.models import SELLERS, Customer
from agentmart.identity.permissions import permitted, require
from agentmart.infra.permissions import LoggedIn
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    JsonObject,
    Relation,
    by_choice,
    by_text,
    by_uuid,
    fold,
)
from agentmart.kit.errors import Forbidden, Invalid


class OfferingComponentSerializer(serializers.Serializer[Any]):
    """A component as it is written and shown."""

    uuid = HexUUIDField(source="id", read_only=True)
    type = serializers.RegexField(r"\A[A-Za-z0-9_\-/:]+\Z", max_length=60)
    name = serializers.CharField(max_length=150)
    measured_unit = serializers.CharField(required=False, allow_blank=True, max_length=30)
    billing_type = serializers.ChoiceField(choices=["fixed", "usage", "limit", "one", "few"])
    is_builtin = serializers.BooleanField(read_only=True)


class OfferingSerializer(ApiSerializer):
    """An offering as everybody sees it."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-offering-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(read_only=True)
    slug = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    type = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    review = serializers.CharField(read_only=True)
    paused_reason = serializers.CharField(read_only=True)
    category = Relation(view_name="marketplace-category-detail", read_only=True)
    category_uuid = HexUUIDField(source="category_id", read_only=True)
    category_title = serializers.CharField(source="category.title", read_only=True)
    customer = Relation(view_name="customer-detail", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="service_provider.name", read_only=True)
    shared = serializers.BooleanField(read_only=True)
    billable = serializers.BooleanField(read_only=True)
    plugin_options = serializers.JSONField(read_only=True)
    components = OfferingComponentSerializer(many=True, read_only=True)
    plans = PlanSerializer(many=True, read_only=True)
    is_orderable = serializers.SerializerMethodField()
    custom_code = serializers.BooleanField(read_only=True)

    def get_is_orderable(self, offering: Offering) -> bool:
        """Return whether somebody could order it now."""
        return offering.state == OfferingState.ACTIVE and any(
            not plan.archived for plan in offering.plans.all()
        )


class PluginOptions(JsonObject):
    """Settings of an offering's type; those we know are checked, others kept."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Return the options; refuses a flag that is no boolean."""
        value = super().to_internal_value(data)
        if not isinstance(value.get("require_provider_approval", True), bool):
            raise serializers.ValidationError({"require_provider_approval": ["Must be a valid boolean."]})
        return value


class OfferingCreateSerializer(serializers.Serializer[Any]):
    """An offering as it is written."""

    name = serializers.CharField(max_length=150)
    category = Relation(view_name="marketplace-category-detail", queryset=Category.objects)
    type = serializers.CharField(max_length=40)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    state = serializers.CharField(required=False)
    shared = serializers.BooleanField(required=False)
    billable = serializers.BooleanField(required=False)
    plugin_options = PluginOptions(required=False)
    components = OfferingComponentSerializer(many=True, required=False)
    plans = PlanBodySerializer(many=True, required=False)

    def validate_type(self, value: str) -> str:
        """Accept the registered types and their aliases."""
        if value.lower() not in TYPES:
            raise serializers.ValidationError(
                f"Unknown type {value}; use one of {', '.join(sorted(set(TYPES.values())))}."
            )
        return TYPES[value.lower()]

    def validate_state(self, value: str) -> str:
        """Accept Draft and Active, in any case."""
        states = {"draft": OfferingState.DRAFT, "active": OfferingState.ACTIVE}
        if fold(value) not in states:
            raise serializers.ValidationError("An offering is created Draft or Active.")
        return states[fold(value)]


class PauseSerializer(serializers.Serializer[Any]):
    """Why an offering pauses."""

    paused_reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


STATE_NAMES = {fold(state.value): (state.value,) for state in OfferingState}


class OfferingViewSet(ApiViewSet):
    """Offerings: everybody's view for most, the provider's for those who manage them."""

    queryset = Offering.objects
    serializer_class = OfferingSerializer
    filters = {
        "state": by_choice("state", STATE_NAMES),
        "category_uuid": by_uuid("category_id"),
        "customer_uuid": by_uuid("customer_id"),
        "name": by_text("name"),
    }

    def get_permissions(self) -> list[Any]:
        """Let visitors read active offerings."""
        return public(self)

    def visible(self) -> QuerySet[Any]:
        """Return visible offerings with all that their answer shows."""
        return selectors.with_plans(super().visible())

    def create(self, request: Request) -> Response:
        """Add an offering; `state: Active` for whoever may activate."""
        named = self.named(OfferingCreateSerializer, "customer") or self._default_customer()
        if named is not None:
            require(self.actor, "offering.create", provider_id=named.id)
        body = self.body(OfferingCreateSerializer)
        customer = body.pop("customer", named)
        if customer is None:
            raise Invalid("Say which customer provides the offering.", field="customer")
        state = body.pop("state", OfferingState.DRAFT)
        if state == OfferingState.ACTIVE and not permitted(self.actor, "offering.activate"):
            raise Forbidden("Only staff and catalog managers may create an offering as Active.")
        offering = services.create_offering(actor=self.actor, now=self.now, customer=customer, **body)
        if state == OfferingState.ACTIVE:
            services.change_state(offering, "activate", actor=self.actor, now=self.now)
        return self.answer(self.visible().get(pk=offering.pk), status=201)

    def _default_customer(self) -> Customer | None:
        """Return who provides an offering without `customer`: operators' own, or the caller's only one."""
        if self.actor.is_operator:
            return identity.operator_customer()
        mine = Customer.objects.visible_to(self.actor).filter(id__in=self.actor.customers_as(SELLERS))[:2]
        return mine[0] if len(mine) == 1 else None

    @action(detail=True, methods=["get"])
    def plans(self, request: Request, **kwargs: Any) -> Response:
        """List the offering's plans."""
        return Response(
            PlanSerializer(
                self.get_object().plans.all(), many=True, context=self.get_serializer_context()
            ).data
        )

    def _change(self, verb: str, **details: Any) -> Response:
        """Carry out one state change."""
        offering = services.change_state(self.get_object(), verb, actor=self.actor, now=self.now, **details)
        return Response({"detail": f"Offering is {offering.state}.", "state": offering.state})

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, **kwargs: Any) -> Response:
        """Draft → Active."""
        return self._change("activate")

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Active → Paused."""
        return self._change("pause", paused_reason=self.body(PauseSerializer).get("paused_reason", ""))

    @action(detail=True, methods=["post"])
    def unpause(self, request: Request, **kwargs: Any) -> Response:
        """Paused → Active."""
        return self._change("unpause", paused_reason="")

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, **kwargs: Any) -> Response:
        """Any → Archived."""
        return self._change("archive")

    @action(detail=True, methods=["post"])
    def draft(self, request: Request, **kwargs: Any) -> Response:
        """Back to Draft."""
        return self._change("draft")


class ProviderOfferingViewSet(OfferingViewSet):
    """Offerings one manages."""

    def get_permissions(self) -> list[Any]:
        """Nobody without login."""
        return [LoggedIn()]

    def visible(self) -> QuerySet[Any]:
        """Return the offerings the actor manages."""
        return selectors.managed_offerings(self.actor)


class ServiceProviderSerializer(ApiSerializer):
    """A customer that sells."""

    uuid = HexUUIDField(source="id", read_only=True)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="name", read_only=True)
    description = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)


class ServiceProviderViewSet(ApiViewSet):
    """Customers that sell."""

    queryset = ServiceProvider.objects
    serializer_class = ServiceProviderSerializer

    def create(self, request: Request) -> Response:
        """Make a customer a service provider."""
        require(self.actor, "customer.create")
        customer = self.body(ServiceProviderSerializer)["customer"]
        return self.answer(services.register_provider(customer, actor=self.actor, now=self.now), status=201)
