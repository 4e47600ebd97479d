"""Views that need an answer from the network: it is fetched between two transactions, never inside one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework.response import Response
from rest_framework.views import set_rollback

from agentmart.infra.rest import ApiViewSet
from agentmart.kit.errors import DomainError

T = TypeVar("T")

AT_ONCE = 2
"""Requests of one process that may wait for the network: the other threads go on answering."""
_places = threading.BoundedSemaphore(AT_ONCE)


class Busy(DomainError):
    """As many requests as may wait for the network are waiting."""

    code = "busy"
    status = 503


class _Needs(Exception):
    """Ends a request's first round: what it needs from outside is fetched when its transaction has ended."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        super().__init__()
        self.fetch = fetch


class OutsideViewSet(ApiViewSet):
    """A viewset some of whose actions ask the network.

    Such a request is answered in two rounds, each in a transaction of its own. The first goes as far as `outside`,
    checking and reading what is to be asked, and is rolled back; then the network is asked; the second goes through
    every check again, on what holds by then, and past `outside` with what was found.
    """

    asking: frozenset[str] = frozenset()
    """The actions that ask the network."""

    @classmethod
    def as_view(cls, *args: Any, **initkwargs: Any) -> Any:
        """Return the view that goes through the rounds."""
        view = super().as_view(*args, **initkwargs)

        @functools.wraps(view)
        def rounds(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with suppress(RequestDataTooBig, UnreadablePostError):
                _ = request.body  # so that both rounds can read it
            with transaction.atomic():
                answer: HttpResponseBase = view(request, *args, **kwargs)
            fetch = request.__dict__.pop("outside_fetch", None)
            if fetch is None:
                return answer
            request.__dict__["outside_found"] = _fetched(fetch)
            with transaction.atomic():
                answer = view(request, *args, **kwargs)
            return answer

        return transaction.non_atomic_requests(rounds)

    def outside(self, fetch: Callable[[], T]) -> T:
        """Return what `fetch` finds, called with no transaction open; raises the DomainError it ends with, or Busy."""
        given: dict[str, Any] = self.request._request.__dict__
        if "outside_found" not in given:
            raise _Needs(fetch)
        found: T | DomainError = given["outside_found"]
        if isinstance(found, DomainError):
            raise found
        return found

    def handle_exception(self, exc: Exception) -> Response:
        """Return the answer of an error; a first round ends with none that anybody sees."""
        if isinstance(exc, _Needs):
            set_rollback()
            self.request._request.__dict__["outside_fetch"] = exc.fetch
            return Response(status=503)
        return super().handle_exception(exc)


def _fetched(fetch: Callable[[], Any]) -> Any:
    """Return what was found, or the DomainError that came of it."""
    if not _places.acquire(blocking=False):
        return Busy("Too many requests wait for other servers; try again.", headers={"Retry-After": "2"})
    try:
        return fetch()
    except DomainError as error:
        return error
    finally:
        _places.release()
