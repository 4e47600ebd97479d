"""Writes: what is noted on invoices, sending them, and canceling them by a credit note."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from agentmart.billing import selectors
from agentmart.billing.models import CreditNote, Invoice
from agentmart.billing.services.locks import lock
from agentmart.billing.states import TRANSITIONS, InvoiceState
from agentmart.identity.permissions import require
from agentmart.infra import audit, jobs, tenancy, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Conflict
from agentmart.kit.states import IllegalTransition, check_transition

SENDING_JOB = "billing.send_invoice"
SENT = (InvoiceState.CREATED, InvoiceState.PAID)
"""States in which an invoice is sent to its customer."""


class HasPayments(Conflict):
    """Money was received for the invoice, so that it cannot be canceled whole."""

    code = "has_payments"


class NoAddress(Conflict):
    """The customer has no e-mail address."""

    code = "no_email"


def check_cancelable(invoice: Invoice, *, actor: Actor) -> None:
    """Raise Forbidden, IllegalTransition (409) unless the invoice waits for money, or HasPayments (409)."""
    require(actor, "invoice.write", customer_id=invoice.customer_id)
    check_transition(TRANSITIONS, InvoiceState(invoice.state), InvoiceState.CANCELED)
    if invoice.amount_paid:
        raise HasPayments(
            f"{invoice.money(invoice.amount_paid)} were received for this invoice; it is not canceled any more.",
            extra={"amount_paid": str(invoice.amount_paid)},
        )


@transaction.atomic
def cancel_invoice(invoice: Invoice, *, actor: Actor, now: datetime, reason: str) -> CreditNote:
    """Cancel a final invoice by a credit note over all of it; the invoice and its month stay as they are.

    Raises what `check_cancelable` does.
    """
    row = Invoice.objects.select_for_update().get(pk=invoice.pk)
    check_cancelable(row, actor=actor)
    lock(f"billing.credit_notes:{row.issuer_id}")
    issued = CreditNote.objects.filter(issuer_id=row.issuer_id)
    note = CreditNote.objects.create(
        invoice=row,
        customer_id=row.customer_id,
        issuer_id=row.issuer_id,
        number=(issued.aggregate(last=Max("number"))["last"] or 0) + 1,
        issued_on=now.date(),
        reason=reason,
        currency=row.currency,
        price=row.price,
        tax=row.tax,
        total=row.total,
        created=now,
        modified=now,
    )
    transitions.move(
        row, InvoiceState.CANCELED, transitions=TRANSITIONS, actor=actor, now=now, action="invoice.canceled"
    )
    after = {"invoice_number": row.number, "number": note.number, "total": str(note.total), "reason": reason}
    audit.record("credit_note.issued", note, actor=actor, now=now, after=after)
    invoice.state, invoice.modified = row.state, row.modified
    return note


@transaction.atomic
def set_note(invoice: Invoice, name: str, value: str, *, actor: Actor, now: datetime) -> Invoice:
    """Set `backend_id`, `payment_url` or `reference_number` of an invoice in any state; raises Forbidden."""
    require(actor, "invoice.write", customer_id=invoice.customer_id)
    row = Invoice.objects.select_for_update().get(pk=invoice.pk)
    before = getattr(row, name)
    if before != value:
        setattr(row, name, value)
        row.modified = now
        row.save(update_fields=[name, "modified"])
        audit.record(
            f"invoice.{name}_set", row, actor=actor, now=now, before={name: before}, after={name: value}
        )
    return row


def check_sendable(invoice: Invoice, *, actor: Actor) -> None:
    """Raise Forbidden, or IllegalTransition (409) for an invoice that is a draft or canceled."""
    require(actor, "invoice.write", customer_id=invoice.customer_id)
    if invoice.state not in SENT:
        raise IllegalTransition(
            f"Valid states for operation: {', '.join(SENT)}.", extra={"state": str(invoice.state)}
        )


@transaction.atomic
def send_invoice(invoice: Invoice, *, actor: Actor, now: datetime) -> list[str]:
    """Have an invoice sent to its customer by e-mail; returns the addresses.

    Raises what `check_sendable` does, and NoAddress (409).
    """
    check_sendable(invoice, actor=actor)
    addresses = selectors.addresses_of(invoice.customer)
    if not addresses:
        raise NoAddress(f"{invoice.customer.name} has no e-mail address; set one first.")
    jobs.enqueue(SENDING_JOB, invoice_id=invoice.uuid)
    audit.record("invoice.sending_asked", invoice, actor=actor, now=now, after={"to": addresses})
    return addresses


def note_sent(invoice_id: UUID, addresses: list[str], *, now: datetime) -> None:
    """Note in the audit log that an invoice went out."""
    with tenancy.as_system(SENDING_JOB) as actor:
        invoice = Invoice.objects.get(pk=invoice_id)
        audit.record("invoice.sent", invoice, actor=actor, now=now, after={"to": addresses})
