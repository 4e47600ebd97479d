"""Reads: an invoice as the document that people get, and the letter it is sent with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agentmart.billing import pdf, selectors
from agentmart.billing.models import Invoice, InvoiceItem
from agentmart.billing.states import DRAFT, InvoiceState
from agentmart.infra import tenancy
from agentmart.kit.money import decimal_text, money_text


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail with the invoice attached."""

    to: list[str]
    subject: str
    text: str
    file_name: str
    pdf: bytes


def pdf_of(invoice: Invoice) -> bytes:
    """Return the invoice as PDF; a draft says that it is one."""
    return pdf.render(facts_of(invoice), at=invoice.finalized_at or invoice.modified)


def file_name_of(invoice: Invoice) -> str:
    """Return what the file is called."""
    number = f"{invoice.number}" if invoice.number else "draft"
    return f"invoice-{invoice.year}-{invoice.month:02d}-{number}.pdf"


def letter_of(invoice_id: UUID) -> Letter:
    """Return the letter an invoice is sent with."""
    with tenancy.as_system("billing.send_invoice"):
        invoice = Invoice.objects.select_related("customer").get(pk=invoice_id)
        total = invoice.money(invoice.total)
        due = f"It is due on {invoice.due_date}." if invoice.state == InvoiceState.CREATED else "It is paid."
        pay = f"\n\nPay here: {invoice.payment_url}" if invoice.payment_url else ""
        issuer = invoice.issuer_details.get("name", "")
        return Letter(
            to=selectors.addresses_of(invoice.customer),
            subject=f"Invoice {invoice.number} of {issuer} for {invoice.year}-{invoice.month:02d}: {total}",
            text=f"Attached is invoice {invoice.number} over {total}. {due}{pay}\n",
            file_name=file_name_of(invoice),
            pdf=pdf_of(invoice),
        )


def facts_of(invoice: Invoice) -> dict[str, Any]:
    """Return everything the document shows, as text."""
    draft = invoice.state in DRAFT
    note = ""
    if invoice.state == InvoiceState.CANCELED:
        note = "This invoice was canceled by a credit note over the whole amount."
    elif draft:
        note = "This is a draft: amounts change until the month is closed."
    elif invoice.amount_paid:
        note = f"Received: {invoice.money(invoice.amount_paid)}."
    heading = "Draft invoice" if draft else f"Invoice {invoice.number}"
    dates = {"Date": invoice.invoice_date, "Due": invoice.due_date, "Reference": invoice.reference_number}
    return {
        "title": f"{heading} {invoice.year}-{invoice.month:02d}",
        "heading": heading,
        "subtitle": f"Services in {invoice.period.start:%B %Y}",
        "issuer": _party(invoice.issuer_details),
        "customer": _party(invoice.customer_details),
        "dates": [[name, str(value)] for name, value in dates.items() if value],
        "currency": invoice.currency,
        "lines": [_line(item) for item in selectors.items_of(invoice).iterator(chunk_size=2000)],
        "sums": [
            ["Net", money_text(invoice.price, invoice.currency)],
            ["Tax", money_text(invoice.tax, invoice.currency)],
        ],
        "total": money_text(invoice.total, invoice.currency),
        "note": note,
    }


def _party(details: Mapping[str, str]) -> dict[str, Any]:
    lines = [details.get("address", ""), details.get("country", ""), details.get("email", "")]
    if details.get("vat_code"):
        lines.append(f"VAT {details['vat_code']}")
    return {"name": details.get("name", ""), "lines": [line for line in lines if line]}


def _line(item: InvoiceItem) -> dict[str, str]:
    unit = f" {item.measured_unit}" if item.measured_unit else ""
    return {
        "name": item.name,
        "period": f"{_day(item.start)} – {_day(item.end - timedelta(microseconds=1))}",
        "quantity": f"{decimal_text(item.quantity)}{unit}",
        "unit_price": "" if item.unit_price is None else money_text(item.unit_price, item.currency),
        "price": money_text(item.price, item.currency),
    }


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
