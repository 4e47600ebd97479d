"""What a report is narrowed to, and the names of what it is grouped by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from agentmart.catalog.models import Offering, Plan, ServiceProvider
from agentmart.identity.models import Customer, Project
from agentmart.resources.models import Resource

Ids = tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The objects that a report is narrowed to; None where it is not narrowed by that kind."""

    customer: Ids = None
    provider: Ids = None
    offering: Ids = None
    plan: Ids = None
    project: Ids = None
    resource: Ids = None
    component: tuple[str, ...] | None = None
    currency: tuple[str, ...] | None = None

    def values(self) -> dict[str, Any]:
        """Return the scope as the queries' parameters (`%(customer)s` …); a provider is its customer."""
        return {
            "customer": _list(self.customer),
            "provider": _list(provider_customers(self.provider)),
            "offering": _list(self.offering),
            "plan": _list(self.plan),
            "project": _list(self.project),
            "resource": _list(self.resource),
            "component": _list(self.component),
            "currency": _list(self.currency),
        }


def provider_customers(ids: Ids) -> Ids:
    """Return the customers behind providers that are named by their own uuid or by their customer's."""
    if ids is None:
        return None
    found = ServiceProvider.objects.filter(Q(id__in=ids) | Q(customer_id__in=ids))
    return (*ids, *found.values_list("customer_id", flat=True))


def rows(statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a statement selects, by column name."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


_NAMED: dict[str, Any] = {
    "customer": Customer,
    "offering": Offering,
    "plan": Plan,
    "project": Project,
    "resource": Resource,
}


def names(group_by: str, keys: Iterable[str]) -> dict[str, str]:
    """Return the present names of the objects behind the keys (32 hex digits), those that have one."""
    ids = [UUID(key) for key in keys] if group_by in ("provider", *_NAMED) else []
    if not ids:
        return {}
    if group_by == "provider":
        providers = ServiceProvider.objects.filter(customer_id__in=ids).values_list("customer_id", "name")
        return {customer_id.hex: name for customer_id, name in providers}
    found = _NAMED[group_by].objects.filter(id__in=ids).values_list("id", "name")
    return {pk.hex: name for pk, name in found}


def _list(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)
