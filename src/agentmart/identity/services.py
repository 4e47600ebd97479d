"""Writes: customers, projects, people, roles, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agentmart.identity import quotas
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


def lock_customer(customer_id: UUID) -> Customer:
    """Return the customer as it is until the transaction ends: nobody blocks it or adds people meanwhile."""
    with tenancy.elevated():
        return Customer.objects.select_for_update(no_key=True).get(pk=customer_id)


@transaction.atomic
def create_customer(*, actor: Actor, now: datetime, name: str, **details: Any) -> Customer:
    """Register an organization; raises Forbidden unless the actor is staff."""
    require(actor, "customer.create")
    customer = Customer.objects.create(name=name, created=now, modified=now, **details)
    quotas.open_for(customer.id, now=now)
    audit.record(
        "customer.created",
        customer,
        actor=actor,
        now=now,
        customer_id=customer.id,
        after=snapshot(customer, "name", *details),
    )
    return customer


CUSTOMER_STAFF_FIELDS = frozenset({"custom_code_allowed", "currency"})
CUSTOMER_BILLING_FIELDS = frozenset({"email", "address", "country", "vat_code"})
"""What finance may change too; the rest (the name) is the owner's and staff's."""


@transaction.atomic
def update_customer(
    customer: Customer, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Customer:
    """Change a customer's details; a value that this actor may not change is refused (403) by name."""
    require(actor, "customer.edit", customer_id=customer.id)
    changed = {name: value for name, value in changes.items() if getattr(customer, name) != value}
    for name in sorted(changed):
        _require_field(name, customer, actor)
    before = snapshot(customer, *changed)
    for name, value in changed.items():
        setattr(customer, name, value)
    customer.modified = now
    customer.save(update_fields=[*changed, "modified"])
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


def _require_field(name: str, customer: Customer, actor: Actor) -> None:
    """Raise Forbidden, naming the field, unless the actor may change it."""
    if name in CUSTOMER_STAFF_FIELDS:
        operation, who = "customer.edit_staff_fields", "staff"
    elif name in CUSTOMER_BILLING_FIELDS:
        return
    else:
        operation, who = "customer.edit_plain_fields", "staff and the owner"
    if not permitted(actor, operation, customer_id=customer.id):
        raise Forbidden(f"Only {who} may change {name}.", extra={"field": name})


@transaction.atomic
def set_blocked(customer: Customer, blocked: bool, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Block or unblock a customer; returns whether that changed anything. Its keys are `access`'s to flip."""
    require(actor, "customer.block", customer_id=customer.id)
    values = {"blocked": blocked, "blocked_reason": reason if blocked else "", "modified": now}
    moved = Customer.objects.filter(pk=customer.pk, blocked=not blocked).update(**values)
    customer.refresh_from_db()
    if moved:
        action = "customer.blocked" if blocked else "customer.unblocked"
        audit.record(
            action, customer, actor=actor, now=now, customer_id=customer.id, after={"reason": reason}
        )
    return bool(moved)


@transaction.atomic
def create_project(
    *, actor: Actor, now: datetime, customer: Customer, name: str, description: str = ""
) -> Project:
    """Add a project; raises Forbidden, or CustomerBlocked (409)."""
    require(actor, "project.create", customer_id=customer.id)
    require_not_blocked(lock_customer(customer.id))
    quotas.claim(customer.id, quotas.PROJECTS, now=now)
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
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise Invalid("A user with this username exists already.", field="username") from None
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
        ApiToken.objects.filter(user=user, login=True).delete()
        ApiToken.objects.create(
            user=user, login=True, prefix=token[:4], token_sha256=hash_token(token), created=now, modified=now
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
    """Give a person a role in a customer or project; the same role twice is one row with the new expiry.

    Raises Forbidden, CustomerBlocked (409), Invalid (role) for a customer's role in a project or the reverse.
    """
    _require_member_write(actor, role=role, customer=customer, project=project)
    require_not_blocked(lock_customer(customer.id))
    if (role in CUSTOMER_ROLES) == (project is not None):
        place = "customer" if role in CUSTOMER_ROLES else "project"
        raise Invalid(f"{role} is a role of a {place}.", field="role")
    if not Membership.objects.filter(user=user, customer=customer).exists():
        quotas.claim(customer.id, quotas.PEOPLE, now=now)
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


BELOW_MANAGER = frozenset({Role.PROJECT_MANAGER, Role.PROJECT_MEMBER})


def _require_member_write(actor: Actor, *, role: str, customer: Customer, project: Project | None) -> None:
    """Raise Forbidden unless the actor may give this role; a project's manager gives roles up to their own."""
    if project is None:
        require(actor, "member.write", customer_id=customer.id)
        return
    require(actor, "member.write_in_project", customer_id=customer.id, project_id=project.id)
    if role not in BELOW_MANAGER:
        require(actor, "member.write", customer_id=customer.id)


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
