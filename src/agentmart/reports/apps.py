"""Registers the module with Django."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Statistics."""

    name = "agentmart.reports"
    label = "reports"
