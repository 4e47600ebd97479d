"""What every endpoint shares: login and tenancy, lists, relations by URL or uuid, chosen fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers, viewsets
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from agentmart.infra import clock, tenancy
from agentmart.infra.actors import ANONYMOUS, Actor
from agentmart.infra.parsers import check, text_problem

MAX_HINTS = 20
LARGEST_NUMBER = Decimal(10) ** 18


def parse_uuid(value: Any) -> UUID | None:
    """Read a uuid from bare or dashed hex, or from the last segment of a path or URL; None if there is none."""
    text = str(value).strip()
    try:
        if "/" in text:
            text = urlsplit(text).path.rstrip("/").rsplit("/", 1)[-1]
        return UUID(text)
    except ValueError:
        return None


def actor_of(request: Request) -> Actor:
    """Return who asks."""
    return request.auth if isinstance(request.auth, Actor) else ANONYMOUS


@extend_schema_field({"type": "string", "format": "uri"})
class Relation(serializers.Field[Any, Any, Any, Any]):
    """A related object: answered as URL, accepted as URL, path or uuid, among what the actor sees.

    What the actor cannot see answers exactly like what does not exist.
    """

    default_error_messages = {
        "does_not_exist": "Invalid hyperlink - Object does not exist.",
        "incorrect": "Give the object's URL or uuid.",
    }

    def __init__(self, *, queryset: Any = None, view_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queryset = queryset
        self.view_name = view_name

    def to_internal_value(self, data: Any) -> Model:
        """Return the object that the URL or uuid names."""
        uuid = parse_uuid(data) if isinstance(data, (str, UUID)) else None
        if uuid is None:
            self.fail("incorrect")
        visible = self.queryset.visible_to(actor_of(self.context["request"]))
        try:
            found: Model = visible.get(pk=uuid)
        except ObjectDoesNotExist:
            self.fail("does_not_exist")
        return found

    def get_attribute(self, instance: Any) -> Any:
        """Return the related id without loading the object."""
        return getattr(instance, f"{self.source}_id", None) or super().get_attribute(instance)

    def to_representation(self, value: Any) -> str:
        """Return the absolute URL."""
        key = value if isinstance(value, UUID) else value.pk
        return reverse(self.view_name, kwargs={"uuid": key.hex}, request=self.context.get("request"))


class HexUUIDField(serializers.UUIDField):
    """A uuid as 32 lower-case hex digits; both forms are read."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="hex", **kwargs)


