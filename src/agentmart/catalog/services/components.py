"""Writes: what an offering measures or charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from agentmart.catalog.models import Offering, OfferingComponent, PlanComponent
from agentmart.catalog.services.removing import HasDependents, remove
from agentmart.catalog.services.shelves import change_row
from agentmart.identity.permissions import require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Invalid

BUILTIN_COMPONENTS = (
    ("base", "Base fee", "month", "fixed"),
    ("requests", "Requests", "request", "usage"),
    ("input_tokens", "Input tokens", "token", "usage"),
    ("output_tokens", "Output tokens", "token", "usage"),
)
"""What every agent charges and measures; the gateway feeds the usage."""

LIMIT_KEYS = {
    "min": "min_value",
    "max": "max_value",
    "max_available_limit": "max_available_limit",
    "default": "default_limit",
    "default_limit": "default_limit",
    "min_value": "min_value",
    "max_value": "max_value",
}
"""How a component's bounds are named in an offering's `limits`, and their columns."""


def insert_component(
    offering: Offering, values: Mapping[str, Any], *, builtin: bool = False, now: datetime
) -> OfferingComponent:
    """Write one component row."""
    return OfferingComponent.objects.create(
        offering=offering, is_builtin=builtin, created=now, modified=now, **values
    )


def insert_builtin_components(offering: Offering, *, now: datetime) -> None:
    """Write the components that every agent has."""
    for kind, name, unit, billing_type in BUILTIN_COMPONENTS:
        values = {"type": kind, "name": name, "measured_unit": unit, "billing_type": billing_type}
        insert_component(offering, values, builtin=True, now=now)


def insert_components(offering: Offering, components: Sequence[Mapping[str, Any]], *, now: datetime) -> None:
    """Write the components that an offering brings besides the built-in ones; raises Invalid for one named twice."""
    taken = set(offering.components.values_list("type", flat=True))
    for index, component in enumerate(components):
        kind = component["type"]
        path = f"components[{index}]."
        if kind in taken:
            raise Invalid(f"The offering has a component {kind} already.", field=f"{path}type")
        taken.add(kind)
        check_bounds(component, path=path)
        insert_component(offering, component, now=now)


def apply_limits(offering: Offering, limits: Mapping[str, Any], *, now: datetime) -> None:
    """Set the bounds of components by type (`limits` of an offering); raises Invalid naming type and key."""
    known = {component.type: component for component in offering.components.all()}
    for kind, bounds in limits.items():
        component = known.get(kind)
        if component is None:
            shown = ", ".join(sorted(known)) or "none"
            raise Invalid(f"The offering has no component {kind}; it has {shown}.", field=f"limits.{kind}")
        for key, value in bounds.items():
            setattr(component, LIMIT_KEYS[key], value)
        check_bounds(snapshot_bounds(component), path=f"limits.{kind}.")
        component.modified = now
        component.save(update_fields=[*{LIMIT_KEYS[key] for key in bounds}, "modified"])


def snapshot_bounds(component: OfferingComponent) -> dict[str, Any]:
    """Return the bounds of a component."""
    return {name: getattr(component, name) for name in set(LIMIT_KEYS.values())}


def check_bounds(values: Mapping[str, Any], *, path: str = "") -> None:
    """Raise Invalid where a component's smallest value is above its largest, or the default outside."""
    low, high, default = values.get("min_value"), values.get("max_value"), values.get("default_limit")
    if low is not None and high is not None and low > high:
        raise Invalid("The smallest value is above the largest.", field=f"{path}min_value")
    if default is not None and ((low is not None and default < low) or (high is not None and default > high)):
        raise Invalid("The default is outside the smallest and largest value.", field=f"{path}default_limit")


@transaction.atomic
def add_component(
    offering: Offering, values: Mapping[str, Any], *, actor: Actor, now: datetime
) -> OfferingComponent:
    """Add a component to an offering; raises Forbidden, Invalid for a type it has."""
    require(actor, "plan.write", provider_id=offering.customer_id)
    check_bounds(values)
    try:
        with transaction.atomic():
            component = insert_component(offering, values, now=now)
    except IntegrityError as error:
        if "offering_component_type_once" not in str(error):
            raise
        raise Invalid(f"The offering has a component {values['type']} already.", field="type") from None
    audit.record(
        "offering.component_added",
        component,
        actor=actor,
        now=now,
        customer_id=offering.customer_id,
        after={"type": component.type, "billing_type": component.billing_type},
    )
    return component


@transaction.atomic
def update_component(
    component: OfferingComponent, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> OfferingComponent:
    """Change a component; raises Forbidden, Invalid, HasDependents (409) for how a charged one is billed.

    The type never changes where prices exist; type and way of billing of built-in ones never do.
    """
    require(actor, "offering.edit", provider_id=component.offering.customer_id)
    check_bounds({**snapshot_bounds(component), **changes})
    fixed = {"type", "billing_type", "limit_period"}
    moved = {
        name: changes[name] for name in fixed & set(changes) if changes[name] != getattr(component, name)
    }
    if moved and (component.is_builtin or _priced(component)):
        named = ", ".join(sorted(moved))
        raise HasDependents(f"{component.name} is built in or has prices; its {named} cannot change.")
    if "type" in moved and component.offering.components.filter(type=moved["type"]).exists():
        raise Invalid(f"The offering has a component {moved['type']} already.", field="type")
    change_row(component, changes, action="offering.component_updated", actor=actor, now=now)
    return component


def _priced(component: OfferingComponent) -> bool:
    """Return whether a plan has a price for the component."""
    return PlanComponent.objects.filter(component=component).exists()


def _charged(component: OfferingComponent) -> bool:
    """Return whether a resource ever ran, or an order was placed, under a plan that prices the component."""
    with tenancy.elevated():
        plans = PlanComponent.objects.filter(component=component)
        return (
            plans.filter(plan__resources__isnull=False).exists()
            or plans.filter(plan__orders__isnull=False).exists()
            or plans.filter(plan__offering__resources__plan_periods__plan=F("plan")).exists()
        )


@transaction.atomic
def remove_component(component: OfferingComponent, *, actor: Actor, now: datetime) -> None:
    """Take a component and its prices off an offering; raises Forbidden, HasDependents (409) once charged."""
    offering = component.offering
    require(actor, "offering.edit", provider_id=offering.customer_id)
    if component.is_builtin:
        raise HasDependents(f"{component.name} is built in; every agent has it.")
    if _charged(component):
        raise HasDependents(f"{component.name} has been sold; archive the plans that price it instead.")
    audit.record(
        "offering.component_removed",
        component,
        actor=actor,
        now=now,
        customer_id=offering.customer_id,
        before=snapshot(component, "type", "billing_type"),
    )
    PlanComponent.objects.filter(component=component).delete()
    remove(component, because=f"{component.name} has been sold; archive the plans that price it instead.")
