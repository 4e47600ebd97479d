"""Writes: usage that people report, as difference events behind a monthly sum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agentmart.catalog.models import OfferingComponent
from agentmart.identity.permissions import permitted, require
from agentmart.infra import audit, tenancy
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.money import CONTEXT, decimal_text
from agentmart.metering import selectors
from agentmart.metering.dates import ReportDate, check_date, limit_window
from agentmart.metering.models import ComponentEvent, ComponentUsage, ComponentUserUsage
from agentmart.resources.models import PlanPeriod, Resource

MOST = Decimal(10) ** 20
REPORTED = ("usage", "limit")
"""Billing types whose usage is reported."""


class MeteredByGateway(Conflict):
    """The gateway meters the component; its provider reports no usage of it."""

    code = "metered_by_gateway"


class TransactionMismatch(Conflict):
    """The transaction id was used for another report."""

    code = "transaction_mismatch"


@dataclass(frozen=True, slots=True)
class Report:
    """The month's total of one component as it is reported; `policy` None leaves what stands."""

    component: str
    amount: Decimal
    description: str = ""
    policy: str | None = None


def check_may_report(resource: Resource, components: Iterable[str], *, actor: Actor) -> None:
    """Raise Forbidden, or MeteredByGateway (409) for a component that only operators may correct."""
    require(actor, "usage.report", provider_id=resource.provider_customer_id)
    _check_not_metered(selectors.ComponentNames(resource.offering_id), components, actor=actor)


def _check_not_metered(names: selectors.ComponentNames, components: Iterable[str], *, actor: Actor) -> None:
    if permitted(actor, "usage.correct"):
        return
    for name in components:
        named = names.find(name)
        if named is not None and selectors.is_metered(named.component):
            raise MeteredByGateway(
                f"The gateway meters {named.component.type}; ask an operator to correct it.",
                extra={"component": named.component.type},
            )


@transaction.atomic
def set_usage(
    resource: Resource,
    reports: Sequence[Report],
    *,
    actor: Actor,
    now: datetime,
    when: ReportDate,
    period: PlanPeriod | None = None,
) -> list[ComponentUsage]:
    """Make each report's amount the total of its component in the month of `when`; other components stay.

    Counted for the plan in force then, or for that of `period`. Raises what `check_may_report` does; Invalid for a
    wrong component, a date outside of what may be reported, or a total above the component's limit.
    """
    require(actor, "usage.report", provider_id=resource.provider_customer_id)
    names = selectors.ComponentNames(resource.offering_id)
    _check_not_metered(names, [report.component for report in reports], actor=actor)
    _check_date(resource, when, actor=actor, now=now)
    if period is not None and not _overlaps(period, when):
        raise Invalid("The plan was not in force in that month.", field="date")
    plan_id = period.plan_id if period else selectors.plan_at(resource, when.moment, whole_day=when.whole_day)
    _lock(resource)
    wanted = []
    for index, report in enumerate(reports):
        component = _component(
            names, report.component, (plan_id, resource.plan_id), field=f"usages[{index}].type"
        )
        if any(component.pk == other.pk for other, *_ in wanted):
            raise Invalid(f"{component.type} is reported twice.", field=f"usages[{index}].type")
        wanted.append((component, report, f"usages[{index}].amount"))
    booked = []
    for component, report, field in wanted:
        usage = _monthly(resource, component, plan_id, when.month, now=now)
        before = selectors.total_of(usage)
        entry = _Entry(
            "month", CONTEXT.subtract(report.amount, before), when, report.description, report.policy
        )
        _book(usage, component, before, entry, actor=actor, now=now, field=field)
        booked.append(usage)
    return booked


@transaction.atomic
def add_usage(
    resource: Resource,
    component_name: str,
    amount: Decimal,
    *,
    actor: Actor,
    now: datetime,
    when: ReportDate | None,
    transaction_id: str = "",
    description: str = "",
) -> tuple[ComponentUsage, bool]:
    """Report usage of one component; returns its month and whether the report had been booked before.

    With a `transaction_id` the amount is added, once; without it becomes the amount of that calendar day. Raises
    TransactionMismatch (409) for an id with another payload, and what `set_usage` does.
    """
    require(actor, "usage.report", provider_id=resource.provider_customer_id)
    names = selectors.ComponentNames(resource.offering_id)
    _check_not_metered(names, [component_name], actor=actor)
    _lock(resource)
    named = names.find(component_name)
    payload = _digest(named.component.type if named else component_name, amount, when, description)
    if transaction_id and (known := _booked(resource, transaction_id)) is not None:
        if known.payload_sha256 != payload:
            raise TransactionMismatch(
                f"Transaction {transaction_id} was booked with other values; take another id for another report.",
                extra={"transaction_id": transaction_id},
            )
        return known.usage, True
    moment = when or ReportDate(now)
    _check_date(resource, moment, actor=actor, now=now)
    plan_id = selectors.plan_at(resource, moment.moment, whole_day=moment.whole_day)
    component = _component(names, component_name, (plan_id, resource.plan_id), field="component")
    usage = _monthly(resource, component, plan_id, moment.month, now=now)
    before = selectors.total_of(usage)
    kind, difference = "add", amount
    if not transaction_id:
        kind, difference = "day", CONTEXT.subtract(amount, selectors.day_of(usage, moment.day))
    entry = _Entry(
        kind, difference, moment, description, None, transaction_id, payload if transaction_id else ""
    )
    _book(usage, component, before, entry, actor=actor, now=now, field="usage")
    return usage, False


