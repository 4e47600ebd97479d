"""Where a run cannot have begun a runtime says so, and nowhere else: the gateway asks again by that word alone."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from agentmart.adapters.runtimes import Deployment, Health, RunEvent, RunRequest, RuntimeFailure
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.server import Server
from agentmart.adapters.runtimes.langflow import failures
from agentmart.adapters.runtimes.langflow.connection import Broken

REQUEST = RunRequest("0" * 32, "1" * 32, "Hello", "s")


class Failing:
    """A backend whose runs fail as told; without a failure the connection ends in the middle."""

    def __init__(self) -> None:
        self.failure = RuntimeFailure("crashed", "It died.", retryable=True)

    async def deploy(self, deployment: Deployment) -> None:
        """Nothing to do."""

    async def remove(self, deployment_id: str) -> None:
        """Nothing to do."""

    async def run(self, request: RunRequest, *, stream: bool) -> AsyncGenerator[RunEvent, None]:
        """Fail."""
        raise self.failure
        yield

    def health(self) -> Health:
        """Be well."""
        return Health(ok=True)


async def failed(runtime: EmbeddedRuntime) -> RuntimeFailure:
    """Return how a run fails."""
    with pytest.raises(RuntimeFailure) as caught:
        await runtime.invoke(REQUEST)
    return caught.value


async def test_what_the_embedded_runtime_says_comes_over_the_socket() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path, backend = Path(folder) / "r.sock", Failing()
        nobody = EmbeddedRuntime(path)
        assert (await failed(nobody)).begun is False, "nobody listens"
        server = Server(backend, path)
        await server.start()
        runtime = EmbeddedRuntime(path)
        assert (await failed(runtime)).begun is True, "it died in the run, retryable or not"
        backend.failure = RuntimeFailure("busy", "Full.", retryable=True, begun=False)
        assert (await failed(runtime)).begun is False
        await server.drain(0.1)
        assert (await failed(runtime)).begun is False, "it is shutting down"
        await runtime.close()
        await server.close()


@pytest.mark.parametrize(
    ("code", "begun"),
    [
        ("connect", False),
        ("busy", False),
        ("lost", True),
        ("timeout", True),
        ("protocol", True),
        ("too_large", True),
    ],
)
def test_a_connection_to_a_langflow_server(code: str, begun: bool) -> None:
    assert failures.of_connection(Broken(code), failures.CONNECTION).begun is begun


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504])
def test_a_status_proves_nothing(status: int) -> None:
    assert failures.of_status(status, b"", failures.RUN).begun is True
