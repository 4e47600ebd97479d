"""REST: keys of an agent, the buyer's settings, the widget's lines for a page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.access import embedding, services
from agentmart.access.key_serializers import (
    FILTERS,
    ORDER,
    STATE,
    ApiKeySerializer,
    IssuedKeySerializer,
    RotateSerializer,
    WidgetEmbedSerializer,
    by_state,
    columns_of,
)
from agentmart.access.models import ApiKey
from agentmart.contracts.keys import ENVIRONMENTS, LIVE, PUBLISHABLE
from agentmart.identity.permissions import require
from agentmart.infra.rest import fold, parse_uuid
from agentmart.kit.errors import NotFound
from agentmart.resources.api import AgentConfigViewSet, ConfigUpdateSerializer

KEY_PATH = "api-keys/(?P<key>[0-9a-fA-F-]{32,36})"


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
        "api_key": ApiKeySerializer,
        "revoke_key": (204, None),
        "rotate_key": (201, IssuedKeySerializer),
        "widget_embed": WidgetEmbedSerializer,
    }
    queries: Mapping[str, Mapping[str, Any]] = {
        "api_keys": {**FILTERS, "state": STATE, "o": ORDER},
        "api_key": {},
        "widget_embed": {
            "environment": {"type": "string", "enum": list(ENVIRONMENTS)},
            "key": {"type": "string"},
        },
    }

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change what the buyer may set; in force at the gateway within a second."""
        config = self.get_object()
        self._require("config.edit", config)
        changes = self.body(partial=True)
        return self.answer(services.update_config(config, changes, actor=self.actor, now=self.now))

    @action(detail=True, methods=["get"], url_path="api-keys")
    def api_keys(self, request: Request, **kwargs: Any) -> Response:
        """List the agent's keys, newest first; never their text."""
        config = self.get_object()
        self._require("key.see", config)
        rows = self._keys(config)
        for name, apply in {**FILTERS, "state": by_state(self.now)}.items():
            values = request.query_params.getlist(name)
            if values:
                rows = self._filtered(rows, name, apply, values)
        columns = columns_of(request.query_params.getlist("o"))
        page = self.page_of(rows.order_by(*columns, "-created", "id"))
        return self.get_paginated_response([self._key(key) for key in page])

    @api_keys.mapping.post
    def issue_key(self, request: Request, **kwargs: Any) -> Response:
        """Make a key: the only answer that ever holds its text."""
        config = self.get_object()
        self._require("key.write", config)
        key, text = services.issue_key(config, actor=self.actor, now=self.now, **self.body())
        return Response({**self._key(key), "key": text}, status=201)

    @action(detail=True, methods=["get"], url_path=KEY_PATH)
    def api_key(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Return a key, never its text."""
        config = self.get_object()
        row = self._key_of(config, key)
        self._require("key.see", config)
        return Response(self._key(row))

    @api_key.mapping.delete
    def revoke_key(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Revoke a key: in force everywhere within a second."""
        config = self.get_object()
        row = self._key_of(config, key)
        services.revoke_key(row, project_id=config.resource.project_id, actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"], url_path=f"{KEY_PATH}/rotate")
    def rotate_key(self, request: Request, key: str, **kwargs: Any) -> Response:
        """Put a new key in the place of one; the old one is accepted for `overlap_seconds` longer."""
        config = self.get_object()
        row = self._key_of(config, key)
        self._require("key.write", config)
        overlap = timedelta(seconds=self.body()["overlap_seconds"])
        new, text = services.rotate_key(config, row, overlap=overlap, actor=self.actor, now=self.now)
        return Response({**self._key(new), "key": text}, status=201)

    @action(detail=True, methods=["get"], url_path="widget-embed")
    def widget_embed(self, request: Request, **kwargs: Any) -> Response:
        """Return what a page needs to show the widget, with the newest living publishable key or the one named."""
        config = self.get_object()
        self._require("widget.embed", config)
        key = self._page_key(config)
        url = embedding.loader_url(settings.GATEWAY_URL)
        options = embedding.options_of(config.widget)
        origins = key.allowed_origins if key is not None and key.allowed_origins else config.allowed_origins
        return Response(
            {
                "config_id": config.uuid,
                "publishable_key": key.public_text if key is not None else None,
                "publishable_key_uuid": key.uuid if key is not None else None,
                "loader_url": url,
                "integrity": None,
                "html": None if key is None else embedding.snippet(url, config.pk, key.public_text, options),
                "allowed_origins": origins,
                "options": options,
            }
        )

    def _page_key(self, config: Any) -> ApiKey | None:
        """Return the publishable key for a page; raises 400 for one that is named and does not live."""
        living = self._keys(config).filter(kind=PUBLISHABLE).counted(self.now)
        named = self.request.query_params.get("key")
        if named is not None:
            found: ApiKey | None = living.filter(pk=parse_uuid(named)).first()
            if found is None:
                raise serializers.ValidationError({"key": ["The agent has no such living publishable key."]})
            return found
        environment = fold(self.request.query_params.get("environment", LIVE))
        if environment not in ENVIRONMENTS:
            message = f"Select a valid choice. {environment} is not one of the available choices."
            raise serializers.ValidationError({"environment": [message]})
        newest: ApiKey | None = living.filter(environment=environment).order_by("-created", "id").first()
        return newest

    def _require(self, operation: str, config: Any) -> None:
        """Raise Forbidden unless the caller may do it with this agent."""
        project_id = config.resource.project_id
        require(self.actor, operation, customer_id=config.customer_id, project_id=project_id)

    def _keys(self, config: Any) -> Any:
        """Return the agent's keys that the actor may see."""
        return ApiKey.objects.visible_to(self.actor).filter(config_id=config.pk)

    def _key_of(self, config: Any, key: str) -> ApiKey:
        """Return one of the agent's keys; raises NotFound."""
        row: ApiKey | None = self._keys(config).filter(pk=parse_uuid(key)).first()
        if row is None:
            raise NotFound("This agent has no such key.")
        return row

    def _key(self, key: ApiKey) -> dict[str, Any]:
        """Return a key as JSON."""
        return ApiKeySerializer(key, context=self.get_serializer_context()).data
