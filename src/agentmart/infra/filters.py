"""Filters of lists: a query parameter's values become a condition; each says how it is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from agentmart.infra.fields import parse_uuid

LARGEST_NUMBER = Decimal(10) ** 18
FLAGS = {"true": True, "1": True, "false": False, "0": False}

Rows = QuerySet[Any]


class BadFilter(ValueError):
    """A filter's value cannot be read; says why, without the parameter's name."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a list (queryset, values) → queryset, with the JSON schema of one value and a sentence."""

    apply: Callable[[Rows, list[str]], Rows]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    told: str = ""

    def __call__(self, rows: Rows, values: list[str]) -> Rows:
        """Return the rows that the values leave; raises BadFilter for a value that cannot be read."""
        return self.apply(rows, values)


def read_uuids(values: list[str]) -> list[UUID]:
    """Return the uuids that the values (bare, URLs or paths) name; raises BadFilter for one that names none."""
    ids = [parse_uuid(value) for value in values]
    if None in ids:
        raise BadFilter("Enter a valid UUID.")
    return [uuid for uuid in ids if uuid is not None]


def by_uuid(column: str) -> Filter:
    """Return a filter on a uuid column (URLs and paths are read too); a value that is no uuid is a 400."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        return rows.filter(**{f"{column}__in": read_uuids(values)})

    return Filter(apply, {"type": "string"}, "A uuid, or the object's URL or path; repeated: any of them.")


def by_text(column: str) -> Filter:
    """Return a filter on a part of a text, case ignored; several values mean any of them."""
    return by_words(column)


def by_exact(column: str) -> Filter:
    """Return a filter on a whole text; several values mean any of them."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        return rows.filter(**{f"{column}__in": values})

    return Filter(apply, {"type": "string"}, "The whole text; repeated: any of them.")


def by_words(*columns: str) -> Filter:
    """Return a filter on a part of any of several texts, case ignored (`query`)."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        wanted = Q()
        for value in values:
            for column in columns:
                wanted |= Q(**{f"{column}__icontains": value})
        return rows.filter(wanted)

    return Filter(apply, {"type": "string"}, "A part of the text, case ignored; repeated: any of them.")


def read_moment(value: str) -> datetime:
    """Return the time that a value names, UTC where it has no zone; raises BadFilter."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadFilter("Enter a valid date/time.") from None


def by_moment(column: str, lookup: str = "gte") -> Filter:
    """Return a filter on a time: from it on (`gte`), or before it (`lt`); a day is its midnight UTC."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        for value in values:
            rows = rows.filter(**{f"{column}__{lookup}": read_moment(value)})
        return rows

    told = {"gte": "From this time on", "gt": "After this time", "lt": "Before this time"}
    schema = {"type": "string", "format": "date-time"}
    return Filter(apply, schema, f"{told.get(lookup, 'Up to this time')}; a day is its midnight UTC.")


def by_number(column: str, lookup: str = "in") -> Filter:
    """Return a filter on a number: one of the values, or a bound (`gte`, `lte`)."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        try:
            numbers = [Decimal(value) for value in values]
        except InvalidOperation:
            raise BadFilter("Enter a number.") from None
        if any(not number.is_finite() or abs(number) >= LARGEST_NUMBER for number in numbers):
            raise BadFilter("Enter a number.")
        wanted: Any = numbers if lookup == "in" else numbers[-1]
        return rows.filter(**{f"{column}__{lookup}": wanted})

    told = {"in": "This number", "gte": "At least this number", "lte": "At most this number"}
    return Filter(apply, {"type": "number"}, f"{told.get(lookup, 'A bound')}.")


def by_flag(column: str) -> Filter:
    """Return a filter on a yes/no column."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        if any(value.lower() not in FLAGS for value in values):
            raise BadFilter("Must be a valid boolean.")
        return rows.filter(**{f"{column}__in": [FLAGS[value.lower()] for value in values]})

    return Filter(apply, {"type": "boolean"})


def fold(value: str) -> str:
    """Return a choice as it is compared: case ignored; blank, underscore and hyphen equal."""
    return value.strip().lower().replace(" ", "-").replace("_", "-")


def by_choice(column: str, choices: Mapping[str, tuple[str, ...]]) -> Filter:
    """Return a filter on a state or type column; `choices` maps a folded name to the values it stands for."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        wanted: list[str] = []
        for value in values:
            if fold(value) not in choices:
                raise BadFilter(f"Select a valid choice. {value} is not one of the available choices.")
            wanted += choices[fold(value)]
        return rows.filter(**{f"{column}__in": wanted})

    told = "Case is ignored; blank, underscore and hyphen are equal; repeated: any of them."
    return Filter(apply, {"type": "string", "enum": list(choices)}, told)
