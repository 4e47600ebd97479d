"""Registers the module with Django."""

from django.apps import AppConfig


class ResourcesConfig(AppConfig):
    """Live instances."""

    name = "agentmart.resources"
    label = "resources"
