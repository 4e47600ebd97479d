"""Back office: customers and offerings (a block or stop reaches their keys), keys and their Grants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin

from agentmart.access import publishing, services
from agentmart.access.models import ApiKey, GrantRow
from agentmart.catalog.models import Offering
from agentmart.catalog.states import TRANSITIONS, OfferingState
from agentmart.identity import services as identity
from agentmart.identity.models import Customer
from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin, text_question


def block(row: Customer, *, actor: Actor, now: datetime, reason: str) -> None:
    """Block a customer."""
    services.set_blocked(row, True, reason=reason, actor=actor, now=now)


def unblock(row: Customer, *, actor: Actor, now: datetime) -> None:
    """Unblock a customer."""
    services.set_blocked(row, False, actor=actor, now=now)


@admin.register(Customer)
class CustomerAdmin(OperatorAdmin):
    """Organizations."""

    list_display = ("name", "email", "country", "currency", "blocked", "archived", "created")
    list_filter = ("blocked", "archived", "country", "currency", "created")
    search_fields = ("name", "email", "vat_code")
    editable = ("name", "email", "country", "vat_code", "address", "custom_code_allowed")
    deeds = (
        Deed(
            "block",
            "Block",
            "The gateway refuses their calls within a second; they cannot order, add projects, members or keys. "
            "Nothing is ended, and unblocking restores all.",
            block,
            {"reason": text_question("Why (shown to the customer)")},
            lambda row: not row.blocked,
        ),
        Deed(
            "unblock",
            "Unblock",
            "Their keys work again, and they may order again.",
            unblock,
            when=lambda row: row.blocked,
        ),
    )

    def update(self, row: Customer, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
        """Write the changed details."""
        identity.update_customer(row, changes, actor=actor, now=now)


def revoke(row: ApiKey, *, actor: Actor, now: datetime) -> None:
    """Revoke a key."""
    services.revoke_key(row, project_id=row.project_id, actor=actor, now=now)


@admin.register(ApiKey)
class ApiKeyAdmin(OperatorAdmin):
    """Keys: everything but the key."""

    list_display = (
        "name",
        "prefix",
        "last4",
        "kind",
        "customer_id",
        "config_id",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("kind", "environment", ("revoked_at", admin.EmptyFieldListFilter), "expires_at")
    search_fields = ("name", "last4", "created_by")
    hidden = ("public_text",)
    deeds = (
        Deed(
            "revoke",
            "Revoke",
            "The key ends within a second, for good. Its owner makes another one.",
            revoke,
            when=lambda row: row.revoked_at is None,
        ),
    )


@admin.register(GrantRow)
class GrantAdmin(OperatorAdmin):
    """What the gateway knows of each key."""

    list_display = ("key_id", "state", "kind", "customer_id", "resource_id", "plan_id", "expires_at")
    list_filter = ("state", "kind", "environment", "runtime")
    search_fields = ("deployment_id",)


def change_offering(verb: str) -> Callable[..., None]:
    """Return the deed that changes an offering's state, its keys' Grants included."""

    def run(row: Offering, *, actor: Actor, now: datetime, **details: Any) -> None:
        publishing.change_offering_state(row, verb, actor=actor, now=now, **details)

    return run


def may_become(state: OfferingState) -> Callable[[Offering], bool]:
    """Return whether an offering's state allows that one next."""
    return lambda row: state in TRANSITIONS[OfferingState(row.state)]


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
            change_offering("activate"),
            when=lambda row: row.state == OfferingState.DRAFT or bool(row.review),
        ),
        Deed(
            "pause",
            "Pause",
            "No new orders; what runs goes on, and only who has it still sees it.",
            change_offering("pause"),
            {"paused_reason": text_question("Why (shown to its holders)")},
            may_become(OfferingState.PAUSED),
        ),
        Deed(
            "unpause",
            "Unpause",
            "It is seen and ordered again.",
            change_offering("unpause"),
            when=lambda row: row.state == OfferingState.PAUSED,
        ),
        Deed(
            "archive",
            "Archive",
            "Nobody but operators and its provider sees it any more; what runs goes on.",
            change_offering("archive"),
            when=may_become(OfferingState.ARCHIVED),
        ),
        Deed(
            "stop",
            "Stop at once",
            "No orders, and the gateway answers every call of its agents with 503 within a second.",
            change_offering("make_unavailable"),
            when=may_become(OfferingState.UNAVAILABLE),
        ),
        Deed(
            "restart",
            "Make available",
            "Orders and calls go on.",
            change_offering("make_available"),
            when=lambda row: row.state == OfferingState.UNAVAILABLE,
        ),
    )
