"""Back office: calls and usage, which nobody changes."""

from __future__ import annotations

from django.contrib import admin

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.metering.models import (
    CallFlag,
    CallPayload,
    CallStarted,
    ComponentEvent,
    ComponentUsage,
    PayloadSetting,
    UsageEvent,
)


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


@admin.register(ComponentUsage)
class ComponentUsageAdmin(OperatorAdmin):
    """What resources used of a component by the month; metered ones hold their corrections here."""

    list_display = (
        "month",
        "component_type",
        "amount",
        "measured_unit",
        "metered",
        "resource",
        "offering",
        "customer_id",
    )
    list_filter = ("month", "metered", "component_type", "missing_usage_policy")
    search_fields = ("component_type", "component_name", "resource__name", "offering__name")
    ordering = ("-month", "pk")


@admin.register(ComponentEvent)
class ComponentEventAdmin(OperatorAdmin):
    """Reports of usage, each as the difference it made."""

    list_display = (
        "received_at",
        "day",
        "component_type",
        "amount",
        "total",
        "kind",
        "resource_id",
        "reported_by",
    )
    list_filter = ("received_at", "kind", "component_type")
    search_fields = ("component_type", "transaction_id", "reported_by", "description")
    ordering = ("-pk",)


@admin.register(PayloadSetting)
class PayloadSettingAdmin(OperatorAdmin):
    """Which buyers have the content of their agents' calls kept."""

    list_display = ("config", "enabled", "retention_days", "customer_id", "modified")
    list_filter = ("enabled", "modified")
    search_fields = ("config__name",)
    ordering = ("-modified", "pk")


@admin.register(CallPayload)
class CallPayloadAdmin(OperatorAdmin):
    """Of which calls the content is kept; what it is, is the buyer's alone to read."""

    list_display = ("call_id", "occurred_at", "expires_at", "config_id", "customer_id")
    list_filter = ("occurred_at", "expires_at")
    search_fields = ("call_id",)
    ordering = ("-occurred_at", "pk")
