"""REST: plans and their prices."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.api.answers import plan_answer
from agentmart.catalog.api.fields import BuiltSerializer, text
from agentmart.catalog.api.plan_usage import PlanUsageViewSet
from agentmart.catalog.models import Offering, Plan
from agentmart.identity.permissions import require
from agentmart.infra.addresses import addresses_of
from agentmart.infra.rest import (
    HexUUIDField,
    Relation,
    by_exact,
    by_flag,
    by_uuid,
)
from agentmart.kit.money import CURRENCIES, decimal_text

MAX_COUNT = 2**31 - 1
MAX_ITEMS = 200
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
    tokens_per_minute = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    tokens_per_month = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    max_context_tokens = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    streaming = serializers.BooleanField(required=False)
    batch = serializers.BooleanField(required=False)
    priority = serializers.BooleanField(required=False)


class PlanBodySerializer(serializers.Serializer[Any]):
    """A plan as it is written."""

    name = serializers.CharField(max_length=150)
    description = text()
    unit = serializers.ChoiceField(choices=UNITS, required=False)
    interval_count = serializers.IntegerField(required=False, min_value=1, max_value=120)
    unit_price = serializers.DecimalField(max_digits=20, decimal_places=10, min_value=0, required=False)
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    components = ComponentPriceSerializer(many=True, required=False, max_length=MAX_ITEMS)  # type: ignore[call-arg]
    limits = LimitsSerializer(required=False)
    max_amount = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_COUNT)
    article_code = text(max_length=30)
    archived = serializers.BooleanField(required=False)
    billing_mode = serializers.ChoiceField(choices=["inherit", "limit", "usage"], required=False)
    backend_id = text(max_length=255)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read a yearly plan as twelve months."""
        if attrs.get("unit") == "year":
            attrs.update(unit="month", interval_count=12 * attrs.get("interval_count", 1))
        if "unit_price" in attrs:
            attrs["unit_price"] = decimal_text(attrs["unit_price"])
        return attrs


class PlanCreateSerializer(PlanBodySerializer):
    """A plan of a named offering."""

    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)


