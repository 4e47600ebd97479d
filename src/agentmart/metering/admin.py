"""Back office: calls and usage, which nobody changes."""

from __future__ import annotations

from django.contrib import admin

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.metering.models import CallFlag, CallStarted, UsageEvent


@admin.register(UsageEvent)
class UsageEventAdmin(OperatorAdmin):
    """Every metered call and reported quantity."""

    list_display = (
        "occurred_at",
        "status",
        "resource_id",
        "customer_id",
        "requests",
        "input_tokens",
        "output_tokens",
    )
    list_filter = ("occurred_at", "status", "source", "streamed")
    search_fields = ("error_code",)
    ordering = ("-pk",)  # ids carry the time, and are indexed


@admin.register(CallStarted)
class CallStartedAdmin(OperatorAdmin):
    """Calls under way."""

    list_display = ("call_id", "started_at", "resource_id", "customer_id", "key_id")
    list_filter = ("started_at",)
    ordering = ("-started_at", "pk")


@admin.register(CallFlag)
class CallFlagAdmin(OperatorAdmin):
    """Calls whose end needs an explanation."""

    list_display = ("call_id", "outcome", "started_at", "flagged_at", "resource_id", "customer_id")
    list_filter = ("outcome", "flagged_at")
    search_fields = ("outcome",)
    ordering = ("-flagged_at", "pk")
