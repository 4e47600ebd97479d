"""REST: categories, offerings (three path families), plans, and publishing an agent."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.agents.api import AgentSerializer, AgentViewSet
from agentmart.agents.models import Agent
from agentmart.catalog import selectors, services
from agentmart.catalog.models import TYPES, Category, Offering, Plan, PlanComponent, ServiceProvider
from agentmart.catalog.states import OfferingState
from agentmart.identity import selectors as identity
from agentmart.identity.models import SELLERS, Customer
from agentmart.identity.permissions import permitted, require
from agentmart.infra.permissions import Anybody, LoggedIn
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
from agentmart.kit.money import CURRENCIES, decimal_text, money_text

MAX_COUNT = 2**31 - 1
UNITS = ("month", "quarter", "half_month", "day", "hour", "quantity", "year")


class CategorySerializer(ApiSerializer):
    """A category."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-category-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    title = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    offering_count = serializers.SerializerMethodField()

    def get_offering_count(self, category: Category) -> int:
        """Return how many active offerings stand on the shelf."""
        return getattr(category, "active_offerings", 0)


def public(view: Any) -> list[Any]:
    """Return the permission of catalogue reads: visitors too, where the installation shows its catalogue."""
    reading = view.action in ("list", "retrieve", "plans")
    return [Anybody() if reading and settings.PUBLIC_CATALOG else LoggedIn()]


class CategoryViewSet(ApiViewSet):
    """Shelves of the catalogue."""

    queryset = Category.objects
    serializer_class = CategorySerializer
    ordering = ("title", "id")

    def get_permissions(self) -> list[Any]:
        """Let visitors read."""
        return public(self)

    def visible(self) -> QuerySet[Any]:
        """Return categories with their number of offerings."""
        return selectors.with_offering_counts(super().visible())

    def create(self, request: Request) -> Response:
        """Add a category."""
        require(self.actor, "category.write")
        body = self.body(CategorySerializer)
        return self.answer(services.create_category(actor=self.actor, now=self.now, **body), status=201)


class ComponentPriceSerializer(serializers.Serializer[Any]):
    """The price of one component; the forms of a price are `catalog.price_json`'s."""

    type = serializers.CharField(max_length=60)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Check the type's name; the price is checked, by field, where it is stored."""
        super().to_internal_value(data)
        return dict(data)


class LimitsSerializer(serializers.Serializer[Any]):
    """What a plan allows; a missing number means unlimited."""

    requests_per_minute = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    requests_per_month = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    concurrent_requests = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    max_context_tokens = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    streaming = serializers.BooleanField(required=False)
    batch = serializers.BooleanField(required=False)
    priority = serializers.BooleanField(required=False)


class PlanBodySerializer(serializers.Serializer[Any]):
    """A plan as it is written."""

    name = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    unit = serializers.ChoiceField(choices=UNITS, required=False)
    unit_price = serializers.DecimalField(max_digits=20, decimal_places=10, min_value=0, required=False)
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    components = ComponentPriceSerializer(many=True, required=False)
    limits = LimitsSerializer(required=False)
    max_amount = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read a yearly plan as twelve months."""
        if attrs.get("unit") == "year":
            attrs.update(unit="month", interval_count=12)
        if "unit_price" in attrs:
            attrs["unit_price"] = decimal_text(attrs["unit_price"])
        return attrs


class PlanSerializer(ApiSerializer):
    """A plan with its prices."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-plan-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    offering = Relation(view_name="marketplace-offering-detail", read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    unit = serializers.CharField(read_only=True)
    interval_count = serializers.IntegerField(read_only=True)
    currency = serializers.CharField(read_only=True)
    limits = serializers.JSONField(read_only=True)
    archived = serializers.BooleanField(read_only=True)
    is_active = serializers.SerializerMethodField()
    unit_price = serializers.SerializerMethodField()
    prices = serializers.SerializerMethodField()
    components = serializers.SerializerMethodField()

    def get_is_active(self, plan: Plan) -> bool:
        """Return whether the plan can be ordered."""
        return not plan.archived

    def get_unit_price(self, plan: Plan) -> str:
        """Return the base fee."""
        base = next((row for row in plan.components.all() if row.component.type == "base"), None)
        price = selectors.unit_price_of(base) if base else None
        return money_text(price, plan.currency) if price is not None else "0.00"

    def get_prices(self, plan: Plan) -> dict[str, str]:
        """Return the price per unit of each component (of the first tier where there are tiers)."""
        found = {}
        for row in plan.components.all():
            price = selectors.unit_price_of(row)
            if price is not None:
                found[row.component.type] = money_text(price, plan.currency)
        return found

    def get_components(self, plan: Plan) -> list[dict[str, Any]]:
        """Return what each component costs, as it was written."""
        return [component_row(row) for row in plan.components.all()]


