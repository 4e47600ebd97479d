"""REST: one's named API tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import services
from agentmart.identity.models import ApiToken, TokenScope
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField, by_text

MEANINGS = {
    TokenScope.ALL: "Everything its person may do",
    TokenScope.READ: "Reading only: GET and HEAD",
}


@extend_schema_field({"type": "array", "items": {"type": "string"}, "maxItems": 0})
class NoBounds(serializers.Field[Any, Any, Any, Any]):
    """A bound that tokens cannot have: always empty, and refused where somebody relies on it."""

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_internal_value(self, data: Any) -> list[str]:
        """Return nothing; raises ValidationError for anything."""
        if data != []:
            raise serializers.ValidationError("Tokens cannot be bound to this; leave it empty.")
        return []

    def get_attribute(self, instance: Any) -> list[str]:
        """Return nothing."""
        return []

    def to_representation(self, value: Any) -> list[str]:
        """Return nothing."""
        return []


class ApiTokenSerializer(ApiSerializer):
    """A token as it is listed: everything but the token."""

    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(max_length=150)
    token_prefix = serializers.CharField(source="prefix", read_only=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=TokenScope.choices),
        required=False,
        allow_empty=False,
        max_length=2,
    )
    allowed_scopes = NoBounds()  # customers or projects: a token reaches what its person reaches
    allowed_networks = NoBounds()  # a token works from everywhere
    expires_at = serializers.DateTimeField(required=False)
    is_active = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.SerializerMethodField()
    last_used_ip = serializers.SerializerMethodField()
    use_count = serializers.IntegerField(read_only=True)

    def to_representation(self, instance: ApiToken) -> dict[str, Any]:
        """Return the token's row, its scope as a list."""
        vars(instance)["scopes"] = [instance.scope]
        return super().to_representation(instance)

    def get_last_used_ip(self, token: ApiToken) -> str | None:
        """Return none: addresses are not kept."""
        return None

    def get_is_active(self, token: ApiToken) -> bool:
        """Return whether the token has not expired."""
        return token.expires_at is None or token.expires_at > self.context["view"].now

    @extend_schema_field({"type": "string", "format": "date-time"})
    def get_last_used_at(self, token: ApiToken) -> str:
        """Return when the token was last used, to the minute; of a token never used (use_count 0) when it was made."""
        field = serializers.DateTimeField()
        return str(field.to_representation(token.last_used_at or token.created))


class NewApiTokenSerializer(ApiTokenSerializer):
    """A new token: the only answer that ever holds its text."""

    token = serializers.CharField(read_only=True)


class ScopeSerializer(serializers.Serializer[Any]):
    """What a token may be limited to."""

    permission = serializers.CharField(help_text="The scope, as Waldur's clients name it.")
    key = serializers.CharField()
    description = serializers.CharField()


class ApiTokenViewSet(ApiViewSet):
    """One's own API tokens; the login token of `refresh_token` is not among them."""

    queryset = ApiToken.objects.filter(login=False)
    serializer_class = ApiTokenSerializer
    filters = {"name": by_text("name")}
    orderings = {"created": "created", "name": "name", "expires_at": "expires_at"}
    bodies = {"rotate": None}
    answers = {
        "create": NewApiTokenSerializer,
        "rotate": (201, NewApiTokenSerializer),
        "available_scopes": ScopeSerializer(many=True),
    }
    queries: dict[str, Any] = {"available_scopes": {}}

    def create(self, request: Request) -> Response:
        """Make a token; without `scopes` it may do everything you may, without `expires_at` it lasts a year."""
        body = self.body(ApiTokenSerializer)
        scopes = body.pop("scopes", [TokenScope.ALL])
        for bound in ("allowed_scopes", "allowed_networks"):
            body.pop(bound, None)
        scope = TokenScope.ALL if TokenScope.ALL in scopes else TokenScope.READ
        token, text = services.issue_token(actor=self.actor, now=self.now, scope=scope, **body)
        return self.answer(token, status=201, token=text)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """End a token at once."""
        services.revoke_token(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, **kwargs: Any) -> Response:
        """Give the token a new text, which ends the old one at once."""
        token, text = services.rotate_token(self.get_object(), actor=self.actor, now=self.now)
        return self.answer(token, status=201, token=text)

    @action(detail=False, methods=["get"])
    def available_scopes(self, request: Request) -> Response:
        """List what a token may be limited to."""
        rows = [
            {"permission": scope.value, "key": scope.value, "description": MEANINGS[scope]}
            for scope in TokenScope
        ]
        return self.get_paginated_response(self.paginate_queryset(rows))
