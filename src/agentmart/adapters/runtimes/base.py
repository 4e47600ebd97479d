"""What a flow runtime is: deploy a flow, run it, stream it, remove it, say how it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


class RuntimeFailure(Exception):
    """A run or deployment that failed; `code` is ours, `message` is safe to show a caller.

    Codes: `flow_error` (the flow raised), `timeout`, `crashed` (the process died), `not_deployed`, `busy`
    (no capacity, retry), `refused` (policy), `unreachable`, `bad_flow` (cannot be built; `message` says why).
    `detail` is for the provider's log only, never for a caller. `usage` is what the run's model calls had used
    by then: a failed run may have cost tokens. `begun` is False only where the run cannot have begun: then, and
    only then, it may be asked for again without doing anything twice.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        detail: str = "",
        usage: TokenUsage | None = None,
        begun: bool = True,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.detail = detail
        self.usage = usage
        self.begun = begun


@dataclass(frozen=True, slots=True)
class Deployment:
    """One buyer's copy of a flow version; graphs and memory are never shared between deployments."""

    deployment_id: str  # the resource's UUID, 32 hex digits
    customer_id: str
    provider_id: str
    flow: dict[str, Any]  # the Langflow export as imported: secrets stripped, every node classed
    trust: Literal["known", "custom"]  # custom: carries code of its own, runs in a process of its own
    request_id: str = ""  # of the request that asked for it; for log lines


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class RunRequest:
    """One call of a deployed flow."""

    call_id: str  # 32 hex digits
    deployment_id: str
    text: str
    session_id: str  # already scoped by the caller to tenant and user
    tweaks: dict[str, dict[str, Any]] = field(default_factory=dict)  # node → field → value, already checked
    timeout_seconds: float = 30.0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens a runtime reported for one run."""

    input_tokens: int
    output_tokens: int
    model: str = field(default="", compare=False)  # as the service named it; of several models, the last


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class RunResult:
    """The answer of one run; `usage` is None where no model was called, or none reported its usage."""

    text: str
    usage: TokenUsage | None
    duration_ms: int
    model_calls: int = 0  # tells the two apart


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer, as it is made."""

    text: str


RunEvent = Token | RunResult
"""A stream yields any number of Tokens, then exactly one RunResult with the whole text."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether runs would work now; `deployments` are the ids it holds."""

    ok: bool
    message: str = ""
    deployments: frozenset[str] = frozenset()


class Runtime(Protocol):
    """The port. Every method raises RuntimeFailure and nothing else."""

    async def deploy(self, deployment: Deployment) -> None:
        """Take a flow and prove that it can be built; replaces an earlier deployment of the same id."""

    async def remove(self, deployment_id: str) -> None:
        """Forget a deployment and its sessions; unknown ids are no error."""

    async def invoke(self, request: RunRequest) -> RunResult:
        """Run once and return the answer."""

    def stream(self, request: RunRequest) -> AsyncIterator[RunEvent]:
        """Run once, yielding tokens as they come and the result last; closing the iterator cancels the run."""

    async def health(self) -> Health:
        """Say how the runtime is; never raises."""

    async def close(self) -> None:
        """Release connections."""
