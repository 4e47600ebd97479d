"""Writes: people, their passwords and login tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agentmart.identity.models import ApiToken, Membership, User
from agentmart.identity.permissions import permitted, require, require_in_person
from agentmart.identity.services.customers import delete_unless_needed, lock_customer
from agentmart.identity.services.members import end_memberships
from agentmart.identity.tokens import hash_token, new_token, prefix_of
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Forbidden, Invalid


class WrongPassword(Invalid):
    """The old password that somebody gave is not theirs."""

    code = "wrong_password"


OWN_FIELDS = frozenset(
    {
        "first_name",
        "last_name",
        "native_name",
        "email",
        "phone_number",
        "organization",
        "job_title",
        "description",
        "preferred_language",
        "notifications_enabled",
    }
)
"""What everybody may change of their own row; the rest is staff's."""


@transaction.atomic
def create_user(*, actor: Actor, now: datetime, username: str, password: str = "", **details: Any) -> User:
    """Add a person; without a password only a token (or single sign-on) lets them in. Staff only."""
    require(actor, "user.write")
    user = User(username=username, date_joined=now, **details)
    if password:
        check_password(password, user)
        user.set_password(password)
    else:
        user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise Invalid("A user with this username exists already.", field="username") from None
    audit.record("user.created", user, actor=actor, now=now, after=snapshot(user, "username", *details))
    return user


def check_password(password: str, user: User, *, field: str = "password") -> None:
    """Raise Invalid (naming the field) with every rule the password breaks."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field=field) from None


def _require_self_or_staff(user: User, actor: Actor) -> None:
    """Raise Forbidden unless it is the actor's own row, or the actor is staff."""
    if actor.user_id != user.id:
        require(actor, "user.write")


@transaction.atomic
def update_user(user: User, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> User:
    """Change a person; what is not among OWN_FIELDS only staff may. Deactivating ends the person's tokens.

    Raises Forbidden (naming the field), Invalid (username taken, password), Conflict (nobody deactivates themselves).
    """
    _require_self_or_staff(user, actor)
    values = dict(changes)
    password = values.pop("password", None)
    changed = {name: value for name, value in values.items() if getattr(user, name) != value}
    for name in [*sorted(changed), *(["password"] if password is not None else [])]:
        if name not in OWN_FIELDS and not permitted(actor, "user.write"):
            raise Forbidden(f"Only staff may change {name}.", extra={"field": name})
    if changed.get("is_active") is False and actor.user_id == user.id:
        raise Conflict("Nobody deactivates themselves.", code="own_account")
    if "email" in changed:
        require_in_person(actor)
    before = snapshot(user, *changed)
    for name, value in changed.items():
        setattr(user, name, value)
    if password is not None:
        check_password(password, user)
        user.set_password(password)
    try:
        with transaction.atomic(), tenancy.elevated():
            user.save(update_fields=[*changed, "password"])
            if not user.is_active:
                ApiToken.objects.filter(user=user).delete()
    except IntegrityError:
        raise Invalid("A user with this username exists already.", field="username") from None
    after = snapshot(user, *changed) | ({"password": "changed"} if password is not None else {})
    audit.record("user.updated", user, actor=actor, now=now, before=before, after=after)
    return user


@transaction.atomic
def delete_user(user: User, *, actor: Actor, now: datetime) -> None:
    """Remove a person with roles and tokens; the audit log keeps the name.

    Raises Forbidden, Conflict for oneself, HasDependents (409) where rows need the person (deactivate them instead).
    """
    require(actor, "user.write")
    if actor.user_id == user.id:
        raise Conflict("Nobody deletes themselves.", code="own_account")
    with tenancy.elevated():
        memberships = Membership.objects.filter(user=user)
        for customer_id in sorted(memberships.values_list("customer_id", flat=True).distinct()):
            lock_customer(customer_id)
        end_memberships(memberships, action="member.removed", actor=actor, now=now)
        audit.record("user.deleted", user, actor=actor, now=now, before=snapshot(user, "username", "email"))
        delete_unless_needed(user)


@transaction.atomic
def change_password(user: User, new: str, *, old: str | None, actor: Actor, now: datetime) -> None:
    """Set a password: one's own by naming the old one, anybody's by staff.

    Raises Forbidden, WrongPassword, Invalid (old_password missing, new_password too weak).
    """
    require_in_person(actor)
    _require_self_or_staff(user, actor)
    if not permitted(actor, "user.write"):
        if old is None:
            raise Invalid("This field is required.", field="old_password")
        if not user.check_password(old):
            raise WrongPassword("This is not your password.", field="old_password")
    check_password(new, user, field="new_password")
    user.set_password(new)
    with tenancy.elevated():
        user.save(update_fields=["password"])
    audit.record("user.password_changed", user, actor=actor, now=now)


def note_wrong_password(user: User, *, actor: Actor, now: datetime) -> None:
    """Write into the audit log that somebody who was logged in did not know the password."""
    audit.record("user.password_refused", user, actor=actor, now=now)


@transaction.atomic
def refresh_token(user: User, *, actor: Actor, now: datetime) -> str:
    """Give the person a new login token, which ends the old one; returns it, for this one showing."""
    require_in_person(actor)
    if actor.user_id != user.id and not permitted(actor, "user.write"):
        raise Forbidden("You may only make a token for yourself.")
    token = new_token()
    lifetime = user.token_lifetime
    with tenancy.elevated():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once: the later one stays
        ApiToken.objects.filter(user=user, login=True).delete()
        ApiToken.objects.create(
            user=user,
            login=True,
            prefix=prefix_of(token),
            token_sha256=hash_token(token),
            expires_at=now + timedelta(seconds=lifetime) if lifetime else None,
            created=now,
            modified=now,
        )
    audit.record("user.token_refreshed", user, actor=actor, now=now)
    return token
