"""REST: files of issues."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import viewer
from agentmart.infra.actors import Actor
from agentmart.infra.parsers import JsonParser
from agentmart.infra.rest import ApiViewSet, by_text, by_uuid
from agentmart.support import selectors, services
from agentmart.support.api.answers import AttachmentSerializer
from agentmart.support.api.requests import AttachmentWriteSerializer
from agentmart.support.models import Attachment
from agentmart.support.services import rights

OCTETS = "application/octet-stream"
"""What every file is sent as: a browser that took it for more might run it; `mime_type` tells the type."""


class AttachmentViewSet(ApiViewSet):
    """Files that were sent with issues."""

    queryset = Attachment.objects.select_related("issue", "uploader").defer("content")
    serializer_class = AttachmentSerializer
    parser_classes = (MultiPartParser, FormParser, JsonParser)
    filters = {
        "issue": by_uuid("issue_id"),
        "issue_uuid": by_uuid("issue_id"),
        "file_name": by_text("file_name"),
    }
    orderings = {"created": "created", "file_name": "file_name", "file_size": "file_size"}
    bodies = {"create": AttachmentWriteSerializer}
    answers = {"create": (201, AttachmentSerializer), "destroy": (204, None), "file": (200, None)}

    def viewer(self) -> Actor:
        """Return the actor; catalog managers see their own issues only."""
        return viewer(self.actor, "issue.see")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let a file be asked for by any `Accept`."""
        return super().perform_content_negotiation(request, force or self.action == "file")

    def create(self, request: Request) -> Response:
        """Attach a file to an issue."""
        issue = self.named(AttachmentWriteSerializer, "issue")
        if issue is not None:
            rights.require_comment(self.actor, issue)
        body = self.body()
        sent = body["file"]
        kept = services.attach(body["issue"], sent.name, sent.read(), actor=self.actor, now=self.now)
        return self.answer(self.visible().get(pk=kept.pk), status=201)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a file."""
        services.delete_attachment(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @extend_schema(responses={(200, OCTETS): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def file(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Send the content, to be saved and never shown as a page of ours."""
        kept: Attachment = self.get_object()
        headers = {
            "Content-Disposition": content_disposition_header(True, kept.file_name) or "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        return HttpResponse(selectors.content_of(kept), content_type=OCTETS, headers=headers)
