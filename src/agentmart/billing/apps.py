"""Registers the module with Django."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Invoices."""

    name = "agentmart.billing"
    label = "billing"
