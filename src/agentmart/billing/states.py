"""States of an invoice, and of a customer's month."""

from django.db.models import TextChoices


class InvoiceState(TextChoices):
    """Where an invoice stands, by Waldur's names."""

    PENDING = "pending"
    PENDING_FINALIZATION = "pending_finalization"
    CREATED = "created"
    PAID = "paid"
    CANCELED = "canceled"


class MonthState(TextChoices):
    """How far a customer's month is billed."""

    PREPARED = "prepared"  # over, late usage still accepted
    CLOSED = "closed"  # finalized: what comes now is late


DRAFT = (InvoiceState.PENDING, InvoiceState.PENDING_FINALIZATION)
FINAL = (InvoiceState.CREATED, InvoiceState.PAID, InvoiceState.CANCELED)

TRANSITIONS: dict[InvoiceState, frozenset[InvoiceState]] = {
    InvoiceState.PENDING: frozenset({InvoiceState.PENDING_FINALIZATION}),
    InvoiceState.PENDING_FINALIZATION: frozenset({InvoiceState.CREATED}),
    InvoiceState.CREATED: frozenset({InvoiceState.PAID, InvoiceState.CANCELED}),
    InvoiceState.PAID: frozenset(),
    InvoiceState.CANCELED: frozenset(),
}

STATE_NAMES: dict[str, tuple[str, ...]] = {
    **{state.value.replace("_", "-"): (state.value,) for state in InvoiceState},
    "cancelled": (InvoiceState.CANCELED,),
}
"""Folded names a filter accepts, with the states they stand for."""
