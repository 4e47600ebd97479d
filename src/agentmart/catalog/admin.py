"""Back office: the catalogue."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin

from agentmart.catalog import services
from agentmart.catalog.models import (
    Category,
    Offering,
    OfferingComponent,
    Plan,
    PlanComponent,
    ServiceProvider,
)
from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin, text_question


def activate(row: Offering, *, actor: Actor, now: datetime) -> None:
    """Open an offering to everybody."""
    services.change_state(row, "activate", actor=actor, now=now)


def pause(row: Offering, *, actor: Actor, now: datetime, reason: str) -> None:
    """Stop new orders."""
    services.change_state(row, "pause", actor=actor, now=now, paused_reason=reason)


def unpause(row: Offering, *, actor: Actor, now: datetime) -> None:
    """Take orders again."""
    services.change_state(row, "unpause", actor=actor, now=now)


def archive(row: Offering, *, actor: Actor, now: datetime) -> None:
    """Take an offering out of the catalogue."""
    services.change_state(row, "archive", actor=actor, now=now)


@admin.register(Offering)
class OfferingAdmin(OperatorAdmin):
    """What can be ordered."""

    list_display = ("name", "state", "review", "type", "category", "customer", "shared", "created")
    list_filter = ("state", "review", "type", "shared", "billable", "category", "created")
    search_fields = ("name", "slug", "customer__name", "description")
    deeds = (
        Deed(
            "activate",
            "Activate",
            "Everybody sees it and may order it; a review that waits is granted.",
            activate,
        ),
        Deed(
            "pause",
            "Pause",
            "No new orders; what runs goes on, and only who has it still sees it.",
            pause,
            {"reason": text_question("Why (shown to its holders)")},
        ),
        Deed("unpause", "Unpause", "It is seen and ordered again.", unpause),
        Deed(
            "archive",
            "Archive",
            "Nobody but operators and its provider sees it any more; what runs goes on.",
            archive,
        ),
    )


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
