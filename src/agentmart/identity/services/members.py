"""Writes: who has which role where, from when to when."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from agentmart.identity import quotas
from agentmart.identity.models import Customer, Membership, Project, Role, User
from agentmart.identity.permissions import require
from agentmart.identity.services.customers import lock_customer, require_not_blocked
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid

CUSTOMER_ROLES = frozenset(
    {Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER, Role.CUSTOMER_SUPPORT, Role.OFFERING_MANAGER}
)
BELOW_MANAGER = frozenset({Role.PROJECT_MANAGER, Role.PROJECT_MEMBER})
"""The roles that a project's manager gives and takes: up to their own."""

MAX_EXPIRED_AT_ONCE = 500


def require_member_write(actor: Actor, *, role: str, customer_id: UUID, project_id: UUID | None) -> None:
    """Raise Forbidden unless the actor may give this role; a project's manager gives roles up to their own."""
    if project_id is None:
        require(actor, "member.write", customer_id=customer_id)
        return
    require(actor, "member.write_in_project", customer_id=customer_id, project_id=project_id)
    if role not in BELOW_MANAGER:
        require(actor, "member.write", customer_id=customer_id)


def check_place(role: str, project: Project | None) -> None:
    """Raise Invalid (role) for a customer's role in a project, or the reverse."""
    if (role in CUSTOMER_ROLES) == (project is not None):
        place = "customer" if role in CUSTOMER_ROLES else "project"
        raise Invalid(f"{role} is a role of a {place}.", field="role")


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

    Raises Forbidden, CustomerBlocked or QuotaExceeded (409), Conflict (`last_owner`), Invalid (role,
    expiration_time).
    """
    require_member_write(
        actor, role=role, customer_id=customer.id, project_id=project.id if project else None
    )
    return give_role(
        actor=actor, now=now, user=user, role=role, customer=customer, project=project, expires_at=expires_at
    )


@transaction.atomic
def give_role(
    *,
    actor: Actor,
    now: datetime,
    user: User,
    role: str,
    customer: Customer,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> Membership:
    """Do what `add_member` does without asking who asks: an accepted invitation has been allowed before.

    Raises CustomerBlocked or QuotaExceeded (409), Conflict (`project_deleted`, `last_owner`), Invalid.
    """
    require_not_blocked(lock_customer(customer.id))
    check_place(role, project)
    if project is not None and not Project.objects.filter(pk=project.pk, removed_at=None).exists():
        raise Conflict("This project has been deleted.", code="project_deleted")
    _check_expiry(expires_at, now=now)
    if role == Role.CUSTOMER_OWNER and expires_at is not None:
        _require_other_owner(user, customer, actor=actor, now=now)
    if not Membership.objects.filter(user=user, customer=customer).exists():
        quotas.claim(customer.id, quotas.PEOPLE, now=now)
    given_by = actor.user_id
    membership, _ = Membership.objects.update_or_create(
        user=user,
        customer=customer,
        project=project,
        role=role,
        defaults={"expires_at": expires_at, "modified": now},
        create_defaults={
            "expires_at": expires_at,
            "created_by_id": given_by,
            "created": now,
            "modified": now,
        },
    )
    audit.record(
        "member.added", membership, actor=actor, now=now, after={"user": user.username, "role": role}
    )
    return membership


def _check_expiry(expires_at: datetime | None, *, now: datetime) -> None:
    """Raise Invalid (expiration_time) for an end that has passed."""
    if expires_at is not None and expires_at <= now:
        raise Invalid("The role would have ended already.", field="expiration_time")


@transaction.atomic
def update_member(
    *,
    actor: Actor,
    now: datetime,
    user: User,
    role: str,
    customer: Customer,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> Membership:
    """Set when a role ends, None for never.

    Raises Forbidden, Conflict (`last_owner`), Invalid (user: has no such role; expiration_time).
    """
    membership = _held(actor=actor, now=now, user=user, role=role, customer=customer, project=project)
    _check_expiry(expires_at, now=now)
    if role == Role.CUSTOMER_OWNER and expires_at is not None:
        _require_other_owner(user, customer, actor=actor, now=now)
    before = {"expires_at": str(membership.expires_at)}
    membership.expires_at, membership.modified = expires_at, now
    membership.save(update_fields=["expires_at", "modified"])
    after = {"user": user.username, "role": role, "expires_at": str(expires_at)}
    audit.record("member.updated", membership, actor=actor, now=now, before=before, after=after)
    return membership


@transaction.atomic
def remove_member(
    *,
    actor: Actor,
    now: datetime,
    user: User,
    role: str,
    customer: Customer,
    project: Project | None = None,
) -> None:
    """Take a role from a person, at once.

    Raises Forbidden, Invalid (user: has no such role), Conflict (`last_owner`: only staff leave a customer ownerless).
    """
    membership = _held(actor=actor, now=now, user=user, role=role, customer=customer, project=project)
    if role == Role.CUSTOMER_OWNER:
        _require_other_owner(user, customer, actor=actor, now=now)
    rows = Membership.objects.filter(pk=membership.pk)
    end_memberships(rows, action="member.removed", actor=actor, now=now)


def _require_other_owner(user: User, customer: Customer, *, actor: Actor, now: datetime) -> None:
    """Raise Conflict (`last_owner`) where the locked customer has no owner but this one; staff may end that too."""
    if actor.system or "staff" in actor.operator_roles:
        return
    owners = Membership.objects.filter(in_force(now), customer=customer, role=Role.CUSTOMER_OWNER)
    if not owners.exclude(user=user).exists():
        raise Conflict(f"{customer.name} needs an owner; name another one first.", code="last_owner")


def _held(
    *,
    actor: Actor,
    now: datetime,
    user: User,
    role: str,
    customer: Customer,
    project: Project | None,
) -> Membership:
    """Return the role in force, its customer locked; raises Forbidden, Invalid (user)."""
    require_member_write(
        actor, role=role, customer_id=customer.id, project_id=project.id if project else None
    )
    lock_customer(customer.id)
    rows = Membership.objects.filter(in_force(now), user=user, customer=customer, project=project, role=role)
    found = rows.first()
    if found is None:
        raise Invalid(f"{user.username} does not have the role {role} here.", field="user")
    return found


def in_force(now: datetime) -> Q:
    """Return the condition of roles that have not ended."""
    return Q(expires_at=None) | Q(expires_at__gt=now)


def end_memberships(memberships: QuerySet[Membership], *, action: str, actor: Actor, now: datetime) -> int:
    """Delete roles whose customers are locked, and count the people who thereby left; returns how many roles."""
    ended = list(memberships.select_related("user"))
    people: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for membership in ended:
        before = {"user": membership.user.username, "role": membership.role}
        audit.record(action, membership, actor=actor, now=now, before=before)
        people[membership.customer_id].add(membership.user_id)
    Membership.objects.filter(pk__in=[membership.pk for membership in ended]).delete()
    for customer_id, users in sorted(people.items()):
        left = Membership.objects.filter(customer_id=customer_id, user_id__in=users)
        gone = len(users - set(left.values_list("user_id", flat=True)))
        if gone:
            quotas.release(customer_id, quotas.PEOPLE, now=now, amount=gone)
    return len(ended)


@transaction.atomic
def end_expired_roles(*, actor: Actor, now: datetime) -> int:
    """End the roles whose time has passed, some hundreds at once; returns how many."""
    with tenancy.elevated():
        rows = Membership.objects.filter(expires_at__lte=now).order_by("customer_id", "pk")
        found = list(rows.values_list("pk", "customer_id")[:MAX_EXPIRED_AT_ONCE])
        for customer_id in sorted({customer_id for _, customer_id in found}):
            lock_customer(customer_id)
        still = Membership.objects.filter(pk__in=[pk for pk, _ in found], expires_at__lte=now)
        return end_memberships(still, action="member.expired", actor=actor, now=now)