@transaction.atomic
def set_user_usage(
    usage: ComponentUsage, *, actor: Actor, now: datetime, username: str, amount: Decimal
) -> ComponentUserUsage:
    """Note what one of the buyer's users had of a month's usage; raises Forbidden."""
    require(actor, "usage.report", provider_id=usage.provider_customer_id)
    row, created = ComponentUserUsage.objects.select_for_update().get_or_create(
        usage=usage,
        username=username,
        defaults={
            "customer_id": usage.customer_id,
            "provider_customer_id": usage.provider_customer_id,
            "amount": amount,
            "created": now,
            "modified": now,
        },
    )
    before = {} if created else {"amount": decimal_text(row.amount)}
    if not created:
        row.amount, row.modified = amount, now
        row.save(update_fields=["amount", "modified"])
    audit.record(
        "usage.user_reported",
        usage,
        actor=actor,
        now=now,
        before=before,
        after={"username": username, "amount": decimal_text(amount)},
    )
    return row


REUSED = """
SELECT u.id FROM metering_component_usage u
JOIN resources_plan_period p ON p.resource_id = u.resource_id AND p.plan_id = u.plan_id AND p."end" IS NULL
WHERE u.month = %(before)s AND u.missing_usage_policy = 'reuse' AND NOT u.metered
AND NOT EXISTS (
    SELECT 1 FROM metering_component_usage n WHERE n.resource_id = u.resource_id AND n.plan_id = u.plan_id
    AND n.component_type = u.component_type AND n.month = %(month)s
)
ORDER BY u.resource_id, u.id
"""


def carry_over(*, now: datetime) -> int:
    """Book last month's usage again where its report said so (`reuse`) and this month has none; returns how many."""
    month = now.date().replace(day=1)
    when = ReportDate(datetime(month.year, month.month, 1, tzinfo=now.tzinfo), whole_day=True)
    before = (
        month.replace(year=month.year - 1, month=12)
        if month.month == 1
        else month.replace(month=month.month - 1)
    )
    with tenancy.as_system("metering.carry_over") as actor, connection.cursor() as cursor:
        cursor.execute(REUSED, {"before": before, "month": month})
        ids = [row[0] for row in cursor.fetchall()]
        for last in (
            ComponentUsage.objects.filter(pk__in=ids).select_related("resource").order_by("resource_id", "id")
        ):
            _lock(last.resource)
            component = OfferingComponent.objects.filter(
                offering_id=last.offering_id, type=last.component_type
            ).first()
            if component is None:
                continue
            usage = _monthly(last.resource, component, last.plan_id, month, now=now)
            entry = _Entry("reuse", last.amount, when, last.description, "reuse")
            if not usage.reported_for:
                _book(usage, component, selectors.total_of(usage), entry, actor=actor, now=now, field="usage")
    return len(ids)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One difference about to be booked."""

    kind: str
    difference: Decimal
    when: ReportDate
    description: str
    policy: str | None = None
    transaction_id: str = ""
    payload: str = ""


def _check_date(resource: Resource, when: ReportDate, *, actor: Actor, now: datetime) -> None:
    check_date(
        when,
        now=now,
        activated_at=resource.activated_at,
        terminated_at=resource.terminated_at,
        any_past_day=permitted(actor, "usage.correct"),
    )


def _overlaps(period: PlanPeriod, when: ReportDate) -> bool:
    """Return whether the plan period and the report's month share a moment."""
    ended = period.end is not None and period.end.date() < when.month
    return not ended and period.start.date().replace(day=1) <= when.month


def _lock(resource: Resource) -> None:
    """Wait until no other report of the resource is being booked; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"metering.resource:{resource.pk}"]
        )


def _digest(component: str, amount: Decimal, when: ReportDate | None, description: str) -> str:
    """Return what tells one report from another under the same transaction id."""
    values = [component, decimal_text(amount), when.moment.isoformat() if when else None, description]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _booked(resource: Resource, transaction_id: str) -> ComponentEvent | None:
    return (
        ComponentEvent.objects.filter(resource_id=resource.pk, transaction_id=transaction_id)
        .select_related("usage")
        .first()
    )


def _component(
    names: selectors.ComponentNames, name: str, plans: Collection[UUID | None], *, field: str
) -> OfferingComponent:
    """Return the component that a report names; raises Invalid for none, one of another plan, or one without usage."""
    named = names.find(name)
    if named is None or (named.plan_id is not None and named.plan_id not in plans):
        raise Invalid(f"{name} is no component of the resource's plan.", field=field)
    component = named.component
    if component.billing_type not in REPORTED:
        raise Invalid(f"{component.type} is charged by {component.billing_type}, not by usage.", field=field)
    return component


def _monthly(
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


def _book(
    usage: ComponentUsage,
    component: OfferingComponent,
    before: Decimal,
    entry: _Entry,
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


def _event(usage: ComponentUsage, entry: _Entry, total: Decimal, *, actor: Actor, now: datetime) -> None:
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
