"""A runtime that stands in for another, both as they are: the embedded one by its socket, Langflow by HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.runtimes.langflow_server import KEY, LangflowStub, running_langflow
from tests.gateway.support import Store, World, call, get, settings_for

from agentmart.adapters.runtimes import Deployment, Health, RunEvent, RunRequest, RunResult, Runtime, Token
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.server import Server
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime
from agentmart.config.database import DatabaseUrls
from agentmart.gateway import app as gateway
from agentmart.gateway.app import create_app

HEALTH = "/api/agent-gateway/health"
ECHO = {"data": {"nodes": [{"id": "in"}, {"id": "p", "template": "Langflow: {text}"}], "edges": []}}


class Embedded:
    """What stands behind the embedded runtime's socket."""

    async def deploy(self, deployment: Deployment) -> None:
        """Nothing to do."""

    async def remove(self, deployment_id: str) -> None:
        """Nothing to do."""

    async def run(self, request: RunRequest, *, stream: bool) -> AsyncGenerator[RunEvent, None]:
        """Answer."""
        text = f"Embedded: {request.text}"
        if stream:
            yield Token(text)
        yield RunResult(text, None, 1)

    def health(self) -> Health:
        """Be well."""
        return Health(ok=True)


@pytest.fixture
async def server() -> AsyncIterator[LangflowStub]:
    """A Langflow server that is none."""
    async with running_langflow() as stub:
        yield stub


async def test_langflow_stands_in_for_the_embedded_runtime(
    fresh_database: DatabaseUrls,
    store: Store,
    server: LangflowStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "HEALTH_SECONDS", -1.0)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        socket = Path(folder) / "r.sock"
        embedded = Server(Embedded(), socket)
        await embedded.start()
        langflow = LangflowRuntime(server.url, KEY)
        runtimes: dict[str, Runtime] = {"embedded": EmbeddedRuntime(socket), "langflow": langflow}
        settings = settings_for(fresh_database, tmp_path, fallbacks=dict.fromkeys(runtimes, "langflow"))
        app = create_app(settings, runtimes=runtimes)
        await app.startup()
        world = World(app, None, store, settings.clock, settings)  # type: ignore[arg-type]
        issued = await world.issue(runtime="embedded")
        await langflow.deploy(Deployment(issued.grant.deployment_id, "buyer", "provider", ECHO, "known"))

        async def said(text: str, *, stream: bool = False) -> str:
            answer = await call(app, {"input": text, "stream": stream}, issued.key)
            assert answer.status == 200, answer.body
            if not stream:
                return str(answer.json()["output"])
            return "".join(data["text"] for name, data in answer.events() if name == "token")

        assert await said("one") == "Embedded: one"
        await embedded.close()
        socket.unlink(missing_ok=True)
        assert await said("two") == "Langflow: two"
        assert (await get(app, HEALTH)).status == 200, "calls work, so that is what health says"
        assert await said("three") == "Langflow: three"
        again = Server(Embedded(), socket)
        await again.start()
        assert await said("four", stream=True) == "Embedded: four"
        await again.close()
        socket.unlink(missing_ok=True)
        server.version = "1.0.0"  # too old to be used
        langflow_health = await langflow.health()
        assert not langflow_health.ok
        assert (await get(app, HEALTH)).json()["checks"]["runtime"] == "failed"
        await app.shutdown()
    events = await store.events()
    assert [(event["status"], event["requests"]) for event in events] == [("ok", 1)] * 4
    assert {run.json()["input_value"] for run in server.runs()} == {"two", "three"}