def component_row(row: PlanComponent) -> dict[str, Any]:
    """Return the price of one component as JSON."""
    return {
        "uuid": row.uuid,
        "type": row.component.type,
        "name": row.component.name,
        "measured_unit": row.component.measured_unit,
        "billing_type": row.component.billing_type,
        **row.price,
    }


class PlanCreateSerializer(PlanBodySerializer):
    """A plan of a named offering."""

    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)


class PlanViewSet(ApiViewSet):
    """Plans of offerings."""

    queryset = Plan.objects.prefetch_related("components__component")
    serializer_class = PlanSerializer
    filters = {"offering_uuid": by_uuid("offering_id"), "offering": by_uuid("offering_id")}

    def create(self, request: Request) -> Response:
        """Add a plan to an offering."""
        named = self.named(PlanCreateSerializer, "offering")
        if named is not None:
            require(self.actor, "plan.write", provider_id=named.customer_id)
        body = self.body(PlanCreateSerializer)
        offering = body.pop("offering")
        plan = services.create_plan(offering, body, actor=self.actor, now=self.now)
        return self.answer(self.visible().get(pk=plan.pk), status=201)


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


class PublishSerializer(serializers.Serializer[Any]):
    """How an agent is offered."""

    version = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    category = Relation(view_name="marketplace-category-detail", queryset=Category.objects, required=False)
    plans = PlanBodySerializer(many=True, required=False)
    name = serializers.CharField(required=False, max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    plugin_options = PluginOptions(required=False)


class ProviderAgentSerializer(AgentSerializer):
    """An agent with the offering it is sold as."""

    offering = serializers.SerializerMethodField()
    offering_uuid = serializers.SerializerMethodField()

    def get_offering_uuid(self, agent: Agent) -> str | None:
        """Return the offering's uuid."""
        offering: Offering | None = getattr(agent, "offering", None)
        return offering.uuid if offering else None

    def get_offering(self, agent: Agent) -> str | None:
        """Return the offering's address."""
        uuid = self.get_offering_uuid(agent)
        path = f"/api/marketplace-provider-offerings/{uuid}/"
        return self.context["request"].build_absolute_uri(path) if uuid else None


class ProviderAgentViewSet(AgentViewSet):
    """Agents of a provider, with publishing."""

    queryset = Agent.objects.select_related("customer", "offering")
    serializer_class = ProviderAgentSerializer

    @action(detail=True, methods=["post"])
    def publish(self, request: Request, **kwargs: Any) -> Response:
        """Offer the agent (or a new version of it) with plans."""
        agent = self.get_object()
        require(self.actor, "agent.write", provider_id=agent.customer_id)
        body = self.body(PublishSerializer)
        offering = services.publish_agent(
            agent,
            actor=self.actor,
            now=self.now,
            category=body.pop("category", None),
            plans=body.pop("plans", []),
            version=self._chosen(agent, body.pop("version", None)),
            **body,
        )
        address = request.build_absolute_uri(f"/api/marketplace-provider-offerings/{offering.uuid}/")
        agent.refresh_from_db(fields=["state"])
        return Response(
            {
                "detail": "Waiting for review." if offering.review else "Published.",
                "state": agent.state,
                "review": offering.review,
                "offering": address,
                "offering_uuid": offering.uuid,
                "version": offering.flow_version.version if offering.flow_version else None,
            }
        )

    def _chosen(self, agent: Agent, number: int | None) -> Any:
        """Return the version to publish, None for the newest; raises Invalid for a number that does not exist."""
        if number is None:
            return None
        version = agent.versions.defer("flow").filter(version=number).first()
        if version is None:
            raise Invalid(f"The agent has no version {number}.", field="version")
        return version
