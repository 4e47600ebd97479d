"""What happens around every request: its id and log line, the bound of its body, a limit to wrong tokens, and
addresses that may lack the trailing slash."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from agentmart.infra import clock, throttle
from agentmart.kit.logs import request_id_var
from agentmart.web.callers import address_of

logger = logging.getLogger("agentmart.web")

GONE = "23503"  # foreign_key_violation
DEADLOCK = "40P01"  # deadlock_detected
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

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer who lost a race that only the database saw, perhaps at the commit; nothing has been changed."""
        state = (
            getattr(exception.__cause__, "sqlstate", None) if isinstance(exception, DatabaseError) else None
        )
        if state not in (GONE, DEADLOCK):
            return None
        logger.warning("lost a race in the database", exc_info=exception, extra={"path": request.path})
        if state == DEADLOCK:
            body = {"detail": "Too much happened at once; repeat the request.", "code": "try_again"}
            return JsonResponse(body, status=503, headers={"Retry-After": "1"})
        body = {"detail": "Something that this is about was deleted or used meanwhile.", "code": "conflict"}
        return JsonResponse(body, status=409)


def too_many_logins(wait: int) -> HttpResponse:
    """Return the refusal of somebody who tried too often; `wait` in seconds."""
    body = {
        "detail": f"Too many attempts to log in; try again in {wait} seconds.",
        "code": "too_many_logins",
        "extra": {"retry_after": wait},
    }
    return JsonResponse(body, status=429, headers={"Retry-After": str(wait)})


class WrongTokensMiddleware:
    """Counts refused tokens by address, outside of the request's transaction, which the refusal has undone.

    A token that is right is never refused, however many wrong ones its neighbours send.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 429 in place of the 401 of who sent too many wrong tokens in this minute."""
        response = self.get_response(request)
        if response.status_code != 401 or "Authorization" not in request.headers:
            return response
        most = throttle.MOST_TOKENS
        wait = throttle.attempt("token", address_of(request), most=most, now=clock.now())
        return too_many_logins(wait) if wait else response
