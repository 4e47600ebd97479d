"""Writes: drafts, finalized invoices, closed months."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from agentmart.billing import selectors
from agentmart.billing.invoicing import Line, tax_of, unit_price_of
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem
from agentmart.billing.services.locks import lock
from agentmart.billing.services.payments import settle
from agentmart.billing.states import FINAL, TRANSITIONS, InvoiceState, MonthState
from agentmart.billing.waterfall import total
from agentmart.catalog.price_json import price_to_json
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.identity.selectors import operator_customer
from agentmart.infra import audit, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict, DomainError, Invalid
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period
from agentmart.kit.periods import month as calendar_month

logger = logging.getLogger("agentmart.billing")

FIRST_YEAR = 2000


class NothingToInvoice(Conflict):
    """The customer has no charges in the month."""

    code = "nothing_to_invoice"


@dataclass(frozen=True, slots=True)
class Billing:
    """A month's invoices, one per currency, the customer's own currency first; `created`: some are new."""

    invoices: list[Invoice]
    created: bool


@dataclass(slots=True)
class Closing:
    """What a run over all due months did; `failures` are (customer, first day, why)."""

    prepared: int = 0
    finalized: int = 0
    failures: list[tuple[UUID, date, str]] = field(default_factory=list)


@transaction.atomic
def generate_invoice(customer: Customer, year: int, month: int, *, actor: Actor, now: datetime) -> Billing:
    """Bill a customer's month (UTC): a live draft, a draft in its grace, or the numbered final invoice.

    A draft is recalculated, a final invoice returned as it is. Raises Forbidden, Invalid for a month that has not
    begun, NothingToInvoice, UnsupportedPlan, Unbillable (409).
    """
    require(actor, "invoice.write", customer_id=customer.id)
    if not FIRST_YEAR <= year <= now.year + 1:
        raise Invalid(f"Give a year from {FIRST_YEAR} to this one.", field="year")
    if not 1 <= month <= 12:
        raise Invalid("Give a month from 1 to 12.", field="month")
    period = calendar_month(year, month)
    if period.start > now:
        raise Invalid(f"{year}-{month:02d} has not begun; there is nothing to bill.", field="month")
    billing = _bill_month(customer, period, actor=actor, now=now)
    if not billing.invoices:
        raise NothingToInvoice(f"{customer.name} has no charges in {year}-{month:02d}.")
    return billing


def close_periods(*, now: datetime) -> Closing:
    """Prepare every month that is over and finalize every one whose grace has passed; safe to run at any time.

    One transaction per customer and month. A month that cannot be billed is logged and reported, the others go on.
    """
    done = Closing()
    with tenancy.as_system("billing.close_periods"):
        due = selectors.due_months(now=now, grace=_grace())
    for customer_id, first_day in due:
        try:
            with tenancy.as_system("billing.close_periods") as actor:
                period = calendar_month(first_day.year, first_day.month)
                _bill_month(Customer.objects.get(pk=customer_id), period, actor=actor, now=now)
        except Exception as error:  # noqa: BLE001 - outermost of one customer's month: no flaw may hold up the others
            done.failures.append((customer_id, first_day, _log_failure(customer_id, first_day, error)))
            continue
        if _state_at(period, now) == InvoiceState.CREATED:
            done.finalized += 1
        else:
            done.prepared += 1
    return done


def _log_failure(customer_id: UUID, first_day: date, error: Exception) -> str:
    """Log why a month cannot be billed and return it; what is not a refusal is a flaw and comes with its traceback."""
    refusal = error if isinstance(error, DomainError) else None
    reason = refusal.message if refusal else f"{type(error).__name__}: {error}"
    logger.log(
        logging.WARNING if refusal else logging.ERROR,
        "month cannot be billed",
        exc_info=None if refusal else error,
        extra={
            "customer_id": customer_id.hex,
            "month": f"{first_day:%Y-%m}",
            "code": refusal.code if refusal else "error",
            "reason": reason,
        },
    )
    return reason


def _bill_month(customer: Customer, period: Period, *, actor: Actor, now: datetime) -> Billing:
    """Bring the month's invoices to what they are to be at `now`; one at a time per customer."""
    lock(f"billing.customer:{customer.pk}")
    first_day = period.start.date()
    note = BilledMonth.objects.filter(customer=customer, first_day=first_day).first()
    existing = list(Invoice.objects.filter(customer=customer, year=first_day.year, month=first_day.month))
    if note is not None and note.state == MonthState.CLOSED:
        return Billing(_ordered(existing, customer), created=False)
    target = _state_at(period, now)
    lines = selectors.charges(customer.id, period)
    drafts = {invoice.currency: invoice for invoice in existing}
    currencies = {line.plan.currency: None for line in lines}
    invoices = []
    for currency in currencies:
        invoice = drafts.pop(currency, None) or _new_draft(customer, period, currency, actor=actor, now=now)
        _write_lines(invoice, [line for line in lines if line.plan.currency == currency], now=now)
        invoices.append(invoice)
    for emptied in drafts.values():
        emptied.delete()
    for invoice in _ordered(invoices, customer):
        _advance(invoice, target, actor=actor, now=now)
    if target != InvoiceState.PENDING:
        _note_month(customer, first_day, target, len(lines), now=now)
    known = {invoice.pk for invoice in existing}
    return Billing(_ordered(invoices, customer), created=any(invoice.pk not in known for invoice in invoices))


