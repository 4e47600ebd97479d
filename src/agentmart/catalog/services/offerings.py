"""Writes: offerings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from agentmart.catalog.models import AGENT_TYPE, Category, Offering, OfferingPrivate, PlanComponent
from agentmart.catalog.services.components import (
    apply_limits,
    insert_builtin_components,
    insert_components,
)
from agentmart.catalog.services.plans import insert_plan
from agentmart.catalog.services.removing import HasDependents, remove
from agentmart.catalog.services.shelves import change_row, register_provider
from agentmart.catalog.states import OfferingState
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.identity.services import require_not_blocked
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Forbidden, Invalid
from agentmart.kit.ids import new_id

PRIVATE = frozenset({"secret_options", "service_attributes", "backend_id_rules"})
SECRET = frozenset({"secret_options", "service_attributes"})


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
    limits: Mapping[str, Any] | None = None,
    **details: Any,
) -> Offering:
    """Add an offering in Draft with its components and plans; raises Forbidden, Invalid, CustomerBlocked (409)."""
    require(actor, "offering.create", provider_id=customer.id)
    private = {key: details.pop(key) for key in PRIVATE & set(details)}
    if SECRET & set(private):
        require(actor, "offering.secrets", provider_id=customer.id)
    require_not_blocked(customer)
    offering = insert_offering(
        Offering(customer=customer, category=category, name=name, type=type, **details),
        actor=actor,
        now=now,
        private=private,
    )
    insert_components(offering, components, now=now)
    apply_limits(offering, limits or {}, now=now)
    for index, plan in enumerate(plans):
        insert_plan(offering, plan, actor=actor, now=now, path=f"plans[{index}].")
    return offering


def insert_offering(
    offering: Offering, *, actor: Actor, now: datetime, private: Mapping[str, Any] | None = None
) -> Offering:
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
    OfferingPrivate.objects.create(offering=offering, customer_id=offering.customer_id, **(private or {}))
    after = {"name": offering.name, "type": offering.type}
    audit.record("offering.created", offering, actor=actor, now=now, after=after)
    if offering.type == AGENT_TYPE:
        insert_builtin_components(offering, now=now)
    return offering


@transaction.atomic
def update_offering(
    offering: Offering, changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> Offering:
    """Change what an offering says; raises Forbidden (secrets, slug), Invalid (a slug in use).

    The audit log holds what was before and after, of secrets only that they changed.
    """
    require(actor, "offering.edit", provider_id=offering.customer_id)
    private = {key: changes[key] for key in PRIVATE & set(changes)}
    plain = {key: value for key, value in changes.items() if key not in PRIVATE}
    if SECRET & set(private):
        require(actor, "offering.secrets", provider_id=offering.customer_id)
    if "slug" in plain and plain["slug"] != offering.slug:
        _require_free_slug(offering, plain["slug"], actor=actor)
    change_row(offering, plain, action="offering.updated", actor=actor, now=now)
    if private:
        OfferingPrivate.objects.filter(pk=offering.pk).update(**private)
        after = {"changed": sorted(private)}
        audit.record("offering.private_part_updated", offering, actor=actor, now=now, after=after)
    return offering


def _require_free_slug(offering: Offering, slug: str, *, actor: Actor) -> None:
    """Raise Forbidden for all but staff, Invalid for a slug that another offering has."""
    if not actor.system and "staff" not in actor.operator_roles:
        raise Forbidden("Only staff may change slug.", extra={"field": "slug"})
    if Offering.objects.filter(slug=slug).exclude(pk=offering.pk).exists():
        raise Invalid("Another offering has this slug.", field="slug")


@transaction.atomic
def delete_offering(offering: Offering, *, actor: Actor, now: datetime) -> None:
    """Remove a draft that nobody ordered; raises Forbidden, HasDependents (409)."""
    require(actor, "offering.create", provider_id=offering.customer_id)
    if offering.state != OfferingState.DRAFT:
        raise HasDependents(
            f"Only a Draft can be deleted; archive {offering.name} instead.",
            extra={"state": str(offering.state)},
        )
    before = snapshot(offering, "name", "type", "slug")
    audit.record("offering.deleted", offering, actor=actor, now=now, before=before)
    PlanComponent.objects.filter(offering=offering).delete()  # prices hold on to what they price
    remove(offering, because=f"{offering.name} was ordered; archive it instead.")
