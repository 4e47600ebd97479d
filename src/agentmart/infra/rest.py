"""What every endpoint shares: login and tenancy, lists, bodies, answers, conditional and repeated requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework import exceptions, serializers, viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentmart.infra import clock, conditional, idempotency, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.fields import (
    ApiSerializer,
    HexUUIDField,
    JsonObject,
    Relation,
    actor_of,
    is_strict,
    parse_uuid,
)
from agentmart.infra.filters import (
    FLAGS,
    BadFilter,
    Filter,
    by_choice,
    by_exact,
    by_flag,
    by_moment,
    by_number,
    by_text,
    by_uuid,
    by_words,
    fold,
)
from agentmart.infra.pagination import RowsOfPage
from agentmart.infra.parsers import check, text_problem
from agentmart.infra.renderers import JsonRenderer
from agentmart.kit.errors import DomainError

__all__ = [
    "FLAGS",
    "ApiSerializer",
    "ApiViewSet",
    "BadFilter",
    "Filter",
    "HexUUIDField",
    "JsonObject",
    "Relation",
    "TenantView",
    "actor_of",
    "by_choice",
    "by_exact",
    "by_flag",
    "by_moment",
    "by_number",
    "by_text",
    "by_uuid",
    "by_words",
    "fold",
    "parse_uuid",
]

MAX_HINTS = 20


class _Replay(Exception):
    """Ends a request early: it has been answered before."""

    def __init__(self, kept: idempotency.KeptAnswer) -> None:
        super().__init__(kept.status)
        self.kept = kept


class TenantView(APIView):
    """A view whose transaction sees what the actor's tenants may see."""

    known_parameters: frozenset[str] | None = None
    """The query parameters that are read; None where each action reads its own."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, then tell PostgreSQL who asks, before any other row is read."""
        self.now: datetime = clock.now()
        self.ignored: list[str] = []
        self.claimed: idempotency.Claim | None = None
        body = _raw_body(request) if self._names_a_key(request) else b""
        self.perform_authentication(request)
        tenancy.enter(self.actor)
        if self._names_a_key(request) and not self.actor.is_anonymous:
            self._claim(request, body)
        super().initial(request, *args, **kwargs)
        self._check_parameters()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer; what a request with an `Idempotency-Key` did is kept with what it answered."""
        answer = super().dispatch(request, *args, **kwargs)
        claimed: idempotency.Claim | None = getattr(self, "claimed", None)
        if claimed is not None and not transaction.get_rollback():
            if answer.status_code < 400 and isinstance(answer, HttpResponse):
                idempotency.keep(claimed, _kept(answer))
            else:
                idempotency.release(claimed)
        return answer

    def _names_a_key(self, request: Request) -> bool:
        """Return whether the request may be repeated by its key."""
        return request.method == "POST" and "Idempotency-Key" in request.headers

    def _claim(self, request: Request, body: bytes) -> None:
        """Claim the caller's key; raises _Replay with the kept answer where it has been used before."""
        found = idempotency.claim(
            key=idempotency.read_key(request.headers["Idempotency-Key"]),
            path=request.get_full_path(),
            body_sha256=idempotency.fingerprint(body, request.content_type or ""),
            actor=self.actor,
            now=self.now,
        )
        if isinstance(found, idempotency.KeptAnswer):
            raise _Replay(found)
        self.claimed = found

    def handle_exception(self, exc: Exception) -> Response:
        """Return the answer of an error, or the kept one."""
        if isinstance(exc, _Replay):
            kept = exc.kept
            headers = {**kept.headers, "Idempotent-Replayed": "true"}
            return cast(Response, HttpResponse(kept.content, status=kept.status, headers=headers))
        answer: Response = super().handle_exception(exc)
        return answer

    def parameters(self) -> frozenset[str] | None:
        """Return the query parameters that the view reads, None where unknown ones are not looked for."""
        return self.known_parameters

    def _check_parameters(self) -> None:
        """Refuse text that no row can hold; note unknown parameters, refuse them where the caller asks for it."""
        known = self.parameters()
        for name, values in self.request.query_params.lists():
            if any(text_problem(value) for value in values):
                raise serializers.ValidationError({name: ["Null characters are not allowed."]})
            if known is not None and name not in known:
                self.ignored.append(f"Unknown parameter ignored: {name}")
        if known is not None and self.ignored and is_strict(self.request):
            unknown = sorted(set(self.request.query_params) - known)
            raise serializers.ValidationError({name: ["Unknown parameter."] for name in unknown})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Name what was ignored of the request in `Warning` headers (a hint for people, one per name)."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        hints = [f'299 agentmart "{_header_text(hint)}"' for hint in getattr(self, "ignored", ())]
        if hints:
            answer["Warning"] = ", ".join(hints[:MAX_HINTS])
        if is_strict(self.request):
            answer["Preference-Applied"] = "handling=strict"
        return answer

    @property
    def actor(self) -> Actor:
        """Return who asks."""
        return actor_of(self.request)

    @property
    def payload(self) -> Mapping[str, Any]:
        """Return the request's body; raises 400 unless it is an object (or a form)."""
        data = self.request.data
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["Give a JSON object."]})
        if isinstance(data, QueryDict):
            check({name: values[0] if len(values) == 1 else values for name, values in data.lists()})
        return data


