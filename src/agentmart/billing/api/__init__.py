"""REST: invoices, and their lines and payments across all of them."""

from agentmart.billing.api.invoices import InvoiceViewSet
from agentmart.billing.api.records import InvoiceItemViewSet, PaymentViewSet

__all__ = ["InvoiceItemViewSet", "InvoiceViewSet", "PaymentViewSet"]
