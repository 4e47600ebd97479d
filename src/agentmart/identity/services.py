"""Writes: customers, projects, people, roles, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from agentmart.identity.models import ApiToken, Customer, Membership, Project, Role, User
from agentmart.identity.permissions import permitted, require
from agentmart.identity.tokens import hash_token, new_token
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor, system_actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Forbidden, Invalid


class CustomerBlocked(Conflict):
    """The customer is blocked: nothing new until an operator unblocks it."""

    code = "customer_blocked"

    def __init__(self, customer: Customer) -> None:
        super().__init__(f"{customer.name} is blocked; an operator must unblock it first.")


def require_not_blocked(customer: Customer) -> None:
    """Raise CustomerBlocked (409) for a blocked customer."""
    if customer.blocked:
        raise CustomerBlocked(customer)


@transaction.atomic
def create_customer(*, actor: Actor, now: datetime, name: str, **details: Any) -> Customer:
    """Register an organization; raises Forbidden unless the actor is staff."""
    require(actor, "customer.create")
    customer = Customer.objects.create(name=name, created=now, modified=now, **details)
    audit.record(
        "customer.created", customer, actor=actor, now=now, customer_id=customer.id, after={"name": name}
    )
    return customer


CUSTOMER_STAFF_FIELDS = frozenset({"blocked", "archived", "custom_code_allowed", "currency"})


@transaction.atomic
def update_customer(
    customer: Customer, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Customer:
    """Change a customer's details; what only staff may change is refused to others with the field's name."""
    require(actor, "customer.edit", customer_id=customer.id)
    changed = {name: value for name, value in changes.items() if getattr(customer, name) != value}
    closed = CUSTOMER_STAFF_FIELDS & set(changed)
    if closed and "staff" not in actor.operator_roles and not actor.system:
        field = sorted(closed)[0]
        raise Forbidden(f"Only staff may change {field}.", extra={"field": field})
    before = snapshot(customer, *changed)
    for name, value in changed.items():
        setattr(customer, name, value)
    customer.modified = now
    customer.save()
    audit.record(
        "customer.updated",
        customer,
        actor=actor,
        now=now,
        customer_id=customer.id,
        before=before,
        after=snapshot(customer, *changed),
    )
    return customer


@transaction.atomic
def create_project(
    *, actor: Actor, now: datetime, customer: Customer, name: str, description: str = ""
) -> Project:
    """Add a project; raises Forbidden, or CustomerBlocked (409)."""
    require(actor, "project.create", customer_id=customer.id)
    require_not_blocked(customer)
    project = Project.objects.create(
        customer=customer, name=name, description=description, created=now, modified=now
    )
    audit.record("project.created", project, actor=actor, now=now, after={"name": name})
    return project


@transaction.atomic
def create_user(*, actor: Actor, now: datetime, username: str, password: str = "", **details: Any) -> User:
    """Add a person; without a password only a token (or single sign-on) lets them in. Staff only."""
    require(actor, "user.write")
    user = User(username=username, date_joined=now, **details)
    if password:
        _check_password(password, user)
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save()
    audit.record("user.created", user, actor=actor, now=now, after={"username": username})
    return user


def _check_password(password: str, user: User) -> None:
    """Raise Invalid (field password) with every rule the password breaks."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from None


@transaction.atomic
def refresh_token(user: User, *, actor: Actor, now: datetime) -> str:
    """Give the person a new token, which ends the old one; returns it, for this one showing."""
    if actor.user_id != user.id and not permitted(actor, "user.write"):
        raise Forbidden("You may only make a token for yourself.")
    token = new_token()
    with tenancy.elevated():
        ApiToken.objects.update_or_create(
            user=user,
            defaults={"token_sha256": hash_token(token), "modified": now},
            create_defaults={"token_sha256": hash_token(token), "created": now, "modified": now},
        )
    audit.record("user.token_refreshed", user, actor=actor, now=now)
    return token


CUSTOMER_ROLES = frozenset(
    {Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER, Role.CUSTOMER_SUPPORT, Role.OFFERING_MANAGER}
)


@transaction.atomic
def add_member(
    *,
    actor: Actor,
    now: datetime,
    user: User,
    role: str,
    customer: Customer,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> Membership:
    """Give a person a role in a customer or project; the same role twice is one row with the new expiry."""
    require(actor, "member.write", customer_id=customer.id)
    if (role in CUSTOMER_ROLES) == (project is not None):
        place = "customer" if role in CUSTOMER_ROLES else "project"
        raise Invalid(f"{role} is a role of a {place}.", field="role")
    membership, _ = Membership.objects.update_or_create(
        user=user,
        customer=customer,
        project=project,
        role=role,
        defaults={"expires_at": expires_at, "modified": now},
        create_defaults={"expires_at": expires_at, "created": now, "modified": now},
    )
    audit.record(
        "member.added", membership, actor=actor, now=now, after={"user": user.username, "role": role}
    )
    return membership


def install(*, now: datetime, operator_name: str, currency: str) -> Customer:
    """Make the operator's own customer on first start; returns it, also when it exists already."""
    with tenancy.as_system("install") as actor:
        found = Customer.objects.filter(is_operator=True).first()
        if found:
            return found
        return create_customer(actor=actor, now=now, name=operator_name, currency=currency, is_operator=True)


def create_staff(*, username: str, password: str, email: str = "", now: datetime) -> tuple[User, str]:
    """Create (or reset) a staff login; returns the person and a fresh API token, for this one showing.

    Raises Invalid with field `password` when the password is too weak.
    """
    with tenancy.as_system("createstaff"):
        actor = system_actor("createstaff")
        user = User.objects.filter(username=username).first()
        if user is None:
            user = create_user(
                actor=actor,
                now=now,
                username=username,
                password=password,
                email=email,
                is_staff=True,
                is_superuser=True,
            )
        else:
            _check_password(password, user)
            user.set_password(password)
            user.is_staff = user.is_superuser = user.is_active = True
            user.save()
            audit.record("user.staff_reset", user, actor=actor, now=now)
        return user, refresh_token(user, actor=actor, now=now)
