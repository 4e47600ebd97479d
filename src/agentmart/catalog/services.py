"""Writes: categories, offerings, plans, publishing an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
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
from agentmart.catalog.pricing import Fixed, Percentage, Price
from agentmart.catalog.states import TRANSITIONS, OfferingState
from agentmart.identity.models import Customer
from agentmart.identity.permissions import permitted, require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.ids import new_id

BUILTIN_COMPONENTS = (
    ("base", "Base fee", "month", "fixed"),
    ("requests", "Requests", "request", "usage"),
    ("input_tokens", "Input tokens", "token", "usage"),
    ("output_tokens", "Output tokens", "token", "usage"),
)


MAX_AMOUNT = 2**31 - 1


class CustomCodeNotAllowed(Conflict):
    """The version carries code that the operator does not allow this provider."""

    code = "permission_required"


BILLED_TYPES = frozenset({"fixed", "usage", "one"})
"""Billing types that invoices know."""


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
    provider, created = ServiceProvider.objects.get_or_create(
        customer=customer, defaults={"name": customer.name, "created": now, "modified": now}
    )
    if created:
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
    require(actor, "offering.create", provider_id=customer.id)
    require_not_blocked(customer)
    offering = _insert(
        Offering(customer=customer, category=category, name=name, type=type, **details), actor=actor, now=now
    )
    _add_components(offering, components, now=now)
    for index, plan in enumerate(plans):
        _add_plan(offering, plan, actor=actor, now=now, path=f"plans[{index}].")
    return offering


def _insert(offering: Offering, *, actor: Actor, now: datetime) -> Offering:
    """Write an offering of its customer, under a slug that no other one has, with its built-in components."""
    offering.service_provider = register_provider(offering.customer, actor=actor, now=now)
    offering.created = offering.modified = now
    offering.slug = slugify(offering.name)[:60] or "offering"
    try:
        with transaction.atomic():
            offering.save(force_insert=True)
    except IntegrityError as error:
        if "slug" not in str(error):
            raise
        offering.slug = f"{offering.slug}-{new_id().hex[:8]}"
        offering.save(force_insert=True)
    after = {"name": offering.name, "type": offering.type}
    audit.record("offering.created", offering, actor=actor, now=now, after=after)
    if offering.type == AGENT_TYPE:
        for kind, title, unit, billing in BUILTIN_COMPONENTS:
            _add_component(offering, kind, title, unit, billing, builtin=True, now=now)
    return offering


def _add_components(offering: Offering, components: Sequence[Mapping[str, Any]], *, now: datetime) -> None:
    """Add the components that the offering brings besides the built-in ones; raises Invalid for one named twice."""
    taken = set(offering.components.values_list("type", flat=True))
    for index, component in enumerate(components):
        kind = component["type"]
        if kind in taken:
            raise Invalid(f"The offering has a component {kind} already.", field=f"components[{index}].type")
        taken.add(kind)
        _add_component(
            offering,
            kind,
            component["name"],
            component.get("measured_unit", ""),
            component["billing_type"],
            builtin=False,
            now=now,
        )


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


def require_chargeable_period(plan: Mapping[str, Any], *, field: str) -> None:
    """Raise Invalid for a period that invoices cannot charge yet: now its author can change it."""
    if (plan.get("unit", "month"), plan.get("interval_count", 1)) != ("month", 1):
        raise Invalid("Plans are billed by the month; no other period can be charged yet.", field=field)


def require_chargeable_price(component: OfferingComponent, price: Price, *, field: str) -> None:
    """Raise Invalid for a price that invoices cannot charge yet."""
    if isinstance(price.model, Percentage):
        raise Invalid("Invoices cannot charge a percentage yet.", field=field)
    if component.billing_type not in BILLED_TYPES:
        raise Invalid(f"Invoices cannot charge {component.billing_type} components yet.", field=field)


@transaction.atomic
def create_plan(offering: Offering, plan: Mapping[str, Any], *, actor: Actor, now: datetime) -> Plan:
    """Add a plan: `unit_price` is the base fee; `components` price what is measured.

    Raises Forbidden, or Invalid naming the component and field at fault.
    """
    require(actor, "plan.write", provider_id=offering.customer_id)
    return _add_plan(offering, plan, actor=actor, now=now)


def _add_plan(
    offering: Offering, plan: Mapping[str, Any], *, actor: Actor, now: datetime, path: str = ""
) -> Plan:
    """Write a plan with its prices; `path` is where it lies in the request ("plans[0].")."""
    require_chargeable_period(plan, field=f"{path}unit")
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
    prices = [(f"{path}components[{index}]", item) for index, item in enumerate(plan.get("components", ()))]
    if plan.get("unit_price") is not None:
        if any(item["type"] == "base" for _, item in prices):
            raise Invalid(
                "Give the base fee once: as unit_price, or as component base.", field=f"{path}unit_price"
            )
        if "base" not in by_type:
            by_type["base"] = _add_component(
                offering, "base", "Base fee", row.unit, "fixed", builtin=False, now=now
            )
        prices.insert(0, (f"{path}unit_price", {"type": "base", "price": plan["unit_price"]}))
    seen: set[str] = set()
    for field, item in prices:
        if item["type"] in seen:
            raise Invalid(f"The plan prices {item['type']} twice.", field=f"{field}.type")
        seen.add(item["type"])
        _price_component(row, item, by_type, field=field, now=now)
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
    require_chargeable_price(component, price, field=field)
    amount = int(price.model.amount) if isinstance(price.model, Fixed) else 0
    if amount > MAX_AMOUNT:
        raise Invalid(f"The amount may be at most {MAX_AMOUNT}.", field=f"{field}.amount")
    PlanComponent.objects.create(
        plan=plan,
        component=component,
        offering_id=plan.offering_id,
        amount=amount,
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
    if not (direct and permitted(actor, "offering.edit", provider_id=offering.customer_id)):
        require(actor, operation, provider_id=offering.customer_id)
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
    Raises NothingToPublish (409) without version or plan, CustomCodeNotAllowed (409), CustomerBlocked (409),
    Invalid (category) the first time without one.
    """
    require(actor, "agent.write", provider_id=agent.customer_id)
    agent = Agent.objects.select_for_update().get(pk=agent.pk)
    require_not_blocked(agent.customer)
    version = version or agent.latest_version
    if version is None:
        raise NothingToPublish(f"Import a flow into {agent.name} first.")
    _require_trust(agent, version)
    offering = Offering.objects.filter(agent=agent).first()
    if offering is None:
        offering = _first_publication(agent, actor=actor, now=now, category=category, details=details)
    elif category is not None:
        details["category"] = category
    for index, plan in enumerate(plans):
        _add_plan(offering, plan, actor=actor, now=now, path=f"plans[{index}].")
    if not offering.plans.filter(archived=False).exists():
        raise NothingToPublish(f"Give {agent.name} at least one plan.")
    details |= {"flow_version": version, "custom_code": version.trust != "known", "modified": now}
    Offering.objects.filter(pk=offering.pk).update(**details)
    offering.refresh_from_db()
    audit.record(
        "offering.published",
        offering,
        actor=actor,
        now=now,
        after={"version": version.version, "custom_code": offering.custom_code},
    )
    if agent.state != agent_states.AgentState.PUBLISHED:
        transitions.move(
            agent,
            agent_states.AgentState.PUBLISHED,
            transitions=agent_states.TRANSITIONS,
            actor=actor,
            now=now,
            action="agent.published",
        )
    if settings.PROVIDER_PUBLISH == "direct" and offering.state == OfferingState.DRAFT:
        change_state(offering, "activate", actor=actor, now=now)
    return offering


