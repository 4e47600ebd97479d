"""Back office: agents and their imported flows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin

from agentmart.agents import services
from agentmart.agents.models import Agent, FlowVersion, Studio, StudioFlow
from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import OperatorAdmin


@admin.register(Agent)
class AgentAdmin(OperatorAdmin):
    """What providers build."""

    list_display = ("name", "customer", "state", "runtime", "created")
    list_filter = ("state", "runtime", "created")
    search_fields = ("name", "customer__name", "description")
    editable = ("name", "description")

    def update(self, row: Agent, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> None:
        """Write the changed details."""
        services.update_agent(row, changes, actor=actor, now=now)


@admin.register(FlowVersion)
class FlowVersionAdmin(OperatorAdmin):
    """Imports; the source is its provider's to read, over the API."""

    list_display = ("agent", "version", "trust", "langflow_version", "created_by", "created", "customer_id")
    list_filter = ("trust", "langflow_version", "created")
    search_fields = ("agent__name", "sha256", "note", "created_by")
    hidden = ("flow",)


@admin.register(Studio)
class StudioAdmin(OperatorAdmin):
    """Where providers build flows; keys are nobody's to read."""

    list_display = ("name", "customer", "backend_url", "created")
    list_filter = ("created",)
    search_fields = ("name", "customer__name", "backend_url")
    hidden = ("key_sealed",)


@admin.register(StudioFlow)
class StudioFlowAdmin(OperatorAdmin):
    """Which agent a studio's flow became."""

    list_display = ("agent", "studio", "version", "imported")
    list_filter = ("imported",)
    search_fields = ("backend_id", "agent__name", "studio__name")
