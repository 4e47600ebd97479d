"""Registers the module with Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Offerings and plans."""

    name = "agentmart.catalog"
    label = "catalog"
