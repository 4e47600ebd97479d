"""Back office: customers (a block reaches their keys), keys and what the gateway knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin

from agentmart.access import services
from agentmart.access.models import ApiKey, GrantRow
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
        ),
        Deed("unblock", "Unblock", "Their keys work again, and they may order again.", unblock),
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

    list_display = ("name", "prefix", "last4", "kind", "customer_id", "config_id", "expires_at", "revoked_at")
    list_filter = ("kind", "environment", ("revoked_at", admin.EmptyFieldListFilter), "expires_at")
    search_fields = ("name", "last4", "created_by")
    deeds = (
        Deed(
            "revoke", "Revoke", "The key ends within a second, for good. Its owner makes another one.", revoke
        ),
    )


@admin.register(GrantRow)
class GrantAdmin(OperatorAdmin):
    """What the gateway knows of each key."""

    list_display = ("key_id", "state", "kind", "customer_id", "resource_id", "plan_id", "expires_at")
    list_filter = ("state", "kind", "environment", "runtime")
    search_fields = ("deployment_id",)
