"""Fields that several serializers of the desk share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.identity.models import User
from agentmart.infra.rest import HexUUIDField, Relation, fold
from agentmart.support.selectors import full_name

MAX_TEXT = 20_000


class FoldedChoice(serializers.ChoiceField):
    """A choice whose spelling is folded like a filter's: case ignored; blank, underscore and hyphen equal."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the choice as it is kept."""
        if isinstance(data, str):
            for choice in self.choices:
                if fold(str(choice)) == fold(data):
                    return choice
        self.fail("invalid_choice", input=data)


@extend_schema_field({"type": "string"})
class TextRelation(Relation):
    """A related object's URL, "" where there is none: a client that knows no null here reads it."""

    def get_attribute(self, instance: Any) -> Any:
        """Return the related id, "" for none."""
        return getattr(instance, f"{self.source}_id") or ""

    def to_representation(self, value: Any) -> str:
        """Return the absolute URL, or ""."""
        return super().to_representation(value) if value else ""


@extend_schema_field({"type": "string"})
class Shown(serializers.Field[Any, Any, str, Any]):
    """A text that a function makes of the row; never null."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__(read_only=True, source="*")
        self.make = make

    def to_representation(self, value: Any) -> str:
        """Return the text."""
        return self.make(value)


def person_name(role: str) -> Shown:
    """Return the field that names the person in `role`, "" for nobody."""

    def make(row: Any) -> str:
        person: User | None = getattr(row, role)
        return full_name(person)

    return Shown(make)


def uuid_of(source: str) -> HexUUIDField:
    """Return the field of a related row's uuid, null for none."""
    return HexUUIDField(source=f"{source}_id", read_only=True, allow_null=True)
