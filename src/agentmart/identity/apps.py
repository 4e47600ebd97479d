"""Registers the module with Django."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Customers, people, roles."""

    name = "agentmart.identity"
    label = "identity"
