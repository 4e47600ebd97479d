"""REST: invoices, their lines, what a line is made of, payments, and the document."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.billing import documents, selectors, services
from agentmart.billing.api.answers import (
    CanceledAnswerSerializer,
    CreditNoteSerializer,
    DetailSerializer,
    GrowthSerializer,
    InvoiceItemSerializer,
    InvoiceSerializer,
    OfferingSumSerializer,
    PaidAnswerSerializer,
    PaymentSerializer,
)
from agentmart.billing.api.explain import after_of, explained, hour_of, usage_behind
from agentmart.billing.api.requests import (
    BackendIdSerializer,
    CancelSerializer,
    GenerateSerializer,
    PaidSerializer,
    PaymentUrlSerializer,
    ReferenceNumberSerializer,
)
from agentmart.billing.models import Invoice
from agentmart.billing.states import STATE_NAMES, InvoiceState
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    ApiViewSet,
    BadFilter,
    Filter,
    by_choice,
    by_number,
    by_uuid,
    by_words,
    parse_uuid,
)
from agentmart.kit.money import CURRENCIES, money_text

SHOWN_EVENTS = 1000

ITEM_FILTERS = {
    "offering_uuid": by_uuid("offering_id"),
    "project_uuid": by_uuid("project_id"),
    "provider_uuid": by_uuid("provider_customer_id"),
    "query": by_words("name", "resource_name", "offering_name"),
}
ITEM_ORDERINGS = {
    "name": "name",
    "project_name": "project_name",
    "provider_name": "details__service_provider_name",
    "resource_name": "resource_name",
}
ITEM_ORDER = {"type": "string", "enum": [*ITEM_ORDERINGS, *(f"-{name}" for name in ITEM_ORDERINGS)]}
GROWTH_PARAMETERS = {
    "currency": {"type": "string", "minLength": 3, "maxLength": 3},
    "months": {"type": "integer", "minimum": 1, "maximum": 36, "default": 12},
    "customers_count": {"type": "integer", "minimum": 0, "maximum": 50, "default": 4},
    "accounting_is_running": {"type": "boolean"},
    "accounting_mode": {"type": "string"},
}


class GrowthParametersSerializer(serializers.Serializer[Any]):
    """What `growth` is asked for."""

    currency = serializers.CharField(required=False)
    months = serializers.IntegerField(required=False, default=12, min_value=1, max_value=36)
    customers_count = serializers.IntegerField(required=False, default=4, min_value=0, max_value=50)

    def validate_currency(self, value: str) -> str:
        """Refuse what is no currency."""
        if value not in CURRENCIES:
            raise serializers.ValidationError("Give an ISO 4217 currency code, for example USD.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take the installation's currency where none is asked for."""
        return {"currency": settings.CURRENCY, **attrs}


