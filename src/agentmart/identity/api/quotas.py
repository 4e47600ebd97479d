"""REST: the quotas of all customers, and the roles there are."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from django.db.models import Count
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import quotas, services
from agentmart.identity.models import Membership, Quota, Role
from agentmart.identity.roles import MEANINGS, ROLE_IDS, role_named
from agentmart.infra.rest import (
    FLAGS,
    ApiSerializer,
    ApiViewSet,
    BadFilter,
    Filter,
    HexUUIDField,
    by_choice,
    by_uuid,
    fold,
)


class CustomerQuotaSerializer(ApiSerializer):
    """How many of one kind a customer has."""

    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    customer_abbreviation = serializers.CharField(source="customer.abbreviation", read_only=True)
    quota_name = serializers.CharField(source="name", read_only=True)
    value = serializers.IntegerField(source="usage", read_only=True)
    limit = serializers.IntegerField(read_only=True)


class CustomerQuotaViewSet(ApiViewSet):
    """Quotas of customers, the most used first."""

    queryset = Quota.objects.select_related("customer")
    serializer_class = CustomerQuotaSerializer
    http_method_names = ("get", "head", "options")
    ordering = ("-usage", "customer__name", "id")
    orderings = {"value": "usage", "customer_name": "customer__name", "quota_name": "name"}
    filters = {
        "quota_name": by_choice("name", {name.replace("_", "-"): (name,) for name in quotas.NAMES}),
        "customer_uuid": by_uuid("customer_id"),
    }


class RoleSerializer(serializers.Serializer[Any]):
    """A role that people may have."""

    uuid = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    content_type = serializers.ChoiceField(choices=["customer", "project"])
    is_system_role = serializers.BooleanField()
    is_active = serializers.BooleanField()
    users_count = serializers.IntegerField(help_text="People that you see with this role.")


def _by_text(*keys: str) -> Filter:
    """Return a filter on a part of any of a role's texts, case ignored."""

    def apply(rows: Any, values: list[str]) -> Any:
        wanted = [value.lower() for value in values]
        return [row for row in rows if any(part in row[key].lower() for part in wanted for key in keys)]

    return Filter(apply, {"type": "string"}, "A part of the text, case ignored; repeated: any of them.")


def _by_flag(key: str) -> Filter:
    """Return a filter on a yes or no of a role."""

    def apply(rows: Any, values: list[str]) -> Any:
        if any(value.lower() not in FLAGS for value in values):
            raise BadFilter("Must be a valid boolean.")
        return [row for row in rows if row[key] in {FLAGS[value.lower()] for value in values}]

    return Filter(apply, {"type": "boolean"})


def _by_kind(rows: Any, values: list[str]) -> Any:
    """Keep roles of customers, or of projects."""
    wrong = [value for value in values if fold(value) not in ("customer", "project")]
    if wrong:
        raise BadFilter(f"Select a valid choice. {wrong[0]} is not one of the available choices.")
    return [row for row in rows if row["content_type"] in {fold(value) for value in values}]


class RoleViewSet(ApiViewSet):
    """The roles there are: fixed, each with a uuid that never changes."""

    queryset = Membership.objects
    serializer_class = RoleSerializer
    http_method_names = ("get", "head", "options")
    filters = {
        "name": _by_text("name"),
        "description": _by_text("description"),
        "query": _by_text("name", "description"),
        "content_type": Filter(_by_kind, {"type": "string", "enum": ["customer", "project"]}),
        "is_active": _by_flag("is_active"),
        "is_system_role": _by_flag("is_system_role"),
    }
    orderings = {
        "name": "name",
        "scope": "content_type",
        "origin": "is_system_role",  # all are the system's
        "is_active": "is_active",
        "users_count": "users_count",
    }

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the roles."""
        rows: Any = self._roles()
        for name, apply in self.filters.items():
            values = self.request.query_params.getlist(name)
            if values:
                rows = self._filtered(rows, name, apply, values)
        for column in reversed(self.asked_order()):
            rows.sort(key=itemgetter(column.removeprefix("-")), reverse=column.startswith("-"))
        return self.get_paginated_response(self.paginate_queryset(rows))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Show a role."""
        name = role_named(self.kwargs["uuid"])
        if name is None:
            raise exceptions.NotFound
        return Response(next(row for row in self._roles() if row["name"] == name))

    def _roles(self) -> Any:
        """Return the roles as JSON, with how many people the actor sees in each."""
        people = Count("user_id", distinct=True)
        held = self.visible().order_by().values("role").annotate(people=people).values_list("role", "people")
        counts: dict[str, int] = dict(held)
        return [
            {
                "uuid": ROLE_IDS[name].hex,
                "name": name,
                "description": MEANINGS[name],
                "content_type": "customer" if name in services.CUSTOMER_ROLES else "project",
                "is_system_role": True,
                "is_active": True,
                "users_count": counts.get(name, 0),
            }
            for name in Role.values
        ]
