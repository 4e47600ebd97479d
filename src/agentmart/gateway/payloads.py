"""Keeping the content of calls whose buyer asked for it: redacted, cut, encrypted, stored with the call's usage.

Where nobody asked, a call only looks at one field of its Grant. What cannot be kept is not kept: a call never fails
or waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import msgspec

from agentmart.contracts.grants import Grant
from agentmart.contracts.payloads import LONGEST_TEXT, PURPOSE, KeptPayload, PayloadPolicy
from agentmart.contracts.usage import UsageEvent
from agentmart.kit.redaction import redactor
from agentmart.kit.sealing import seal

logger = logging.getLogger("agentmart.gateway")

MARGIN = 512
"""So much more than is kept is redacted, so that nothing cut in two at the edge stays readable."""
SMALL = 4096
"""Shorter texts are redacted at once, longer ones in a thread."""


class Payload(msgspec.Struct, frozen=True):
    """What is kept of a call."""

    input: str
    output: str
    input_truncated: bool
    output_truncated: bool


async def keep(grant: Grant, event: UsageEvent, *, text: str, output: str, secret: str) -> KeptPayload | None:
    """Return the call's content as it is stored, None where the buyer keeps none or it cannot be kept."""
    policy = grant.payloads
    if policy is None or not secret:
        return None
    try:
        if len(text) + len(output) > SMALL:
            return await asyncio.to_thread(_kept, policy, grant, event, text, output, secret)
        return _kept(policy, grant, event, text, output, secret)
    except Exception as error:  # noqa: BLE001 - whatever broke, the call goes on; no log holds its content
        logger.error("payload_not_kept", extra={"request_id": event.id.hex, "error": type(error).__name__})
        return None


def _kept(
    policy: PayloadPolicy, grant: Grant, event: UsageEvent, text: str, output: str, secret: str
) -> KeptPayload:
    redact = redactor(policy.redact)
    given, input_truncated = _cut(text, redact)
    made, output_truncated = _cut(output, redact)
    content = msgspec.json.encode(Payload(given, made, input_truncated, output_truncated))
    return KeptPayload(
        config_id=grant.config_id.hex,
        expires_at=event.occurred_at + timedelta(days=policy.retention_days),
        sealed=seal(content, event.id, secret=secret, purpose=PURPOSE),
    )


def _cut(text: str, redact: Callable[[str], str]) -> tuple[str, bool]:
    """Return the text redacted and cut to what is kept, and whether it was cut."""
    if len(text) <= LONGEST_TEXT:
        redacted = redact(_writable(text))
        return redacted[:LONGEST_TEXT], len(redacted) > LONGEST_TEXT
    redacted = redact(_writable(text[: LONGEST_TEXT + MARGIN]))
    return redacted[:-MARGIN][:LONGEST_TEXT], True


def _writable(text: str) -> str:
    """Return the text without lone surrogates, which no encoding can hold."""
    return text.encode("utf-8", "replace").decode()
