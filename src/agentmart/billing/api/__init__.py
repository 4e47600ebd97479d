"""REST: invoices."""

from agentmart.billing.api.invoices import InvoiceViewSet

__all__ = ["InvoiceViewSet"]
