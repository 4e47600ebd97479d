"""Gives every request an id and one log line, bounds its body, and makes the trailing slash of addresses optional."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from agentmart.kit.logs import request_id_var

logger = logging.getLogger("agentmart.web")

_GIVEN = re.compile(r"\A[A-Za-z0-9._-]{8,64}\Z")


def _too_large(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal of a body above the limit, before any of it is read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    form = request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data")
    limit: int = settings.FORM_UPLOAD_MAX_BYTES if form else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length.isascii() and length.isdigit() and int(length) <= limit:
        return None
    body = {
        "detail": f"The request body may have at most {limit} bytes.",
        "code": "request_too_large",
        "extra": {"limit": limit},
    }
    return JsonResponse(body, status=413)


def _complete_address(request: HttpRequest) -> None:
    """Read `/api/customers` as `/api/customers/`, without the redirect that generated clients do not follow.

    The routes keep one form, so that the addresses in answers have one form too.
    """
    if request.path_info.startswith("/api/") and not request.path_info.endswith("/"):
        request.path_info += "/"


class RequestContextMiddleware:
    """Takes `X-Request-Id` from the caller where it is well formed, else makes one; answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request with its id in the log context."""
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _GIVEN.match(given) else uuid4().hex
        token = request_id_var.set(request_id)
        started = time.perf_counter()
        _complete_address(request)
        try:
            response = _too_large(request) or self.get_response(request)
            response["X-Request-Id"] = request_id
            logger.info(
                "request",
                extra={
                    "method": request.method,
                    "path": request.path,
                    "status": response.status_code,
                    "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                },
            )
            return response
        finally:
            request_id_var.reset(token)
