"""REST: the shelves of the catalogue, and who may read it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.models import Category
from agentmart.identity.permissions import require
from agentmart.infra.permissions import Anybody, LoggedIn
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField


class CategorySerializer(ApiSerializer):
    """A category."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-category-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    title = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    offering_count = serializers.SerializerMethodField()

    def get_offering_count(self, category: Category) -> int:
        """Return how many active offerings stand on the shelf."""
        return getattr(category, "active_offerings", 0)


def public(view: Any) -> list[Any]:
    """Return the permission of catalogue reads: visitors too, where the installation shows its catalogue."""
    reading = view.action in ("list", "retrieve", "plans")
    return [Anybody() if reading and settings.PUBLIC_CATALOG else LoggedIn()]


class CategoryViewSet(ApiViewSet):
    """Shelves of the catalogue."""

    queryset = Category.objects
    serializer_class = CategorySerializer
    ordering = ("title", "id")

    def get_permissions(self) -> list[Any]:
        """Let visitors read."""
        return public(self)

    def visible(self) -> QuerySet[Any]:
        """Return categories with their number of offerings."""
        return selectors.with_offering_counts(super().visible())

    def create(self, request: Request) -> Response:
        """Add a category."""
        require(self.actor, "category.write")
        body = self.body(CategorySerializer)
        return self.answer(services.create_category(actor=self.actor, now=self.now, **body), status=201)
