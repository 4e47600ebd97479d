"""Reads of the catalogue for what is shown, ordered and billed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import (
    Count,
    DecimalField,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, JSONObject

from agentmart.catalog.models import (
    Category,
    Offering,
    OfferingComponent,
    OfferingFile,
    OfferingPicture,
    Plan,
    PlanComponent,
    PlanPrice,
)
from agentmart.catalog.price_json import price_from_json
from agentmart.catalog.pricing import Fixed, Package, PerUnit, Tiered
from agentmart.catalog.states import OfferingState
from agentmart.identity.models import SELLERS
from agentmart.infra.actors import Actor

Row = dict[str, Any]
_NOTHING = Value(Decimal(0), output_field=DecimalField(max_digits=24, decimal_places=4))

COMPONENT_COLUMNS = (
    "id",
    "offering_id",
    "type",
    "name",
    "description",
    "measured_unit",
    "billing_type",
    "is_builtin",
    "is_boolean",
    "article_code",
    "limit_period",
    "limit_amount",
    "min_value",
    "max_value",
    "max_available_limit",
    "default_limit",
)
PLAN_COLUMNS = (
    "id",
    "offering_id",
    "name",
    "description",
    "article_code",
    "unit",
    "interval_count",
    "currency",
    "limits",
    "archived",
    "pending",
    "max_amount",
    "billing_mode",
    "backend_id",
)
COUNTED_PLAN_COLUMNS = (*PLAN_COLUMNS, "resources_count")
PRICE_COLUMNS = (
    "id",
    "number",
    "plan_id",
    "component_id",
    "amount",
    "price",
    "next_amount",
    "next_price",
    "next_from",
)


@dataclass(slots=True)
class Parts:
    """What an offering's answer shows besides its own columns, as plain rows."""

    components: list[Row] = field(default_factory=list)
    plans: list[Row] = field(default_factory=list)  # each with `prices`: rows, each with `component`


def parts_of(offering_ids: Collection[UUID]) -> dict[UUID, Parts]:
    """Return components, plans and prices of the offerings, in three queries whatever their number.

    Resources under the plans are not counted (0): `live_resources` does, since they differ by reader.
    """
    found: dict[UUID, Parts] = defaultdict(Parts)
    by_id: dict[UUID, Row] = {}
    components = OfferingComponent.objects.filter(offering_id__in=offering_ids)
    for row in components.order_by("created", "id").values(*COMPONENT_COLUMNS):
        by_id[row["id"]] = row
        found[row["offering_id"]].components.append(row)
    rows = Plan.objects.filter(offering_id__in=offering_ids).order_by("created", "id")
    plans = [{**row, "resources_count": 0} for row in rows.values(*PLAN_COLUMNS)]
    with_prices(plans, PlanComponent.objects.filter(offering_id__in=offering_ids), by_id)
    for plan in plans:
        found[plan["offering_id"]].plans.append(plan)
    return found


def plan_rows(plans: QuerySet[Any]) -> list[Row]:
    """Return plans as plain rows, oldest first, with how many live resources of each the reader may see."""
    return list(counted(plans).order_by("created", "id").values(*COUNTED_PLAN_COLUMNS))


def plan_row(plan: Plan) -> Row:
    """Return one plan as a plain row with its prices."""
    (row,) = complete_plans(plan_rows(Plan.objects.filter(pk=plan.pk)))
    return row


def counted(plans: QuerySet[Any]) -> QuerySet[Any]:
    """Return plans with `resources_count`: the live resources under each that the reader may see."""
    live = _counted(Plan, "resources", Count("pk"), ~Q(state="Terminated"))
    rows: QuerySet[Any] = plans.annotate(resources_count=live)
    return rows


