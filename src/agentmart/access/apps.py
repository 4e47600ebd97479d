"""Registers the module with Django."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Keys and grants."""

    name = "agentmart.access"
    label = "access"