def _require_trust(agent: Agent, version: FlowVersion) -> None:
    """Raise CustomCodeNotAllowed for a version that needs a permission its provider does not have (any more)."""
    if version.trust == "known" or agent.customer.custom_code_allowed:
        return
    nodes = [node["id"] for node in version.nodes if node["custom_code"] or node["capabilities"]]
    raise CustomCodeNotAllowed(
        f"Version {version.version} of {agent.name} needs permission for code of its own (nodes "
        f"{', '.join(nodes)}); an operator must allow it for {agent.customer.name}.",
        extra={"version": version.version, "nodes": nodes},
    )


def _first_publication(
    agent: Agent, *, actor: Actor, now: datetime, category: Category | None, details: Mapping[str, Any]
) -> Offering:
    """Create the agent's offering, in Draft and waiting for review where the installation asks for it."""
    if category is None:
        raise Invalid("Say in which category the agent is offered.", field="category")
    values = {"name": agent.name, "description": agent.description, **details}
    review = "pending" if settings.PROVIDER_PUBLISH == "review" else ""
    return _insert(
        Offering(
            customer=agent.customer, category=category, type=AGENT_TYPE, agent=agent, review=review, **values
        ),
        actor=actor,
        now=now,
    )


def require_orderable(offering: Offering, plan: Plan | None) -> None:
    """Raise Conflict (409 not_orderable) unless the offering can be ordered now."""
    if offering.state != OfferingState.ACTIVE or plan is None:
        raise Conflict(
            f"{offering.name} cannot be ordered now.", code="not_orderable", extra={"state": offering.state}
        )
