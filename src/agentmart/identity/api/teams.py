"""REST: the people of a customer with all their roles in it, and those who are not in a project yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import selectors
from agentmart.identity.api.fields import RoleField
from agentmart.identity.api.filters import by_full_name
from agentmart.identity.api.members import MembersViewSet
from agentmart.identity.models import User
from agentmart.identity.roles import role_named
from agentmart.infra.addresses import addresses_of
from agentmart.infra.filters import BadFilter, Filter, Rows
from agentmart.infra.rest import ApiSerializer, HexUUIDField, by_exact, by_flag, by_moment, by_text, by_words


class PersonSerializer(ApiSerializer):
    """A person, shortly."""

    url = serializers.HyperlinkedIdentityField(
        view_name="user-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    username = serializers.CharField(read_only=True)
    full_name = serializers.CharField(source="get_full_name", read_only=True)
    native_name = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    image = serializers.SerializerMethodField()

    def get_image(self, user: User) -> str | None:
        """Return no picture."""
        return None


class ProjectRoleSerializer(serializers.Serializer[Any]):
    """A role in a project."""

    url = serializers.URLField()
    uuid = serializers.CharField()
    name = serializers.CharField()
    role_name = RoleField()
    expiration_time = serializers.DateTimeField(allow_null=True)


class CustomerPersonSerializer(PersonSerializer):
    """A person with the roles they have in a customer and its projects."""

    role_name = serializers.SerializerMethodField()
    expiration_time = serializers.SerializerMethodField()
    projects = serializers.SerializerMethodField()

    def get_role_name(self, user: User) -> str | None:
        """Return the role in the customer itself, the highest where there are several."""
        rows = selectors.customer_roles(user)
        return rows[0].role if rows else None

    def get_expiration_time(self, user: User) -> str | None:
        """Return when that role ends."""
        rows = selectors.customer_roles(user)
        end = rows[0].expires_at if rows else None
        return None if end is None else str(serializers.DateTimeField().to_representation(end))

    def get_projects(self, user: User) -> list[dict[str, Any]]:
        """Return the roles in projects."""
        addresses = addresses_of(self.context)
        return [
            dict(
                ProjectRoleSerializer(
                    {
                        "url": addresses.of("project-detail", row.project.id),
                        "uuid": row.project.uuid,
                        "name": row.project.name,
                        "role_name": row.role,
                        "expiration_time": row.expires_at,
                    }
                ).data
            )
            for row in selectors.project_roles(user)
            if row.project is not None
        ]


def by_held_role() -> Filter:
    """Return a filter on people by a role they hold in the place, by name or uuid."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        names = [role_named(value) for value in values]
        if None in names:
            raise BadFilter("Select a valid choice: a role's name or uuid.")
        return rows.filter(held_roles__overlap=names)

    return Filter(apply, {"type": "string"}, "A role's name or uuid; repeated: any of them.")


PEOPLE: Mapping[str, Filter] = {
    "username": by_text("username"),
    "full_name": by_full_name(),
    "native_name": by_text("native_name"),
    "email": by_text("email"),
    "job_title": by_text("job_title"),
    "organization": by_text("organization"),
    "phone_number": by_text("phone_number"),
    "description": by_text("description"),
    "registration_method": by_exact("registration_method"),
    "is_active": by_flag("is_active"),
    "date_joined": by_moment("date_joined"),
    "user_keyword": by_words("username", "first_name", "last_name", "email", "native_name"),
}
NAMES = ("concatenated_name", "-concatenated_name")
ORDER = Filter(lambda rows, values: rows, {"type": "string", "enum": list(NAMES)}, "Sorted by name.")


class TeamViewSet(MembersViewSet):
    """Lists of people of what the viewset shows."""

    def people_page(
        self, rows: QuerySet[User], filters: Mapping[str, Filter], serializer: type[PersonSerializer]
    ) -> Response:
        """Answer a page of people, filtered and sorted as the address asks."""
        found: QuerySet[Any] = rows
        for name, apply in filters.items():
            values = self.request.query_params.getlist(name)
            if values:
                found = self._filtered(found, name, apply, values)
        asked = self.request.query_params.getlist("o")
        for value in asked:
            if value not in NAMES:
                message = f"Select a valid choice. {value} is not one of the available choices."
                raise serializers.ValidationError({"o": [message]})
        sign = "-" if asked and asked[0].startswith("-") else ""
        names = [f"{sign}{column}" for column in ("first_name", "last_name", "username")]
        page = self.page_of(found.order_by(*names, "id"))
        shown = serializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)


class CustomerTeamViewSet(TeamViewSet):
    """The people of a customer."""

    answers: Mapping[str, Any] = {"users": CustomerPersonSerializer(many=True)}
    queries: Mapping[str, Mapping[str, Any]] = {
        "users": {**PEOPLE, "organization_role": by_held_role(), "project_role": by_held_role(), "o": ORDER}
    }

    @action(detail=True, methods=["get"])
    def users(self, request: Request, **kwargs: Any) -> Response:
        """List everybody with a role in the customer or in one of its projects, each once."""
        customer = self._place(self.see_members)["customer"]
        rows = selectors.people_of(customer, now=self.now)
        filters = {name: meaning for name, meaning in self.queries["users"].items() if name != "o"}
        return self.people_page(rows, filters, CustomerPersonSerializer)


class ProjectTeamViewSet(TeamViewSet):
    """The people of a project."""

    answers: Mapping[str, Any] = {"other_users": PersonSerializer(many=True)}
    queries: Mapping[str, Mapping[str, Any]] = {"other_users": {**PEOPLE, "o": ORDER}}

    @action(detail=True, methods=["get"])
    def other_users(self, request: Request, **kwargs: Any) -> Response:
        """List the customer's people who have no role in this project."""
        where = self._place(self.see_members)
        rows = selectors.people_beside(where["customer"], where["project"], now=self.now)
        return self.people_page(rows, PEOPLE, PersonSerializer)