class ApiViewSet(TenantView, viewsets.GenericViewSet[Any]):
    """Base of all viewsets: rows by uuid among what the actor sees, bodies validated, answers serialized.

    `filters` maps a query parameter to a function (queryset, values) → queryset; `orderings` a value of `o` to the
    column it sorts by. `bodies` and `answers` say, by action, which serializer reads the request and shows the
    answer where that is not `serializer_class`; `queries` the parameters of actions other than lists and details.
    The description of the API is made from them (`infra.schema`).
    """

    lookup_field = "pk"
    lookup_url_kwarg = "uuid"
    lookup_value_regex = "[0-9a-fA-F-]{32,36}"
    filters: Mapping[str, Any] = {}
    orderings: Mapping[str, str] = {"created": "created"}
    ordering: tuple[str, ...] = ("-created", "id")
    bodies: Mapping[str, type[serializers.Serializer[Any]] | None] = {}
    """By action: the serializer of the request's body, None for none; `update` is read like `partial_update`."""
    answers: Mapping[str, Any] = {}
    """By action: a serializer class (an instance with many=True, a JSON schema), None for no body, (status, one of
    these), or a list of such pairs."""
    queries: Mapping[str, Mapping[str, Any]] = {}
    """By action: its query parameters, each with a Filter or a JSON schema; others are then noted as unknown."""
    wide = False
    """Whether lists join so much to a row that a page's keys are looked up first."""
    whole = False
    """Whether the request must name every required key (PUT)."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the request in; raises 412 where the caller changed another answer than today's."""
        super().initial(request, *args, **kwargs)
        known = request.headers.get("If-Match")
        if known is not None and self.action in ("update", "partial_update", "destroy"):
            self._check_unchanged(known)

    def _check_unchanged(self, known: str) -> None:
        """Lock the row and raise Changed (412) unless its whole answer still has one of the tags."""
        row = self.get_object()
        type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
        action, self.action = self.action, "retrieve"
        shown = self.retrieve(self.request, **self.kwargs).data
        self.action = action
        if not conditional.stands(known, conditional.tag_of(JsonRenderer().render(shown))):
            raise conditional.Changed("It has changed since you read it; read it again.")

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer; a detail carries its tag, and where the caller's copy still stands only that (304)."""
        answer = super().dispatch(request, *args, **kwargs)
        single = self.detail and request.method in ("GET", "HEAD") and answer.status_code == 200
        if not single or not isinstance(answer, Response):
            return answer
        tag = conditional.tag_of(answer.render().content)
        if conditional.stands(request.headers.get("If-None-Match", ""), tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        answer["ETag"] = tag
        return answer

    def visible(self) -> QuerySet[Any]:
        """Return the rows the actor may see."""
        manager: Any = type(self).queryset
        rows: QuerySet[Any] = manager.all().visible_to(self.viewer())
        return rows

    def viewer(self) -> Actor:
        """Return the actor as far as seeing goes: an operator role that does not see these rows does not count."""
        return self.actor

    def parameters(self) -> frozenset[str] | None:
        """Return the query parameters of lists (filters, page) and single rows, None for other actions."""
        named = self.declared("queries").get(self.action)
        match self.action:
            case "list":
                return frozenset({"field", "page", "page_size", "o", *self.filters, *(named or ())})
            case "retrieve":
                return frozenset({"field", *(named or ())})
            case _:
                return None if named is None else frozenset({"field", "page", "page_size", *named})

    def get_queryset(self) -> QuerySet[Any]:
        """Return the visible rows, filtered by the address, in a stable order; raises 400 by parameter."""
        rows = self.visible()
        if self.action == "list":
            for name, apply in self.filters.items():
                values = self.request.query_params.getlist(name)
                if values:
                    rows = self._filtered(rows, name, apply, values)
            rows = rows.order_by(*self.asked_order(), *self.ordering)
        return rows

    def asked_order(self) -> list[str]:
        """Return the columns that `o` names (`-` turns round); raises 400 for a name the list does not sort by."""
        columns = []
        for value in self.request.query_params.getlist("o"):
            name = value.removeprefix("-")
            if name not in self.orderings:
                message = f"Select a valid choice. {value} is not one of the available choices."
                raise serializers.ValidationError({"o": [message]})
            columns.append(f"-{self.orderings[name]}" if value.startswith("-") else self.orderings[name])
        return columns

    def _filtered(self, rows: QuerySet[Any], name: str, apply: Any, values: list[str]) -> QuerySet[Any]:
        """Return the rows that one filter leaves; what is wrong with a value stands under the parameter's name."""
        try:
            found: QuerySet[Any] = apply(rows, values)
        except BadFilter as error:
            raise serializers.ValidationError({name: [str(error)]}) from None
        return found

    def page_of(self, rows: QuerySet[Any]) -> list[Any]:
        """Return the rows of the asked page."""
        found: Any = RowsOfPage(rows) if self.wide and self.action == "list" else rows
        return list(self.paginate_queryset(found) or ())

    def get_object(self) -> Any:
        """Return the row of the address; 404 where it does not exist or is not visible."""
        uuid = parse_uuid(self.kwargs["uuid"])
        if uuid is None:
            raise exceptions.NotFound
        return get_object_or_404(self.visible(), pk=uuid)

    def declared_body(self, action: str) -> type[serializers.Serializer[Any]] | None:
        """Return the serializer that `bodies` names for an action, None where it reads no body."""
        bodies = self.declared("bodies")
        if action == "update" and action not in bodies:
            action = "partial_update"
        ordinary = self.serializer_class if action in ("create", "partial_update") else None
        return bodies.get(action, ordinary)

    @classmethod
    def declared(cls, name: str) -> dict[str, Any]:
        """Return `bodies`, `answers` or `queries` with what the bases declare."""
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            found |= base.__dict__.get(name, {})
        return found

    def body(
        self, serializer_class: type[serializers.Serializer[Any]] | None = None, *, partial: bool = False
    ) -> dict[str, Any]:
        """Return the request body, validated by what `bodies` names for the action; raises 400 by field.

        `partial` lets keys of the body itself be left out (not of a PUT); objects below them stay whole.
        """
        chosen = serializer_class or self.declared_body(self.action)
        assert chosen is not None, f"{type(self).__name__}.bodies names no serializer for {self.action}"
        serializer = chosen(data=self.payload, context=self.get_serializer_context())
        if partial and not self.whole:
            for field in serializer.fields.values():
                field.required, field.default = False, serializers.empty
        serializer.is_valid(raise_exception=True)
        writable = {name for name, field in serializer.fields.items() if not field.read_only}
        unknown = [name for name in self.payload if name not in writable]
        if unknown and is_strict(self.request):
            raise serializers.ValidationError({name: ["Unknown or read-only key."] for name in unknown})
        self.ignored += [f"Unknown or read-only key ignored: {name}" for name in unknown]
        return dict(serializer.validated_data)

    def named(self, serializer_class: type[serializers.Serializer[Any]], name: str) -> Any:
        """Return the object that one key of the body names, None where it is missing, wrong or invisible.

        For asking whether the actor may do something there before the other keys are read.
        """
        field = serializer_class(context=self.get_serializer_context()).fields[name]
        value = self.payload.get(name, serializers.empty)
        try:
            return field.run_validation(value)
        except (serializers.ValidationError, serializers.SkipField):
            return None

    def answer(self, row: Any, *, status: int = 200, **extra: Any) -> Response:
        """Return the row as the viewset's serializer shows it."""
        return Response({**self.get_serializer(row).data, **extra}, status=status)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of rows."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one row."""
        return self.answer(self.get_object())

    def update(self, request: Request, **kwargs: Any) -> Response:
        """Replace what can be changed: like PATCH, with every required key demanded."""
        self.whole = True
        change: Any = getattr(self, "partial_update")  # noqa: B009 - only routed where a viewset has one
        answer: Response = change(request, **kwargs)
        return answer


def _raw_body(request: Request) -> bytes:
    """Return the request's bytes (it can still be parsed); raises 413."""
    try:
        return bytes(request._request.body)
    except RequestDataTooBig:
        raise DomainError("The request body is too large.", code="request_too_large", status=413) from None


def _kept(answer: HttpResponse) -> idempotency.KeptAnswer:
    """Return what is kept of an answer."""
    if isinstance(answer, Response):
        answer.render()
    headers = {name: answer[name] for name in idempotency.KEPT_HEADERS if name in answer}
    return idempotency.KeptAnswer(answer.status_code, headers, bytes(answer.content))


def _header_text(text: str) -> str:
    """Return a caller's word as it may stand in a header: printable ASCII, short."""
    shown = "".join(character if " " <= character <= "~" else "?" for character in text[:120])
    return shown.replace('"', "'").replace(",", "%2C")
