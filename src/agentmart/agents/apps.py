"""Registers the module with Django."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents and flow versions."""

    name = "agentmart.agents"
    label = "agents"