def live_resources(plan_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many live resources the reader may see under each of the plans that has any."""
    relation: Any = Plan._meta.get_field("resources")  # that model stands above this module
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT plan_id, count(*) FROM {relation.related_model._meta.db_table} "  # noqa: S608 - our own name
            "WHERE plan_id = ANY(%s) AND state <> 'Terminated' GROUP BY plan_id",
            [list(plan_ids)],
        )
        return dict(cursor.fetchall())


def with_prices(plans: Iterable[Row], prices: QuerySet[Any], components: dict[UUID, Row]) -> None:
    """Give each plan row its `prices`, by type, each with its `component`."""
    by_plan: dict[UUID, list[Row]] = defaultdict(list)
    for row in prices.values(*PRICE_COLUMNS):
        component = components.get(row["component_id"])
        if component is None:  # came with its price after the components were read
            continue
        row["component"] = component
        by_plan[row["plan_id"]].append(row)
    for plan in plans:
        plan["prices"] = sorted(by_plan[plan["id"]], key=lambda row: row["component"]["type"])


def complete_plans(plans: list[Row]) -> list[Row]:
    """Return plan rows of any offerings with their prices, in two queries."""
    prices = PlanComponent.objects.filter(plan_id__in=[plan["id"] for plan in plans])
    components = OfferingComponent.objects.filter(offering_id__in={plan["offering_id"] for plan in plans})
    with_prices(plans, prices, {row["id"]: row for row in components.values(*COMPONENT_COLUMNS)})
    return plans


def manages(actor: Actor, customer_id: UUID) -> bool:
    """Return whether the actor has the provider's view of this customer's offerings."""
    return actor.is_operator or customer_id in actor.customers_as(SELLERS)


def listed(offerings: Any, actor: Actor) -> QuerySet[Offering]:
    """Return the offerings that the actor finds in lists: others' only where there is a plan to buy them by."""
    rows: QuerySet[Offering] = offerings
    if actor.is_operator:
        return rows
    sold = Plan.objects.filter(offering=OuterRef("pk"), archived=False)
    return rows.filter(Q(customer_id__in=actor.customers_as(SELLERS)) | Exists(sold))


def with_sums(offerings: Any) -> QuerySet[Offering]:
    """Return offerings with `order_count` and `total_customers`, as far as the reader may see orders and resources."""
    rows: QuerySet[Offering] = offerings.annotate(
        order_count=_counted(Offering, "orders", Count("pk")),
        total_customers=_counted(
            Offering, "resources", Count("customer_id", distinct=True), ~Q(state="Terminated")
        ),
    )
    return rows


def with_figures(offerings: Any) -> QuerySet[Offering]:
    """Return offerings with what they brought in, 0 where the reader may not know (that table stands above)."""
    rows: QuerySet[Offering] = offerings.annotate(
        figures_currency=F("figures__currency"),
        total_cost=Coalesce(F("figures__total_cost"), _NOTHING),
        total_cost_estimated=Coalesce(F("figures__total_cost_estimated"), _NOTHING),
    )
    return rows


def _counted(owner: Any, relation: str, count: Count, condition: Q | None = None) -> Coalesce:
    """Return a count over what refers to an owner (those models stand above this module: by relation only)."""
    field: Any = owner._meta.get_field(relation)
    rows = field.related_model.objects.filter(condition or Q(), **{field.remote_field.name: OuterRef("pk")})
    total = rows.order_by().values(field.remote_field.name).annotate(total=count).values("total")
    return Coalesce(Subquery(total), 0, output_field=IntegerField())


_FILES = (
    OfferingFile.objects.filter(offering=OuterRef("pk"))
    .order_by("created", "id")
    .values(file=JSONObject(**{name: name for name in ("id", "kind", "name", "description", "created")}))
)
"""The files of an offering, without what is in them."""


def shown_offerings(offerings: Any) -> QuerySet[Offering]:
    """Return offerings with the rows beside them that their answer shows (the flow is never read)."""
    named = with_sums(offerings).annotate(
        category_title=F("category__title"),
        customer_name=F("service_provider__name"),
        shown_files=ArraySubquery(_FILES),
    )
    rows: QuerySet[Offering] = with_figures(named).select_related("private")
    return rows


@cache
def _every_shown_offering() -> QuerySet[Offering]:
    """Return `shown_offerings` of all: built once, since that costs a list more than reading it does."""
    return shown_offerings(Offering.objects.all())


class ShownPage:
    """A list of offerings of which a page is read: what stands beside them is joined to the page's rows only."""

    def __init__(self, offerings: QuerySet[Any]) -> None:
        self._offerings = offerings

    def count(self) -> int:
        """Return how many offerings the whole list has."""
        return self._offerings.count()

    def __getitem__(self, part: slice) -> list[Offering]:
        """Return the offerings of a page."""
        page = self._offerings.values("pk")[part]
        rows = _every_shown_offering().filter(pk__in=page)
        return list(rows.order_by(*self._offerings.query.order_by))


def managed_offerings(actor: Actor) -> QuerySet[Offering]:
    """Return the offerings the actor runs."""
    return Offering.objects.managed_by(actor)


def categories_with_shared(categories: QuerySet[Any], wanted: bool) -> QuerySet[Any]:
    """Return the categories with a public offering, or those without."""
    public = Offering.objects.filter(category=OuterRef("pk"), state=OfferingState.ACTIVE, shared=True)
    return categories.filter(Exists(public) if wanted else ~Exists(public))


def categories_of(
    categories: QuerySet[Any], chosen: Callable[[QuerySet[Any]], QuerySet[Any]]
) -> QuerySet[Any]:
    """Return the categories of offerings (that the reader may see) that a filter leaves."""
    return categories.filter(id__in=chosen(Offering.objects.all()).values("category_id"))


def with_offering_counts(categories: Any) -> QuerySet[Category]:
    """Return categories with `active_offerings` (public ones) and `available_offerings` (those with a plan)."""
    public = Q(offerings__state=OfferingState.ACTIVE, offerings__shared=True)
    sold = Exists(Plan.objects.filter(offering=OuterRef("offerings"), archived=False))
    rows: QuerySet[Category] = categories.annotate(
        active_offerings=Count("offerings", filter=public),
        available_offerings=Count("offerings", filter=public & Q(sold)),
    )
    return rows


def picture_of(offering: Offering, kind: str) -> OfferingPicture | None:
    """Return the `image` or `thumbnail` of an offering, None without one."""
    return OfferingPicture.objects.filter(offering=offering, kind=kind).first()


def file_list(files: Any) -> QuerySet[OfferingFile]:
    """Return files with their offerings, without what is in them."""
    rows: QuerySet[OfferingFile] = files.select_related("offering").defer("data")
    return rows


def content_of(file: OfferingFile) -> bytes:
    """Return what is in a file."""
    return bytes(OfferingFile.objects.values_list("data", flat=True).get(pk=file.pk))


def prices_for(plan_ids: Collection[UUID], day: date) -> dict[UUID, dict[str, Any]]:
    """Return the price (as JSON) of each component of the plans that is, or was, in force on a day, by row id."""
    versions = PlanPrice.objects.filter(plan_component__plan_id__in=plan_ids, valid_from__lte=day)
    newest = versions.order_by("plan_component_id", "-valid_from", "-id").distinct("plan_component_id")
    return dict(newest.values_list("plan_component_id", "price"))


def prices_on(plan_ids: Collection[UUID], days: Iterable[date]) -> dict[date, dict[UUID, dict[str, Any]]]:
    """Return the same for several days, in one query."""
    rows = PlanPrice.objects.filter(plan_component__plan_id__in=plan_ids).order_by("valid_from", "id")
    versions = list(rows.values_list("plan_component_id", "valid_from", "price"))
    found = {}
    for day in days:
        found[day] = {component: price for component, valid_from, price in versions if valid_from <= day}
    return found


def unit_price_of(component: PlanComponent) -> Decimal | None:
    """Return the price of one unit (of the first tier where there are tiers), None for a percentage."""
    match price_from_json(component.price).model:
        case Fixed(unit_price=price) | PerUnit(unit_price=price) | Package(price=price):
            return price
        case Tiered(tiers=tiers):
            return tiers[0].unit_price
        case _:
            return None


def plan_limits(plan: Plan | None) -> dict[str, Any]:
    """Return a plan's limits as the gateway's Grant carries them."""
    return dict(plan.limits) if plan else {}
