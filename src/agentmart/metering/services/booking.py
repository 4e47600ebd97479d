"""Booking a difference to a month's usage: the event, the monthly row, the component's limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from agentmart.catalog.models import OfferingComponent
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.kit.money import CONTEXT, decimal_text
from agentmart.metering import selectors
from agentmart.metering.dates import ReportDate, limit_window
from agentmart.metering.models import ComponentEvent, ComponentUsage
from agentmart.resources.models import Resource

MOST = Decimal(10) ** 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One difference about to be booked."""

    kind: str
    difference: Decimal
    when: ReportDate
    description: str
    policy: str | None = None
    transaction_id: str = ""
    payload: str = ""


def lock(resource: Resource) -> None:
    """Wait until no other report of the resource is being booked; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"metering.resource:{resource.pk}"]
        )


def monthly(
    resource: Resource, component: OfferingComponent, plan_id: UUID | None, month: date, *, now: datetime
) -> ComponentUsage:
    """Return the month's row of a component, new where there is none; raises Invalid without a plan."""
    if plan_id is None:
        raise Invalid("The resource has no plan that usage could be counted under.", field="resource")
    key: dict[str, Any] = {
        "resource": resource,
        "plan_id": plan_id,
        "component_type": component.type,
        "month": month,
    }
    found = ComponentUsage.objects.filter(**key).first()
    if found is not None:
        return found
    new = ComponentUsage(
        **key,
        offering_id=resource.offering_id,
        customer_id=resource.customer_id,
        provider_customer_id=resource.provider_customer_id,
        project_id=resource.project_id,
        component_name=component.name,
        measured_unit=component.measured_unit,
        metered=selectors.is_metered(component),
        amount=Decimal(0),
        created=now,
        modified=now,
    )
    # The gateway's first hour of the month may bring the row at the same moment.
    ComponentUsage.objects.bulk_create([new], ignore_conflicts=True)
    return ComponentUsage.objects.get(**key)


def book(
    usage: ComponentUsage,
    component: OfferingComponent,
    before: Decimal,
    entry: Entry,
    *,
    actor: Actor,
    now: datetime,
    field: str,
) -> None:
    """Book a difference to a month's usage; raises Invalid below zero, above what can be kept, or above the limit."""
    total = CONTEXT.add(before, entry.difference)
    if total < 0:
        raise Invalid(
            f"That would take the month's total below 0 (it is {decimal_text(before)}); set the total instead.",
            field=field,
        )
    if total >= MOST:
        raise Invalid("The month's total would have more than 20 digits.", field=field)
    if component.limit_amount is not None and entry.difference > 0:
        _check_limit(usage, component, total, field=field)
    if entry.difference or entry.transaction_id:
        _event(usage, entry, total, actor=actor, now=now)
    usage.amount = CONTEXT.add(usage.amount, entry.difference)
    usage.description = entry.description or usage.description
    usage.missing_usage_policy = entry.policy or usage.missing_usage_policy
    usage.component_name, usage.measured_unit = component.name, component.measured_unit
    usage.reported_for, usage.modified_by, usage.modified = entry.when.moment, actor.label, now
    usage.save()
    audit.record(
        "usage.reported",
        usage,
        actor=actor,
        now=now,
        before={"usage": decimal_text(before)},
        after={
            "usage": decimal_text(total),
            "component": usage.component_type,
            "month": f"{usage.month:%Y-%m}",
        },
    )


def _check_limit(usage: ComponentUsage, component: OfferingComponent, total: Decimal, *, field: str) -> None:
    """Raise Invalid where the resource would use more than the component's limit in the limit's period."""
    limit = component.limit_amount
    elsewhere = selectors.used_elsewhere(usage, limit_window(usage.month, component.limit_period))
    if limit is not None and CONTEXT.add(elsewhere, total) > limit:
        raise Invalid(
            f"{component.name} is limited to {decimal_text(limit)} per {component.limit_period or 'month'}; "
            f"with this report it would be {decimal_text(CONTEXT.add(elsewhere, total))}.",
            field=field,
        )


def _event(usage: ComponentUsage, entry: Entry, total: Decimal, *, actor: Actor, now: datetime) -> None:
    ComponentEvent.objects.create(
        usage=usage,
        customer_id=usage.customer_id,
        provider_customer_id=usage.provider_customer_id,
        resource_id=usage.resource_id,
        plan_id=usage.plan_id,
        component_type=usage.component_type,
        month=usage.month,
        day=entry.when.day,
        occurred_at=entry.when.moment,
        received_at=now,
        kind=entry.kind,
        amount=entry.difference,
        total=total,
        transaction_id=entry.transaction_id or None,
        payload_sha256=entry.payload,
        description=entry.description,
        reported_by=actor.label,
    )
