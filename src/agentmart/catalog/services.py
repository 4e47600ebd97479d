"""Writes: categories, offerings, plans, publishing an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from agentmart.agents import states as agent_states
from agentmart.agents.models import Agent, FlowVersion
from agentmart.catalog.models import (
    AGENT_TYPE,
    Category,
    Offering,
    OfferingComponent,
    Plan,
    PlanComponent,
    ServiceProvider,
)
from agentmart.catalog.price_json import price_from_json, price_to_json
from agentmart.catalog.pricing import Fixed
from agentmart.catalog.states import TRANSITIONS, OfferingState
from agentmart.identity.models import Customer
from agentmart.identity.permissions import permitted, require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Forbidden, Invalid
from agentmart.kit.ids import new_id

BUILTIN_COMPONENTS = (
    ("base", "Base fee", "month", "fixed"),
    ("requests", "Requests", "request", "usage"),
    ("input_tokens", "Input tokens", "token", "usage"),
    ("output_tokens", "Output tokens", "token", "usage"),
)


class NothingToPublish(Conflict):
    """The agent has no imported version, or no plan to be sold by."""

    code = "not_publishable"


@transaction.atomic
def create_category(*, actor: Actor, now: datetime, title: str, description: str = "") -> Category:
    """Add a shelf to the catalogue."""
    require(actor, "category.write")
    category = Category.objects.create(title=title, description=description, created=now, modified=now)
    audit.record("category.created", category, actor=actor, now=now, after={"title": title})
    return category


@transaction.atomic
def register_provider(customer: Customer, *, actor: Actor, now: datetime) -> ServiceProvider:
    """Make a customer a service provider; returns the existing row where it is one already."""
    found = ServiceProvider.objects.filter(customer=customer).first()
    if found is not None:
        return found
    provider = ServiceProvider.objects.create(
        customer=customer, name=customer.name, created=now, modified=now
    )
    audit.record("service_provider.registered", provider, actor=actor, now=now)
    return provider


@transaction.atomic
def create_offering(
    *,
    actor: Actor,
    now: datetime,
    customer: Customer,
    category: Category,
    name: str,
    type: str,
    plans: Sequence[Mapping[str, Any]] = (),
    components: Sequence[Mapping[str, Any]] = (),
    **details: Any,
) -> Offering:
    """Add an offering in Draft with its components and plans; raises Forbidden, Invalid, CustomerBlocked (409)."""
    require(actor, "offering.edit", customer_id=customer.id)
    require_not_blocked(customer)
    offering = Offering.objects.create(
        customer=customer,
        service_provider=register_provider(customer, actor=actor, now=now),
        category=category,
        name=name,
        slug=_free_slug(name),
        type=type,
        created=now,
        modified=now,
        **details,
    )
    audit.record("offering.created", offering, actor=actor, now=now, after={"name": name, "type": type})
    if type == AGENT_TYPE:
        for kind, title, unit, billing in BUILTIN_COMPONENTS:
            _add_component(offering, kind, title, unit, billing, builtin=True, now=now)
    for component in components:
        _add_component(
            offering,
            component["type"],
            component["name"],
            component.get("measured_unit", ""),
            component["billing_type"],
            builtin=False,
            now=now,
        )
    for plan in plans:
        create_plan(offering, plan, actor=actor, now=now)
    return offering


def _free_slug(name: str) -> str:
    """Return a slug made of the name that no offering has yet."""
    base = slugify(name)[:60] or "offering"
    with tenancy.elevated():
        taken = Offering.objects.filter(slug=base).exists()
    return f"{base}-{new_id().hex[:8]}" if taken else base


def _add_component(
    offering: Offering, kind: str, name: str, unit: str, billing_type: str, *, builtin: bool, now: datetime
) -> OfferingComponent:
    """Add one component row."""
    return OfferingComponent.objects.create(
        offering=offering,
        type=kind,
        name=name,
        measured_unit=unit,
        billing_type=billing_type,
        is_builtin=builtin,
        created=now,
        modified=now,
    )


@transaction.atomic
def create_plan(offering: Offering, plan: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Add a plan: `unit_price` is the base fee; `components` price what is measured.

    Raises Invalid naming the component and field at fault.
    """
    require(actor, "plan.write", customer_id=offering.customer_id)
    row = Plan.objects.create(
        offering=offering,
        name=plan["name"],
        description=plan.get("description", ""),
        unit=plan.get("unit", "month"),
        interval_count=plan.get("interval_count", 1),
        currency=plan.get("currency") or settings.CURRENCY,
        limits=plan.get("limits", {}),
        max_amount=plan.get("max_amount"),
        created=now,
        modified=now,
    )
    by_type = {component.type: component for component in offering.components.all()}
    prices = [dict(item) for item in plan.get("components", ())]
    if plan.get("unit_price") is not None:
        if any(item["type"] == "base" for item in prices):
            raise Invalid("Give the base fee once: as unit_price, or as component base.", field="unit_price")
        if "base" not in by_type:
            by_type["base"] = _add_component(
                offering, "base", "Base fee", row.unit, "fixed", builtin=False, now=now
            )
        prices.insert(0, {"type": "base", "price": plan["unit_price"]})
    for index, item in enumerate(prices):
        _price_component(row, item, by_type, field=f"components[{index}]", now=now)
    audit.record(
        "plan.created", row, actor=actor, now=now, customer_id=offering.customer_id, after={"name": row.name}
    )
    return row


