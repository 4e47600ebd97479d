"""Registers the module with Django."""

from django.apps import AppConfig


class SupportConfig(AppConfig):
    """The support desk."""

    name = "agentmart.support"
    label = "support"
