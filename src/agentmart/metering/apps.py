"""Registers the module with Django."""

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """Usage."""

    name = "agentmart.metering"
    label = "metering"
