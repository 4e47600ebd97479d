"""Registers the module with Django."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Invoices."""

    name = "agentmart.billing"
    label = "billing"

    def ready(self) -> None:
        """Tell the usage of agents where its cost is read."""
        from agentmart.billing import costs  # noqa: PLC0415 - models exist only now
        from agentmart.metering.costs import read_by  # noqa: PLC0415

        read_by(costs.of_resource)
