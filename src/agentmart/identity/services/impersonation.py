"""Staff acts as somebody: a token for some minutes that can do what the person can, but not take the person over.

Never as another operator. Every audit entry made with it names both people. It makes no tokens, keys or passwords
(`permissions.require_in_person`, `permissions.IN_PERSON`), so nothing outlives it.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from agentmart.identity import selectors
from agentmart.identity.models import Impersonation, User
from agentmart.identity.permissions import require, require_in_person
from agentmart.identity.tokens import hash_token
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden, Invalid

PREFIX = "as_"  # tells these tokens from those of people, before the database is asked
USUAL_MINUTES = 15
MOST_MINUTES = 60


@transaction.atomic
def start(
    user: User, *, reason: str, minutes: int = USUAL_MINUTES, actor: Actor, now: datetime
) -> tuple[Impersonation, str]:
    """Let a member of staff act as `user` for some minutes; returns the row and its token, for this one showing.

    Raises Forbidden (not staff, the person is an operator, or somebody else acts already), Invalid (minutes).
    """
    require_in_person(actor)
    require(actor, "user.impersonate")
    if actor.user_id is None:
        raise Forbidden("Only a person can act as another.")
    if user.operator_roles or user.is_superuser:
        raise Forbidden("Nobody acts as an operator.", extra={"user": user.uuid})
    if not user.is_active:
        raise Invalid("This person cannot log in.", field="user")
    if not 1 <= minutes <= MOST_MINUTES:
        raise Invalid(f"1 to {MOST_MINUTES} minutes.", field="minutes")
    token = PREFIX + secrets.token_hex(20)
    row = Impersonation.objects.create(
        operator_id=actor.user_id,
        user=user,
        token_sha256=hash_token(token),
        reason=reason,
        expires_at=now + timedelta(minutes=minutes),
        created=now,
        modified=now,
    )
    after = {"user": user.username, "reason": reason, "expires_at": row.expires_at.isoformat()}
    audit.record("user.impersonation_started", user, actor=actor, now=now, after=after)
    return row, token


@transaction.atomic
def end(user: User, *, actor: Actor, now: datetime) -> int:
    """End every running impersonation of `user` by the actor at once; returns how many there were."""
    require(actor, "user.impersonate")
    running = Impersonation.objects.filter(
        user=user, operator_id=actor.user_id, ended_at=None, expires_at__gt=now
    )
    ended = running.update(ended_at=now, modified=now)
    if ended:
        audit.record("user.impersonation_ended", user, actor=actor, now=now)
    return ended


def find(token: str, *, now: datetime) -> tuple[User, Actor] | None:
    """Return the person and the actor behind a running impersonation's token, None for any other.

    Asked anew with every request: staff that lost its role, or a person who became an operator, ends it.
    """
    if not token.startswith(PREFIX):
        return None
    row = (
        Impersonation.objects.select_related("user", "operator")
        .filter(token_sha256=hash_token(token), ended_at=None, expires_at__gt=now)
        .filter(user__is_active=True, operator__is_active=True, operator__is_staff=True)
        .first()
    )
    if row is None or row.user.operator_roles or row.user.is_superuser:
        return None
    actor = selectors.actor_of(row.user, now=now)
    behind = replace(actor, impersonator_id=row.operator_id, impersonator_name=row.operator.username)
    return row.user, behind
