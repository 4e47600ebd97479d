"""Reads: who a token or user is, with all roles."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from agentmart.identity.models import ApiToken, Customer, Membership, User
from agentmart.identity.tokens import hash_token
from agentmart.infra.actors import Actor


def find_user_by_token(token: str, *, now: datetime) -> User | None:
    """Return the active person whose unexpired token this is, or None."""
    found = (
        ApiToken.objects.select_related("user")
        .filter(token_sha256=hash_token(token), user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    return found.user if found else None


def actor_of(user: User, *, now: datetime) -> Actor:
    """Return the person as an actor, with every role in force at `now`."""
    memberships = Membership.objects.filter(user=user).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return Actor(
        user_id=user.id,
        username=user.username,
        operator_roles=user.operator_roles,
        grants=tuple(membership.as_grant() for membership in memberships),
    )


def operator_customer() -> Customer:
    """Return the operator's own customer, made at install."""
    return Customer.objects.get(is_operator=True)
