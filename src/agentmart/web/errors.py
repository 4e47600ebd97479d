"""The one place where errors become answers of the REST API (operator-api §1)."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from agentmart.kit.errors import LONGEST_LIST, DomainError, nested, steps_of
from agentmart.kit.logs import request_id_var

logger = logging.getLogger("agentmart.web")

CODES = {401: "not_authenticated", 403: "permission_denied", 404: "not_found", 405: "method_not_allowed"}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer for an error raised in a view, None for the unexpected; nothing of the request is kept."""
    set_rollback()
    if isinstance(error, DomainError):
        return _domain(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        detail = _like_the_request(error.detail)
        return Response(detail if isinstance(detail, dict) else {"non_field_errors": detail}, status=400)
    if isinstance(error, exceptions.APIException):
        return _api(error)
    return None


def _like_the_request(detail: Any) -> Any:
    """Return what the framework found wrong, items of lists of objects in a list (it numbers them in an object)."""
    if not isinstance(detail, dict):
        return detail
    told = {key: _like_the_request(below) for key, below in detail.items()}
    if told and all(isinstance(key, int) and isinstance(told[key], dict) for key in told):
        last: int = max(told)
        if last < LONGEST_LIST:
            return [told.get(index, {}) for index in range(last + 1)]
    return {str(key): below for key, below in told.items()}


def _domain(error: DomainError) -> Response:
    """Return a refusal of a service; a 400 takes the field form unless it lists its reasons in `extra`."""
    if error.status == 400 and (error.field or not error.extra):
        body = nested(steps_of(error.field or ""), error.message)
    else:
        body = {"detail": error.message, "code": error.code}
        if error.extra:
            body["extra"] = error.extra
    return Response(body, status=error.status, headers=error.headers or None)


def _api(error: exceptions.APIException) -> Response:
    """Return an error of the framework in our form."""
    headers: dict[str, str] = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait:
        headers["Retry-After"] = str(int(wait))
    if error.status_code == 401:
        return Response({"detail": error.detail}, status=401, headers=headers)
    if error.status_code == 400:
        return Response({"non_field_errors": [error.detail]}, status=400, headers=headers)
    code = CODES.get(error.status_code) or str(getattr(error.detail, "code", error.default_code))
    return Response({"detail": error.detail, "code": code}, status=error.status_code, headers=headers)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer a request that Django itself refuses to read (its host, its number of fields)."""
    return JsonResponse({"non_field_errors": ["The request cannot be read."]}, status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer a refusal outside the REST views."""
    return JsonResponse({"detail": "This is not allowed.", "code": "permission_denied"}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer an address that leads nowhere."""
    return JsonResponse({"detail": f"Nothing is at {request.path}.", "code": "not_found"}, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer an unexpected error; its transaction is rolled back, the log has it under the same request id."""
    body = {
        "detail": "Something went wrong on our side.",
        "code": "internal_error",
        "request_id": request_id_var.get(),
    }
    return JsonResponse(body, status=500)