def _state_at(period: Period, now: datetime) -> InvoiceState:
    """Return what an invoice of the period is at a moment: live draft, draft in its grace, final."""
    if now < period.end:
        return InvoiceState.PENDING
    return InvoiceState.PENDING_FINALIZATION if now < period.end + _grace() else InvoiceState.CREATED


def _grace() -> timedelta:
    return timedelta(seconds=settings.INVOICE_GRACE_SECONDS)


def _ordered(invoices: Iterable[Invoice], customer: Customer) -> list[Invoice]:
    return sorted(invoices, key=lambda row: (row.currency != customer.currency, row.currency))


def _new_draft(customer: Customer, period: Period, currency: str, *, actor: Actor, now: datetime) -> Invoice:
    issuer = operator_customer()
    invoice = Invoice.objects.create(
        customer=customer,
        customer_details=_party(customer),
        issuer_id=issuer.id,
        issuer_details=_party(issuer),
        year=period.start.year,
        month=period.start.month,
        currency=currency,
        created=now,
        modified=now,
    )
    after = {"month": f"{period.start:%Y-%m}", "currency": currency}
    audit.record("invoice.drafted", invoice, actor=actor, now=now, after=after)
    return invoice


def _party(customer: Customer) -> dict[str, str]:
    """Return a side of the invoice as it is printed."""
    return {
        "uuid": customer.uuid,
        "name": customer.name,
        "email": customer.email,
        "address": customer.address,
        "country": customer.country,
        "vat_code": customer.vat_code,
    }


def _write_lines(invoice: Invoice, lines: Sequence[Line], *, now: datetime) -> None:
    """Replace a draft's lines and its sums."""
    InvoiceItem.objects.filter(invoice=invoice).delete()
    items = [_item(invoice, position, line, now=now) for position, line in enumerate(lines, 1)]
    InvoiceItem.objects.bulk_create(items, batch_size=1000)
    invoice.price = total(item.price for item in items)
    invoice.tax = total(item.tax for item in items)
    invoice.total = total(item.total for item in items)
    invoice.customer_details = _party(invoice.customer)
    invoice.issuer_details = _party(operator_customer())
    invoice.modified = now
    invoice.save(update_fields=["price", "tax", "total", "customer_details", "issuer_details", "modified"])


