"""REST: which release answers (Waldur's clients ask)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart import __version__
from agentmart.infra.rest import TenantView


class VersionSerializer(serializers.Serializer[Any]):
    """A release."""

    version = serializers.CharField()


class VersionView(TenantView):
    """Which release answers."""

    known_parameters = frozenset()

    @extend_schema(responses=VersionSerializer, operation_id="version_retrieve", tags=["version"])
    def get(self, request: Request) -> Response:
        """Say which release answers."""
        return Response({"version": __version__})
