"""Calls of an agent as the gateway writes them, with everything an event says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from tests.support.sale import HOUR
from tests.support.world import NOW

from agentmart.infra import tenancy
from agentmart.kit.ids import uuid7
from agentmart.metering.models import CallPayload
from agentmart.resources.models import Resource

COLUMNS = [
    "id",
    "customer_id",
    "provider_customer_id",
    "project_id",
    "resource_id",
    "offering_id",
    "plan_id",
    "key_id",
    "flow_version_id",
    "occurred_at",
    "received_at",
    "status",
    "requests",
    "input_tokens",
    "output_tokens",
    "source",
    "duration_ms",
    "streamed",
    "error_code",
    "meters",
    "http_status",
    "queue_ms",
    "runtime_ms",
    "first_token_ms",
    "bytes_in",
    "bytes_out",
    "model",
]


def write_call(resource: Resource, at: datetime, *, hour: bool = True, **said: Any) -> UUID:
    """Write one call's event and its hourly sum; `said` are columns of the event."""
    failed = said.get("status") in ("error", "timeout")
    values: dict[str, Any] = {
        **dict.fromkeys(COLUMNS),
        "id": uuid7(at),
        "customer_id": resource.customer_id,
        "provider_customer_id": resource.provider_customer_id,
        "project_id": resource.project_id,
        "resource_id": resource.id,
        "offering_id": resource.offering_id,
        "plan_id": resource.plan_id,
        "flow_version_id": resource.flow_version_id,
        "occurred_at": at,
        "received_at": at,
        "status": "ok",
        "requests": 0 if failed else 1,
        "input_tokens": 0,
        "output_tokens": 0,
        "source": "runtime",
        "duration_ms": 5,
        "streamed": False,
        "error_code": "",
        "meters": "{}",
        "model": "",
        **said,
    }
    slots = ", ".join(f"%({name})s" for name in COLUMNS)
    with tenancy.as_system("test"), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO metering_usage_event ({', '.join(COLUMNS)}) VALUES ({slots})", values)
        if hour:
            sums = {
                "resource": resource.id,
                "at": at,
                "plan": values["plan_id"] or UUID(int=0),
                "customer": resource.customer_id,
                "provider": resource.provider_customer_id,
                "project": resource.project_id,
                "offering": resource.offering_id,
                "requests": values["requests"],
                "input": values["input_tokens"],
                "output": values["output_tokens"],
            }
            cursor.execute(HOUR, sums)
            if failed:
                cursor.execute(
                    "UPDATE metering_usage_hour SET errors = errors + 1 WHERE resource_id = %(resource)s "
                    "AND hour = date_trunc('hour', %(at)s, 'UTC') AND plan_key = %(plan)s",
                    sums,
                )
    made: UUID = values["id"]
    return made


def kept_call(resource_path: str, at: datetime = NOW) -> UUID:
    """Write a call of the resource at this address whose content is kept (unreadable, for nobody has a key)."""
    with tenancy.as_system("test"):
        resource = Resource.objects.select_related("config").get(
            pk=resource_path.rstrip("/").rsplit("/", 1)[-1]
        )
        call = write_call(resource, at)
        CallPayload.objects.create(
            call_id=call,
            customer_id=resource.customer_id,
            config_id=resource.config.id,
            occurred_at=at,
            expires_at=at + timedelta(days=36500),
            sealed=b"x" * 40,
        )
    return call
