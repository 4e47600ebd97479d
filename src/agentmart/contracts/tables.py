"""Tables that Django migrates and the gateway reads and writes by SQL of its own, and what it may do there."""

from __future__ import annotations

GRANT = "access_grant"
CALL_STARTED = "metering_call_started"
USAGE_EVENT = "metering_usage_event"
USAGE_HOUR = "metering_usage_hour"
IDEMPOTENT_CALL = "access_idempotent_call"
PAYLOAD_SETTING = "metering_payload_setting"
CALL_PAYLOAD = "metering_call_payload"

GRANT_CHANNEL = "agentmart_grant"
"""NOTIFY channel; the payload is the key id (32 hex digits), or `*` for all."""

OWNER_ROLE = "agentmart_owner"
APP_ROLE = "agentmart_app"
GATEWAY_ROLE = "agentmart_gateway"

GATEWAY_PRIVILEGES: dict[str, tuple[str, ...]] = {
    GRANT: ("SELECT",),
    CALL_STARTED: ("SELECT", "INSERT", "DELETE"),
    USAGE_EVENT: ("SELECT", "INSERT"),
    USAGE_HOUR: ("SELECT", "INSERT", "UPDATE"),
    IDEMPOTENT_CALL: ("SELECT", "INSERT", "UPDATE"),
    PAYLOAD_SETTING: ("SELECT",),
    CALL_PAYLOAD: ("INSERT",),
}
"""All that the gateway's database role may touch; the migration grants it, a test compares it with the catalog."""
