"""REST: plans and their prices."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.models import Offering, Plan, PlanComponent
from agentmart.identity.permissions import require
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField, Relation, by_uuid
from agentmart.kit.money import CURRENCIES, decimal_text, money_text

MAX_COUNT = 2**31 - 1
UNITS = ("month", "quarter", "half_month", "day", "hour", "quantity", "year")


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
