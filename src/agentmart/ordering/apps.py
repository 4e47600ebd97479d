"""Registers the module with Django."""

from django.apps import AppConfig


class OrderingConfig(AppConfig):
    """Orders."""

    name = "agentmart.ordering"
    label = "ordering"
