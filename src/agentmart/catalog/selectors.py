"""Reads of the catalogue for what is shown and ordered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from agentmart.catalog.models import Category, Offering, Plan, PlanComponent
from agentmart.catalog.price_json import price_from_json
from agentmart.catalog.pricing import Fixed, Package, PerUnit, Tiered
from agentmart.catalog.states import OfferingState
from agentmart.infra.actors import Actor


def with_plans(offerings: Any) -> QuerySet[Offering]:
    """Return offerings with everything their answer shows, in a constant number of queries."""
    priced = PlanComponent.objects.select_related("component").order_by("component__type")
    plans = Plan.objects.order_by("created", "id").prefetch_related(Prefetch("components", queryset=priced))
    rows: QuerySet[Offering] = offerings.select_related("category", "service_provider").prefetch_related(
        "components", Prefetch("plans", queryset=plans)
    )
    return rows


def managed_offerings(actor: Actor) -> QuerySet[Offering]:
    """Return the offerings the actor runs, with everything their answer shows."""
    return with_plans(Offering.objects.managed_by(actor))


def with_offering_counts(categories: Any) -> QuerySet[Category]:
    """Return categories with `active_offerings`: how many public offerings stand on the shelf."""
    public = Q(offerings__state=OfferingState.ACTIVE, offerings__shared=True)
    rows: QuerySet[Category] = categories.annotate(active_offerings=Count("offerings", filter=public))
    return rows


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
