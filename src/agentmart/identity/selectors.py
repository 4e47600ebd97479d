"""Reads: who a token or user is, with all roles."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from agentmart.identity.models import ApiToken, Customer, Membership, User
from agentmart.identity.tokens import hash_token
from agentmart.infra.actors import Actor


def find_token(token: str, *, now: datetime) -> ApiToken | None:
    """Return the unexpired token of an active person, with the person, or None."""
    return (
        ApiToken.objects.select_related("user")
        .filter(token_sha256=hash_token(token), user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )


def actor_of(user: User, *, now: datetime) -> Actor:
    """Return the person as an actor, with every role in force at `now`."""
    memberships = Membership.objects.filter(user=user).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return Actor(
        user_id=user.id,
        username=user.username,
        operator_roles=user.operator_roles,
        grants=tuple(membership.as_grant() for membership in memberships),
    )


def roles_of(user: User, *, now: datetime) -> QuerySet[Membership]:
    """Return a person's roles in force at `now`, with their places."""
    rows = Membership.objects.filter(user=user).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return rows.select_related("customer", "project").order_by("created", "id")


def operator_customer() -> Customer:
    """Return the operator's own customer, made at install."""
    return Customer.objects.get(is_operator=True)
