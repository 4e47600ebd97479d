"""Registers the module with Django."""

from django.apps import AppConfig


class InfraConfig(AppConfig):
    """Plumbing: audit log and the foundation of tenancy."""

    name = "agentmart.infra"
    label = "infra"
