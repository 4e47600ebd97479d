"""Fields and serializers that every endpoint shares: ids, relations by URL or uuid, JSON objects, chosen fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy, deepcopy
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from agentmart.infra.actors import ANONYMOUS, Actor
from agentmart.infra.addresses import addresses_of
from agentmart.infra.readers import Reader, reader_of

_NO_BLANKS_OR_QUOTES = str.maketrans("", "", ' "')


_HOLDERS = (serializers.BaseSerializer, serializers.ManyRelatedField)
"""Fields that hold others."""


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


def is_strict(request: Request) -> bool:
    """Return whether the caller wants what we lack refused instead of ignored (RFC 7240 `handling=strict`)."""
    told = request.headers.get("Prefer", "").lower()
    wishes = told.translate(_NO_BLANKS_OR_QUOTES).replace(";", ",").split(",")
    return "handling=strict" in wishes


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
        return addresses_of(self.context).of(self.view_name, key)


@extend_schema_field({"type": "string", "pattern": "^[0-9a-f]{32}$"})
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
    """A serializer whose answer can be cut to `?field=a&field=b`; what is not chosen is not computed either.

    A name it lacks is noted in the view's `ignored`, or refused where the caller wants that.
    """

    left_out: ClassVar[frozenset[str]] = frozenset()
    """The keys that a whole answer lacks where they have no value; all others it always has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = _chosen(kwargs.get("context") or {})
        if chosen:
            self._note_unknown(chosen - set(self.fields), kwargs["context"])

    def get_fields(self) -> dict[str, Any]:
        """Return the declared fields, as copies; those with nothing inside are copied the short way."""
        return {
            name: deepcopy(field) if isinstance(field, _HOLDERS) or hasattr(field, "child") else copy(field)
            for name, field in self._declared_fields.items()
        }

    def _note_unknown(self, unknown: frozenset[str], context: dict[str, Any]) -> None:
        """Note the names in `?field=` that the answer lacks; raises 400 for a strict caller."""
        if unknown and is_strict(context["request"]):
            wrong = [f"Select a valid choice. {name} is not one of the fields." for name in sorted(unknown)]
            raise serializers.ValidationError({"field": wrong})
        ignored = getattr(context.get("view"), "ignored", None)
        for name in sorted(unknown):
            hint = f"Unknown field ignored: {name}"
            if ignored is not None and hint not in ignored:
                ignored.append(hint)

    @cached_property
    def _cut_to(self) -> frozenset[str]:
        """Return the names the answer is cut to; none for everything, and for objects inside the answer."""
        above = self.parent
        outermost = above is None or (isinstance(above, serializers.ListSerializer) and above.parent is None)
        return _chosen(self.context) if outermost else frozenset()

    @property
    def _readable_fields(self) -> list[serializers.Field[Any, Any, Any, Any]]:
        """Return the fields that are answered."""
        chosen = self._cut_to
        return [
            field
            for name, field in self.fields.items()
            if not field.write_only and (not chosen or name in chosen)
        ]

    @cached_property
    def _readers(self) -> list[tuple[str, Reader]]:
        """Return how each answered field is read from a row."""
        return [(str(field.field_name), reader_of(field)) for field in self._readable_fields]

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return a row as it is shown."""
        if isinstance(instance, Mapping):
            whole: dict[str, Any] = super().to_representation(instance)
            return whole
        shown = {}
        for name, read in self._readers:
            try:
                shown[name] = read(instance)
            except serializers.SkipField:
                continue
        return shown


def _chosen(context: Mapping[str, Any]) -> frozenset[str]:
    """Return the names in the request's `?field=`."""
    request = context.get("request")
    if request is None or request.method not in ("GET", "HEAD"):
        return frozenset()
    return frozenset(request.query_params.getlist("field"))
