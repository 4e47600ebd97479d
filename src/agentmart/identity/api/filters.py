"""Filters of the module's lists that need more than a column."""

from __future__ import annotations

from django.db.models import Q, Value
from django.db.models.functions import Concat

from agentmart.identity import selectors
from agentmart.infra.filters import FLAGS, BadFilter, Filter, Rows, read_uuids


def is_active_customer() -> Filter:
    """Return a filter on customers that are neither blocked nor archived."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        if any(value.lower() not in FLAGS for value in values):
            raise BadFilter("Must be a valid boolean.")
        wanted = {FLAGS[value.lower()] for value in values}
        active = Q(blocked=False, archived=False)
        return rows if len(wanted) == 2 else rows.filter(active if wanted == {True} else ~active)

    return Filter(apply, {"type": "boolean"}, "Neither blocked nor archived.")


def only_checked(other: Filter) -> Filter:
    """Return a filter that reads its values like another one and leaves the rows to the view."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        other.apply(rows, values)
        return rows

    return Filter(apply, other.schema, other.told)


def by_member(column: str, held: str) -> Filter:
    """Return a filter on rows where a person has a role; `held` is the membership's column that names the row."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        return rows.filter(**{f"{column}__in": selectors.places_of(read_uuids(values), held)})

    return Filter(apply, {"type": "string"}, "The uuid of a person with a role there; repeated: any of them.")


def by_place(held: str) -> Filter:
    """Return a filter on people with a role in a customer or project (`held`: customer_id, project_id).

    The place is looked for among what the caller's tenants show: nobody learns who is in a foreign one.
    """

    def apply(rows: Rows, values: list[str]) -> Rows:
        return rows.filter(pk__in=selectors.people_in(read_uuids(values), held))

    return Filter(apply, {"type": "string"}, "A uuid, or the object's URL or path; repeated: any of them.")


def by_full_name(prefix: str = "") -> Filter:
    """Return a filter on a part of first and last name together, case ignored."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        wanted = Q()
        for value in values:
            wanted |= Q(person_name__icontains=" ".join(value.split()))
        whole = Concat(f"{prefix}first_name", Value(" "), f"{prefix}last_name")
        found: Rows = rows.alias(person_name=whole).filter(wanted)
        return found

    return Filter(apply, {"type": "string"}, "A part of first and last name, case ignored.")


def by_member_of_project() -> Filter:
    """Return a filter on projects where a person has a role, in the project or its whole customer."""

    def apply(rows: Rows, values: list[str]) -> Rows:
        return rows.filter(selectors.projects_of(read_uuids(values)))

    return Filter(apply, {"type": "string"}, "The uuid of a person with a role there; repeated: any of them.")
