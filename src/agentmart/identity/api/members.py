"""REST: who has which role in a customer or project (actions that both viewsets share)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import selectors, services
from agentmart.identity.api.fields import RoleField
from agentmart.identity.api.filters import by_full_name
from agentmart.identity.models import Customer, Membership, Project, Role, User
from agentmart.identity.permissions import require
from agentmart.identity.roles import ROLE_IDS, role_named
from agentmart.infra.filters import BadFilter, Filter, Rows
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_exact,
    by_text,
    by_uuid,
    by_words,
)


class RoleChangeSerializer(serializers.Serializer[Any]):
    """A role for a person, and when it ends."""

    user = Relation(view_name="user-detail", queryset=User.objects)
    role = RoleField()
    expiration_time = serializers.DateTimeField(required=False, allow_null=True)


class RoleEndSerializer(serializers.Serializer[Any]):
    """A person's role that ends now."""

    user = Relation(view_name="user-detail", queryset=User.objects)
    role = RoleField()
    expiration_time = serializers.DateTimeField(
        required=False, allow_null=True
    )  # sent by clients, not needed


class ExpirationSerializer(serializers.Serializer[Any]):
    """When a role ends."""

    expiration_time = serializers.DateTimeField(allow_null=True)


class RoleRowSerializer(ApiSerializer):
    """A person's role."""

    left_out = frozenset({"created_by_uuid", "created_by_full_name"})

    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    expiration_time = serializers.DateTimeField(source="expires_at", read_only=True, allow_null=True)
    role_name = serializers.CharField(source="role", read_only=True)
    role_uuid = serializers.SerializerMethodField()
    user_uuid = HexUUIDField(source="user_id", read_only=True)
    user_username = serializers.CharField(source="user.username", read_only=True)
    user_full_name = serializers.CharField(source="user.get_full_name", read_only=True)
    user_email = serializers.CharField(source="user.email", read_only=True)
    created_by_uuid = HexUUIDField(read_only=True)
    created_by_full_name = serializers.CharField(read_only=True)

    def get_role_uuid(self, membership: Membership) -> str:
        """Return the uuid that stands for the role."""
        return ROLE_IDS[membership.role].hex

    def to_representation(self, instance: Membership) -> dict[str, Any]:
        """Return the row; who gave the role is left out where nobody did."""
        by = instance.created_by
        if by is not None:
            vars(instance).update(
                created_by_uuid=by.id, created_by_full_name=by.get_full_name() or by.username
            )
        return super().to_representation(instance)


def by_role() -> Filter:
    """Return a filter on roles, each by name or uuid."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        names = [role_named(value) for value in values]
        if None in names:
            raise BadFilter("Select a valid choice: a role's name or uuid.")
        return rows.filter(role__in=names)

    schema = {"type": "string"}
    return Filter(apply, schema, f"A role's uuid, or its name: {', '.join(Role.values)}.")


PEOPLE: Mapping[str, Filter] = {
    "role": by_role(),
    "user": by_uuid("user_id"),
    "user_url": by_uuid("user_id"),
    "username": by_exact("user__username"),
    "full_name": by_full_name("user__"),
    "native_name": by_text("user__native_name"),
    "search_string": by_words("user__username", "user__first_name", "user__last_name", "user__email"),
}
ORDERS = {
    "created": "created",
    "email": "user__email",
    "expiration_time": "expires_at",
    "full_name": "user__first_name",
    "native_name": "user__native_name",
    "role": "role",
    "username": "user__username",
}
ORDER = Filter(
    lambda rows, values: rows,
    {"type": "string", "enum": [f"{sign}{name}" for name in ORDERS for sign in ("", "-")]},
    "Sorted by; `-` turns round; repeatable.",
)


class MembersViewSet(ApiViewSet):
    """`add_user`, `update_user`, `delete_user`, `list_users` of what the viewset shows."""

    bodies: Mapping[str, Any] = {
        "add_user": RoleChangeSerializer,
        "update_user": RoleChangeSerializer,
        "delete_user": RoleEndSerializer,
    }
    answers: Mapping[str, Any] = {
        "add_user": (201, ExpirationSerializer),
        "update_user": ExpirationSerializer,
        "delete_user": None,
        "list_users": RoleRowSerializer(many=True),
    }
    queries: Mapping[str, Mapping[str, Any]] = {"list_users": {**PEOPLE, "o": ORDER}}
    see_members: str
    write_members: str

    def place(self, row: Any) -> tuple[Customer, Project | None]:
        """Return the customer, and the project where the members are a project's."""
        raise NotImplementedError

    def _place(self, operation: str) -> dict[str, Any]:
        """Return where the members are, once the actor may do `operation` there."""
        customer, project = self.place(self.get_object())
        project_id = project.id if project else None
        require(self.actor, operation, customer_id=customer.id, project_id=project_id)
        return {"customer": customer, "project": project}

    @action(detail=True, methods=["post"])
    def add_user(self, request: Request, **kwargs: Any) -> Response:
        """Give a person a role here; the same role again gets the new end."""
        where = self._place(self.write_members)
        body = self.body(RoleChangeSerializer)
        membership = services.add_member(
            actor=self.actor,
            now=self.now,
            user=body["user"],
            role=body["role"],
            expires_at=body.get("expiration_time"),
            **where,
        )
        return Response(ExpirationSerializer({"expiration_time": membership.expires_at}).data, status=201)

    @action(detail=True, methods=["post"])
    def update_user(self, request: Request, **kwargs: Any) -> Response:
        """Set when a person's role here ends; no time is never."""
        where = self._place(self.write_members)
        body = self.body(RoleChangeSerializer)
        membership = services.update_member(
            actor=self.actor,
            now=self.now,
            user=body["user"],
            role=body["role"],
            expires_at=body.get("expiration_time"),
            **where,
        )
        return Response(ExpirationSerializer({"expiration_time": membership.expires_at}).data)

    @action(detail=True, methods=["post"])
    def delete_user(self, request: Request, **kwargs: Any) -> Response:
        """Take a role from a person, at once."""
        where = self._place(self.write_members)
        body = self.body(RoleEndSerializer)
        services.remove_member(actor=self.actor, now=self.now, user=body["user"], role=body["role"], **where)
        return Response(status=200)

    @action(detail=True, methods=["get"])
    def list_users(self, request: Request, **kwargs: Any) -> Response:
        """List who has which role here."""
        where = self._place(self.see_members)
        rows: QuerySet[Any] = selectors.members_of(**where, now=self.now)
        for name, apply in PEOPLE.items():
            values = self.request.query_params.getlist(name)
            if values:
                rows = self._filtered(rows, name, apply, values)
        columns = []
        for value in self.request.query_params.getlist("o"):
            column = ORDERS.get(value.removeprefix("-"))
            if column is None:
                message = f"Select a valid choice. {value} is not one of the available choices."
                raise serializers.ValidationError({"o": [message]})
            columns.append(f"-{column}" if value.startswith("-") else column)
        page = self.page_of(rows.order_by(*columns, "created", "id"))
        shown = RoleRowSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)
