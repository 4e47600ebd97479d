"""Registers the module with Django (templates and static files)."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Addresses of the REST API."""

    name = "agentmart.web"
    label = "web"