class JsonObject(serializers.DictField):
    """A JSON object that is kept as it came, up to `max_bytes`."""

    def __init__(self, *, max_bytes: int = 16 * 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_bytes = max_bytes

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Return the object; refuses what is none and what is too large."""
        value: dict[Any, Any] = super().to_internal_value(data)
        if len(json.dumps(value, default=str)) > self.max_bytes:
            raise serializers.ValidationError(f"At most {self.max_bytes} bytes of JSON.")
        return value


class ApiSerializer(serializers.Serializer[Any]):
    """A serializer whose answer can be cut to `?field=a&field=b`."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the chosen fields, all without a choice."""
        data: dict[str, Any] = super().to_representation(instance)
        request = self.context.get("request")
        chosen = (
            request.query_params.getlist("field") if request is not None and request.method == "GET" else []
        )
        if not chosen or (self.parent is not None and self.parent.parent is not None):
            return data
        return {name: value for name, value in data.items() if name in chosen}


class TenantView(APIView):
    """A view whose transaction sees what the actor's tenants may see."""

    known_parameters: frozenset[str] | None = None
    """The query parameters that are read; None where each action reads its own."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate, then tell PostgreSQL who asks, before any other row is read."""
        self.now: datetime = clock.now()
        self.ignored: list[str] = []
        self.perform_authentication(request)
        tenancy.enter(self.actor)
        super().initial(request, *args, **kwargs)
        self._check_parameters()

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
        if known is not None and self.ignored and "handling=strict" in self.request.headers.get("Prefer", ""):
            unknown = sorted(set(self.request.query_params) - known)
            raise serializers.ValidationError({name: ["Unknown parameter."] for name in unknown})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Name what was ignored of the request in `Warning` headers (a hint for people, one per name)."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        hints = [f'299 agentmart "{_header_text(hint)}"' for hint in getattr(self, "ignored", ())]
        if hints:
            answer["Warning"] = ", ".join(hints[:MAX_HINTS])
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
            check(dict(data.lists()))
        return data


class ApiViewSet(TenantView, viewsets.GenericViewSet[Any]):
    """Base of all viewsets: rows by uuid among what the actor sees, bodies validated, answers serialized.

    `filters` maps a query parameter to a function (queryset, values) → queryset; `orderings` a value of `o` to the
    column it sorts by. `bodies` and `answers` say, by action, which serializer reads the request and shows the
    answer where that is not `serializer_class`; the description of the API is made from them.
    """

    lookup_field = "pk"
    lookup_url_kwarg = "uuid"
    lookup_value_regex = "[0-9a-fA-F-]{32,36}"
    filters: Mapping[str, Any] = {}
    orderings: Mapping[str, str] = {"created": "created"}
    ordering: tuple[str, ...] = ("-created", "id")
    bodies: Mapping[str, type[serializers.Serializer[Any]] | None] = {}
    answers: Mapping[str, Any] = {}
    """By action: a serializer class, None for no body, or (status, serializer class or None)."""

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
        match self.action:
            case "list":
                return frozenset({"field", "page", "page_size", "o", *self.filters})
            case "retrieve":
                return frozenset({"field"})
            case _:
                return None

    def get_queryset(self) -> QuerySet[Any]:
        """Return the visible rows, filtered by the address, in a stable order; raises 400 by parameter."""
        rows = self.visible()
        if self.action == "list":
            for name, apply in self.filters.items():
                values = self.request.query_params.getlist(name)
                if values:
                    rows = self._filtered(rows, name, apply, values)
            rows = rows.order_by(*self._asked_order(), *self.ordering)
        return rows

    def _asked_order(self) -> list[str]:
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
        return list(self.paginate_queryset(rows) or ())

    def get_object(self) -> Any:
        """Return the row of the address; 404 where it does not exist or is not visible."""
        uuid = parse_uuid(self.kwargs["uuid"])
        if uuid is None:
            raise exceptions.NotFound
        return get_object_or_404(self.visible(), pk=uuid)

    def body(
        self, serializer_class: type[serializers.Serializer[Any]], *, partial: bool = False
    ) -> dict[str, Any]:
        """Return the validated request body; raises 400 with every field at fault.

        `partial` lets keys of the body itself be left out; objects below them stay whole.
        """
        serializer = serializer_class(data=self.payload, context=self.get_serializer_context())
        if partial:
            for field in serializer.fields.values():
                field.required, field.default = False, serializers.empty
        serializer.is_valid(raise_exception=True)
        writable = {name for name, field in serializer.fields.items() if not field.read_only}
        unknown = [name for name in self.payload if name not in writable]
        self.ignored += [f"Unknown or read-only key ignored: {name}" for name in unknown]
        return dict(serializer.validated_data)

    def named(self, serializer_class: type[serializers.Serializer[Any]], name: str) -> Any:
        """Return the object that one key of the body names, None where it is missing, wrong or invisible.

        For asking whether the actor may do something there before the other keys are read.
        """
        field = serializer_class(context=self.get_serializer_context()).fields[name]
        try:
            return field.run_validation(self.payload.get(name, serializers.empty))
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


class BadFilter(ValueError):
    """A filter's value cannot be read; says why, without the parameter's name."""


def by_uuid(column: str) -> Any:
    """Return a filter on a uuid column (URLs and paths are read too); a value that is no uuid is a 400."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        ids = [parse_uuid(value) for value in values]
        if None in ids:
            raise BadFilter("Enter a valid UUID.")
        return rows.filter(**{f"{column}__in": ids})

    return apply


def by_text(column: str) -> Any:
    """Return a filter on a part of a text, case ignored; several values mean any of them."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        wanted = Q()
        for value in values:
            wanted |= Q(**{f"{column}__icontains": value})
        return rows.filter(wanted)

    return apply


def by_exact(column: str) -> Any:
    """Return a filter on a whole text; several values mean any of them."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return rows.filter(**{f"{column}__in": values})

    return apply


def by_words(*columns: str) -> Any:
    """Return a filter on a part of any of several texts, case ignored (`query`)."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        wanted = Q()
        for value in values:
            for column in columns:
                wanted |= Q(**{f"{column}__icontains": value})
        return rows.filter(wanted)

    return apply


def by_moment(column: str, lookup: str = "gte") -> Any:
    """Return a filter on a time: from it on (`gte`), or before it (`lt`); a day is its midnight UTC."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        for value in values:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                raise BadFilter("Enter a valid date/time.") from None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            rows = rows.filter(**{f"{column}__{lookup}": moment})
        return rows

    return apply


def by_number(column: str, lookup: str = "in") -> Any:
    """Return a filter on a number: one of the values, or a bound (`gte`, `lte`)."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        try:
            numbers = [Decimal(value) for value in values]
        except InvalidOperation:
            raise BadFilter("Enter a number.") from None
        if any(not number.is_finite() or abs(number) >= LARGEST_NUMBER for number in numbers):
            raise BadFilter("Enter a number.")
        wanted: Any = numbers if lookup == "in" else numbers[-1]
        return rows.filter(**{f"{column}__{lookup}": wanted})

    return apply


FLAGS = {"true": True, "1": True, "false": False, "0": False}


def by_flag(column: str) -> Any:
    """Return a filter on a yes/no column."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        if any(value.lower() not in FLAGS for value in values):
            raise BadFilter("Must be a valid boolean.")
        return rows.filter(**{f"{column}__in": [FLAGS[value.lower()] for value in values]})

    return apply


def fold(value: str) -> str:
    """Return a choice as it is compared: case ignored; blank, underscore and hyphen equal."""
    return value.strip().lower().replace(" ", "-").replace("_", "-")


def by_choice(column: str, choices: Mapping[str, tuple[str, ...]]) -> Any:
    """Return a filter on a state or type column; `choices` maps a folded name to the values it stands for."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        wanted: list[str] = []
        for value in values:
            if fold(value) not in choices:
                raise BadFilter(f"Select a valid choice. {value} is not one of the available choices.")
            wanted += choices[fold(value)]
        return rows.filter(**{f"{column}__in": wanted})

    return apply


def _header_text(text: str) -> str:
    """Return a caller's word as it may stand in a header: printable ASCII, short."""
    shown = "".join(character if " " <= character <= "~" else "?" for character in text[:120])
    return shown.replace('"', "'").replace(",", "%2C")
