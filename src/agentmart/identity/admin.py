"""Back office: people, projects, roles, tokens (customers: see access, where a block reaches the keys)."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin

from agentmart.identity import services
from agentmart.identity.models import ApiToken, Invitation, Membership, Project, Quota, User
from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin


def new_token(row: User, *, actor: Actor, now: datetime) -> str:
    """Give the person a new token; returns it, to be shown once."""
    return services.refresh_token(row, actor=actor, now=now)


def deactivate(row: User, *, actor: Actor, now: datetime) -> None:
    """Let the person in no more."""
    services.update_user(row, {"is_active": False}, actor=actor, now=now)


def reactivate(row: User, *, actor: Actor, now: datetime) -> None:
    """Let the person in again."""
    services.update_user(row, {"is_active": True}, actor=actor, now=now)


@admin.register(User)
class UserAdmin(OperatorAdmin):
    """People."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_support", "is_finance", "is_catalog_manager", "date_joined")
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("username",)
    hidden = ("password",)
    deeds = (
        Deed(
            "reset-token",
            "Reset the API token",
            "The person's API token ends at once, and a new one is shown here, once. Whatever uses the old one stops.",
            new_token,
        ),
        Deed(
            "deactivate",
            "Deactivate",
            "The person is let in no more, by password or token.",
            deactivate,
            when=lambda row: row.is_active,
        ),
        Deed(
            "reactivate",
            "Reactivate",
            "The person's password and tokens work again.",
            reactivate,
            when=lambda row: not row.is_active,
        ),
    )


@admin.register(ApiToken)
class ApiTokenAdmin(OperatorAdmin):
    """Tokens, of which only the hash is kept."""

    list_display = ("user", "name", "prefix", "scope", "login", "created", "expires_at", "last_used_at")
    search_fields = ("user__username", "user__email", "name", "prefix")
    list_filter = ("scope", "login", "expires_at")


@admin.register(Membership)
class MembershipAdmin(OperatorAdmin):
    """Roles."""

    list_display = ("user", "role", "customer", "project", "expires_at")
    list_filter = ("role", "expires_at")
    search_fields = ("user__username", "customer__name", "project__name")


@admin.register(Invitation)
class InvitationAdmin(OperatorAdmin):
    """Roles offered by e-mail; the token of the mail is kept nowhere."""

    list_display = ("email", "role", "customer", "project", "state", "sending", "expires_at", "created_by")
    list_filter = ("state", "role", "sending", "created")
    search_fields = ("email", "full_name", "customer__name", "project__name", "created_by__username")


@admin.register(Project)
class ProjectAdmin(OperatorAdmin):
    """Projects."""

    list_display = ("name", "customer", "created")
    list_filter = ("created",)
    search_fields = ("name", "customer__name")


@admin.register(Quota)
class QuotaAdmin(OperatorAdmin):
    """How much a customer may have, and has."""

    list_display = ("customer", "name", "usage", "limit", "modified")
    list_filter = ("name",)
    search_fields = ("customer__name", "name")
