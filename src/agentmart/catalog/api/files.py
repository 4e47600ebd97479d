"""REST: screenshots and files of offerings."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors, services
from agentmart.catalog.api.categories import public
from agentmart.catalog.api.fields import text
from agentmart.catalog.api.offering_bodies import PictureField
from agentmart.catalog.models import FileKind, Offering, OfferingFile
from agentmart.infra.addresses import addresses_of
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField, Relation, by_exact, by_text, by_uuid


class _Kept(ApiSerializer):
    """What screenshots and files show alike."""

    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    offering = Relation(view_name="marketplace-offering-detail", read_only=True)
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    customer_uuid = HexUUIDField(source="offering.customer_id", read_only=True)


class ScreenshotSerializer(_Kept):
    """A screenshot of an offering."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-screenshot-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    description = serializers.CharField(read_only=True)
    image = serializers.SerializerMethodField()
    thumbnail = serializers.SerializerMethodField()

    def get_image(self, row: OfferingFile) -> str:
        """Return the picture's address; it tells one version from the next."""
        address = addresses_of(self.context).of("marketplace-screenshot-detail", row.pk)
        return f"{address}image/?v={int(row.modified.timestamp())}"

    def get_thumbnail(self, row: OfferingFile) -> str:
        """Return the picture's address: browsers make it smaller."""
        return self.get_image(row)


class OfferingFileSerializer(_Kept):
    """A file of an offering."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-offering-file-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    file = serializers.SerializerMethodField()

    def get_file(self, row: OfferingFile) -> str:
        """Return the address of what is in it."""
        return f"{addresses_of(self.context).of('marketplace-offering-file-detail', row.pk)}file/"


class ScreenshotChange(serializers.Serializer[Any]):
    """A change of a screenshot."""

    name = serializers.CharField(max_length=150)
    image = PictureField()
    description = text(max_length=2000)


class ScreenshotBody(ScreenshotChange):
    """A new screenshot: a picture, as file or base64 text."""

    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)


class OfferingFileBody(serializers.Serializer[Any]):
    """A new file, as multipart form."""

    name = serializers.CharField(max_length=150)
    offering = Relation(view_name="marketplace-offering-detail", queryset=Offering.objects)
    file = serializers.FileField(allow_empty_file=True, max_length=150)


class _KeptViewSet(ApiViewSet):
    """What one kind of file has in common with the other."""

    queryset = OfferingFile.objects
    kind = FileKind.FILE
    filters = {
        "offering": by_uuid("offering_id"),
        "offering_uuid": by_uuid("offering_id"),
        "offering_slug": by_exact("offering__slug"),
        "name": by_text("name"),
    }
    orderings = {"created": "created", "name": "name"}
    ordering = ("created", "id")

    def get_permissions(self) -> list[Any]:
        """Let visitors see what belongs to the public catalogue."""
        return public(self)

    def visible(self) -> QuerySet[Any]:
        """Return what belongs to the offerings the actor may see."""
        return selectors.file_list(super().visible()).filter(kind=self.kind)

    def _offering_of(self, body_class: type[serializers.Serializer[Any]]) -> None:
        """Raise 403 before the body is read, for an offering that the actor sees and may not change."""
        offering = self.named(body_class, "offering")
        if offering is not None:
            services.require_files(offering, actor=self.actor)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Take it off the offering."""
        services.remove_file(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    def _content(self, row: OfferingFile, **headers: str) -> HttpResponse:
        """Answer with what is in it."""
        safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        return HttpResponse(
            selectors.content_of(row), content_type=row.content_type, headers={**safe, **headers}
        )


class ScreenshotViewSet(_KeptViewSet):
    """Screenshots of offerings."""

    serializer_class = ScreenshotSerializer
    kind = FileKind.SCREENSHOT
    bodies = {"create": ScreenshotBody, "partial_update": ScreenshotChange}
    answers = {"create": (201, ScreenshotSerializer), "destroy": (204, None)}

    def create(self, request: Request) -> Response:
        """Add a screenshot to an offering."""
        self._offering_of(ScreenshotBody)
        body = self.body()
        offering, data = body.pop("offering"), body.pop("image")
        row = services.add_file(offering, self.kind, data, actor=self.actor, now=self.now, **body)
        return self.answer(row, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a screenshot."""
        row = self.get_object()
        services.require_files(row.offering, actor=self.actor)
        changes = self.body(partial=True)
        if "image" in changes:
            changes["data"] = changes.pop("image")
        return self.answer(services.change_file(row, changes, actor=self.actor, now=self.now))

    @extend_schema(responses={(200, "image/*"): bytes})
    @action(detail=True, methods=["get"])
    def image(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Show the picture."""
        return self._content(self.get_object(), **{"Cache-Control": "private, max-age=300"})


class OfferingFileViewSet(_KeptViewSet):
    """Files of offerings, to be taken away."""

    serializer_class = OfferingFileSerializer
    bodies = {"create": OfferingFileBody}
    answers = {"create": (201, OfferingFileSerializer), "destroy": (204, None)}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a file be asked for by any `Accept`."""
        return super().perform_content_negotiation(request, force or self.action == "file")

    def create(self, request: Request) -> Response:
        """Add a file to an offering."""
        self._offering_of(OfferingFileBody)
        body = self.body()
        sent = body["file"]
        row = services.add_file(
            body["offering"],
            self.kind,
            sent.read(),
            actor=self.actor,
            now=self.now,
            name=body["name"],
            file_name=sent.name[-150:],
        )
        return self.answer(row, status=201)

    @extend_schema(responses={(200, "application/octet-stream"): bytes})
    @action(detail=True, methods=["get"])
    def file(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Send what is in it, to be saved."""
        row = self.get_object()
        name = content_disposition_header(True, row.file_name or row.name) or "attachment"
        return self._content(row, **{"Content-Disposition": name, "Cache-Control": "private, max-age=300"})
