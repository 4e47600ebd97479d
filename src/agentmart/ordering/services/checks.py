"""What must hold before an order is placed or goes on; each check says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from agentmart.catalog.models import Offering, Plan
from agentmart.catalog.options import check_options, with_defaults
from agentmart.catalog.states import OfferingState
from agentmart.identity.models import Customer, Project
from agentmart.identity.services import require_not_blocked
from agentmart.infra import tenancy, transitions
from agentmart.kit.errors import Conflict, Invalid
from agentmart.ordering import selectors
from agentmart.ordering.models import Order
from agentmart.ordering.states import OPEN, Change, OrderState
from agentmart.resources.models import Resource
from agentmart.resources.states import ResourceState

FOLLOW_UP_STATES = frozenset({OfferingState.ACTIVE, OfferingState.PAUSED})
"""Offerings whose holders may still change what they have."""


class OpenOrderExists(Conflict):
    """Another order for the same thing is not finished yet."""

    code = "open_order_exists"


def wrong_state(state: str, *valid: str) -> transitions.IllegalTransition:
    """Return the refusal of an operation that this state does not allow."""
    return transitions.IllegalTransition(
        f"Valid states for operation: {', '.join(valid)}.", extra={"state": str(state)}
    )


def hold_unblocked(customer_id: UUID) -> None:
    """Raise CustomerBlocked (409) for a blocked customer, and let nobody block it until the commit.

    Locks are taken in the order: order, resource, customer, quota.
    """
    with tenancy.elevated():
        require_not_blocked(Customer.objects.select_for_update(no_key=True).get(pk=customer_id))


def require_no_open_order(resource: Resource) -> None:
    """Raise OpenOrderExists (409) where an order for the resource is not finished."""
    if Order.objects.filter(resource=resource, state__in=OPEN).exists():
        raise OpenOrderExists(f"An order for {resource.name} is open already; wait for it or withdraw it.")


def require_follow_ups(offering: Offering) -> None:
    """Raise Conflict (409 not_orderable) where not even holders may order changes any more."""
    if offering.state not in FOLLOW_UP_STATES:
        raise Conflict(
            f"{offering.name} takes no orders now.", code="not_orderable", extra={"state": offering.state}
        )


def chosen_plan(offering: Offering, plan: Plan | None) -> Plan | None:
    """Return the ordered plan, the only active one where none was named; raises Invalid (field plan)."""
    active = list(offering.plans.filter(archived=False))
    if plan is None:
        if len(active) > 1:
            raise Invalid("This offering has several plans; say which.", field="plan")
        return active[0] if active else None
    return own_plan(offering, plan)


def own_plan(offering: Offering, plan: Plan) -> Plan:
    """Return the plan; raises Invalid (field plan) for one of another offering, or archived."""
    if plan.offering_id != offering.id:
        raise Invalid(f"Plan {plan.name} belongs to another offering.", field="plan")
    if plan.archived:
        raise Invalid(f"Plan {plan.name} is archived.", field="plan")
    return plan


def require_terms(offering: Offering, accepted: bool) -> None:
    """Raise Invalid where the offering's terms must be accepted and are not."""
    if offering.plugin_options.get("require_terms_of_service") and not accepted:
        raise Invalid(
            f"{offering.name} can only be ordered by who accepts its terms of service.",
            field="accepting_terms_of_service",
        )


def checked_limits(offering: Offering, limits: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
    """Return the limits, with defaults where `complete`; raises Invalid (field limits.TYPE) for one that is
    not ordered by limit, or outside of its bounds.
    """
    known = selectors.limit_components(offering)
    for kind, quantity in limits.items():
        if kind not in known:
            shown = ", ".join(known) or "none"
            raise Invalid(f"{offering.name} has no limit {kind}; it has {shown}.", field=f"limits.{kind}")
        row = known[kind]
        if row.min_value is not None and quantity < row.min_value:
            raise Invalid(f"{row.name} must be at least {_number(row.min_value)}.", field=f"limits.{kind}")
        bounds = [bound for bound in (row.max_value, row.max_available_limit) if bound is not None]
        if bounds and quantity > min(bounds):
            raise Invalid(f"{row.name} may be at most {_number(min(bounds))}.", field=f"limits.{kind}")
    defaults = {kind: row.default_limit for kind, row in known.items() if row.default_limit is not None}
    given = {kind: int(number) for kind, number in defaults.items()} if complete else {}
    return {**given, **limits}


def checked_attributes(offering: Offering, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an order says besides plan and limits, with defaults; raises Invalid (attributes.NAME)."""
    check_options(offering.options, attributes)
    return with_defaults(offering.options, attributes)


def checked_options(resource: Resource, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resource's options with these changes; raises Invalid (field options.NAME)."""
    known = resource.offering.resource_options
    wanted = {**resource.options, **options}
    for name in options:
        if known.get("options") and name not in known["options"]:
            raise Invalid(f"{resource.offering.name} has no option {name}.", field=f"options.{name}")
    try:
        check_options(known, wanted)
    except Invalid as refusal:
        name = (refusal.field or "").removeprefix("attributes.")
        raise Invalid(refusal.message, field=f"options.{name}") from None
    return wanted


def _number(value: Any) -> str:
    """Return a quantity as people write it."""
    return format(value.normalize(), "f")


def require_capacity(plan: Plan) -> None:
    """Raise Conflict (409 capacity_reached) where the plan is sold as often as it may be.

    The plan's row is locked until the order is written, or two orders would take the last place.
    """
    if plan.max_amount is None:
        return
    with tenancy.elevated():
        Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        taken = plan.resources.exclude(state=ResourceState.TERMINATED).count()
        coming = Order.objects.filter(plan=plan, subtype=Change.PLAN, state__in=OPEN).count()
    if taken + coming >= plan.max_amount:
        raise Conflict(
            f"Plan {plan.name} is sold out.", code="capacity_reached", extra={"limit": plan.max_amount}
        )


def require_future(day: date | None, *, now: datetime) -> None:
    """Raise Invalid (field start_date) for a day that has passed."""
    if day is not None and day < now.date():
        raise Invalid("The start date has passed already.", field="start_date")


def state_after_consumer(order: Order, project: Project, *, now: datetime) -> OrderState:
    """Return where an order stands once its buyer has approved it: waiting for a day, the provider, or nobody."""
    if project.start_date is not None and project.start_date > now.date():
        return OrderState.PENDING_PROJECT
    if order.start_date is not None and order.start_date > now.date():
        return OrderState.PENDING_START_DATE
    if order.offering.requires_provider_approval and not order.provider_reviewed_at:
        return OrderState.PENDING_PROVIDER
    return OrderState.EXECUTING
