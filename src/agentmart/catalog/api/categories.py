"""REST: the shelves of the catalogue, and who may read it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.api.fields import BuiltSerializer, WebAddress
from agentmart.catalog.models import Category, CategoryGroup
from agentmart.identity.permissions import require
from agentmart.infra.addresses import addresses_of
from agentmart.infra.filters import BadFilter, Filter
from agentmart.infra.permissions import Anybody, LoggedIn
from agentmart.infra.rest import FLAGS, ApiSerializer, ApiViewSet, HexUUIDField, Relation, by_text, by_uuid

PUBLIC_ACTIONS = frozenset({"list", "retrieve", "plans", "plan", "image", "thumbnail", "file"})


def public(view: Any) -> list[Any]:
    """Return the permission of catalogue reads: visitors too, where the installation shows its catalogue."""
    reading = view.action in PUBLIC_ACTIONS and view.request.method in ("GET", "HEAD")
    return [Anybody() if reading and settings.PUBLIC_CATALOG else LoggedIn()]


class CategoryBody(serializers.Serializer[Any]):
    """A category as it is written."""

    title = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    icon = WebAddress(required=False, allow_blank=True, allow_null=True, max_length=500)
    default_vm_category = serializers.BooleanField(required=False)
    default_volume_category = serializers.BooleanField(required=False)
    group = Relation(
        view_name="marketplace-category-group-detail",
        queryset=CategoryGroup.objects,
        required=False,
        allow_null=True,
    )

    def validate_icon(self, value: str | None) -> str:
        """Read null as none."""
        return value or ""


class CategorySerializer(BuiltSerializer):
    """A category."""

    url = serializers.URLField(read_only=True)
    uuid = HexUUIDField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    title = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    icon = serializers.CharField(read_only=True, allow_null=True)
    default_vm_category = serializers.BooleanField(read_only=True)
    default_volume_category = serializers.BooleanField(read_only=True)
    group = serializers.URLField(read_only=True, allow_null=True)
    group_uuid = HexUUIDField(read_only=True, allow_null=True)
    offering_count = serializers.IntegerField(read_only=True)
    available_offerings_count = serializers.IntegerField(read_only=True)
    sections = serializers.ListField(child=serializers.DictField(), read_only=True)
    columns = serializers.ListField(child=serializers.DictField(), read_only=True)
    components = serializers.ListField(child=serializers.DictField(), read_only=True)
    articles = serializers.ListField(child=serializers.DictField(), read_only=True)

    def built(self, instance: Category) -> dict[str, Any]:
        """Return the whole answer."""
        addresses = addresses_of(self.context)
        group = instance.group_id
        return {
            "url": addresses.of("marketplace-category-detail", instance.id),
            "uuid": instance.id.hex,
            "created": instance.created,
            "modified": instance.modified,
            "title": instance.title,
            "description": instance.description,
            "icon": instance.icon or None,
            "default_vm_category": instance.default_vm_category,
            "default_volume_category": instance.default_volume_category,
            "group": addresses.of("marketplace-category-group-detail", group) if group else None,
            "group_uuid": group.hex if group else None,
            "offering_count": getattr(instance, "active_offerings", 0),
            "available_offerings_count": getattr(instance, "available_offerings", 0),
            "sections": [],
            "columns": [],
            "components": [],
            "articles": [],
        }


def _with_shared(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep the shelves with (or without) a public offering."""
    if any(value.lower() not in FLAGS for value in values):
        raise BadFilter("Must be a valid boolean.")
    wanted = {FLAGS[value.lower()] for value in values}
    return rows if len(wanted) > 1 else selectors.categories_with_shared(rows, True in wanted)


def _of_offerings(lookup: str) -> Any:
    """Return a filter on shelves by what stands on them."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        offerings = by_text("name") if lookup == "name" else by_uuid(lookup)
        return selectors.categories_of(rows, lambda found: offerings(found, values))

    return apply


class CategoryViewSet(ApiViewSet):
    """Shelves of the catalogue."""

    queryset = Category.objects
    serializer_class = CategorySerializer
    filters = {
        "title": by_text("title"),
        "customer_uuid": Filter(
            _of_offerings("customer_id"), told="Shelves that hold this provider's offerings."
        ),
        "has_shared": Filter(_with_shared, {"type": "boolean"}, "Whether a public offering stands there."),
        "group_uuid": by_uuid("group_id"),
        "offering_name": Filter(_of_offerings("name"), told="A part of the name of an offering there."),
    }
    orderings = {"created": "created", "modified": "modified", "title": "title"}
    ordering = ("title", "id")
    bodies = {"create": CategoryBody, "partial_update": CategoryBody}
    answers = {"destroy": None}

    def get_permissions(self) -> list[Any]:
        """Let visitors read."""
        return public(self)

    def visible(self) -> QuerySet[Any]:
        """Return categories with their number of offerings."""
        return selectors.with_offering_counts(super().visible())

    def create(self, request: Request) -> Response:
        """Add a category."""
        require(self.actor, "category.write")
        category = services.create_category(actor=self.actor, now=self.now, **self.body())
        return self.answer(category, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a category."""
        category = self.get_object()
        require(self.actor, "category.write")
        changes = self.body(partial=True)
        return self.answer(services.update_category(category, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove an empty category."""
        services.delete_category(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)


class CategoryGroupBody(serializers.Serializer[Any]):
    """A group of categories as it is written."""

    title = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)


class CategoryGroupSerializer(ApiSerializer):
    """A group of categories."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-category-group-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    title = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)


class CategoryGroupViewSet(ApiViewSet):
    """Groups of categories."""

    queryset = CategoryGroup.objects
    serializer_class = CategoryGroupSerializer
    filters = {"title": by_text("title")}
    orderings = {"created": "created", "title": "title"}
    ordering = ("title", "id")
    bodies = {"create": CategoryGroupBody, "partial_update": CategoryGroupBody}
    answers = {"destroy": None}

    def get_permissions(self) -> list[Any]:
        """Let visitors read."""
        return public(self)

    def create(self, request: Request) -> Response:
        """Add a group."""
        require(self.actor, "category.write")
        group = services.create_category_group(actor=self.actor, now=self.now, **self.body())
        return self.answer(group, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a group."""
        group = self.get_object()
        require(self.actor, "category.write")
        changes = self.body(partial=True)
        return self.answer(services.update_category_group(group, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove an empty group."""
        services.delete_category_group(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)
