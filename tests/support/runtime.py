"""A flow runtime that only remembers: nothing runs."""

from __future__ import annotations

from agentmart.adapters.runtimes import Deployment, RuntimeFailure


class RememberingRuntime:
    """Notes what is deployed and removed; fails when told to."""

    def __init__(self) -> None:
        self.deployments: dict[str, Deployment] = {}
        self._failure: RuntimeFailure | None = None

    def fail_next(self, code: str, message: str, *, retryable: bool = False) -> None:
        self._failure = RuntimeFailure(code, message, retryable=retryable)

    def _fail(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    async def deploy(self, deployment: Deployment) -> None:
        self._fail()
        self.deployments[deployment.deployment_id] = deployment

    async def remove(self, deployment_id: str) -> None:
        self._fail()
        self.deployments.pop(deployment_id, None)

    async def close(self) -> None:
        pass
