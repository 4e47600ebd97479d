"""REST: by what offerings are found and sorted."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Q, QuerySet

from agentmart.catalog.models import TYPES
from agentmart.catalog.states import OfferingState
from agentmart.infra.filters import BadFilter, Filter, read_uuids
from agentmart.infra.rest import (
    by_choice,
    by_exact,
    by_flag,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
)

STATE_NAMES = {fold(state.value): (state.value,) for state in OfferingState}
TYPE_NAMES = {fold(name): (value,) for name, value in TYPES.items()}


def _for_customers(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep what one of the customers may order: what is shared, and its own."""
    return rows.filter(Q(shared=True) | Q(customer_id__in=read_uuids(values)))


def _for_projects(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep what may be ordered for one of the projects."""
    return rows.filter(Q(shared=True) | Q(customer__projects__in=read_uuids(values))).distinct()


def _held_by(column: str) -> Any:
    """Return a filter on offerings that somebody has a resource of."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        held = rows.model.objects.filter(**{f"{column}__in": read_uuids(values)}).values("id")
        return rows.filter(id__in=held)

    return apply


def _in_list(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep the offerings of a list of uuids, separated by commas."""
    return rows.filter(id__in=read_uuids([item for value in values for item in value.split(",") if item]))


def _with_attributes(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep the offerings with these attributes; a list of values means any of them."""
    for value in values:
        try:
            wanted = json.loads(value)
        except ValueError:
            raise BadFilter("Enter a JSON object.") from None
        if not isinstance(wanted, dict):
            raise BadFilter("Enter a JSON object.")
        for name, asked in wanted.items():
            accepted = Q()
            for item in asked if isinstance(asked, list) else [asked]:
                accepted |= Q(attributes__contains={name: item}) | Q(attributes__contains={name: [item]})
            rows = rows.filter(accepted)
    return rows


def _tagged(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep the offerings with any of the tags."""
    wanted = Q()
    for value in values:
        wanted |= Q(tags__contains=[value])
    return rows.filter(wanted)


def _tagged_with_all(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
    """Keep the offerings with each of the tags, separated by commas."""
    for value in values:
        names = [name.strip() for name in value.split(",") if name.strip()]
        rows = rows.filter(tags__contains=names)
    return rows


FILTERS: dict[str, Filter] = {
    "state": by_choice("state", STATE_NAMES),
    "type": by_choice("type", TYPE_NAMES),
    "category_uuid": by_uuid("category_id"),
    "category_group_uuid": by_uuid("category__group_id"),
    "customer": by_uuid("customer_id"),
    "customer_uuid": by_uuid("customer_id"),
    "allowed_customer_uuid": Filter(_for_customers, told="What this customer may order."),
    "consumer_customer_uuid": Filter(_for_customers, told="What this customer may order."),
    "project_uuid": Filter(_for_projects, told="What may be ordered for this project."),
    "resource_customer_uuid": Filter(
        _held_by("resources__customer_id"), told="What this customer has a resource of."
    ),
    "resource_project_uuid": Filter(
        _held_by("resources__project_id"), told="What this project has a resource of."
    ),
    "shared": by_flag("shared"),
    "billable": by_flag("billable"),
    "name": by_text("name"),
    "name_exact": by_exact("name"),
    "keyword": by_words("name", "description", "slug", "service_provider__name"),
    "query": by_words("name", "description", "slug", "service_provider__name"),
    "description": by_text("description"),
    "attributes": Filter(_with_attributes, told="A JSON object of names and values."),
    "uuid_list": Filter(_in_list, told="Uuids, separated by commas."),
    "slug": by_exact("slug"),
    "tag_name": Filter(_tagged, told="A whole tag; repeated: any of them."),
    "tag_names_and": Filter(_tagged_with_all, told="Tags, separated by commas: all of them."),
    "created": by_moment("created"),
    "created_before": by_moment("created", "lt"),
    "modified": by_moment("modified"),
    "modified_before": by_moment("modified", "lt"),
    "review": by_exact("review"),
}

ORDERINGS = {
    "created": "created",
    "modified": "modified",
    "name": "name",
    "state": "state",
    "type": "type",
    "total_customers": "total_customers",
    "total_cost": "total_cost",
    "total_cost_estimated": "total_cost_estimated",
}
