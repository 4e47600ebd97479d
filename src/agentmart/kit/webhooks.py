"""Signing messages that others receive, as Standard Webhooks 1.0.0 says (pure)."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def secret_text(secret: bytes) -> str:
    """Return a secret as it is shown: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: an HMAC-SHA256 over id, seconds since 1970 and body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def headers(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt; the id is the same for every attempt, the time is not."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Agentmart-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }
