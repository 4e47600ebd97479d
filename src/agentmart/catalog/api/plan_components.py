"""REST: the prices of components in plans, one row each."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from agentmart.catalog.api.answers import next_unit_price, price_now, shown_price, unit_price
from agentmart.catalog.api.fields import BuiltSerializer
from agentmart.catalog.api.plans import UNITS
from agentmart.catalog.models import PlanComponent
from agentmart.infra.addresses import addresses_of
from agentmart.infra.rest import ApiViewSet, HexUUIDField, by_flag, by_uuid, parse_uuid

LONGEST_NUMBER = 18


class PlanComponentSerializer(BuiltSerializer):
    """The price of one component in one plan."""

    url = serializers.URLField(read_only=True)
    uuid = HexUUIDField(read_only=True)
    id = serializers.IntegerField(read_only=True)
    offering_uuid = HexUUIDField(read_only=True)
    offering_name = serializers.CharField(read_only=True)
    plan_uuid = HexUUIDField(read_only=True)
    plan_name = serializers.CharField(read_only=True)
    plan_unit = serializers.ChoiceField(choices=UNITS[:-1], read_only=True)
    component_uuid = HexUUIDField(read_only=True)
    component_type = serializers.CharField(read_only=True)
    component_name = serializers.CharField(read_only=True)
    measured_unit = serializers.CharField(read_only=True)
    billing_type = serializers.ChoiceField(choices=["fixed", "usage", "limit", "one", "few"], read_only=True)
    amount = serializers.IntegerField(read_only=True)
    price = serializers.CharField(read_only=True)
    future_price = serializers.CharField(read_only=True, allow_null=True)
    currency = serializers.CharField(read_only=True)
    discount_formula = serializers.CharField(read_only=True)
    discount_aggregation = serializers.ChoiceField(choices=["resource", "customer"], read_only=True)
    tier_mode = serializers.CharField(read_only=True, allow_null=True)
    tiers = serializers.ListField(child=serializers.DictField(), read_only=True)

    def built(self, instance: PlanComponent) -> dict[str, Any]:
        """Return the whole answer."""
        today = self.context["view"].now.date()
        plan, component = instance.plan, instance.component
        row = {
            name: getattr(instance, name)
            for name in ("price", "amount", "next_price", "next_amount", "next_from")
        }
        price, amount = price_now(row, today)
        unit = unit_price(price)
        return {
            "url": addresses_of(self.context).of("marketplace-plan-component-detail", instance.id),
            "uuid": instance.id.hex,
            "id": instance.number,
            "offering_uuid": instance.offering_id.hex,
            "offering_name": instance.offering.name,
            "plan_uuid": plan.id.hex,
            "plan_name": plan.name,
            "plan_unit": plan.unit,
            "component_uuid": component.id.hex,
            "component_type": component.type,
            "component_name": component.name,
            "measured_unit": component.measured_unit,
            "billing_type": component.billing_type,
            "amount": amount,
            "price": shown_price(unit or "0", plan.currency),
            "future_price": next_unit_price(row, today, plan.currency),
            "currency": plan.currency,
            "discount_formula": "",
            "discount_aggregation": "resource",
            "tier_mode": price.get("tier_mode"),
            "tiers": price.get("tiers", []),
        }


class PlanComponentViewSet(ApiViewSet):
    """Prices of components in plans; they are changed through their plans."""

    queryset = PlanComponent.objects.select_related("plan", "component", "offering")
    serializer_class = PlanComponentSerializer
    lookup_value_regex = "[0-9a-fA-F-]{1,36}"
    filters = {
        "offering_uuid": by_uuid("offering_id"),
        "plan_uuid": by_uuid("plan_id"),
        "shared": by_flag("offering__shared"),
        "archived": by_flag("plan__archived"),
    }
    orderings = {"created": "created"}

    def get_object(self) -> Any:
        """Return the row of the address: by uuid, or by the number that `id` shows."""
        key = self.kwargs["uuid"]
        rows: QuerySet[Any] = self.visible()
        if key.isascii() and key.isdigit() and len(key) <= LONGEST_NUMBER:
            found = rows.filter(number=int(key)).first()
        else:
            uuid = parse_uuid(key)
            found = rows.filter(pk=uuid).first() if uuid else None
        if found is None:
            raise NotFound
        return found
