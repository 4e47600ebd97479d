"""Counters that several gateways share: small scripts run by a server, each as a whole. Redis or Valkey."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from agentmart.adapters.counters.base import Counters, CountersAway, ScriptCall

SCHEMES = dict.fromkeys(
    ("redis", "rediss", "valkey", "valkeys", "unix"), "agentmart.adapters.counters.redis.RedisCounters"
)
"""The start of a server's address → what talks to it; loaded only where it is wanted."""

__all__ = ["SCHEMES", "Counters", "CountersAway", "ScriptCall", "build"]


def build(url: str, scripts: Mapping[str, str], *, timeout: float) -> Counters:
    """Return the client of the server at `url`; connects when first asked. Raises KeyError for another scheme."""
    module, name = SCHEMES[url.partition("://")[0]].rsplit(".", 1)
    return cast(Counters, getattr(importlib.import_module(module), name)(url, scripts, timeout=timeout))
