"""What a report is asked for: days, scope, grouping, form; every mistake is a 400 under its parameter's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.http import QueryDict

from agentmart.infra.fields import parse_uuid
from agentmart.infra.filters import BadFilter, fold, read_uuids
from agentmart.kit.errors import Invalid
from agentmart.kit.money import CURRENCIES
from agentmart.reports.ranges import MOST_MONTHS, Range, read_month, read_range
from agentmart.reports.selectors.scope import Ids, Scope
from agentmart.reports.selectors.usage import narrowed_to_components

CSV = "csv"
_DATE: dict[str, Any] = {"type": "string", "format": "date"}
_NAMED = {"type": "string"}

RANGE: dict[str, Any] = {
    "start": {**_DATE, "description": "First day (UTC); default: of this month."},
    "end": {
        **_DATE,
        "description": f"Last day, included; default: of this month. At most {MOST_MONTHS} months.",
    },
}
EXPORT: dict[str, Any] = {
    "export": {
        "type": "string",
        "enum": [CSV, "json"],
        "description": "`csv` for a spreadsheet (or `Accept: text/csv`).",
    }
}
CURRENCY: dict[str, Any] = {
    "currency": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
        "description": "Only this currency; repeated: any of them.",
    }
}
PAGED: dict[str, Any] = {
    "page": {"type": "integer", "minimum": 1, "description": "A page of the components instead of all."},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 300, "description": "Components a page."},
}
MONTH: dict[str, Any] = {
    "month": {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}$",
        "description": "One month instead of start and end: 2026-01.",
    }
}


def scoped(*kinds: str) -> dict[str, Any]:
    """Return the parameters that narrow a report to objects, each also as `…_uuid`."""
    found: dict[str, Any] = {}
    for kind in kinds:
        told = f"Only this {kind}: its uuid or URL; repeated: any of them."
        for name in (kind, f"{kind}_uuid"):
            found[name] = {"type": "array", "items": _NAMED, "description": told}
    return found


def grouped(groups: Sequence[str], default: str) -> dict[str, Any]:
    """Return the parameter that says what a report is broken down by."""
    told = f"What the figures are broken down by; default {default}."
    return {"group_by": {"type": "string", "enum": list(groups), "description": told}}


def read_scope(query: QueryDict, declared: Mapping[str, Any]) -> Scope:
    """Return what the report is narrowed to, of the parameters it declares; raises Invalid."""
    kinds = ("customer", "provider", "offering", "plan", "project", "resource")
    found: dict[str, Any] = {kind: _ids(query, kind) for kind in kinds if kind in declared}
    currency = _currencies(query) if "currency" in declared else None
    scope = Scope(currency=currency, **found)
    if "component" not in declared or "component" not in query:
        return scope
    values = query.getlist("component")
    ids = tuple(uuid for uuid in map(parse_uuid, values) if uuid is not None)
    types = tuple(value for value in values if parse_uuid(value) is None)
    return narrowed_to_components(scope, types, ids)


def read_days(
    query: QueryDict, declared: Mapping[str, Any], *, today: date, default: Range | None = None
) -> Range:
    """Return the days that the report covers; raises Invalid."""
    start, end = query.get("start"), query.get("end")
    month = query.get("month") if "month" in declared else None
    if month is None:
        return read_range(start, end, today=today, default=default)
    if start is not None or end is not None:
        raise Invalid("Give either a month or start and end.", field="month")
    return read_month(month)


def read_choice(query: QueryDict, name: str, choices: Sequence[str], default: str) -> str:
    """Return one of the choices (case ignored); raises Invalid."""
    value = query.get(name, default)
    known = {fold(choice): choice for choice in choices}
    if fold(value) not in known:
        raise Invalid(f"Select a valid choice. {value} is not one of the available choices.", field=name)
    return known[fold(value)]


def _ids(query: QueryDict, kind: str) -> Ids:
    found: list[Any] = []
    for name in (kind, f"{kind}_uuid"):
        try:
            found += read_uuids(query.getlist(name))
        except BadFilter as error:
            raise Invalid(str(error), field=name) from None
    return tuple(found) or None


def _currencies(query: QueryDict) -> tuple[str, ...] | None:
    values = query.getlist("currency")
    for value in values:
        if value.upper() not in CURRENCIES:
            raise Invalid(
                f"Select a valid choice. {value} is not one of the available choices.", field="currency"
            )
    return tuple(value.upper() for value in values) or None
