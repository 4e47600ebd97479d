"""What a line says of itself, and of the usage behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from agentmart.billing import selectors
from agentmart.billing.explanation import in_words
from agentmart.billing.models import InvoiceItem
from agentmart.infra.rest import parse_uuid
from agentmart.kit.money import decimal_text, money_text
from agentmart.metering.models import ComponentEvent

_time = serializers.DateTimeField().to_representation


def hour_of(request: Request) -> datetime | None:
    """Return the start of the hour that `?hour=` lies in; raises 400."""
    given = request.query_params.get("hour")
    if not given:
        return None
    try:
        moment: datetime = serializers.DateTimeField(default_timezone=UTC).run_validation(given)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"hour": error.detail}) from None
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def after_of(request: Request) -> UUID | None:
    """Return the event that `?after=` names; raises 400."""
    given = request.query_params.get("after")
    uuid = parse_uuid(given) if given else None
    if given and uuid is None:
        raise serializers.ValidationError({"after": ["Enter the uuid of an event."]})
    return uuid


def explained(line: InvoiceItem) -> dict[str, Any]:
    """Return what the line itself says."""
    unit = line.details["offering_component_name"].lower()
    return {
        "uuid": line.uuid,
        "name": line.name,
        "component_type": line.component_type,
        "billing_type": line.billing_type,
        "resource_uuid": line.resource_id.hex,
        "plan_uuid": line.plan_id.hex,
        "month": f"{line.usage_month:%Y-%m}",
        "late": line.late,
        "start": _time(line.start),
        "end": _time(line.end),
        "currency": line.currency,
        "quantity": decimal_text(line.quantity),
        "amount": money_text(line.price, line.currency),
        "price": line.details["price"],
        "proration": line.details["proration"],
        "steps": [
            {**step, "text": in_words(step, unit=unit, currency=line.currency)}
            for step in line.details["steps"]
        ],
    }


def usage_behind(line: InvoiceItem, usage: selectors.Usage) -> dict[str, Any]:
    """Return the metered usage the line came from, and whether it adds up."""
    return {
        "usage": [{"hour": _time(hour), "quantity": quantity} for hour, quantity in usage.hours],
        "events": [
            {
                "uuid": event["id"].hex,
                "occurred_at": _time(event["occurred_at"]),
                "status": event["status"],
                "quantity": event[line.component_type],
            }
            for event in usage.events
        ],
        "events_total": usage.event_count,
        "events_truncated": usage.more,
        "events_next": usage.events[-1]["id"].hex if usage.more else None,
        "reports": [_report(event) for event in usage.reports],
        "reports_total": usage.report_count,
        "reports_truncated": usage.report_count > len(usage.reports),
        "quantity_from_events": decimal_text(usage.from_events),
        "quantity_from_hours": decimal_text(usage.from_hours),
        "quantity_billed": decimal_text(usage.billed_quantity),
    }


def _report(event: ComponentEvent) -> dict[str, Any]:
    """Return one report: the difference it made and the month's usage after it."""
    return {
        "uuid": event.uuid.hex,
        "occurred_at": _time(event.occurred_at),
        "received_at": _time(event.received_at),
        "kind": event.kind,
        "quantity": decimal_text(event.amount),
        "total": decimal_text(event.total),
        "transaction_id": event.transaction_id,
        "description": event.description,
        "reported_by": event.reported_by,
    }
