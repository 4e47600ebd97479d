"""REST: the buyer's settings of an agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.catalog.selectors import plan_limits
from agentmart.identity.permissions import viewer
from agentmart.infra.actors import Actor
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    by_choice,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
)
from agentmart.kit.money import CURRENCIES, money_text
from agentmart.resources.models import AgentConfig
from agentmart.resources.services.settings import LATEST
from agentmart.resources.states import ResourceState

ORIGIN = re.compile(r"\Ahttps?://(\*\.)?[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?\Z")
COLOR = re.compile(r"\A#[0-9a-fA-F]{6}\Z")
POSITIONS = ("bottom-right", "bottom-left", "top-right", "top-left")
THEMES = ("light", "dark", "auto")
MAX_ORIGINS = 50
NOT_STOPPED = "Calls are not stopped at a budget yet; choose notify, or limit the plan's requests."
STATE_NAMES = {fold(state.value): (state.value,) for state in ResourceState}


class OriginField(serializers.CharField):
    """A web page's origin: scheme, host, perhaps a port; no path."""

    def to_internal_value(self, data: Any) -> str:
        """Return the origin in lower case; refuses what is none."""
        origin = super().to_internal_value(data).lower().rstrip("/")
        if not ORIGIN.match(origin):
            raise serializers.ValidationError("Give an origin like https://www.example.com, without a path.")
        return origin


class WidgetSerializer(serializers.Serializer[Any]):
    """How the chat widget looks."""

    position = serializers.ChoiceField(choices=POSITIONS, required=False)
    theme = serializers.ChoiceField(choices=THEMES, required=False)
    title = serializers.CharField(max_length=100, required=False, allow_blank=True)
    greeting = serializers.CharField(max_length=500, required=False, allow_blank=True)
    color = serializers.RegexField(COLOR, required=False, error_messages={"invalid": "Give #rrggbb."})


class BudgetSerializer(serializers.Serializer[Any]):
    """What the agent is meant to cost in a month, kept for its people; no call is stopped by it yet."""

    monthly = serializers.DecimalField(
        max_digits=14, decimal_places=4, min_value=Decimal(0), allow_null=True, required=False
    )
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    action = serializers.ChoiceField(choices=("notify",), required=False)

    def to_internal_value(self, data: Any) -> Any:
        """Return the budget; refuses `stop`, which nothing would carry out."""
        if isinstance(data, Mapping) and data.get("action") == "stop":
            raise serializers.ValidationError({"action": [NOT_STOPPED]})
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn the amount into text, as it is kept."""
        if attrs.get("monthly") is not None:
            attrs["monthly"] = money_text(attrs["monthly"], attrs.get("currency", "USD"))
        return dict(attrs)


@extend_schema_field({"oneOf": [{"type": "string", "enum": [LATEST]}, {"type": "integer", "minimum": 1}]})
class VersionField(serializers.Field[Any, Any, Any, Any]):
    """`latest`, or a version's number."""

    def to_internal_value(self, data: Any) -> str | int:
        """Return `latest` or the number."""
        text = str(data) if isinstance(data, str | int) and not isinstance(data, bool) else ""
        if text == LATEST:
            return LATEST
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise serializers.ValidationError("Give latest, or the number of a version.")
        return int(text)

    def to_representation(self, value: Any) -> Any:
        """Return it as it is."""
        return value


class ConfigUpdateSerializer(serializers.Serializer[Any]):
    """What a buyer may change of an agent."""

    name = serializers.CharField(max_length=150)
    tweaks = serializers.DictField(child=serializers.DictField())
    flow_version = VersionField()
    allowed_origins = serializers.ListField(
        child=OriginField(max_length=300),
        max_length=MAX_ORIGINS,
        help_text="Kept for the widget's pages; secret keys are accepted from anywhere.",
    )
    widget = WidgetSerializer()
    budget = BudgetSerializer()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return plain objects; an origin named twice is one."""
        values = {name: dict(value) if isinstance(value, dict) else value for name, value in attrs.items()}
        if "allowed_origins" in values:
            values["allowed_origins"] = list(dict.fromkeys(values["allowed_origins"]))
        return values


class AgentConfigSerializer(ApiSerializer):
    """The buyer's settings of one agent."""

    url = serializers.HyperlinkedIdentityField(
        view_name="customer-agent-config-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    state = serializers.CharField(source="resource.state", read_only=True)
    paused = serializers.BooleanField(source="resource.paused", read_only=True)
    resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_name = serializers.CharField(source="resource.name", read_only=True)
    offering_uuid = HexUUIDField(source="resource.offering_id", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    project_uuid = HexUUIDField(source="resource.project_id", read_only=True)
    tweaks = serializers.JSONField(read_only=True)
    tweakable = serializers.JSONField(read_only=True)
    flow_version = serializers.SerializerMethodField()
    running_version = serializers.IntegerField(source="resource.version", read_only=True)
    allowed_origins = serializers.ListField(child=serializers.CharField(), read_only=True)
    widget = serializers.JSONField(read_only=True)
    budget = serializers.JSONField(read_only=True)
    limits = serializers.SerializerMethodField()
    endpoints = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)

    def get_flow_version(self, config: AgentConfig) -> str | int | None:
        """Return `latest` where the agent follows the offering, else the number of its version."""
        return LATEST if config.follows_latest else config.resource.version

    def get_limits(self, config: AgentConfig) -> dict[str, Any]:
        """Return the limits in force."""
        return plan_limits(config.resource.plan)

    def get_endpoints(self, config: AgentConfig) -> dict[str, str]:
        """Return where the agent is called."""
        gateway = settings.GATEWAY_URL
        return {"invoke": f"{gateway}/api/agent-gateway/invoke/", "openai": f"{gateway}/v1"}


class AgentConfigViewSet(ApiViewSet):
    """Settings of one's agents."""

    queryset = AgentConfig.objects.select_related("resource__plan")
    serializer_class = AgentConfigSerializer
    filters = {
        "state": by_choice("resource__state", STATE_NAMES),
        "resource_uuid": by_uuid("resource_id"),
        "offering_uuid": by_uuid("resource__offering_id"),
        "project_uuid": by_uuid("resource__project_id"),
        "customer_uuid": by_uuid("customer_id"),
        "name": by_text("name"),
        "query": by_words("name", "resource__name"),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {"created": "created", "name": "name", "modified": "modified"}

    def viewer(self) -> Actor:
        """Return the actor; catalog managers see no buyer's settings."""
        return viewer(self.actor, "config.see")
