"""A runtime in memory: the embedded one's twin for tests of gateway and worker. Holds no process and no clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    RuntimeFailure,
    Token,
    TokenUsage,
)


@dataclass(slots=True)
class Script:
    """How runs of one deployment behave; change it between calls.

    `answer` may use `{text}`, `{session_id}` and `{turn}` (the how-manieth call of the session). A run waits for
    `gate`, if there is one, and then ends by `failure`, if there is one.
    """

    answer: str = "{text}"
    usage: TokenUsage | None = None
    failure: RuntimeFailure | None = None
    gate: asyncio.Event | None = None


@dataclass(slots=True)
class FakeRuntime:
    """The port in memory. `requests` are all runs it was asked for, `cancelled` the call ids that were given up."""

    deployments: dict[str, Deployment] = field(default_factory=dict)
    scripts: dict[str, Script] = field(default_factory=dict)
    sessions: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    requests: list[RunRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    problem: str = ""  # the runtime is unwell and says so
    closed: bool = False

    def script(self, deployment_id: str) -> Script:
        """Return the deployment's script, to be changed."""
        return self.scripts.setdefault(deployment_id, Script())

    async def deploy(self, deployment: Deployment) -> None:
        """Keep a flow that has nodes; raises RuntimeFailure `bad_flow` for another."""
        data = deployment.flow.get("data")
        if not isinstance(data, dict) or not data.get("nodes"):
            raise RuntimeFailure("bad_flow", "The flow has no nodes.")
        self.deployments[deployment.deployment_id] = deployment

    async def remove(self, deployment_id: str) -> None:
        """Forget a deployment and its sessions."""
        self.deployments.pop(deployment_id, None)
        self.sessions = {key: value for key, value in self.sessions.items() if key[0] != deployment_id}

    async def invoke(self, request: RunRequest) -> RunResult:
        """Run once and return the answer; raises RuntimeFailure."""
        events = [event async for event in self.stream(request)]
        assert isinstance(events[-1], RunResult)
        return events[-1]

    async def stream(self, request: RunRequest) -> AsyncGenerator[RunEvent, None]:
        """Yield the answer word by word, then the result; raises RuntimeFailure."""
        self.requests.append(request)
        if request.deployment_id not in self.deployments:
            raise RuntimeFailure(
                "not_deployed", "This agent is not deployed in the runtime.", retryable=True, begun=False
            )
        script = self.script(request.deployment_id)
        finished = False
        try:
            if script.gate is not None:
                await _opened(script.gate, request.timeout_seconds)
            if script.failure is not None:
                raise script.failure
            text = self._answer(script, request)
            for number, word in enumerate(text.split(" ")):
                yield Token(f" {word}" if number else word)
            finished = True
            yield RunResult(
                text=text, usage=script.usage, duration_ms=1, model_calls=int(script.usage is not None)
            )
        except (asyncio.CancelledError, GeneratorExit):
            if not finished:
                self.cancelled.append(request.call_id)
            raise

    def _answer(self, script: Script, request: RunRequest) -> str:
        session = self.sessions.setdefault((request.deployment_id, request.session_id), [])
        session.append(request.text)
        values = {"text": request.text, "session_id": request.session_id, "turn": str(len(session))}
        answer = script.answer
        for name, value in values.items():
            answer = answer.replace("{" + name + "}", value)
        return answer

    async def health(self) -> Health:
        """Say whether it is well."""
        return Health(ok=not self.problem, message=self.problem, deployments=frozenset(self.deployments))

    async def close(self) -> None:
        """Take note."""
        self.closed = True


async def _opened(gate: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(gate.wait(), seconds)
    except TimeoutError:
        raise RuntimeFailure("timeout", "The flow took longer than it may.") from None
