"""Back office: the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.infra.admin_columns import LinkedObject
from agentmart.infra.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(OperatorAdmin):
    """Who did what to which row."""

    list_display = ("at", "action", "actor_name", "object_id", "customer_id")
    list_filter = ("at", "object_type")
    search_fields = ("action", "actor_name", "object_type", "request_id")
    ordering = ("-at", "-pk")

    def _shown(self, name: Any) -> Any:
        """Return the row that an entry is about as a link."""
        if name == "object_id":
            return LinkedObject(name, "object_type", self.admin_site)
        return super()._shown(name)
