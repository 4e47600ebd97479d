"""What invoices, their lines and payments look like."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from agentmart.billing import selectors
from agentmart.billing.models import Invoice, InvoiceItem
from agentmart.billing.states import InvoiceState
from agentmart.infra.readers import moment_text
from agentmart.infra.rest import ApiSerializer, HexUUIDField, Relation
from agentmart.kit.money import decimal_text, money_text

NOBODY = "0" * 32


@extend_schema_field(str)
class MoneyField(serializers.Field[Any, Any, str, Any]):
    """An amount as text with the places of the row's `currency`; read only."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> tuple[Decimal, str] | None:
        """Return the amount with its currency."""
        amount = super().get_attribute(instance)
        return None if amount is None else (amount, instance.currency)

    def to_representation(self, value: tuple[Decimal, str]) -> str:
        """Return plain digits."""
        return money_text(*value)


class InvoiceItemSerializer(serializers.Serializer[Any]):
    """A line."""

    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(read_only=True)
    unit_price = MoneyField()
    unit = serializers.CharField(read_only=True)
    quantity = serializers.SerializerMethodField()
    measured_unit = serializers.CharField(read_only=True)
    price = serializers.SerializerMethodField()
    tax = MoneyField()
    total = MoneyField()
    start = serializers.DateTimeField(read_only=True)
    end = serializers.DateTimeField(read_only=True)
    billing_type = serializers.CharField(read_only=True)
    component_type = serializers.CharField(read_only=True)
    late = serializers.BooleanField(read_only=True)
    article_code = serializers.SerializerMethodField()
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(read_only=True)
    resource = Relation(view_name="marketplace-resource-detail", read_only=True)
    resource_uuid = HexUUIDField(source="resource_id", read_only=True)
    resource_name = serializers.CharField(read_only=True)
    details = serializers.JSONField(read_only=True)

    def get_quantity(self, item: InvoiceItem) -> str:
        """Describe the quantity: plain digits."""
        return decimal_text(item.quantity)

    def get_price(self, item: InvoiceItem) -> float:
        """Describe the price net of tax: the clients of this contract read a JSON number here and nowhere else."""
        return float(item.price)

    def get_article_code(self, item: InvoiceItem) -> str:
        """Describe the provider's article code of what is charged."""
        return str(item.details.get("article_code", ""))

    @cached_property
    def _resource_address(self) -> str:
        """Return the address of a resource, with the nil uuid in it."""
        request = self.root.context.get("request")
        return reverse("marketplace-resource-detail", kwargs={"uuid": NOBODY}, request=request)

    def to_representation(self, instance: InvoiceItem) -> dict[str, Any]:
        """Return the line, written out: a page holds thousands of them, and field by field takes five times as long."""
        item, currency = instance, instance.currency
        return {
            "uuid": item.id.hex,
            "name": item.name,
            "unit_price": None if item.unit_price is None else money_text(item.unit_price, currency),
            "unit": item.unit,
            "quantity": decimal_text(item.quantity),
            "measured_unit": item.measured_unit,
            "price": float(item.price),
            "tax": money_text(item.tax, currency),
            "total": money_text(item.total, currency),
            "start": moment_text(item.start),
            "end": moment_text(item.end),
            "billing_type": item.billing_type,
            "component_type": item.component_type,
            "late": item.late,
            "article_code": self.get_article_code(item),
            "project_uuid": item.project_id.hex,
            "project_name": item.project_name,
            "resource": self._resource_address.replace(NOBODY, item.resource_id.hex),
            "resource_uuid": item.resource_id.hex,
            "resource_name": item.resource_name,
            "details": item.details,
        }


class CreditNoteSerializer(serializers.Serializer[Any]):
    """What took a canceled invoice back."""

    uuid = HexUUIDField(source="id", read_only=True)
    number = serializers.IntegerField(read_only=True)
    issued_on = serializers.DateField(read_only=True)
    reason = serializers.CharField(read_only=True)
    currency = serializers.CharField(read_only=True)
    price = MoneyField()
    tax = MoneyField()
    total = MoneyField()


class PaymentSerializer(serializers.Serializer[Any]):
    """Money received."""

    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    date = serializers.DateField(source="paid_on", read_only=True)
    amount = MoneyField()
    currency = serializers.CharField(read_only=True)
    reference = serializers.CharField(read_only=True)
    proof_name = serializers.CharField(read_only=True)


