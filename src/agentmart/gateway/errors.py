"""How refusals and failures become answers; nothing else in the gateway writes an error body."""

from __future__ import annotations

from typing import Any

from agentmart.adapters.runtimes import RuntimeFailure
from agentmart.kit.errors import DomainError

RETRY_SECONDS = 1


class Unavailable(DomainError):
    """The gateway cannot serve the call now; nothing was run and nothing is owed."""

    code = "unavailable"
    status = 503

    def __init__(
        self,
        message: str = "The service cannot take this call now. Try again shortly.",
        *,
        reason: str = "",
        retry_after: int = RETRY_SECONDS,
    ) -> None:
        extra = {"reason": reason, "retry_after": retry_after} if reason else {}
        super().__init__(message, extra=extra, headers={"Retry-After": str(retry_after)})


class UpstreamError(DomainError):
    """The agent failed."""

    code = "upstream_error"
    status = 502


class UpstreamTimeout(DomainError):
    """The agent did not finish in time."""

    code = "upstream_timeout"
    status = 504


class Internal(DomainError):
    """A defect of ours; the log has the rest under the request id."""

    code = "internal_error"
    status = 500

    def __init__(self) -> None:
        super().__init__("The gateway failed to handle this call. Tell support the request id.")


def from_runtime(failure: RuntimeFailure) -> DomainError:
    """Return what a caller is told of a runtime's failure; its detail stays inside."""
    if failure.code == "timeout":
        return UpstreamTimeout("The agent did not answer in time.")
    if failure.code in {"busy", "unreachable", "not_deployed", "stopped"}:
        return Unavailable("The agent cannot take this call now. Try again shortly.")
    return UpstreamError(failure.message, extra={"reason": failure.code})


def body_of(error: DomainError, request_id: str) -> dict[str, Any]:
    """Return the JSON body of a refusal; a 400 that names a field also has the field form, nested like the request."""
    body: dict[str, Any] = {}
    extra = dict(error.extra)
    if error.field is not None:
        extra.setdefault("field", error.field)
        if error.status == 400:
            body.update(_nested(error.field.split("."), error.message))
    body["detail"] = error.message
    body["code"] = error.code
    if extra:
        body["extra"] = extra
    body["request_id"] = request_id
    return body


def _nested(path: list[str], message: str) -> dict[str, Any]:
    node: dict[str, Any] = {path[-1]: [message]}
    for name in reversed(path[:-1]):
        node = {name: node}
    return node
