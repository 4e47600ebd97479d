"""REST: invoices, their lines, what a line is made of, and payments."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.billing import selectors, services
from agentmart.billing.explanation import in_words
from agentmart.billing.models import Invoice, InvoiceItem
from agentmart.billing.states import STATE_NAMES, InvoiceState
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_choice,
    by_uuid,
    parse_uuid,
)
from agentmart.kit.money import decimal_text, money_text

SHOWN_EVENTS = 1000

_time = serializers.DateTimeField().to_representation


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
        """Return the quantity as plain digits."""
        return decimal_text(item.quantity)

    def get_price(self, item: InvoiceItem) -> float:
        """Return the price net of tax; the clients of this contract read a JSON number here and nowhere else."""
        return float(item.price)

    def get_article_code(self, item: InvoiceItem) -> str:
        """Return the issuer's article code; none are kept yet."""
        return ""


class InvoiceSerializer(ApiSerializer):
    """An invoice with its first lines."""

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
        for name in ("number", "due_date"):
            if data.get(name, "") is None:
                del data[name]
        if len(instance.shown_items) > selectors.INLINE_ITEMS:
            data["items_truncated"] = True
        return data


class GenerateSerializer(serializers.Serializer[Any]):
    """A month to bill."""

    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    year = serializers.IntegerField()
    month = serializers.IntegerField(min_value=1, max_value=12)


class PaidSerializer(serializers.Serializer[Any]):
    """Money received; `date` and `payment_date` mean the same."""

    date = serializers.DateField(required=False, allow_null=True)
    payment_date = serializers.DateField(required=False, allow_null=True)
    amount = serializers.DecimalField(max_digits=24, decimal_places=4, required=False, allow_null=True)
    reference = serializers.CharField(required=False, allow_blank=True, max_length=100)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two different dates."""
        days = {attrs[name] for name in ("date", "payment_date") if attrs.get(name)}
        if len(days) > 1:
            raise serializers.ValidationError(
                {"payment_date": ["date and payment_date differ; give one of them."]}
            )
        return {**attrs, "paid_on": days.pop() if days else None}


def by_number(column: str) -> Any:
    """Return a filter on a column of whole numbers; another value is a 400."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        if not all(value.isascii() and value.isdigit() and len(value) <= 4 for value in values):
            raise serializers.ValidationError({column: ["Enter a number."]})
        return rows.filter(**{f"{column}__in": [int(value) for value in values]})

    return apply


class InvoiceViewSet(ApiViewSet):
    """Invoices of the actor's customers; operators see all."""

    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    ordering = ("-year", "-month", "-created", "id")
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "state": by_choice("state", STATE_NAMES),
        "year": by_number("year"),
        "month": by_number("month"),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the visible invoices with their first lines."""
        return selectors.with_items(super().visible())

    def create(self, request: Request) -> Response:
        """Bill a customer's month; with several currencies the answer names the other invoices in `others`."""
        require(self.actor, "invoice.write")
        body = self.body(GenerateSerializer)
        billing = services.generate_invoice(
            body["customer"], body["year"], body["month"], actor=self.actor, now=self.now
        )
        first, *others = billing.invoices
        extra = {"others": [invoice.uuid for invoice in others]} if others else {}
        return self.answer(self.visible().get(pk=first.pk), status=201 if billing.created else 200, **extra)

    @action(detail=True, methods=["post"])
    def paid(self, request: Request, **kwargs: Any) -> Response:
        """Record a payment."""
        invoice = self.get_object()
        services.check_payable(invoice, actor=self.actor)
        body = self.body(PaidSerializer)
        payment = services.mark_paid(
            invoice,
            actor=self.actor,
            now=self.now,
            paid_on=body["paid_on"],
            amount=body.get("amount"),
            reference=body.get("reference", ""),
        )
        done = invoice.state == InvoiceState.PAID
        return Response(
            {
                "detail": "Invoice has been paid." if done else "Payment has been recorded.",
                "state": invoice.state,
                "amount_paid": money_text(invoice.amount_paid, invoice.currency),
                "payment_uuid": payment.uuid,
            }
        )

    @action(detail=True, methods=["get"])
    def items(self, request: Request, **kwargs: Any) -> Response:
        """List the lines."""
        page = self.paginate_queryset(selectors.items_of(self.get_object()))
        serializer = InvoiceItemSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    @action(detail=True, methods=["get"], url_path=r"items/(?P<item>[0-9a-fA-F-]{32,36})/explain")
    def explain(self, request: Request, item: str, **kwargs: Any) -> Response:
        """Say what a line is made of: price, steps, share of the period, hours and events.

        `?hour=` narrows the events; where they are cut, `?after=` (the answer's `events_next`) goes on behind them.
        """
        uuid = parse_uuid(item)
        line = selectors.items_of(self.get_object()).filter(pk=uuid).first() if uuid else None
        if line is None:
            raise exceptions.NotFound
        usage = selectors.usage_of(
            line, actor=self.actor, hour=_hour(request), after=_after(request), most=SHOWN_EVENTS
        )
        return Response({**_explained(line), **(_usage(line, usage) if usage else {})})


def _hour(request: Request) -> datetime | None:
    """Return the start of the hour that `?hour=` lies in; raises 400."""
    given = request.query_params.get("hour")
    if not given:
        return None
    try:
        moment: datetime = serializers.DateTimeField(default_timezone=UTC).run_validation(given)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"hour": error.detail}) from None
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _after(request: Request) -> UUID | None:
    """Return the event that `?after=` names; raises 400."""
    given = request.query_params.get("after")
    uuid = parse_uuid(given) if given else None
    if given and uuid is None:
        raise serializers.ValidationError({"after": ["Enter the uuid of an event."]})
    return uuid


def _explained(line: InvoiceItem) -> dict[str, Any]:
    """Return what the line itself says."""
    unit = line.details["offering_component_name"].lower()
    return {
        "uuid": line.uuid,
        "name": line.name,
        "component_type": line.component_type,
        "billing_type": line.billing_type,
        "resource_uuid": line.resource_id.hex,
        "plan_uuid": line.plan_id.hex,
        "month": f"{line.usage_month:%Y-%m}",
        "late": line.late,
        "start": _time(line.start),
        "end": _time(line.end),
        "currency": line.currency,
        "quantity": decimal_text(line.quantity),
        "amount": money_text(line.price, line.currency),
        "price": line.details["price"],
        "proration": line.details["proration"],
        "steps": [
            {**step, "text": in_words(step, unit=unit, currency=line.currency)}
            for step in line.details["steps"]
        ],
    }


def _usage(line: InvoiceItem, usage: selectors.Usage) -> dict[str, Any]:
    """Return the metered usage the line came from, and whether it adds up."""
    return {
        "usage": [{"hour": _time(hour), "quantity": quantity} for hour, quantity in usage.hours],
        "events": [
            {
                "uuid": event["id"].hex,
                "occurred_at": _time(event["occurred_at"]),
                "status": event["status"],
                "quantity": event[line.component_type],
            }
            for event in usage.events
        ],
        "events_total": usage.event_count,
        "events_truncated": usage.more,
        "events_next": usage.events[-1]["id"].hex if usage.more else None,
        "quantity_from_events": decimal_text(Decimal(usage.quantity)),
        "quantity_from_hours": decimal_text(Decimal(sum(quantity for _, quantity in usage.hours))),
        "quantity_billed": decimal_text(usage.billed_quantity),
    }