def _price_component(
    plan: Plan,
    item: Mapping[str, Any],
    by_type: Mapping[str, OfferingComponent],
    *,
    field: str,
    now: datetime,
) -> None:
    """Add the price of one component to a plan."""
    component = by_type.get(item["type"])
    if component is None:
        known = ", ".join(sorted(by_type))
        raise Invalid(f"The offering has no component {item['type']}; it has {known}.", field=f"{field}.type")
    fixed = component.billing_type != "usage"
    price = price_from_json(item, path=field, fixed=fixed)
    PlanComponent.objects.create(
        plan=plan,
        component=component,
        offering_id=plan.offering_id,
        amount=int(price.model.amount) if isinstance(price.model, Fixed) else 0,
        price=price_to_json(price),
        created=now,
        modified=now,
    )


ACTIONS = {
    "activate": (OfferingState.ACTIVE, "offering.activate", "offering.activated"),
    "unpause": (OfferingState.ACTIVE, "offering.pause", "offering.unpaused"),
    "pause": (OfferingState.PAUSED, "offering.pause", "offering.paused"),
    "archive": (OfferingState.ARCHIVED, "offering.pause", "offering.archived"),
    "draft": (OfferingState.DRAFT, "offering.activate", "offering.drafted"),
}
SOURCES = {"activate": OfferingState.DRAFT, "unpause": OfferingState.PAUSED}


@transaction.atomic
def change_state(offering: Offering, verb: str, *, actor: Actor, now: datetime, **details: Any) -> Offering:
    """Carry out `activate`, `pause`, `unpause`, `archive` or `draft`; 409 from a state that does not allow it."""
    target, operation, action = ACTIONS[verb]
    direct = verb == "activate" and settings.PROVIDER_PUBLISH == "direct"
    if not (direct and permitted(actor, "offering.edit", customer_id=offering.customer_id)):
        require(actor, operation, customer_id=offering.customer_id)
    source = SOURCES.get(verb)
    if source is not None and offering.state != source:
        raise transitions.IllegalTransition(
            f"Valid states for operation: {source}.", extra={"state": str(offering.state)}
        )
    if verb == "activate" and offering.review:
        details["review"] = ""
    transitions.move(
        offering, target, transitions=TRANSITIONS, actor=actor, now=now, action=action, **details
    )
    return offering


@transaction.atomic
def publish_agent(
    agent: Agent,
    *,
    actor: Actor,
    now: datetime,
    category: Category | None,
    plans: Sequence[Mapping[str, Any]],
    version: FlowVersion | None,
    **details: Any,
) -> Offering:
    """Offer an agent's version: creates the offering the first time, afterwards updates it and adds plans.

    Buyers keep the version they have. Under review it stays Draft until an operator activates it.
    Raises NothingToPublish (409) without version or plan, Invalid (category) the first time without one.
    """
    require(actor, "agent.write", customer_id=agent.customer_id)
    version = version or agent.latest_version
    if version is None:
        raise NothingToPublish(f"Import a flow into {agent.name} first.")
    offering = Offering.objects.filter(agent=agent).first()
    if offering is None:
        offering = _first_publication(
            agent, actor=actor, now=now, category=category, plans=plans, details=details
        )
    else:
        for plan in plans:
            create_plan(offering, plan, actor=actor, now=now)
        Offering.objects.filter(pk=offering.pk).update(modified=now, **details)
    if not offering.plans.filter(archived=False).exists():
        raise NothingToPublish(f"Give {agent.name} at least one plan.")
    Offering.objects.filter(pk=offering.pk).update(flow_version=version, modified=now)
    if agent.state != agent_states.AgentState.PUBLISHED:
        transitions.move(
            agent,
            agent_states.AgentState.PUBLISHED,
            transitions=agent_states.TRANSITIONS,
            actor=actor,
            now=now,
            action="agent.published",
        )
    offering.refresh_from_db()
    if settings.PROVIDER_PUBLISH == "direct" and offering.state == OfferingState.DRAFT:
        change_state(offering, "activate", actor=actor, now=now)
    return offering


def _first_publication(
    agent: Agent,
    *,
    actor: Actor,
    now: datetime,
    category: Category | None,
    plans: Sequence[Mapping[str, Any]],
    details: Mapping[str, Any],
) -> Offering:
    """Create the agent's offering, in Draft and waiting for review where the installation asks for it."""
    if category is None:
        raise Invalid("Say in which category the agent is offered.", field="category")
    if not plans:
        raise NothingToPublish(f"Give {agent.name} at least one plan.")
    review = "pending" if settings.PROVIDER_PUBLISH == "review" else ""
    values = {"name": agent.name, "description": agent.description, **details}
    return create_offering(
        actor=actor,
        now=now,
        customer=agent.customer,
        category=category,
        type=AGENT_TYPE,
        plans=plans,
        agent=agent,
        review=review,
        **values,
    )


def require_orderable(offering: Offering, plan: Plan | None) -> None:
    """Raise Conflict (409 not_orderable) unless the offering can be ordered now."""
    if offering.state != OfferingState.ACTIVE or plan is None:
        raise Conflict(
            f"{offering.name} cannot be ordered now.", code="not_orderable", extra={"state": offering.state}
        )


def require_manager(actor: Actor, offering: Offering) -> None:
    """Raise Forbidden unless the actor runs the offering."""
    if not permitted(actor, "offering.edit", customer_id=offering.customer_id):
        raise Forbidden("You do not have permission to perform this action.")