def _item(invoice: Invoice, position: int, line: Line, *, now: datetime) -> InvoiceItem:
    resource, plan, component = line.resource, line.plan, line.component
    tax = tax_of(line.amount, invoice.customer.default_tax_percent, plan.currency)
    return InvoiceItem(
        invoice=invoice,
        position=position,
        customer_id=invoice.customer_id,
        provider_customer_id=resource.provider_customer_id,
        project_id=resource.project_id,
        project_name=resource.project_name,
        resource_id=resource.id,
        resource_name=resource.name,
        offering_id=resource.offering_id,
        offering_name=resource.offering_name,
        plan_id=plan.id,
        plan_name=plan.name,
        component_type=component.type,
        name=line.name,
        billing_type=component.billing_type,
        measured_unit=component.measured_unit,
        unit=line.unit,
        quantity=line.units,
        currency=plan.currency,
        unit_price=unit_price_of(line.price),
        price=line.amount,
        tax=tax,
        total=CONTEXT.add(line.amount, tax),
        usage_month=line.month.start.date(),
        start=line.period.start,
        end=line.period.end,
        late=line.late,
        details=_details(line),
        created=now,
        modified=now,
    )


def _details(line: Line) -> dict[str, Any]:
    """Return what explains the line: names, the price as it was, the steps, the share of the period."""
    resource, plan, component = line.resource, line.plan, line.component
    return {
        "offering_uuid": resource.offering_id.hex,
        "offering_name": resource.offering_name,
        "offering_type": resource.offering_type,
        "offering_component_type": component.type,
        "offering_component_name": component.name,
        "plan_uuid": plan.id.hex,
        "plan_name": plan.name,
        "plan_component_id": component.id.hex,
        "resource_uuid": resource.id.hex,
        "resource_name": resource.name,
        "service_provider_uuid": resource.service_provider_id.hex,
        "service_provider_name": resource.service_provider_name,
        "article_code": component.article_code,
        "price": price_to_json(line.price),
        "steps": [step.to_json() for step in line.rated.steps],
        "tiers": [step.to_json() for step in line.rated.steps if step.tier is not None],
        "proration": (
            {"used_seconds": line.share.used, "full_seconds": line.share.full}
            if line.share is not None
            else None
        ),
    }


def _advance(invoice: Invoice, target: InvoiceState, *, actor: Actor, now: datetime) -> None:
    """Move a draft towards its target; the number is given with the last step, so that none is ever lost."""
    if target != InvoiceState.PENDING and invoice.state == InvoiceState.PENDING:
        transitions.move(
            invoice,
            InvoiceState.PENDING_FINALIZATION,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="invoice.month_ended",
        )
    if target != InvoiceState.CREATED:
        return
    lock(f"billing.issuer:{invoice.issuer_id}")
    issued = Invoice.objects.filter(issuer_id=invoice.issuer_id, state__in=FINAL)
    transitions.move(
        invoice,
        InvoiceState.CREATED,
        transitions=TRANSITIONS,
        actor=actor,
        now=now,
        action="invoice.finalized",
        number=(issued.aggregate(last=Max("number"))["last"] or 0) + 1,
        invoice_date=now.date(),
        due_date=now.date() + timedelta(days=settings.INVOICE_DUE_DAYS),
        finalized_at=now,
    )
    if not invoice.total:
        settle(invoice, invoice.amount_paid, now.date(), actor=actor, now=now)


def _note_month(
    customer: Customer, first_day: date, target: InvoiceState, lines: int, *, now: datetime
) -> None:
    """Note how far the month is billed, so that nobody has to look at it again."""
    closed = target == InvoiceState.CREATED
    values = {
        "state": MonthState.CLOSED if closed else MonthState.PREPARED,
        "lines": lines if closed else 0,
        "modified": now,
    }
    BilledMonth.objects.update_or_create(
        customer=customer, first_day=first_day, defaults=values, create_defaults={**values, "created": now}
    )
