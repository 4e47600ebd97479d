"""REST: what keys look like, and how lists of them are filtered and sorted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.access.models import ApiKey
from agentmart.contracts.keys import ENVIRONMENTS, KEY_KINDS, SCOPES
from agentmart.infra.filters import BadFilter, Filter, Rows, fold
from agentmart.infra.rest import ApiSerializer, HexUUIDField, by_choice, by_moment, by_text, by_words
from agentmart.resources.api.places import NetworkField, OriginField

MAX_OVERLAP = 7 * 24 * 3600
MAX_PLACES = 50
MOST = 10**9
STATES = ("active", "expired", "revoked")
ORDERINGS = {"created": "created", "name": "name", "expires_at": "expires_at", "last_used_at": "last_used_at"}
FILTERS: dict[str, Filter] = {
    "name": by_text("name"),
    "query": by_words("name", "last4", "created_by"),
    "kind": by_choice("kind", {kind: (kind,) for kind in KEY_KINDS}),
    "environment": by_choice("environment", {name: (name,) for name in ENVIRONMENTS}),
    "created": by_moment("created"),
    "created_before": by_moment("created", "lt"),
    "expires_before": by_moment("expires_at", "lt"),
    "last_used_before": by_moment("last_used_at", "lt"),
}
STATE: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": list(STATES)}}
ORDER: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "enum": [f"{sign}{name}" for name in ORDERINGS for sign in ("", "-")]},
}


def by_state(now: datetime) -> Filter:
    """Return a filter on the states that keys are in at `now`."""
    revoked, over = Q(revoked_at__isnull=False, revoked_at__lte=now), Q(expires_at__lte=now)
    stands = Q(revoked_at=None) | Q(revoked_at__gt=now)
    lasts = Q(expires_at=None) | Q(expires_at__gt=now)
    wanted = {"active": stands & lasts, "expired": stands & over, "revoked": revoked}

    def apply(rows: Rows, values: list[str]) -> Rows:
        found = Q()
        for value in values:
            if fold(value) not in wanted:
                raise BadFilter(f"Select a valid choice. {value} is not one of the available choices.")
            found |= wanted[fold(value)]
        return rows.filter(found)

    return Filter(apply)


def columns_of(values: list[str]) -> list[str]:
    """Return the columns that `o` names; raises 400 for a name that the list does not sort by."""
    columns = []
    for value in values:
        column = ORDERINGS.get(value.removeprefix("-"))
        if column is None:
            message = f"Select a valid choice. {value} is not one of the available choices."
            raise serializers.ValidationError({"o": [message]})
        columns.append(f"-{column}" if value.startswith("-") else column)
    return columns


def _cap() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=MOST, required=False)


class KeyLimitsSerializer(serializers.Serializer[Any]):
    """What the key alone is held to, tighter than the plan."""

    requests_per_minute = _cap()
    concurrent_requests = _cap()
    requests_per_month = _cap()
    tokens_per_minute = _cap()
    tokens_per_month = _cap()
    max_context_tokens = _cap()


class ApiKeySerializer(ApiSerializer):
    """A key as it is listed: everything but the key."""

    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(max_length=150)
    kind = serializers.ChoiceField(choices=KEY_KINDS, required=False)
    environment = serializers.ChoiceField(choices=ENVIRONMENTS, required=False)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), required=False, allow_empty=False
    )
    allowed_origins = serializers.ListField(
        child=OriginField(),
        required=False,
        max_length=MAX_PLACES,
        help_text="Pages that may use a publishable key; empty: those of the agent's own list, as it changes.",
    )
    allowed_ips = serializers.ListField(
        child=NetworkField(),
        required=False,
        max_length=MAX_PLACES,
        help_text="Addresses and networks that may use the key; empty: all.",
    )
    limits = KeyLimitsSerializer(required=False)
    prefix = serializers.CharField(read_only=True)
    last4 = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)
    expires_at = serializers.DateTimeField(required=False)
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Within three minutes of the call."
    )
    state = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, key: ApiKey) -> str:
        """Return `active`, `expired` or `revoked`."""
        now = self.context["view"].now
        if key.revoked_at is not None and key.revoked_at <= now:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= now else "active"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return plain values; what is named twice counts once."""
        values = dict(attrs)
        for name in ("scopes", "allowed_origins", "allowed_ips"):
            if name in values:
                values[name] = list(dict.fromkeys(values[name]))
        if "limits" in values:
            values["limits"] = dict(values["limits"])
        return values


class IssuedKeySerializer(ApiKeySerializer):
    """A key as it is made, with its text: the only answer that holds it."""

    key = serializers.CharField(read_only=True)


class RotateSerializer(serializers.Serializer[Any]):
    """How long the old key is accepted beside the new one."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=MAX_OVERLAP, required=False, default=0)


class WidgetOptionsSerializer(serializers.Serializer[Any]):
    """What the page says of the widget's looks."""

    position = serializers.CharField()
    theme = serializers.CharField()
    title = serializers.CharField(required=False)
    greeting = serializers.CharField(required=False)
    color = serializers.CharField(required=False)


class WidgetEmbedSerializer(serializers.Serializer[Any]):
    """What a page needs to show the chat widget."""

    config_id = HexUUIDField()
    publishable_key = serializers.CharField(
        allow_null=True, help_text="null: the agent has no living publishable key; make one."
    )
    publishable_key_uuid = HexUUIDField(allow_null=True)
    loader_url = serializers.CharField()
    integrity = serializers.CharField(allow_null=True)
    html = serializers.CharField(allow_null=True, help_text="To be put before the page's </body>.")
    allowed_origins = serializers.ListField(child=serializers.CharField())
    options = WidgetOptionsSerializer()
