"""Writes: customers, their details, limits, block and end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Model, ProtectedError

from agentmart.identity import quotas
from agentmart.identity.models import Customer, Quota
from agentmart.identity.permissions import permitted, require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.kit.errors import Conflict, Forbidden, NotFound


class CustomerBlocked(Conflict):
    """The customer is blocked: nothing new until an operator unblocks it."""

    code = "customer_blocked"

    def __init__(self, customer: Customer) -> None:
        super().__init__(f"{customer.name} is blocked; an operator must unblock it first.")


class CustomerArchived(Conflict):
    """The customer is kept for its past: what runs goes on, nothing new begins."""

    code = "customer_archived"

    def __init__(self, customer: Customer) -> None:
        super().__init__(f"{customer.name} is archived; an operator must take it out of the archive first.")


class HasDependents(Conflict):
    """Other rows stand on this one; `extra` counts them by kind."""

    code = "has_dependents"


def require_not_blocked(customer: Customer) -> None:
    """Raise CustomerBlocked or CustomerArchived (409) for a customer that begins nothing new."""
    if customer.blocked:
        raise CustomerBlocked(customer)
    if customer.archived:
        raise CustomerArchived(customer)


def lock_customer(customer_id: UUID) -> Customer:
    """Return the customer as it is until the transaction ends: nobody blocks it or adds people meanwhile.

    Raises NotFound where it has been deleted since it was read.
    """
    with tenancy.elevated():
        found = Customer.objects.select_for_update(no_key=True).filter(pk=customer_id).first()
    if found is None:
        raise NotFound("This customer does not exist any more.")
    return found


@transaction.atomic
def create_customer(
    *,
    actor: Actor,
    now: datetime,
    name: str,
    limits: Mapping[str, int] | None = None,
    **details: Any,
) -> Customer:
    """Register an organization, its quotas unlimited but for `limits`; raises Forbidden unless staff."""
    require(actor, "customer.create")
    details.setdefault("accounting_start_date", now)
    customer = Customer.objects.create(name=name, created=now, modified=now, **details)
    quotas.open_for(customer.id, now=now)
    quotas.set_limits(customer.id, limits or {}, now=now)
    audit.record(
        "customer.created",
        customer,
        actor=actor,
        now=now,
        customer_id=customer.id,
        after={**snapshot(customer, "name", *details), **(limits or {})},
    )
    return customer


BILLING_FIELDS = frozenset(
    {
        "email",
        "country",
        "vat_code",
        "registration_code",
        "address",
        "street",
        "city",
        "postal",
        "phone_number",
        "contact_details",
        "notification_emails",
        "bank_name",
        "bank_account",
    }
)
"""What finance may change too."""
PLAIN_FIELDS = frozenset({"name", "native_name", "abbreviation", "description", "homepage"})
TAX_FIELDS = frozenset({"default_tax_percent"})


@transaction.atomic
def update_customer(
    customer: Customer,
    changes: Mapping[str, Any],
    *,
    limits: Mapping[str, int] | None = None,
    actor: Actor,
    now: datetime,
) -> Customer:
    """Change a customer's details and limits; what has its old value may be named by everybody who may edit.

    Raises Forbidden naming the first field this actor may not change, Conflict for a currency that invoices carry.
    `blocked` is `access`'s to pass on to the customer's keys.
    """
    require(actor, "customer.edit", customer_id=customer.id)
    changed = {name: value for name, value in changes.items() if getattr(customer, name) != value}
    held = dict(Quota.objects.filter(customer=customer).values_list("name", "limit"))
    moved = {name: limit for name, limit in (limits or {}).items() if held.get(name) != limit}
    for name in [*sorted(changed), *(["quotas"] if moved else [])]:
        _require_field(name, customer, actor)
    if "currency" in changed:
        _require_no_invoice(customer)
    blocked = changed.pop("blocked", None)
    if changed or moved:
        before = snapshot(customer, *changed) | {name: held.get(name) for name in moved}
        for name, value in changed.items():
            setattr(customer, name, value)
        customer.modified = now
        customer.save(update_fields=[*changed, "modified"])
        quotas.set_limits(customer.id, moved, now=now)
        after = snapshot(customer, *changed) | moved
        audit.record(
            "customer.updated",
            customer,
            actor=actor,
            now=now,
            customer_id=customer.id,
            before=before,
            after=after,
        )
    if blocked is not None:
        set_blocked(customer, blocked, reason="", actor=actor, now=now)
    return customer


def _require_field(name: str, customer: Customer, actor: Actor) -> None:
    """Raise Forbidden, naming the field, unless the actor may change it."""
    if name in BILLING_FIELDS:
        return
    if name in PLAIN_FIELDS:
        operation, who = "customer.edit_plain_fields", "staff and the owner"
    elif name in TAX_FIELDS:
        operation, who = "customer.edit_tax", "staff and finance"
    else:
        operation, who = "customer.edit_staff_fields", "staff"
    if not permitted(actor, operation, customer_id=customer.id):
        raise Forbidden(f"Only {who} may change {name}.", extra={"field": name})


def _require_no_invoice(customer: Customer) -> None:
    """Raise Conflict once the customer has an invoice: its currency stays what the first one says."""
    if Customer.objects.filter(pk=customer.pk, invoices__isnull=False).exists():
        raise Conflict(
            f"{customer.name} has invoices in {customer.currency}; its currency stays.",
            code="has_invoices",
            extra={"field": "currency"},
        )


@transaction.atomic
def set_blocked(customer: Customer, blocked: bool, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Block or unblock a customer; returns whether that changed anything. Its keys are `access`'s to flip."""
    require(actor, "customer.block", customer_id=customer.id)
    values = {"blocked": blocked, "blocked_reason": reason if blocked else "", "modified": now}
    moved = Customer.objects.filter(pk=customer.pk, blocked=not blocked).update(**values)
    customer.refresh_from_db()
    if moved:
        action = "customer.blocked" if blocked else "customer.unblocked"
        audit.record(
            action, customer, actor=actor, now=now, customer_id=customer.id, after={"reason": reason}
        )
    return bool(moved)


@transaction.atomic
def delete_customer(customer: Customer, *, actor: Actor, now: datetime) -> None:
    """Remove a customer that nothing stands on, with its roles and invitations.

    Raises Forbidden, HasDependents (409) with projects, invoices, agents …, Conflict for the operator's own.
    """
    require(actor, "customer.delete", customer_id=customer.id)
    if customer.is_operator:
        raise Conflict("The operator's own customer stays.", code="has_dependents")
    Customer.objects.select_for_update().filter(pk=customer.pk).first()
    audit.record(
        "customer.deleted",
        customer,
        actor=actor,
        now=now,
        customer_id=customer.id,
        before=snapshot(customer, "name"),
    )
    delete_unless_needed(customer)


def delete_unless_needed(row: Model) -> None:
    """Delete a row with all that belongs to it; raises HasDependents (409) where others stand on it."""
    try:
        with transaction.atomic():
            row.delete()
    except ProtectedError as error:
        kinds = Counter(str(item._meta.verbose_name_plural) for item in error.protected_objects)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise HasDependents(f"{row} still has {told}.", extra={"dependents": dict(kinds)}) from None
