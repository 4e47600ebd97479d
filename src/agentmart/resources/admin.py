"""Back office: plan periods and the buyers' settings (resources: see ordering, which ends them)."""

from __future__ import annotations

from django.contrib import admin

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.resources.models import AgentConfig, PlanPeriod


@admin.register(PlanPeriod)
class PlanPeriodAdmin(OperatorAdmin):
    """When a resource ran under which plan."""

    list_display = ("resource", "plan", "start", "end", "customer_id", "provider_customer_id")
    list_filter = ("start", ("end", admin.EmptyFieldListFilter))
    search_fields = ("resource__name", "plan__name")


@admin.register(AgentConfig)
class AgentConfigAdmin(OperatorAdmin):
    """The buyers' settings."""

    list_display = ("name", "resource", "customer_id", "created", "modified")
    list_filter = ("created",)
    search_fields = ("name", "resource__name")
