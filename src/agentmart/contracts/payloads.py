"""The content of calls that a buyer chose to keep: what is chosen, what is stored, how it is encrypted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentmart.kit.redaction import Own, Rule

PURPOSE = b"agentmart call payload"
"""For `kit.sealing`: the key of a kept payload, whose row is named by its call."""
LONGEST_DAYS = 90
DEFAULT_DAYS = 30
LONGEST_TEXT = 16_000
"""Characters of each text that are kept."""


@dataclass(frozen=True, slots=True)
class PayloadPolicy:
    """That the content of an agent's calls is kept, how long, and what in it is made unreadable first."""

    retention_days: int
    redact: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptPayload:
    """Most of a row of `metering_call_payload`; the rest is the call's own."""

    config_id: str  # 32 hex digits
    expires_at: datetime
    sealed: bytes


def rules_from_json(stored: Iterable[str | Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return stored rules: names of built-in ones, and objects {name, pattern}."""
    return tuple(item if isinstance(item, str) else Own(item["name"], item["pattern"]) for item in stored)


def keys_of(text: str) -> tuple[str, ...]:
    """Return the secrets of a setting: the first seals, all of them open."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
