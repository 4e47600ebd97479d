"""Writes: money received for invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from agentmart.billing.models import Invoice, Payment
from agentmart.billing.states import TRANSITIONS, InvoiceState
from agentmart.identity.permissions import require
from agentmart.infra import audit, transitions
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Invalid
from agentmart.kit.money import CONTEXT, round_money
from agentmart.kit.states import check_transition


@dataclass(frozen=True, slots=True)
class Proof:
    """A file that shows a payment."""

    name: str
    content_type: str
    data: bytes


def check_payable(invoice: Invoice, *, actor: Actor) -> None:
    """Raise Forbidden, or IllegalTransition (409) unless the invoice waits for money."""
    require(actor, "invoice.write", customer_id=invoice.customer_id)
    check_transition(TRANSITIONS, InvoiceState(invoice.state), InvoiceState.PAID)


@transaction.atomic
def mark_paid(
    invoice: Invoice,
    *,
    actor: Actor,
    now: datetime,
    paid_on: date | None = None,
    amount: Decimal | None = None,
    reference: str = "",
    proof: Proof | None = None,
) -> Payment:
    """Record money received; the invoice is paid once all of its total is there, till then it stays `created`.

    `amount`: default all that is open. `paid_on`: default today. Raises what `check_payable` does and Invalid
    for a date in the future or before the invoiced month, for an amount that is not positive, not whole minor
    units, or more than is open.
    """
    row = Invoice.objects.select_for_update().get(pk=invoice.pk)
    check_payable(row, actor=actor)
    day = paid_on or now.date()
    if day > now.date():
        raise Invalid("The date of a payment is not in the future.", field="date")
    if day < row.period.start.date():
        raise Invalid("The payment is dated before the invoiced month.", field="date")
    open_amount = CONTEXT.subtract(row.total, row.amount_paid)
    paid = open_amount if amount is None else amount
    if amount is not None and (amount <= 0 or amount != round_money(amount, row.currency)):
        raise Invalid(f"Give an amount above zero in whole minor units of {row.currency}.", field="amount")
    if paid > open_amount:
        raise Invalid(f"Only {row.money(open_amount)} is open.", field="amount")
    payment = Payment.objects.create(
        invoice=row,
        customer_id=row.customer_id,
        amount=paid,
        currency=row.currency,
        paid_on=day,
        reference=reference,
        proof_name=proof.name if proof else "",
        proof_type=proof.content_type if proof else "",
        proof=proof.data if proof else None,
        created=now,
        modified=now,
    )
    settle(row, CONTEXT.add(row.amount_paid, paid), day, actor=actor, now=now)
    for name in ("state", "amount_paid", "payment_date", "modified"):
        setattr(invoice, name, getattr(row, name))
    return payment


def settle(row: Invoice, paid: Decimal, day: date, *, actor: Actor, now: datetime) -> None:
    """Note how much of an invoice is paid by now; it is paid once that is all, also where there was nothing to pay."""
    if paid >= row.total:
        transitions.move(
            row,
            InvoiceState.PAID,
            transitions=TRANSITIONS,
            actor=actor,
            now=now,
            action="invoice.paid",
            amount_paid=paid,
            payment_date=day,
        )
        return
    before = str(row.amount_paid)
    row.amount_paid, row.modified = paid, now
    row.save(update_fields=["amount_paid", "modified"])
    audit.record(
        "invoice.partly_paid",
        row,
        actor=actor,
        now=now,
        before={"amount_paid": before},
        after={"amount_paid": str(paid)},
    )
