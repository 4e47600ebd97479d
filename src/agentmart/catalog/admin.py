"""Back office: the catalogue (offerings: see access, where an emergency stop reaches the keys)."""

from __future__ import annotations

from django.contrib import admin

from agentmart.catalog.models import (
    Category,
    OfferingComponent,
    OfferingFile,
    OfferingPrivate,
    Plan,
    PlanComponent,
    ServiceProvider,
)
from agentmart.infra.admin_base import OperatorAdmin


@admin.register(OfferingPrivate)
class OfferingPrivateAdmin(OperatorAdmin):
    """What of an offering is its provider's; secrets are not shown."""

    list_display = ("offering", "customer_id", "review_comment")
    search_fields = ("offering__name", "review_comment")
    hidden = ("secret_options",)


@admin.register(Category)
class CategoryAdmin(OperatorAdmin):
    """Shelves."""

    list_display = ("title", "description", "created")
    search_fields = ("title", "description")


@admin.register(ServiceProvider)
class ServiceProviderAdmin(OperatorAdmin):
    """Who sells."""

    list_display = ("name", "customer", "created")
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

    list_display = ("plan", "component", "offering", "amount", "price")
    list_filter = ("created",)
    search_fields = ("plan__name", "component__type", "offering__name")


@admin.register(OfferingFile)
class OfferingFileAdmin(OperatorAdmin):
    """Screenshots and files of offerings."""

    list_display = ("name", "kind", "offering", "content_type", "created")
    list_filter = ("kind", "created")
    search_fields = ("name", "offering__name", "description")
