"""What a key is to be, and what of that may not be (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentmart.contracts.keys import LIVE, PUBLISHABLE, SCOPES, SECRET
from agentmart.kit.errors import Invalid

CAPS = (
    "requests_per_minute",
    "concurrent_requests",
    "requests_per_month",
    "tokens_per_minute",
    "tokens_per_month",
    "max_context_tokens",
)
"""What a key alone may be held to, as contracts.grants.Limits names it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the key's maker says of it. Without origins a publishable key follows the agent's."""

    name: str
    kind: str = SECRET
    environment: str = LIVE
    scopes: Sequence[str] = SCOPES
    allowed_origins: Sequence[str] = ()
    allowed_ips: Sequence[str] = ()
    limits: Mapping[str, int] = field(default_factory=dict)

    def check(self, *, plan: Mapping[str, Any], origins: Sequence[str]) -> None:
        """Raise Invalid, naming the field, for terms that a key of this plan and agent cannot have."""
        if self.kind == PUBLISHABLE and not (self.allowed_origins or origins):
            raise Invalid(
                "A publishable key needs the origins of its pages: name them here or in the agent's settings.",
                field="allowed_origins",
            )
        if self.kind == SECRET and self.allowed_origins:
            raise Invalid(
                "A secret key is not for web pages, so it has no origins; make a publishable key.",
                field="allowed_origins",
            )
        for name, value in self.limits.items():
            most = plan.get(name)
            if most is not None and value > most:
                raise Invalid(
                    f"The plan allows {most}; a key can only be held tighter.", field=f"limits.{name}"
                )

    def caps(self, test_caps: Mapping[str, int]) -> dict[str, int]:
        """Return what the gateway holds the key to: its own limits, a test key's also to those of all test keys."""
        caps = dict(self.limits)
        if self.environment != LIVE:
            for name, most in test_caps.items():
                caps[name] = min(caps.get(name, most), most)
        return caps
