"""REST: keys of an agent, the buyer's settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.access import services
from agentmart.access.models import ApiKey
from agentmart.contracts.keys import ENVIRONMENTS, SCOPES
from agentmart.identity.permissions import require
from agentmart.infra.rest import ApiSerializer, HexUUIDField, parse_uuid
from agentmart.kit.errors import NotFound
from agentmart.resources.api import AgentConfigViewSet, ConfigUpdateSerializer

MAX_OVERLAP = 7 * 24 * 3600


class ApiKeySerializer(ApiSerializer):
    """A key as it is listed: everything but the key."""

    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(max_length=150)
    kind = serializers.ChoiceField(choices=["secret"], required=False)
    environment = serializers.ChoiceField(choices=ENVIRONMENTS, required=False)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), required=False, allow_empty=False
    )
    prefix = serializers.CharField(read_only=True)
    last4 = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)
    expires_at = serializers.DateTimeField(required=False)
    state = serializers.SerializerMethodField()

    def get_state(self, key: ApiKey) -> str:
        """Return `active`, `expired` or `revoked`."""
        if key.revoked_at is not None and key.revoked_at <= self.context["view"].now:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= self.context["view"].now else "active"


class IssuedKeySerializer(ApiKeySerializer):
    """A key as it is made, with its text: the only answer that holds it."""

    key = serializers.CharField(read_only=True)


class RotateSerializer(serializers.Serializer[Any]):
    """How long the old key is accepted beside the new one."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=MAX_OVERLAP, required=False, default=0)


class KeyedAgentConfigViewSet(AgentConfigViewSet):
    """Settings of one's agents, with their keys."""

    bodies = {
        "partial_update": ConfigUpdateSerializer,
        "issue_key": ApiKeySerializer,
        "rotate_key": RotateSerializer,
    }
    answers: Any = {
        "api_keys": ApiKeySerializer(many=True),
        "issue_key": (201, IssuedKeySerializer),
        "api_key": (204, None),
        "rotate_key": (201, IssuedKeySerializer),
    }

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change the name or tweaks; in force at the gateway within a second."""
        config = self.get_object()
        self._require("config.edit", config)
        changes = self.body(partial=True)
        return self.answer(services.update_config(config, changes, actor=self.actor, now=self.now))

    @action(detail=True, methods=["get"], url_path="api-keys")
    def api_keys(self, request: Request, **kwargs: Any) -> Response:
        """List the agent's keys, newest first; never their text."""
        config = self.get_object()
        self._require("key.see", config)
        page = self.page_of(self._keys(config).order_by("-created", "id"))
        return self.get_paginated_response([self._key(key) for key in page])

    @api_keys.mapping.post
    def issue_key(self, request: Request, **kwargs: Any) -> Response:
        """Make a key: the only answer that ever holds its text."""
        config = self.get_object()
        self._require("key.write", config)
        body = self.body()
        body.pop("kind", None)
        key, text = services.issue_key(config, actor=self.actor, now=self.now, **body)
        return Response({**self._key(key), "key": text}, status=201)

    def _require(self, operation: str, config: Any) -> None:
        """Raise Forbidden unless the caller may do it with this agent."""
        project_id = config.resource.project_id
        require(self.actor, operation, customer_id=config.customer_id, project_id=project_id)

    @action(detail=True, methods=["delete"], url_path="api-keys/(?P<key>[0-9a-fA-F-]{32,36})")
    def api_key(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Revoke a key."""
        config = self.get_object()
        row = self._keys(config).filter(pk=parse_uuid(key)).first()
        if row is None:
            raise NotFound("This agent has no such key.")
        services.revoke_key(row, project_id=config.resource.project_id, actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"], url_path="api-keys/(?P<key>[0-9a-fA-F-]{32,36})/rotate")
    def rotate_key(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Put a new key in the place of one; the old one is accepted for `overlap_seconds` longer."""
        config = self.get_object()
        row = self._keys(config).filter(pk=parse_uuid(key)).first()
        if row is None:
            raise NotFound("This agent has no such key.")
        self._require("key.write", config)
        overlap = timedelta(seconds=self.body()["overlap_seconds"])
        new, text = services.rotate_key(config, row, overlap=overlap, actor=self.actor, now=self.now)
        return Response({**self._key(new), "key": text}, status=201)

    def _keys(self, config: Any) -> Any:
        """Return the agent's keys that the actor may see."""
        return ApiKey.objects.visible_to(self.actor).filter(config_id=config.pk)

    def _key(self, key: ApiKey) -> dict[str, Any]:
        """Return a key as JSON."""
        return ApiKeySerializer(key, context=self.get_serializer_context()).data
