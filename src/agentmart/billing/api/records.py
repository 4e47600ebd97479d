"""REST: lines of invoices and payments across all invoices, to be read (invoice-items, payments)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from agentmart.billing.api.answers import InvoiceItemSerializer, MoneyField
from agentmart.billing.api.invoices import by_day
from agentmart.billing.models import Invoice, InvoiceItem, Payment
from agentmart.billing.states import STATE_NAMES
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    BadFilter,
    Filter,
    HexUUIDField,
    Relation,
    by_choice,
    by_exact,
    by_flag,
    by_number,
    by_uuid,
    by_words,
)


def by_exact_day(column: str) -> Filter:
    """Return a filter on a date."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        try:
            days = [date.fromisoformat(value) for value in values]
        except ValueError:
            raise BadFilter("Enter a valid date.") from None
        return rows.filter(**{f"{column}__in": days})

    return Filter(apply, {"type": "string", "format": "date"}, "This day; repeated: any of them.")


class InvoiceLineSerializer(InvoiceItemSerializer):
    """A line with the invoice it stands on."""

    url = serializers.HyperlinkedIdentityField(
        view_name="invoice-item-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    currency = serializers.CharField(read_only=True)
    invoice = Relation(view_name="invoice-detail", read_only=True)
    invoice_uuid = HexUUIDField(source="invoice_id", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.SerializerMethodField()
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    offering_name = serializers.CharField(read_only=True)
    offering_component_type = serializers.CharField(source="component_type", read_only=True)

    def get_customer_name(self, item: InvoiceItem) -> str:
        """Return the customer's name as it stands on the invoice."""
        return str(item.invoice.customer_details.get("name", ""))

    def to_representation(self, instance: InvoiceItem) -> dict[str, Any]:
        """Return the line as its invoice shows it, and what tells where it stands."""
        fields = self.fields
        return {
            **super().to_representation(instance),
            "url": fields["url"].to_representation(instance),
            "currency": instance.currency,
            "invoice": fields["invoice"].to_representation(instance.invoice_id),
            "invoice_uuid": instance.invoice_id.hex,
            "customer_uuid": instance.customer_id.hex,
            "customer_name": self.get_customer_name(instance),
            "offering_uuid": instance.offering_id.hex,
            "offering_name": instance.offering_name,
            "offering_component_type": instance.component_type,
        }


class InvoiceItemViewSet(ApiViewSet):
    """Lines of the invoices one sees; they are made with their invoice and never changed."""

    queryset = InvoiceItem.objects.select_related("invoice")
    serializer_class = InvoiceLineSerializer
    ordering = ("-invoice__year", "-invoice__month", "invoice_id", "position")
    filters = {
        "invoice_uuid": by_uuid("invoice_id"),
        "customer_uuid": by_uuid("customer_id"),
        "project_uuid": by_uuid("project_id"),
        "offering_uuid": by_uuid("offering_id"),
        "provider_uuid": by_uuid("provider_customer_id"),
        "resource_uuid": by_uuid("resource_id"),
        "year": by_number("invoice__year"),
        "month": by_number("invoice__month"),
        "state": by_choice("invoice__state", STATE_NAMES),
        "late": by_flag("late"),
        "query": by_words("name", "resource_name", "offering_name"),
    }
    orderings = {"created": "created", "name": "name", "price": "price", "start": "start"}

    def visible(self) -> QuerySet[Any]:
        """Return the lines of the invoices the actor may see."""
        return super().visible().filter(invoice__in=Invoice.objects.visible_to(self.viewer()))


class PaymentRecordSerializer(ApiSerializer):
    """Money received, with the invoice it is for."""

    url = serializers.HyperlinkedIdentityField(
        view_name="payment-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    date_of_payment = serializers.DateField(source="paid_on", read_only=True)
    sum = MoneyField(source="amount")
    currency = serializers.CharField(read_only=True)
    reference = serializers.CharField(read_only=True)
    profile = serializers.SerializerMethodField()
    invoice = Relation(view_name="invoice-detail", read_only=True)
    invoice_uuid = HexUUIDField(source="invoice_id", read_only=True)
    invoice_period = serializers.SerializerMethodField()
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    proof = serializers.SerializerMethodField()

    def get_profile(self, payment: Payment) -> str:
        """Return the payment profile: there is none here."""
        return ""

    def get_invoice_period(self, payment: Payment) -> str:
        """Return the invoiced month."""
        return f"{payment.invoice.month:02d}-{payment.invoice.year}"

    def get_proof(self, payment: Payment) -> str | None:
        """Return the address of the file that shows it."""
        if not payment.proof_name:
            return None
        path = f"/api/invoices/{payment.invoice_id.hex}/payments/{payment.uuid}/proof/"
        address: str = self.context["request"].build_absolute_uri(path)
        return address


class PaymentViewSet(ApiViewSet):
    """Payments one sees; they are recorded at their invoice (`paid/`) and never changed."""

    queryset = Payment.objects.select_related("invoice").defer("proof")
    serializer_class = PaymentRecordSerializer
    ordering = ("-paid_on", "-created", "id")
    filters = {
        "invoice_uuid": by_uuid("invoice_id"),
        "customer_uuid": by_uuid("customer_id"),
        "date_of_payment": by_exact_day("paid_on"),
        "created": by_day("created", "on"),
        "reference": by_exact("reference"),
    }
    orderings = {"created": "created", "date_of_payment": "paid_on"}
