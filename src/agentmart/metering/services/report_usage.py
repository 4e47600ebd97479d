"""Writes: usage that people report, as difference events behind a monthly sum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from agentmart.catalog.models import OfferingComponent
from agentmart.identity.permissions import permitted, require
from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, Invalid
from agentmart.kit.money import CONTEXT, decimal_text
from agentmart.metering import selectors
from agentmart.metering.dates import ReportDate, check_date, limit_window
from agentmart.metering.models import ComponentEvent, ComponentUsage, ComponentUserUsage
from agentmart.metering.services.booking import Entry, book, lock, monthly
from agentmart.resources.models import PlanPeriod, Resource

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

    Counted for the plan in force then, beside what other plans of the month hold already; `period`: the total of its
    plan alone. Raises what `check_may_report` does; Invalid for a
    wrong component, a date outside of what may be reported, or a total above the component's limit.
    """
    require(actor, "usage.report", provider_id=resource.provider_customer_id)
    names = selectors.ComponentNames(resource.offering_id)
    _check_not_metered(names, [report.component for report in reports], actor=actor)
    _check_date(resource, when, actor=actor, now=now)
    if period is not None and not _overlaps(period, when):
        raise Invalid("The plan was not in force in that month.", field="date")
    plan_id = period.plan_id if period else selectors.plan_at(resource, when.moment, whole_day=when.whole_day)
    lock(resource)
    wanted: list[tuple[OfferingComponent, Report, str]] = []
    for index, report in enumerate(reports):
        component = _component(
            names, report.component, (plan_id, resource.plan_id), field=f"usages[{index}].type"
        )
        if any(component.pk == other.pk for other, *_ in wanted):
            raise Invalid(f"{component.type} is reported twice.", field=f"usages[{index}].type")
        wanted.append((component, report, f"usages[{index}].amount"))
    booked = []
    for component, report, field in wanted:
        usage = monthly(resource, component, plan_id, when.month, now=now)
        before = selectors.total_of(usage)
        rest = report.amount if period else _rest(usage, report.amount, field=field)
        entry = Entry("month", CONTEXT.subtract(rest, before), when, report.description, report.policy)
        book(usage, component, before, entry, actor=actor, now=now, field=field)
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
    lock(resource)
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
    of_day = set() if transaction_id else selectors.plans_on(resource, moment.day)
    component = _component(names, component_name, {plan_id, resource.plan_id, *of_day}, field="component")
    if not transaction_id:
        if named is not None and named.plan_id in of_day:
            plan_id = named.plan_id
        day = _Day(resource, component, plan_id, moment)
        return day.set(amount, description, actor=actor, now=now), False
    usage = monthly(resource, component, plan_id, moment.month, now=now)
    entry = Entry("add", amount, moment, description, None, transaction_id, payload)
    book(usage, component, selectors.total_of(usage), entry, actor=actor, now=now, field="usage")
    return usage, False


class _Day:
    """A calendar day of one component: its amount is counted over all plans the resource had in the month.

    So a report that is repeated after a switch of plans changes nothing.
    """

    def __init__(
        self, resource: Resource, component: OfferingComponent, plan_id: UUID | None, when: ReportDate
    ) -> None:
        rows = selectors.rows_of_month(resource, component.type, when.month)
        rows.sort(key=lambda row: row.plan_id != plan_id)  # the plan in force at that time comes first
        self.held = [(row, selectors.day_of(row, when.day)) for row in rows]
        self.resource, self.component, self.plan_id, self.when = resource, component, plan_id, when

    def set(self, amount: Decimal, description: str, *, actor: Actor, now: datetime) -> ComponentUsage:
        """Make the day come to `amount`; what is missing goes to the plan in force, what is too much is taken back."""
        difference = CONTEXT.subtract(amount, sum((held for _, held in self.held), Decimal(0)))
        parts = self._less(-difference) if self.held and difference <= 0 else []
        if not parts:
            row = monthly(self.resource, self.component, self.plan_id, self.when.month, now=now)
            parts = [(row, difference)]
        for row, part in parts:
            entry = Entry("day", part, self.when, description)
            book(row, self.component, selectors.total_of(row), entry, actor=actor, now=now, field="usage")
        return parts[0][0]

    def _less(self, over: Decimal) -> list[tuple[ComponentUsage, Decimal]]:
        """Return what is taken from which row: first from the plan in force, then from later plans before earlier."""
        parts = []
        for row, held in self.held:
            if held <= 0:
                continue
            taken = min(over, held)
            over = CONTEXT.subtract(over, taken)
            parts.append((row, -taken))
            if not over:
                break
        return parts


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


def _check_date(resource: Resource, when: ReportDate, *, actor: Actor, now: datetime) -> None:
    check_date(
        when,
        now=now,
        activated_at=resource.activated_at,
        ended_at=selectors.end_of_service(resource),
        any_past_day=permitted(actor, "usage.correct"),
    )


def _overlaps(period: PlanPeriod, when: ReportDate) -> bool:
    """Return whether the plan period and the report's month share a moment."""
    ended = period.end is not None and period.end.date() < when.month
    return not ended and period.start.date().replace(day=1) <= when.month


def _rest(usage: ComponentUsage, total: Decimal, *, field: str) -> Decimal:
    """Return what a row must hold so that the month comes to `total` over all plans; raises Invalid below zero."""
    elsewhere = selectors.used_elsewhere(usage, limit_window(usage.month, "month"))
    if total < elsewhere:
        raise Invalid(
            f"Another plan holds {decimal_text(elsewhere)} of that month; name its `plan_period` to correct it.",
            field=field,
        )
    return CONTEXT.subtract(total, elsewhere)


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