def by_day(column: str, bound: str) -> Filter:
    """Return a filter on the calendar day (UTC) of a time: `on` one of the days, `from` or `to` a day, included."""

    def apply(rows: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        try:
            days = [datetime.combine(date.fromisoformat(value), time.min, tzinfo=UTC) for value in values]
            ends = [day + timedelta(days=1) for day in days]
        except (ValueError, OverflowError):
            raise BadFilter("Enter a valid date.") from None
        if bound == "from":
            return rows.filter(**{f"{column}__gte": max(days)})
        if bound == "to":
            return rows.filter(**{f"{column}__lt": min(ends)})
        return rows.filter(**{f"{column}__gte": min(days), f"{column}__lt": max(ends)})

    told = {"on": "Made on this day", "from": "Made on this day or later", "to": "Made on this day or before"}
    return Filter(apply, {"type": "string", "format": "date"}, f"{told[bound]} (UTC).")


EXPLANATION = {
    "type": "object",
    "description": "What the line is made of: price, steps, share of the period, hours and events.",
    "additionalProperties": True,
}


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
        "created": by_day("created", "on"),
        "start_date": by_day("created", "from"),
        "end_date": by_day("created", "to"),
        "min_sum": by_number("total", "gte"),
        "max_sum": by_number("total", "lte"),
    }
    orderings = {"created": "created", "year": "year", "month": "month"}
    bodies = {
        "create": GenerateSerializer,
        "paid": PaidSerializer,
        "cancel": CancelSerializer,
        "send_notification": None,
        "set_backend_id": BackendIdSerializer,
        "set_payment_url": PaymentUrlSerializer,
        "set_reference_number": ReferenceNumberSerializer,
    }
    answers = {
        "explain": EXPLANATION,
        "create": [(201, InvoiceSerializer), (200, InvoiceSerializer)],
        "paid": PaidAnswerSerializer,
        "cancel": CanceledAnswerSerializer,
        "send_notification": DetailSerializer,
        "set_backend_id": DetailSerializer,
        "set_payment_url": DetailSerializer,
        "set_reference_number": DetailSerializer,
        "items": InvoiceItemSerializer(many=True),
        "stats": OfferingSumSerializer(many=True),
        "payments": PaymentSerializer(many=True),
        "growth": GrowthSerializer,
    }
    queries = {
        "items": {**ITEM_FILTERS, "o": ITEM_ORDER},
        "stats": {"provider_uuid": by_uuid("provider_customer_id")},
        "growth": GROWTH_PARAMETERS,
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
            proof=_proof(body.get("proof")),
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

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel an unpaid invoice by a credit note over all of it."""
        invoice = self.get_object()
        services.check_cancelable(invoice, actor=self.actor)
        body = self.body(CancelSerializer)
        note = services.cancel_invoice(invoice, actor=self.actor, now=self.now, reason=body["reason"])
        shown = CreditNoteSerializer(note).data
        return Response(
            {"detail": "Invoice has been canceled.", "state": invoice.state, "credit_note": shown}
        )

    @action(detail=True, methods=["post"])
    def send_notification(self, request: Request, **kwargs: Any) -> Response:
        """Send the invoice to its customer by e-mail."""
        addresses = services.send_invoice(self.get_object(), actor=self.actor, now=self.now)
        if not settings.EMAIL_HOST:
            return Response({"detail": "No mail server is set up (AGENTMART_EMAIL_HOST): nothing is sent."})
        return Response({"detail": f"Invoice will be sent to {', '.join(addresses)}."})

    @action(detail=True, methods=["post"])
    def set_backend_id(self, request: Request, **kwargs: Any) -> Response:
        """Note the invoice's id in another system."""
        return self._set("backend_id")

    @action(detail=True, methods=["post"])
    def set_payment_url(self, request: Request, **kwargs: Any) -> Response:
        """Note where the invoice can be paid."""
        return self._set("payment_url")

    @action(detail=True, methods=["post"])
    def set_reference_number(self, request: Request, **kwargs: Any) -> Response:
        """Note the invoice's number in other books."""
        return self._set("reference_number")

    def _set(self, name: str) -> Response:
        invoice = self.get_object()
        require(self.actor, "invoice.write", customer_id=invoice.customer_id)
        body = self.body()
        services.set_note(invoice, name, body[name], actor=self.actor, now=self.now)
        return Response({"detail": f"{name} has been set."})

    @action(detail=True, methods=["get"])
    def items(self, request: Request, **kwargs: Any) -> Response:
        """List the lines."""
        rows = selectors.items_of(self.get_object())
        for name, apply in ITEM_FILTERS.items():
            values = request.query_params.getlist(name)
            rows = self._filtered(rows, name, apply, values) if values else rows
        page = self.page_of(rows.order_by(*_item_order(request), "position"))
        serializer = InvoiceItemSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    @action(detail=True, methods=["get"])
    def stats(self, request: Request, **kwargs: Any) -> Response:
        """List the sums by offering."""
        invoice = self.get_object()
        rows = selectors.sums_by_offering(invoice)
        values = request.query_params.getlist("provider_uuid")
        if values:
            rows = self._filtered(rows, "provider_uuid", by_uuid("provider_customer_id"), values)
        page = self.page_of(rows)
        titles = selectors.category_titles(row["offering_id"] for row in page)
        shown = [
            {
                "offering_uuid": row["offering_id"].hex,
                "offering_name": row["offering_name"],
                "aggregated_price": float(row["sum_price"]),
                "aggregated_tax": float(row["sum_tax"]),
                "aggregated_total": float(row["sum_total"]),
                "service_category_title": titles.get(row["offering_id"], ""),
                "service_provider_name": row["provider_name"],
                "service_provider_uuid": row["provider_uuid"],
                "currency": invoice.currency,
            }
            for row in page
        ]
        return self.get_paginated_response(shown)

    @action(detail=True, methods=["get"])
    def payments(self, request: Request, **kwargs: Any) -> Response:
        """List the payments received."""
        page = self.page_of(selectors.payments_of(self.get_object()))
        return self.get_paginated_response(PaymentSerializer(page, many=True).data)

    @extend_schema(responses={(200, "application/octet-stream"): bytes})
    @action(detail=True, methods=["get"], url_path=r"payments/(?P<payment>[0-9a-fA-F-]{32,36})/proof")
    def proof(self, request: Request, payment: str, **kwargs: Any) -> HttpResponse:
        """Return the file that shows a payment."""
        uuid = parse_uuid(payment)
        found = selectors.payment_of(self.get_object(), uuid) if uuid else None
        if found is None or found.proof is None:
            raise exceptions.NotFound
        return _file(bytes(found.proof), found.proof_type, f"payment-{found.paid_on}", inline=False)

    @extend_schema(responses={(200, "application/pdf"): bytes})
    @action(detail=True, methods=["get"])
    def pdf(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Return the invoice as PDF."""
        invoice = self.get_object()
        return _file(
            documents.pdf_of(invoice), "application/pdf", documents.file_name_of(invoice), inline=True
        )

    @action(detail=False, methods=["get"])
    def growth(self, request: Request) -> Response:
        """Sum up what was invoiced by month: in all, for the largest customers, for all others."""
        asked = self._asked(GrowthParametersSerializer)
        found = selectors.growth(
            actor=self.viewer(),
            now=self.now,
            currency=asked["currency"],
            months=asked["months"],
            customers=asked["customers_count"],
        )
        body = {
            "currency": asked["currency"],
            "periods": [f"{day.month}-{day.year}" for day in found.months],
            "total_periods": [float(amount) for amount in found.whole],
            "other_periods": [float(amount) for amount in found.others],
            "customer_periods": [
                {"name": name, "periods": [float(amount) for amount in sums]}
                for name, sums in found.customers
            ],
        }
        return Response(body, headers={"X-Result-Count": str(len(found.customers))})

    def _asked(self, serializer_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return the validated query parameters; raises 400."""
        serializer = serializer_class(data=self.request.query_params)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

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
            line, actor=self.actor, hour=hour_of(request), after=after_of(request), most=SHOWN_EVENTS
        )
        return Response({**explained(line), **(usage_behind(line, usage) if usage else {})})


def _item_order(request: Request) -> list[str]:
    """Return the columns that `o` names; raises 400."""
    columns = []
    for value in request.query_params.getlist("o"):
        name = value.removeprefix("-")
        if name not in ITEM_ORDERINGS:
            message = f"Select a valid choice. {value} is not one of the available choices."
            raise serializers.ValidationError({"o": [message]})
        columns.append(("-" if value.startswith("-") else "") + ITEM_ORDERINGS[name])
    return columns


def _proof(file: Any) -> services.Proof | None:
    """Return an uploaded file as the service takes it."""
    return services.Proof(file.name[-200:], file.content_type, file.read()) if file else None


def _file(data: bytes, content_type: str, name: str, *, inline: bool) -> HttpResponse:
    """Return a file; what people uploaded is saved by a browser, never shown by it."""
    answer = HttpResponse(data, content_type=content_type)
    answer["Content-Disposition"] = f'{"inline" if inline else "attachment"}; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
