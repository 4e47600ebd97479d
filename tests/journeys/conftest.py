"""Fixtures of the journeys: a runtime that only remembers, and a signing key."""

from __future__ import annotations

from typing import Any

import pytest

from agentmart.adapters import runtimes
from agentmart.adapters.runtimes import Deployment, RuntimeFailure


class RememberingRuntime:
    """A runtime that notes deployments and fails when told to; nothing runs."""

    def __init__(self) -> None:
        self.deployments: dict[str, Deployment] = {}
        self._failure: RuntimeFailure | None = None

    def fail_next_deploy(self, code: str, message: str) -> None:
        self._failure = RuntimeFailure(code, message)

    async def deploy(self, deployment: Deployment) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        self.deployments[deployment.deployment_id] = deployment

    async def remove(self, deployment_id: str) -> None:
        self.deployments.pop(deployment_id, None)

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> RememberingRuntime:
    runtime = RememberingRuntime()
    monkeypatch.setattr(runtimes, "build", lambda kind, **params: runtime)
    return runtime


@pytest.fixture(autouse=True)
def signing_key(settings: Any) -> None:
    settings.AGENT_KEYS = {**settings.AGENT_KEYS, "SECRET_KEY": "a test's signing key of 32+ bytes!!"}
