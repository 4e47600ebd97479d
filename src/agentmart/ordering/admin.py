"""Back office: orders, and the resources that orders make and end."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin

from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin
from agentmart.ordering import services
from agentmart.ordering.models import Order, OrderCallback
from agentmart.ordering.states import OPEN, OrderState
from agentmart.resources.models import Resource
from agentmart.resources.states import TRANSITIONS, ResourceState


def cancel(row: Order, *, actor: Actor, now: datetime) -> None:
    """Withdraw an order."""
    services.cancel_order(row, actor=actor, now=now)


def retry(row: Order, *, actor: Actor, now: datetime) -> None:
    """Carry out an erred order once more."""
    services.retry_order(row, actor=actor, now=now)


@admin.register(Order)
class OrderAdmin(OperatorAdmin):
    """Requests to create, change or end a resource."""

    list_display = ("resource_name", "type", "state", "offering", "plan", "customer_name", "cost", "created")
    list_filter = ("state", "type", "created")
    search_fields = (
        "resource_name",
        "customer_name",
        "project_name",
        "offering__name",
        "created_by_username",
    )
    deeds = (
        Deed(
            "cancel",
            "Cancel",
            "The order ends; a resource it was to create is not made.",
            cancel,
            when=lambda row: row.state in OPEN,
        ),
        Deed(
            "retry",
            "Retry",
            "The work of a failed order is tried once more.",
            retry,
            when=lambda row: row.state == OrderState.ERRED,
        ),
    )


@admin.register(OrderCallback)
class OrderCallbackAdmin(OperatorAdmin):
    """Messages to the addresses that buyers left with their orders."""

    list_display = ("created", "order_state", "state", "attempts", "last_status", "url", "order")
    list_filter = ("state", "order_state", "created")
    search_fields = ("url", "last_error", "order__resource_name")


def terminate(row: Resource, *, actor: Actor, now: datetime) -> None:
    """Order the end of a resource."""
    services.order_termination(row, actor=actor, now=now)


@admin.register(Resource)
class ResourceAdmin(OperatorAdmin):
    """What runs."""

    list_display = ("name", "state", "paused", "offering", "plan", "customer_name", "created")
    list_filter = ("state", "paused", "runtime", "created")
    search_fields = ("name", "customer_name", "project_name", "offering__name")
    deeds = (
        Deed(
            "terminate",
            "Terminate",
            "The resource ends, for good: its keys stop within a second, it leaves the runtime, charges stop.",
            terminate,
            when=lambda row: ResourceState.TERMINATING in TRANSITIONS[ResourceState(row.state)],
        ),
    )