class PaidAnswerSerializer(serializers.Serializer[Any]):
    """The invoice after a payment."""

    detail = serializers.CharField()
    state = serializers.CharField()
    amount_paid = serializers.CharField()
    payment_uuid = HexUUIDField()


class CanceledAnswerSerializer(serializers.Serializer[Any]):
    """The invoice after its cancellation."""

    detail = serializers.CharField()
    state = serializers.CharField()
    credit_note = CreditNoteSerializer()


class DetailSerializer(serializers.Serializer[Any]):
    """What was done, in a sentence."""

    detail = serializers.CharField()


class OfferingSumSerializer(serializers.Serializer[Any]):
    """An invoice's sums for one offering."""

    offering_uuid = HexUUIDField()
    offering_name = serializers.CharField()
    aggregated_price = serializers.FloatField()
    aggregated_tax = serializers.FloatField()
    aggregated_total = serializers.FloatField()
    service_category_title = serializers.CharField(allow_blank=True)
    service_provider_name = serializers.CharField()
    service_provider_uuid = HexUUIDField()
    currency = serializers.CharField()


class CustomerGrowthSerializer(serializers.Serializer[Any]):
    """One customer's invoiced sums by month."""

    name = serializers.CharField()
    periods = serializers.ListField(child=serializers.FloatField())


class GrowthSerializer(serializers.Serializer[Any]):
    """Invoiced sums by month: of everybody, of the largest customers, of all others."""

    currency = serializers.CharField()
    periods = serializers.ListField(child=serializers.CharField())
    total_periods = serializers.ListField(child=serializers.FloatField())
    other_periods = serializers.ListField(child=serializers.FloatField())
    customer_periods = CustomerGrowthSerializer(many=True)


class InvoiceSerializer(ApiSerializer):
    """An invoice with its first lines."""

    left_out = frozenset({"number", "due_date", "credit_note"})

    url = serializers.HyperlinkedIdentityField(
        view_name="invoice-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    number = serializers.IntegerField(read_only=True)
    reference_number = serializers.CharField(read_only=True)
    customer = Relation(view_name="customer-detail", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.SerializerMethodField()
    state = serializers.CharField(read_only=True)
    year = serializers.IntegerField(read_only=True)
    month = serializers.IntegerField(read_only=True)
    price = MoneyField()
    tax = MoneyField()
    total = MoneyField()
    currency = serializers.CharField(read_only=True)
    invoice_date = serializers.DateField(read_only=True)
    due_date = serializers.DateField(read_only=True)
    finalized_at = serializers.DateTimeField(read_only=True)
    issuer_details = serializers.JSONField(read_only=True)
    customer_details = serializers.JSONField(read_only=True)
    items = serializers.SerializerMethodField()
    amount_paid = MoneyField()
    payment_date = serializers.DateField(read_only=True)
    is_overdue = serializers.SerializerMethodField()
    backend_id = serializers.CharField(read_only=True)
    payment_url = serializers.CharField(read_only=True)
    pdf = serializers.HyperlinkedIdentityField(
        view_name="invoice-pdf", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    credit_note = CreditNoteSerializer(read_only=True)

    def get_customer_name(self, invoice: Invoice) -> str:
        """Return the customer's name as it stands on the invoice."""
        return str(invoice.customer_details.get("name", ""))

    def get_items(self, invoice: Any) -> list[dict[str, Any]]:
        """Return the first lines."""
        rows = invoice.shown_items[: selectors.INLINE_ITEMS]
        return list(InvoiceItemSerializer(rows, many=True, context=self.context).data)

    def get_is_overdue(self, invoice: Invoice) -> bool:
        """Return whether money is due since yesterday or longer."""
        today = self.context["view"].now.date()
        due = invoice.due_date
        return invoice.state == InvoiceState.CREATED and due is not None and due < today

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Leave out what a draft does not have yet; say where lines are missing."""
        data = super().to_representation(instance)
        for name in ("number", "due_date", "credit_note"):
            if data.get(name, "") is None:
                del data[name]
        if len(instance.shown_items) > selectors.INLINE_ITEMS:
            data["items_truncated"] = True
        return data
