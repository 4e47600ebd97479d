"""Back office: the catalogue (offerings: see access, where an emergency stop reaches the keys)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin

from agentmart.catalog.models import (
    Category,
    OfferingComponent,
    OfferingFile,
    OfferingPrivate,
    Plan,
    PlanComponent,
    PlanPrice,
    ServiceProvider,
)
from agentmart.infra.admin_base import OperatorAdmin


def price_words(price: Mapping[str, Any], currency: str) -> str:
    """Return a price, as it is kept, the way people say it; a dash for none."""
    if not price:
        return "-"
    kind, tiers = price.get("model"), price.get("tiers", ())
    told = []
    for tier in tiers:
        to = f"up to {tier['up_to']}" if tier.get("up_to") else "above"
        flat = tier.get("flat_price") or "0"
        told.append(f"{to}: {tier['unit_price']}{f' and {flat} once' if flat != '0' else ''}")
    words = f"{price['tier_mode']}: {'; '.join(told)} {currency} each" if tiers else ""
    if "price" in price:
        per = {"fixed": "a period", "per_unit": "each"}.get(str(kind), str(kind))
        words = f"{price['price']} {currency} {per}"
    said = {"model", "tiers", "tier_mode", "price", "amount"}
    rest = [f"{name.replace('_', ' ')} {value}" for name, value in price.items() if name not in said]
    return ", ".join([words or str(kind), *rest])


@admin.register(OfferingPrivate)
class OfferingPrivateAdmin(OperatorAdmin):
    """What of an offering is its provider's; secrets are not shown."""

    list_display = ("offering", "customer_id", "review_comment")
    list_filter = (("review_comment", admin.EmptyFieldListFilter), "offering__state")
    search_fields = ("offering__name", "review_comment")
    hidden = ("secret_options",)


@admin.register(Category)
class CategoryAdmin(OperatorAdmin):
    """Shelves."""

    list_display = ("title", "group", "description", "created")
    list_filter = ("group", "created")
    search_fields = ("title", "description")


@admin.register(ServiceProvider)
class ServiceProviderAdmin(OperatorAdmin):
    """Who sells."""

    list_display = ("name", "customer", "enable_notifications", "created")
    list_filter = ("enable_notifications", "created")
    search_fields = ("name", "customer__name", "description")


@admin.register(OfferingComponent)
class OfferingComponentAdmin(OperatorAdmin):
    """What offerings measure or charge."""

    list_display = ("type", "name", "offering", "billing_type", "measured_unit", "is_builtin")
    list_filter = ("billing_type", "is_builtin")
    search_fields = ("type", "name", "offering__name")


@admin.register(Plan)
class PlanAdmin(OperatorAdmin):
    """Ways to buy."""

    list_display = ("name", "offering", "unit", "currency", "archived", "max_amount", "created")
    list_filter = ("archived", "unit", "currency", "created")
    search_fields = ("name", "offering__name", "description")


@admin.register(PlanComponent)
class PlanComponentAdmin(OperatorAdmin):
    """Prices."""

    list_display = ("plan", "component", "offering", "amount", "costs", "next_costs", "next_from")
    list_filter = ("component__billing_type", "plan__archived", "next_from", "created")
    search_fields = ("plan__name", "component__type", "offering__name")

    @admin.display(description="price")
    def costs(self, row: PlanComponent) -> str:
        """Return the price in force, in words."""
        return price_words(row.price, row.plan.currency)

    @admin.display(description="next price")
    def next_costs(self, row: PlanComponent) -> str:
        """Return the price that follows, in words."""
        return price_words(row.next_price or {}, row.plan.currency)


@admin.register(PlanPrice)
class PlanPriceAdmin(OperatorAdmin):
    """Versions of prices."""

    list_display = ("plan_component", "offering", "costs", "valid_from", "created")
    list_select_related = ("plan_component__plan", "plan_component__component", "offering")
    list_filter = ("valid_from", "created")
    search_fields = ("plan_component__plan__name", "plan_component__component__type", "offering__name")

    @admin.display(description="price")
    def costs(self, row: PlanPrice) -> str:
        """Return the price, in words."""
        return price_words(row.price, row.plan_component.plan.currency)


@admin.register(OfferingFile)
class OfferingFileAdmin(OperatorAdmin):
    """Screenshots and files of offerings."""

    list_display = ("name", "kind", "offering", "content_type", "created")
    list_filter = ("kind", "created")
    search_fields = ("name", "offering__name", "description")
