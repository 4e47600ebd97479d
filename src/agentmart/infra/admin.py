"""Back office: the audit log."""

from __future__ import annotations

from django.contrib import admin

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.infra.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(OperatorAdmin):
    """Who did what to which row."""

    list_display = ("at", "action", "actor_name", "object_type", "object_id", "customer_id")
    list_filter = ("at", "object_type")
    search_fields = ("action", "actor_name", "object_type", "request_id")
    ordering = ("-at", "-pk")