class PricesBody(serializers.Serializer[Any]):
    """New prices by component type: a number as text, or the whole price as in a plan's `components`."""

    prices = serializers.DictField(child=serializers.JSONField(), allow_empty=False)

    def validate_prices(self, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is no price at all; the rest is checked where it is stored."""
        wrong = {
            kind: ["A valid number is required."]
            for kind, price in value.items()
            if isinstance(price, bool | list) or price is None or len(json.dumps(price, default=str)) > 20_000
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return value


class QuotasBody(serializers.Serializer[Any]):
    """New amounts by component type."""

    quotas = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=MAX_COUNT), allow_empty=False
    )


class DiscountBody(serializers.Serializer[Any]):
    """From `discount_threshold` units on, all units cost `discount_rate` percent less; both empty: no discount."""

    discount_threshold = serializers.DecimalField(
        max_digits=22, decimal_places=10, min_value=Decimal(0), required=False, allow_null=True
    )
    discount_rate = serializers.DecimalField(
        max_digits=7, decimal_places=4, min_value=0, max_value=100, required=False, allow_null=True
    )
    discount_formula = text()
    discount_aggregation = serializers.ChoiceField(choices=["resource"], required=False)

    def validate_discount_formula(self, value: str) -> str:
        """Refuse formulas: prices are explained line by line, which needs tiers."""
        if value:
            raise serializers.ValidationError(
                "Formulas are not offered; give discount_threshold and discount_rate."
            )
        return value


class DiscountsBody(serializers.Serializer[Any]):
    """New volume discounts by component type."""

    discounts = serializers.DictField(child=DiscountBody(), allow_empty=False)


class PlanSerializer(BuiltSerializer):
    """A plan with its prices."""

    url = serializers.URLField(read_only=True)
    uuid = HexUUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    article_code = serializers.CharField(read_only=True)
    max_amount = serializers.IntegerField(read_only=True, allow_null=True)
    archived = serializers.BooleanField(read_only=True)
    pending = serializers.BooleanField(read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    billing_mode = serializers.ChoiceField(choices=["inherit", "limit", "usage"], read_only=True)
    unit = serializers.ChoiceField(choices=UNITS[:-1], read_only=True)
    interval_count = serializers.IntegerField(read_only=True)
    unit_price = serializers.CharField(read_only=True)
    currency = serializers.CharField(read_only=True)
    init_price = serializers.FloatField(read_only=True)
    switch_price = serializers.FloatField(read_only=True)
    minimal_price = serializers.CharField(read_only=True)
    plan_type = serializers.CharField(read_only=True)
    backend_id = serializers.CharField(read_only=True)
    organization_groups = serializers.ListField(child=serializers.DictField(), read_only=True)
    components = serializers.ListField(child=serializers.DictField(), read_only=True)
    prices = serializers.DictField(child=serializers.CharField(), read_only=True)
    future_prices = serializers.DictField(child=serializers.CharField(), read_only=True)
    quotas = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    limits = serializers.DictField(read_only=True)
    resources_count = serializers.IntegerField(read_only=True)
    offering = serializers.URLField(read_only=True)
    offering_uuid = HexUUIDField(read_only=True)

    def built(self, instance: Any) -> dict[str, Any]:
        """Return the whole answer of a plan, or of its plain row."""
        view = self.context["view"]
        row = instance if isinstance(instance, dict) else _row_of(instance)
        return plan_answer(row, addresses_of(self.context), view.now.date())


def _row_of(plan: Plan) -> dict[str, Any]:
    """Return a plan as a plain row with its prices."""
    return selectors.plan_row(plan)


class PlanViewSet(PlanUsageViewSet):
    """Plans of offerings."""

    queryset = Plan.objects.select_related("offering")
    serializer_class = PlanSerializer
    filters = {
        "offering_uuid": by_uuid("offering_id"),
        "offering": by_uuid("offering_id"),
        "offering_slug": by_exact("offering__slug"),
        "archived": by_flag("archived"),
    }
    orderings = {"created": "created", "modified": "modified", "name": "name"}
    bodies = {
        "create": PlanCreateSerializer,
        "partial_update": PlanBodySerializer,
        "update_prices": PricesBody,
        "update_quotas": QuotasBody,
        "update_discounts": DiscountsBody,
        "archive": None,
    }
    answers = {
        **PlanUsageViewSet.answers,
        "destroy": None,
        "update_prices": PlanSerializer,
        "update_quotas": PlanSerializer,
        "update_discounts": PlanSerializer,
        "archive": PlanSerializer,
    }

    def page_of(self, rows: QuerySet[Any]) -> list[Any]:
        """Return the plans of a page as plain rows with their prices."""
        return selectors.complete_plans(
            super().page_of(selectors.counted(rows).values(*selectors.COUNTED_PLAN_COLUMNS))
        )

    def create(self, request: Request) -> Response:
        """Add a plan to an offering."""
        named = self.named(PlanCreateSerializer, "offering")
        if named is not None:
            require(self.actor, "plan.write", provider_id=named.customer_id)
        body = self.body()
        offering = body.pop("offering")
        plan = services.create_plan(offering, body, actor=self.actor, now=self.now)
        return self.answer(plan, status=201)

    def _allowed(self, operation: str) -> Plan:
        """Return the plan of the address; raises 404, 403."""
        plan: Plan = self.get_object()
        require(self.actor, operation, provider_id=plan.offering.customer_id)
        return plan

    def write(self, plan: Plan, changes: dict[str, Any]) -> Plan:
        """Change a plan (what is above this module tells the gateway of new limits)."""
        return services.update_plan(plan, changes, actor=self.actor, now=self.now)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a plan; prices at once while nobody has it, else from the next period on."""
        plan = self._allowed("plan.edit")
        return self.answer(self.write(plan, self.body(partial=True)))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a plan that was never sold."""
        services.delete_plan(self._allowed("plan.write"), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def update_prices(self, request: Request, **kwargs: Any) -> Response:
        """Change prices: at once while nobody has the plan, else from the next period on."""
        plan = self._allowed("plan.price")
        services.update_prices(plan, self.body()["prices"], actor=self.actor, now=self.now)
        return self.answer(plan)

    @action(detail=True, methods=["post"])
    def update_quotas(self, request: Request, **kwargs: Any) -> Response:
        """Change the amounts of fixed components, in force as prices are."""
        plan = self._allowed("plan.price")
        services.update_quotas(plan, self.body()["quotas"], actor=self.actor, now=self.now)
        return self.answer(plan)

    @action(detail=True, methods=["post"])
    def update_discounts(self, request: Request, **kwargs: Any) -> Response:
        """Change volume discounts, in force as prices are."""
        plan = self._allowed("plan.price")
        services.update_discounts(plan, self.body()["discounts"], actor=self.actor, now=self.now)
        return self.answer(plan)

    @action(detail=True, methods=["post"])
    def archive(self, request: Request, **kwargs: Any) -> Response:
        """Sell the plan no longer."""
        plan = self._allowed("plan.price")
        return self.answer(services.archive_plan(plan, actor=self.actor, now=self.now))
