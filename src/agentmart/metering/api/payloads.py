"""REST: the content of calls, where the buyer has it kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.contracts.payloads import LONGEST_DAYS
from agentmart.infra.rest import HexUUIDField, parse_uuid
from agentmart.kit.errors import NotFound
from agentmart.kit.redaction import BUILT_IN, LONGEST_PATTERN, MOST_OWN
from agentmart.metering import services
from agentmart.metering.api.calls import CallsViewSet
from agentmart.resources.api import AgentConfigSerializer, ConfigUpdateSerializer
from agentmart.resources.models import AgentConfig

MOST_RULES = len(BUILT_IN) + MOST_OWN
_OWN = {
    "type": "object",
    "required": ["name", "pattern"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,29}$"},
        "pattern": {"type": "string", "minLength": 1, "maxLength": LONGEST_PATTERN},
    },
}


@extend_schema_field({"oneOf": [{"type": "string", "enum": list(BUILT_IN)}, _OWN]})
class RuleField(serializers.Field[Any, Any, Any, Any]):
    """What is made unreadable: a built-in name, or {name, pattern}."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the rule as it is stored; refuses what is none."""
        if isinstance(data, str) and len(data) <= LONGEST_PATTERN:
            return data
        if isinstance(data, Mapping) and set(data) == {"name", "pattern"}:
            name, pattern = data["name"], data["pattern"]
            if isinstance(name, str) and isinstance(pattern, str) and "\0" not in pattern:
                return {"name": name[:LONGEST_PATTERN], "pattern": pattern}
        raise serializers.ValidationError(
            f"Give one of {', '.join(BUILT_IN)}, or an object with name and pattern."
        )

    def to_representation(self, value: Any) -> Any:
        """Return it as it is."""
        return value


class PayloadLoggingSerializer(serializers.Serializer[Any]):
    """Whether the content of calls is kept, for how many days, and what in it is made unreadable before."""

    enabled = serializers.BooleanField(required=False)
    retention_days = serializers.IntegerField(min_value=1, max_value=LONGEST_DAYS, required=False)
    redact = serializers.ListField(
        child=RuleField(),
        max_length=MOST_RULES,
        required=False,
        help_text="Built-in names, and own patterns of characters, classes [ ], \\d \\w \\s, bounded repetitions "
        "{n,m} and ?, and alternatives |; each part takes all it can.",
    )


class ConfigChangeSerializer(ConfigUpdateSerializer):
    """What a buyer may change of an agent, the keeping of content included."""

    payload_logging = PayloadLoggingSerializer(required=False)


class ConfigSerializer(AgentConfigSerializer):
    """The buyer's settings of one agent, the keeping of content included."""

    payload_logging = serializers.SerializerMethodField()

    @extend_schema_field(PayloadLoggingSerializer)
    def get_payload_logging(self, config: AgentConfig) -> dict[str, Any]:
        """Return whether and how the content of calls is kept."""
        return services.setting_of(config)


class PayloadSerializer(serializers.Serializer[Any]):
    """What was kept of a call."""

    request_id = HexUUIDField()
    occurred_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    input = serializers.CharField()
    output = serializers.CharField()
    input_truncated = serializers.BooleanField()
    output_truncated = serializers.BooleanField()


class PayloadsViewSet(CallsViewSet):
    """Settings of one's agents, with the content of calls where it is kept."""

    queryset = AgentConfig.objects.select_related("resource__plan", "payload_setting")
    serializer_class = ConfigSerializer
    bodies: Any = {"partial_update": ConfigChangeSerializer}
    answers: Any = {
        "kept_payload": PayloadSerializer,
        "erase_payload": (204, None),
        "erase_payloads": (204, None),
    }
    queries: Any = {"kept_payload": {}}

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change the settings; in force at the gateway within a second."""
        config = self.get_object()
        self._require("config.edit", config)
        changes = self.body(partial=True)
        services.update_config(config, changes, actor=self.actor, now=self.now)
        return self.answer(self.get_object())

    @action(detail=True, methods=["get"], url_path="calls/(?P<request_id>[0-9a-fA-F-]{32,36})/payload")
    def kept_payload(self, request: Request, request_id: str, **kwargs: Any) -> Response:
        """Show what was kept of a call's content; every reading is noted in the audit log."""
        config = self.get_object()
        uuid = parse_uuid(request_id)
        self._require("payload.see", config)
        if uuid is None:
            raise NotFound("This agent has no such call.")
        found = services.read_payload(config, uuid, actor=self.actor, now=self.now)
        row = found.payload
        return Response(
            {
                "request_id": row.call_id.hex,
                "occurred_at": row.occurred_at,
                "expires_at": row.expires_at,
                **found.said,
            }
        )

    @kept_payload.mapping.delete
    def erase_payload(self, request: Request, request_id: str, **kwargs: Any) -> Response:
        """Erase what was kept of a call's content."""
        config = self.get_object()
        self._require("payload.write", config)
        uuid = parse_uuid(request_id)
        if uuid is None:
            raise NotFound("This agent has no such call.")
        services.erase_payloads(config, uuid, actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["delete"], url_path="payloads")
    def erase_payloads(self, request: Request, **kwargs: Any) -> Response:
        """Erase what was kept of the content of all calls."""
        config = self.get_object()
        self._require("payload.write", config)
        services.erase_payloads(config, None, actor=self.actor, now=self.now)
        return Response(status=204)
