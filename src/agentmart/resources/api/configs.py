"""REST: the buyer's settings of an agent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.catalog.selectors import plan_limits
from agentmart.contracts.grants import BudgetAction
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
from agentmart.resources.api.places import OriginField
from agentmart.resources.models import AgentConfig
from agentmart.resources.services.settings import LATEST
from agentmart.resources.states import ResourceState

COLOR = re.compile(r"\A#[0-9a-fA-F]{6}\Z")
POSITIONS = ("bottom-right", "bottom-left", "top-right", "top-left")
THEMES = ("light", "dark", "auto")
MAX_ORIGINS = 50
ACTIONS = tuple(action.value for action in BudgetAction)
NO_KNOWLEDGE = "This installation has no knowledge bases yet; an agent uses what its flow brings."
NO_SYSTEM = "An agent has no settings beside its tweaks: set what `tweakable` names in `tweaks`."
NOT_KEPT = ("knowledge_bases", "system_settings")
STATE_NAMES = {fold(state.value): (state.value,) for state in ResourceState}


class WidgetSerializer(serializers.Serializer[Any]):
    """How the chat widget looks."""

    position = serializers.ChoiceField(choices=POSITIONS, required=False)
    theme = serializers.ChoiceField(choices=THEMES, required=False)
    title = serializers.CharField(max_length=100, required=False, allow_blank=True)
    greeting = serializers.CharField(max_length=500, required=False, allow_blank=True)
    color = serializers.RegexField(COLOR, required=False, error_messages={"invalid": "Give #rrggbb."})


class BudgetSerializer(serializers.Serializer[Any]):
    """What the agent may cost in a calendar month (UTC), in the plan's currency."""

    monthly = serializers.DecimalField(
        max_digits=14, decimal_places=4, min_value=Decimal(0), allow_null=True, required=False
    )
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    action = serializers.ChoiceField(
        choices=ACTIONS,
        required=False,
        help_text="At 50, 80 and 100 percent, once a month each, owners and managers of the customer are told by "
        "e-mail (and the audit log holds it). notify: no more than that; stop: from 100 percent on calls are "
        "refused too (402) until the budget is raised or the month ends.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn the amount into text, as it is kept."""
        if attrs.get("monthly") is not None:
            attrs["monthly"] = money_text(attrs["monthly"], attrs.get("currency", "USD"))
        return dict(attrs)


class NothingField(serializers.JSONField):
    """A setting that no runtime here could use: it can be left empty, and is refused with the reason."""

    def __init__(self, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._reason = reason

    def to_internal_value(self, data: Any) -> Any:
        """Return nothing; refuses anything else."""
        if data not in ([], {}):
            raise serializers.ValidationError(self._reason)
        return data


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
        child=OriginField(),
        max_length=MAX_ORIGINS,
        help_text="Pages that may use the agent's publishable keys, but for keys with origins of their own.",
    )
    widget = WidgetSerializer()
    budget = BudgetSerializer()
    knowledge_bases = NothingField(
        NO_KNOWLEDGE, required=False, help_text="Must be empty: there are none yet."
    )
    system_settings = NothingField(NO_SYSTEM, required=False, help_text="Must be empty: use tweaks.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return plain objects; an origin named twice is one."""
        values = {name: dict(value) if isinstance(value, dict) else value for name, value in attrs.items()}
        if "allowed_origins" in values:
            values["allowed_origins"] = list(dict.fromkeys(values["allowed_origins"]))
        return {name: value for name, value in values.items() if name not in NOT_KEPT}


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
    knowledge_bases = serializers.SerializerMethodField()
    limits = serializers.SerializerMethodField()
    endpoints = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)

    def get_flow_version(self, config: AgentConfig) -> str | int | None:
        """Return `latest` where the agent follows the offering, else the number of its version."""
        return LATEST if config.follows_latest else config.resource.version

    def get_knowledge_bases(self, config: AgentConfig) -> list[str]:
        """Return the agent's knowledge bases: none yet."""
        return []

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
