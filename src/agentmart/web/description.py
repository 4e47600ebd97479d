"""Serves the API's description: made once per process, because making it takes seconds and anybody may ask."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from agentmart.infra import conditional


@cache
def description() -> dict[str, Any]:
    """Return the description of all routes."""
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(public=True)
    return made


@cache
def rendered(media_type: str) -> tuple[bytes, str]:
    """Return the description in one media type, with its tag."""
    renderers: list[Any] = list(DescriptionView.renderer_classes)
    (renderer,) = (kind for kind in renderers if kind.media_type == media_type)
    content: bytes = renderer().render(description(), renderer_context={})
    return content, conditional.tag_of(content)


class DescriptionView(SpectacularAPIView):
    """The API's description, as YAML or JSON."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view; it runs in no transaction, because it reads no row and may take long."""
        return transaction.non_atomic_requests(super().as_view(**initkwargs))

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return it in the media type that the caller accepts; 304 where the caller has it."""
        media_type = str(request.accepted_renderer.media_type)
        content, tag = rendered(media_type)
        if conditional.stands(request.headers.get("If-None-Match", ""), tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(content, content_type=media_type, headers={"ETag": tag})
