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
    made: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return made


@cache
def rendered(renderer: type[Any]) -> tuple[bytes, str]:
    """Return the description in one media type, with its tag."""
    content: bytes = renderer().render(description(), renderer_context={})
    return content, conditional.tag_of(content)


class DescriptionView(SpectacularAPIView):
    """The API's description, as YAML or JSON."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view; it runs in no transaction, because it reads no row and may take long."""
        return transaction.non_atomic_requests(super().as_view(**initkwargs))

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Return it in the media type that the caller accepts; 304 where the caller has it."""
        renderer = request.accepted_renderer
        content, tag = rendered(type(renderer))
        if conditional.stands(request.headers.get("If-None-Match", ""), tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(content, content_type=renderer.media_type, headers={"ETag": tag})
