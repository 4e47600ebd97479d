"""Serves the API's description: made once per release and kept in the data folder, because making it takes a while."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import drf_spectacular
import rest_framework
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

import agentmart
from agentmart.infra import conditional

logger = logging.getLogger("agentmart.web")


@cache
def description() -> dict[str, Any]:
    """Return the description of all routes."""
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(public=True)
    return made


def make(form: str) -> bytes:
    """Return the description as `json` or `yaml`."""
    if form == "json":
        return json.dumps(description(), ensure_ascii=False, separators=(",", ":")).encode()
    renderer: Any = OpenApiYamlRenderer()
    content: bytes = renderer.render(description(), renderer_context={})
    return content


@cache
def release() -> str:
    """Return what the description depends on, as a hash: our sources, the frameworks' releases, the settings."""
    told = hashlib.sha256(f"{drf_spectacular.__version__} {rest_framework.__version__}".encode())
    told.update(repr(sorted(settings.SPECTACULAR_SETTINGS.items())).encode())
    told.update(repr([settings.FLOW_MAX_BYTES, settings.PUBLIC_CATALOG]).encode())
    folder = Path(agentmart.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        found = path.stat()
        told.update(f"{path.relative_to(folder)} {found.st_size} {found.st_mtime_ns}\n".encode())
    return told.hexdigest()[:32]


def kept(form: str) -> bytes:
    """Return the description of this release, from the data folder where it has been made before."""
    folder = settings.DATA_DIR / "cache"
    place = folder / f"openapi-{release()}.{form}"
    try:
        return bytes(place.read_bytes())
    except OSError:
        content = make(form)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        beside = folder / f"{uuid4().hex}.tmp"
        beside.write_bytes(content)
        os.replace(beside, place)  # whole or not at all, however many processes write it
        for older in folder.glob(f"openapi-*.{form}"):
            if older != place:
                older.unlink(missing_ok=True)
    except OSError as error:  # no data folder, or one that is only read
        logger.info("the API's description is not kept", extra={"reason": str(error)})
    return content


@cache
def rendered(form: str) -> tuple[bytes, str]:
    """Return the description as `json` or `yaml`, with its tag."""
    content = kept(form)
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
        content, tag = rendered("json" if media_type.endswith("json") else "yaml")
        if conditional.stands(request.headers.get("If-None-Match", ""), tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(content, content_type=media_type, headers={"ETag": tag})
