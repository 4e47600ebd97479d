"""Back office: invoices and payments, which nobody changes; money that came in is recorded."""

from __future__ import annotations

from datetime import date, datetime

from django.contrib import admin

from agentmart.billing import services
from agentmart.billing.models import (
    BilledMonth,
    CostEstimate,
    Invoice,
    InvoiceItem,
    OfferingFigures,
    Payment,
)
from agentmart.billing.states import InvoiceState
from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin, date_question, word_question


def mark_paid(row: Invoice, *, actor: Actor, now: datetime, day: date | None, reference: str) -> None:
    """Record that all of an invoice was paid."""
    services.mark_paid(row, actor=actor, now=now, paid_on=day, reference=reference)


@admin.register(Invoice)
class InvoiceAdmin(OperatorAdmin):
    """Invoices."""

    list_display = (
        "number",
        "customer",
        "year",
        "month",
        "state",
        "total",
        "currency",
        "amount_paid",
        "due_date",
    )
    list_filter = ("state", "year", "month", "currency", "due_date")
    search_fields = ("customer__name", "number", "reference_number", "backend_id")
    deeds = (
        Deed(
            "paid",
            "Mark paid",
            "All that is open is recorded as received. A payment is never changed or taken back.",
            mark_paid,
            {
                "day": date_question("Received on (today where empty)"),
                "reference": word_question("Reference"),
            },
            lambda row: row.state == InvoiceState.CREATED,
        ),
    )


@admin.register(InvoiceItem)
class InvoiceItemAdmin(OperatorAdmin):
    """Lines, each with what explains it."""

    list_display = ("name", "invoice", "quantity", "measured_unit", "price", "tax", "total", "currency")
    list_filter = ("billing_type", "late", "usage_month", "currency")
    search_fields = ("name", "offering_name", "plan_name", "resource_name", "project_name")


@admin.register(Payment)
class PaymentAdmin(OperatorAdmin):
    """Money received."""

    list_display = ("paid_on", "amount", "currency", "invoice", "reference", "customer_id")
    list_filter = ("paid_on", "currency")
    search_fields = ("reference", "invoice__number")


@admin.register(BilledMonth)
class BilledMonthAdmin(OperatorAdmin):
    """How far each customer's months are billed."""

    list_display = ("first_day", "customer", "state", "lines")
    list_filter = ("state", "first_day")
    search_fields = ("customer__name",)


@admin.register(CostEstimate)
class CostEstimateAdmin(OperatorAdmin):
    """What months not finally invoiced will come to, as last calculated."""

    list_display = ("first_day", "customer", "project", "offering_id", "price", "tax", "currency", "as_of")
    list_filter = ("first_day", "currency")
    search_fields = ("customer__name", "project__name")
    ordering = ("-first_day", "pk")


@admin.register(OfferingFigures)
class OfferingFiguresAdmin(OperatorAdmin):
    """What offerings have brought in, as last summed up."""

    list_display = ("offering", "total_cost", "total_cost_estimated", "currency", "as_of")
    list_filter = ("currency",)
    search_fields = ("offering__name",)
    ordering = ("-total_cost", "pk")
