"""REST: who works at the desk, and what it promises."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.models import User
from agentmart.identity.permissions import permitted, require
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    BadFilter,
    Filter,
    HexUUIDField,
    Relation,
    by_flag,
    by_text,
    by_uuid,
    by_words,
    fold,
)
from agentmart.support import selectors, services
from agentmart.support.api.fields import Shown
from agentmart.support.api.requests import TargetSerializer, TargetsSerializer


class SupportUserSerializer(ApiSerializer):
    """Somebody who works at the desk; the uuid is the person's own."""

    url = serializers.HyperlinkedIdentityField(
        view_name="support-user-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(source="shown_name", read_only=True)
    user = Relation(source="pk", view_name="user-detail", read_only=True)
    user_full_name = serializers.CharField(source="get_full_name", read_only=True)
    user_email = serializers.CharField(source="email", read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    backend_id = Shown(lambda user: "")
    backend_name = Shown(lambda user: "basic")
    reported_issues_count = serializers.IntegerField(read_only=True)
    assigned_issues_count = serializers.IntegerField(read_only=True)
    comments_count = serializers.IntegerField(read_only=True)
    attachments_count = serializers.IntegerField(read_only=True)


BACKENDS = ("basic", "atlassian", "smax", "zammad")


def by_backend(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Leave everybody where our own desk is asked for, nobody for one outside."""
    for value in values:
        if fold(value) not in BACKENDS:
            raise BadFilter(f"Select a valid choice. {value} is not one of the available choices.")
    return rows if "basic" in map(fold, values) else rows.none()


def by_no_id(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Leave nobody: an id in an outside desk is nobody's."""
    return rows if "" in values else rows.none()


class SupportUserViewSet(ApiViewSet):
    """Staff and support, for the desk to see."""

    queryset = User.objects
    serializer_class = SupportUserSerializer
    filters = {
        "name": by_text("shown_name"),
        "query": by_words("shown_name", "username", "email"),
        "is_active": by_flag("is_active"),
        "user": by_uuid("id"),
        "backend_id": Filter(by_no_id),
        "backend_name": Filter(by_backend, {"type": "string", "enum": list(BACKENDS)}),
    }
    orderings = {
        "name": "shown_name",
        "is_active": "is_active",
        "backend_id": "id",
        "backend_name": "id",
    }
    ordering = ("username", "id")

    def visible(self) -> QuerySet[Any]:
        """Return the people of the desk, for who may see them."""
        people = selectors.desk_people()
        return people if permitted(self.actor, "user.see") else people.none()


class SlaAnswerSerializer(serializers.Serializer[Any]):
    """What is promised, and when the desk works (empty hours: always)."""

    targets = TargetSerializer(many=True)
    hours = serializers.CharField()
    timezone = serializers.CharField()
    holidays = serializers.ListField(child=serializers.DateField())


class SlaViewSet(ApiViewSet):
    """What is promised, by priority."""

    queryset = User.objects  # of the base; this view shows one thing
    serializer_class = SlaAnswerSerializer
    pagination_class = None
    bodies = {"replace": TargetsSerializer}
    answers = {"show": SlaAnswerSerializer, "replace": SlaAnswerSerializer}

    def show(self, request: Request) -> Response:
        """Show how soon issues are answered and resolved."""
        require(self.actor, "sla.write")
        return Response(self._shown())

    def replace(self, request: Request) -> Response:
        """Change how soon issues of the named priorities are answered and resolved."""
        require(self.actor, "sla.write")
        rows = self.body()["targets"]
        targets = {row["priority"]: (row["response_minutes"], row["resolution_minutes"]) for row in rows}
        services.set_sla_targets(targets, actor=self.actor, now=self.now)
        return Response(self._shown())

    def _shown(self) -> Any:
        """Return the table with the calendar."""
        calendar = settings.SUPPORT_CALENDAR
        shown = {
            "targets": selectors.sla_targets(),
            "hours": settings.SUPPORT_HOURS,
            "timezone": str(calendar.zone),
            "holidays": sorted(calendar.holidays),
        }
        return SlaAnswerSerializer(shown, context=self.get_serializer_context()).data
