"""Writes: invoices and the close of months, payments, what is noted on invoices, cancellations."""

from agentmart.billing.services.changes import (
    SENDING_JOB,
    HasPayments,
    NoAddress,
    cancel_invoice,
    check_cancelable,
    check_sendable,
    note_sent,
    send_invoice,
    set_note,
)
from agentmart.billing.services.estimates import estimate_costs
from agentmart.billing.services.months import (
    Billing,
    Closing,
    NothingToInvoice,
    close_periods,
    generate_invoice,
)
from agentmart.billing.services.payments import Proof, check_payable, mark_paid

__all__ = [
    "SENDING_JOB",
    "Billing",
    "Closing",
    "HasPayments",
    "NoAddress",
    "NothingToInvoice",
    "Proof",
    "cancel_invoice",
    "check_cancelable",
    "check_payable",
    "check_sendable",
    "close_periods",
    "estimate_costs",
    "generate_invoice",
    "mark_paid",
    "note_sent",
    "send_invoice",
    "set_note",
]
