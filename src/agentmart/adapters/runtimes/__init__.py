"""Flow runtimes: embedded (lfx in sandboxed child processes), a Langflow server, and the fake for tests."""

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

KINDS = {
    "embedded": "agentmart.adapters.runtimes.embedded.client.EmbeddedRuntime",
    "fake": "agentmart.adapters.runtimes.fake.FakeRuntime",
    "langflow": "agentmart.adapters.runtimes.langflow.client.LangflowRuntime",
}

__all__ = [
    "KINDS",
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
    module, name = KINDS[kind].rsplit(".", 1)
    return cast(Runtime, getattr(importlib.import_module(module), name)(**params))
