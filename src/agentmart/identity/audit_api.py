"""REST: the audit log, and the same under Waldur's `events`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.models import Role
from agentmart.identity.permissions import permitted
from agentmart.infra.filters import Rows, read_uuids
from agentmart.infra.models import AuditEntry
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    BadFilter,
    Filter,
    HexUUIDField,
    by_exact,
    by_moment,
    by_uuid,
    by_words,
)

LAST_TIMESTAMP = 253402300799  # the last second of the year 9999


def message_of(entry: AuditEntry) -> str:
    """Return an entry as a sentence: `Order approved by petra`."""
    noun, _, deed = entry.action.partition(".")
    return f"{noun.replace('_', ' ').capitalize()} {deed.replace('_', ' ')} by {entry.actor_name}".strip()


class AuditEntrySerializer(ApiSerializer):
    """Who did what to which row, with the values before and after."""

    url = serializers.HyperlinkedIdentityField(
        view_name="audit-log-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(source="at", read_only=True)
    action = serializers.CharField(read_only=True)
    message = serializers.SerializerMethodField()
    actor_uuid = HexUUIDField(source="actor_id", read_only=True, allow_null=True)
    actor_name = serializers.CharField(read_only=True)
    impersonator_uuid = HexUUIDField(source="impersonator_id", read_only=True, allow_null=True)
    object_type = serializers.CharField(read_only=True)
    object_uuid = HexUUIDField(source="object_id", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True, allow_null=True)
    before = serializers.DictField(read_only=True)
    after = serializers.DictField(read_only=True)
    request_id = serializers.CharField(read_only=True)

    def get_message(self, entry: AuditEntry) -> str:
        """Return the entry as a sentence."""
        return message_of(entry)


class EventSerializer(ApiSerializer):
    """An audit entry in Waldur's words."""

    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(source="at", read_only=True)
    event_type = serializers.CharField(source="action", read_only=True)
    message = serializers.SerializerMethodField()
    context = serializers.SerializerMethodField()  # type: ignore[assignment]  # Waldur's name for it

    def get_message(self, entry: AuditEntry) -> str:
        """Return the entry as a sentence."""
        return message_of(entry)

    def get_context(self, entry: AuditEntry) -> dict[str, Any]:
        """Return the entry's facts; what there is none of is left out."""
        ids = {
            "user_uuid": entry.actor_id,
            "impersonator_uuid": entry.impersonator_id,
            "customer_uuid": entry.customer_id,
            "scope_uuid": entry.object_id,
        }
        return {
            **{name: value.hex for name, value in ids.items() if value is not None},
            "user_username": entry.actor_name,
            "scope_type": entry.object_type,
            "before": entry.before,
            "after": entry.after,
            "request_id": entry.request_id,
        }


def _by_action(rows: Rows, values: list[str]) -> Rows:
    """Keep whole actions (`order.approved`), or all of a noun (`order`)."""
    wanted = Q()
    for value in values:
        wanted |= Q(action=value) if "." in value else Q(action__startswith=f"{value}.")
    return rows.filter(wanted)


def _by_object_type(rows: Rows, values: list[str]) -> Rows:
    """Keep kinds of things: `ordering.order`, or `order`."""
    wanted = Q()
    for value in values:
        kind = value.lower()
        wanted |= Q(object_type=kind) if "." in kind else Q(object_type__endswith=f".{kind}")
    return rows.filter(wanted)


def _by_person(rows: Rows, values: list[str]) -> Rows:
    """Keep what these people did, what was done in their name, and what was done to them."""
    ids = read_uuids(values)
    return rows.filter(Q(actor_id__in=ids) | Q(impersonator_id__in=ids) | Q(object_id__in=ids))


def _by_timestamp(lookup: str) -> Filter:
    """Return a filter on the time in Unix seconds."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        for value in values:
            try:
                seconds = float(value)
            except ValueError:
                raise BadFilter("Enter a number.") from None
            if not 0 <= seconds <= LAST_TIMESTAMP:
                raise BadFilter("Enter a time in Unix seconds.")
            rows = rows.filter(**{f"at__{lookup}": datetime.fromtimestamp(seconds, UTC)})
        return rows

    return Filter(apply, {"type": "number"}, "Unix seconds.")


ACTION = Filter(_by_action, told="A whole action (`order.approved`), or all of a noun (`order`); repeatable.")
OBJECT_TYPE = Filter(_by_object_type, told="A kind of thing (`ordering.order` or `order`); repeatable.")
PERSON = Filter(_by_person, told="Done by, in the name of, or to this person.")


class AuditLogViewSet(ApiViewSet):
    """Who did what: staff, support and finance see all, an owner what concerns their organization."""

    queryset = AuditEntry.objects
    serializer_class: type[ApiSerializer] = AuditEntrySerializer
    ordering = ("-at", "id")
    orderings = {
        "created": "at",
        "action": "action",
        "actor_name": "actor_name",
        "object_type": "object_type",
    }
    filters = {
        "actor": by_words("actor_name"),
        "actor_uuid": by_uuid("actor_id"),
        "impersonator_uuid": by_uuid("impersonator_id"),
        "user_uuid": PERSON,
        "action": ACTION,
        "object_type": OBJECT_TYPE,
        "object_uuid": by_uuid("object_id"),
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "request_id": by_exact("request_id"),
        "created": by_moment("at"),
        "created_before": by_moment("at", "lt"),
        "query": by_words("action", "actor_name", "object_type", "request_id"),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the entries the actor may see."""
        rows = AuditEntry.objects.visible_to(self.actor)
        if permitted(self.actor, "audit.see"):
            return rows
        return rows.filter(customer_id__in=self.actor.customers_as({Role.CUSTOMER_OWNER}))


class EventViewSet(AuditLogViewSet):
    """The audit log for Waldur's clients."""

    serializer_class = EventSerializer
    orderings = {"created": "at"}
    filters = {
        "event_type": ACTION,
        "feature": ACTION,
        "customer_uuid": by_uuid("customer_id"),
        "project_uuid": by_uuid("object_id"),
        "scope": by_uuid("object_id"),
        "user_uuid": by_uuid("actor_id"),
        "related_user_uuid": PERSON,
        "message": by_words("action", "actor_name", "object_type"),
        "created_from": _by_timestamp("gte"),
        "created_to": _by_timestamp("lte"),
    }
    answers = {
        "total": {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]},
        "event_groups": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "scope_types": {"type": "array", "items": {"type": "string"}},
    }
    queries: Mapping[str, Mapping[str, Any]] = {"total": filters, "event_groups": {}, "scope_types": {}}

    @action(detail=False, methods=["get"], url_path="count")
    def total(self, request: Request) -> Response:
        """Say how many events there are, by the filters of the list."""
        rows = self.visible()
        for name, apply in self.filters.items():
            values = request.query_params.getlist(name)
            if values:
                rows = self._filtered(rows, name, apply, values)
        return Response({"count": rows.count()})

    @action(detail=False, methods=["get"])
    def event_groups(self, request: Request) -> Response:
        """List the kinds of events that have happened, by what they happen to."""
        groups: dict[str, list[str]] = {}
        for name in self.visible().order_by("action").values_list("action", flat=True).distinct():
            groups.setdefault(name.partition(".")[0], []).append(name)
        return Response(groups)

    @action(detail=False, methods=["get"])
    def scope_types(self, request: Request) -> Response:
        """List the kinds of things that events have happened to."""
        kinds = self.visible().order_by("object_type").values_list("object_type", flat=True).distinct()
        return Response(list(kinds))
