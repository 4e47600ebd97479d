"""Writes: the named API tokens of people."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from agentmart.identity.models import ApiToken, TokenScope, User
from agentmart.identity.permissions import require_in_person
from agentmart.identity.tokens import hash_token, new_token, prefix_of
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Forbidden, Invalid

MAX_TOKENS = 100
DEFAULT_DAYS = 365
NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def issue_token(
    *,
    actor: Actor,
    now: datetime,
    name: str,
    scope: str = TokenScope.ALL,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for the actor; returns its row and its text, for this one showing.

    Raises Forbidden (nobody logged in), Invalid (expires_at has passed), Conflict (too many tokens).
    """
    require_in_person(actor)
    if actor.user_id is None:
        raise Forbidden("Log in to make a token.")
    expires = expires_at or now + timedelta(days=DEFAULT_DAYS)
    if expires <= now:
        raise Invalid("The token would have expired already.", field="expires_at")
    text = new_token()
    with tenancy.elevated():
        User.objects.select_for_update(no_key=True).get(pk=actor.user_id)
        if ApiToken.objects.filter(user_id=actor.user_id, login=False).count() >= MAX_TOKENS:
            raise Conflict(f"You have {MAX_TOKENS} tokens; delete one first.", code="too_many_tokens")
        token = ApiToken.objects.create(
            user_id=actor.user_id,
            name=name,
            scope=scope,
            prefix=prefix_of(text),
            token_sha256=hash_token(text),
            expires_at=expires,
            created=now,
            modified=now,
        )
    after = {"name": name, "scope": str(scope), "expires_at": str(expires)}
    audit.record("api_token.issued", token, actor=actor, now=now, after=after)
    return token, text


@transaction.atomic
def rotate_token(token: ApiToken, *, actor: Actor, now: datetime) -> tuple[ApiToken, str]:
    """Give a token a new text, which ends the old one at once; its name, scope and length of life stay."""
    require_in_person(actor)
    _require_own(token, actor)
    text = new_token()
    life = token.expires_at - token.created if token.expires_at else timedelta(days=DEFAULT_DAYS)
    changes = {
        "prefix": prefix_of(text),
        "token_sha256": hash_token(text),
        "expires_at": now + life,
        "created": now,
        "modified": now,
        "last_used_at": None,
        "use_count": 0,
    }
    with tenancy.elevated():
        moved = ApiToken.objects.filter(pk=token.pk, token_sha256=token.token_sha256).update(**changes)
    if not moved:
        raise Conflict("The token has been rotated or deleted meanwhile.")
    audit.record("api_token.rotated", token, actor=actor, now=now)
    for name, value in changes.items():
        setattr(token, name, value)
    return token, text


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: Actor, now: datetime) -> None:
    """End a token at once."""
    _require_own(token, actor)
    audit.record("api_token.revoked", token, actor=actor, now=now, before={"name": token.name})
    with tenancy.elevated():
        ApiToken.objects.filter(pk=token.pk).delete()


def note_token_use(token: ApiToken, *, now: datetime) -> None:
    """Note that a token is in use, at most once a minute; what somebody else notes just now is left to them."""
    if token.last_used_at is None or now - token.last_used_at >= NOTED_EVERY:
        with connection.cursor() as cursor:
            cursor.execute("SELECT identity_note_token_use(%s, %s)", [token.pk, now])


def _require_own(token: ApiToken, actor: Actor) -> None:
    """Raise Forbidden for somebody else's token."""
    if token.user_id != actor.user_id:
        raise Forbidden("This is somebody else's token.")
