"""What requests about invoices may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentmart.identity.models import Customer
from agentmart.infra.rest import Relation

MAX_PROOF_BYTES = 5 * 2**20
PROOF_TYPES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


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
    proof = serializers.FileField(required=False, allow_null=True, max_length=200)

    def validate_proof(self, file: Any) -> Any:
        """Refuse files that are too large or no document or picture, whatever their name says."""
        if file is None:
            return None
        if file.size > MAX_PROOF_BYTES:
            raise serializers.ValidationError(f"At most {MAX_PROOF_BYTES // 2**20} MiB.")
        start = file.read(8)
        file.seek(0)
        kind = next((kind for magic, kind in PROOF_TYPES.items() if start.startswith(magic)), None)
        if kind is None:
            raise serializers.ValidationError("Give a PDF, PNG or JPEG file.")
        file.content_type = kind
        return file

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two different dates."""
        days = {attrs[name] for name in ("date", "payment_date") if attrs.get(name)}
        if len(days) > 1:
            raise serializers.ValidationError(
                {"payment_date": ["date and payment_date differ; give one of them."]}
            )
        return {**attrs, "paid_on": days.pop() if days else None}


class CancelSerializer(serializers.Serializer[Any]):
    """Why an invoice is canceled."""

    reason = serializers.CharField(max_length=500)


class BackendIdSerializer(serializers.Serializer[Any]):
    """The invoice's id in another system."""

    backend_id = serializers.CharField(max_length=255, allow_blank=True)


class PaymentUrlSerializer(serializers.Serializer[Any]):
    """Where the invoice can be paid."""

    payment_url = serializers.CharField(max_length=500, allow_blank=True)

    def validate_payment_url(self, value: str) -> str:
        """Refuse addresses that a browser should not be sent to."""
        if value:
            serializers.URLField(max_length=500).run_validation(value)
            if not value.startswith(("https://", "http://")):
                raise serializers.ValidationError("Give an http or https address.")
        return value


class ReferenceNumberSerializer(serializers.Serializer[Any]):
    """The invoice's number in the customer's or a payment's books."""

    reference_number = serializers.CharField(max_length=100, allow_blank=True)
