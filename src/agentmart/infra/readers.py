"""How a serializer's fields are read from a row: prepared once per answer, since lists hold thousands of them.

What a field answers is the framework's rule; the common fields only get there without its detours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from rest_framework import serializers
from rest_framework.relations import PKOnlyObject

from agentmart.infra.addresses import addresses_of

Reader = Callable[[Any], Any]
AnyField = serializers.Field[Any, Any, Any, Any]


def moment_text(moment: datetime) -> str:
    """Return a time as answers show it: UTC, with microseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def reader_of(field: AnyField) -> Reader:
    """Return what reads one field of a row as it is shown; it raises SkipField where the framework does."""
    if type(field) is serializers.SerializerMethodField:
        method: Reader = getattr(field.parent, str(field.method_name))
        return method
    if type(field) is serializers.HyperlinkedIdentityField and field.lookup_url_kwarg == "uuid":
        return _own_address(field)
    show = _shower(field)

    def detour(row: Any) -> Any:
        value = field.get_attribute(row)
        known = value.pk if isinstance(value, PKOnlyObject) else value
        return None if known is None else show(value)

    if type(field).get_attribute is not serializers.Field.get_attribute or field.source == "*":
        return detour
    get = attrgetter(str(field.source))

    def read(row: Any) -> Any:
        try:
            value = get(row)
        except (AttributeError, KeyError, ObjectDoesNotExist):
            return detour(row)
        if value is None:
            return None
        return detour(row) if callable(value) else show(value)

    return read


def _own_address(field: serializers.HyperlinkedIdentityField) -> Reader:
    """Return what reads a row's own address."""
    addresses, view_name = addresses_of(field.context), str(field.view_name)
    return lambda row: None if row.pk is None else addresses.of(view_name, row.pk)


def _shower(field: AnyField) -> Reader:
    """Return what shows a value that is not None."""
    plain: Reader = field.to_representation
    meant = getattr(plain, "__func__", None)
    for kind, exact, show in _SHORT:
        if meant is kind.to_representation and not _formatted(field):
            return lambda value: show(value) if type(value) is exact else plain(value)
    return plain


def _formatted(field: AnyField) -> bool:
    """Return whether the field shows its values in a form of its own."""
    return isinstance(field, serializers.DateTimeField) and hasattr(field, "format")


def _itself(value: Any) -> Any:
    """Return the value."""
    return value


_SHORT: tuple[tuple[Any, type, Reader], ...] = (
    (serializers.CharField, str, _itself),
    (serializers.BooleanField, bool, _itself),
    (serializers.IntegerField, int, _itself),
    (serializers.FloatField, float, _itself),
    (serializers.DateTimeField, datetime, moment_text),
)
"""Field, the type of value that it shows by a shorter way, that way."""
