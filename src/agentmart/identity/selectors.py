"""Reads: who a token or user is, with all roles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef, Prefetch, Q, QuerySet

from agentmart.identity.models import ApiToken, Customer, Invitation, Membership, Project, Role, User
from agentmart.identity.states import InvitationState
from agentmart.identity.tokens import hash_token
from agentmart.infra.actors import Actor, RoleGrant


@cache
def _login_query() -> tuple[str, list[str]]:
    """Return the SQL of a login by token, and the person's fields at the end of its row.

    Every request begins with it, so it is written out: building it anew costs several times what running it does.
    """
    fields = User._meta.concrete_fields
    columns = ", ".join(f'u."{field.column}"' for field in fields)
    sql = f"""
        SELECT t.id, t.scope, t.last_used_at,
            (SELECT jsonb_agg(jsonb_build_array(m.customer_id, m.role, m.project_id)) FROM identity_membership m
             WHERE m.user_id = u.id AND (m.expires_at IS NULL OR m.expires_at > %(now)s))::text,
            {columns}
        FROM identity_api_token t JOIN identity_user u ON u.id = t.user_id
        WHERE t.token_sha256 = %(hash)s AND u.is_active AND (t.expires_at IS NULL OR t.expires_at > %(now)s)
    """  # noqa: S608 - names of our own columns
    return sql, [field.attname for field in fields]


def find_login(token: str, *, now: datetime) -> tuple[ApiToken, Actor] | None:
    """Return the unexpired token of an active person, with the person, and the person as actor; None for any other."""
    sql, names = _login_query()
    with connection.cursor() as cursor:
        cursor.execute(sql, {"hash": hash_token(token), "now": now})
        row = cursor.fetchone()
    if row is None:
        return None
    found = ApiToken.from_db(connection.alias, ["id", "scope", "last_used_at"], row[:3])
    found.user = User.from_db(connection.alias, names, row[4:])
    grants = (
        RoleGrant(UUID(customer), role, UUID(project) if project else None)
        for customer, role, project in json.loads(row[3] or "[]")
    )
    return found, _as_actor(found.user, grants)


def actor_of(user: User, *, now: datetime) -> Actor:
    """Return the person as an actor, with every role in force at `now`."""
    memberships = Membership.objects.filter(user=user).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return _as_actor(user, (membership.as_grant() for membership in memberships))


def _as_actor(user: User, grants: Iterable[RoleGrant]) -> Actor:
    return Actor(
        user_id=user.id,
        username=user.username,
        operator_roles=user.operator_roles,
        grants=tuple(grants),
    )


def roles_of(user: User, *, now: datetime) -> QuerySet[Membership]:
    """Return a person's roles in force at `now`, with their places."""
    rows = Membership.objects.filter(user=user).filter(Q(expires_at=None) | Q(expires_at__gt=now))
    return rows.select_related("customer", "project").order_by("created", "id")


def places_of(people: Sequence[UUID], held: str) -> QuerySet[Membership, Any]:
    """Return the customers or projects (`held`: customer_id, project_id) where any of the people has a role."""
    found: QuerySet[Membership, Any] = Membership.objects.filter(user_id__in=people).values(held)
    return found


def people_in(places: Sequence[UUID], held: str) -> QuerySet[Membership, Any]:
    """Return who has a role in any of the customers or projects (`held`) that the transaction's tenants show."""
    known = Customer.objects if held == "customer_id" else Project.objects
    seen = known.filter(pk__in=places).values("pk")
    members: QuerySet[Membership, Membership] = Membership.objects.filter(**{f"{held}__in": seen})
    return members.values("user_id")


def projects_of(people: Sequence[UUID]) -> Q:
    """Return the condition of projects where any of the people has a role: there, or in the whole customer."""
    members = Membership.objects.filter(user_id__in=people)
    whole = members.filter(project=None).values("customer_id")
    single = members.exclude(project=None).values("project_id")
    return Q(customer_id__in=whole) | Q(pk__in=single)


def members_of(
    customer: Customer, project: Project | None, *, now: datetime
) -> QuerySet[Membership, Membership]:
    """Return the roles in force in a customer, or in one project of it."""
    rows = Membership.objects.filter(customer=customer, project=project)
    return rows.filter(Q(expires_at=None) | Q(expires_at__gt=now)).select_related("user", "created_by")


def people_of(customer: Customer, *, now: datetime) -> QuerySet[User]:
    """Return the people with a role in force in a customer or its projects, each once, with all these roles.

    `held_roles` are the roles' names; `customer_roles` and `project_roles` read the rows.
    """
    held = Membership.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), customer=customer)
    theirs = held.filter(user=OuterRef("pk")).order_by("role").values_list("role", flat=True)
    here = held.select_related("project").order_by("role", "created", "id")
    people: QuerySet[User] = User.objects.filter(pk__in=held.values("user_id"))
    return people.annotate(held_roles=ArraySubquery(theirs)).prefetch_related(
        Prefetch("memberships", queryset=here, to_attr="roles_here")
    )


def customer_roles(user: User) -> list[Membership]:
    """Return the roles in the customer itself of one of `people_of`, the highest first."""
    rows: list[Membership] = user.roles_here  # type: ignore[attr-defined]
    order = list(Role.values)
    return sorted((row for row in rows if row.project_id is None), key=lambda row: order.index(row.role))


def project_roles(user: User) -> list[Membership]:
    """Return the roles in projects of one of `people_of`."""
    rows: list[Membership] = user.roles_here  # type: ignore[attr-defined]
    return [row for row in rows if row.project_id is not None]


def people_beside(customer: Customer, project: Project, *, now: datetime) -> QuerySet[User]:
    """Return the people with a role in a customer or its projects, but none in this project."""
    held = Membership.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), customer=customer)
    people: QuerySet[User] = User.objects.filter(pk__in=held.values("user_id"))
    return people.exclude(pk__in=held.filter(project=project).values("user_id"))


def leaders_addresses(customer_id: UUID, *, now: datetime) -> list[str]:
    """Return the e-mail addresses of a customer's owners and managers who are let in, each once."""
    held = Membership.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), customer_id=customer_id)
    leaders = held.filter(role__in=(Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER), project=None)
    people = User.objects.filter(pk__in=leaders.values("user_id"), is_active=True).exclude(email="")
    return sorted(set(people.values_list("email", flat=True)))


def invitation_to_send(invitation_id: UUID) -> Invitation | None:
    """Return a pending invitation with its places and who invites, None for one that is over."""
    rows = Invitation.objects.select_related("customer", "project", "created_by")
    return rows.filter(pk=invitation_id, state=InvitationState.PENDING).first()


def all_customer_ids() -> list[UUID]:
    """Return every customer that the transaction's tenants show."""
    return list(Customer.objects.order_by("pk").values_list("pk", flat=True))


def operator_customer() -> Customer:
    """Return the operator's own customer, made at install."""
    return Customer.objects.get(is_operator=True)
