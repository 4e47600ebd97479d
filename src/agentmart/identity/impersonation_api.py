"""REST: staff acts as somebody."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import require
from agentmart.identity.services import impersonation
from agentmart.infra.rest import ApiViewSet, HexUUIDField


class ImpersonateSerializer(serializers.Serializer[Any]):
    """Why, and for how long."""

    reason = serializers.CharField(max_length=300)
    minutes = serializers.IntegerField(
        min_value=1, max_value=impersonation.MOST_MINUTES, default=impersonation.USUAL_MINUTES
    )


class ImpersonationSerializer(serializers.Serializer[Any]):
    """The token, in this one answer, and until when it acts as whom."""

    token = serializers.CharField()
    user_uuid = HexUUIDField()
    user_username = serializers.CharField()
    created = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class ImpersonationActions(ApiViewSet):
    """What a viewset of people offers to staff."""

    bodies = {"impersonate": ImpersonateSerializer, "end_impersonation": None}
    answers = {"impersonate": (201, ImpersonationSerializer), "end_impersonation": None}

    @action(detail=True, methods=["post"])
    def impersonate(self, request: Request, **kwargs: Any) -> Response:
        """Act as this person for some minutes (staff): a token that names both in the audit log."""
        user = self.get_object()
        require(self.actor, "user.impersonate")
        row, token = impersonation.start(user, actor=self.actor, now=self.now, **self.body())
        shown = {
            "token": token,
            "user_uuid": user.id,
            "user_username": user.username,
            "created": row.created,
            "expires_at": row.expires_at,
        }
        return Response(ImpersonationSerializer(shown).data, status=201)

    @impersonate.mapping.delete
    def end_impersonation(self, request: Request, **kwargs: Any) -> Response:
        """End the caller's running impersonations of this person at once."""
        impersonation.end(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)
