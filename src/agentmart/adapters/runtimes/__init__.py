"""Flow runtimes: a folder each, with a `kind.py` that says what the rest must know of it; and the fake for tests."""

from __future__ import annotations

import importlib
from typing import Any, cast

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    Runtime,
    RuntimeFailure,
    Token,
    TokenUsage,
)
from agentmart.contracts.runtimes import kinds

_FAKE = "agentmart.adapters.runtimes.fake.FakeRuntime"

__all__ = [
    "Deployment",
    "Health",
    "RunEvent",
    "RunRequest",
    "RunResult",
    "Runtime",
    "RuntimeFailure",
    "Token",
    "TokenUsage",
    "build",
]


def build(kind: str, **params: Any) -> Runtime:
    """Return the runtime of that kind; raises KeyError for an unknown one."""
    client = _FAKE if kind == "fake" else kinds()[kind].client
    module, name = client.rsplit(".", 1)
    return cast(Runtime, getattr(importlib.import_module(module), name)(**params))
