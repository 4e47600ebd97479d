"""Registers the module with Django."""

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """Usage."""

    name = "agentmart.metering"
    label = "metering"

    def ready(self) -> None:
        """Tell resources where their usage is read."""
        from agentmart.metering import resource_usage  # noqa: PLC0415 - models exist only now
        from agentmart.resources import usage  # noqa: PLC0415

        usage.read_by(month=resource_usage.of_month, periods=resource_usage.by_plan)
