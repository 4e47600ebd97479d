"""Fixtures for runtimes: the lfx environment, a stub model, a running embedded runtime."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.runtimes import real_langflow as real
from tests.adapters.runtimes.flows import Components, Flow
from tests.adapters.runtimes.langflow_server import KEY, LangflowStub, running_langflow
from tests.adapters.runtimes.launch import Running, launched, well
from tests.adapters.runtimes.model import Model, running_model

from agentmart.adapters.runtimes import Deployment
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.install import ensure_venv
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def runtime_python() -> Path:
    """The interpreter of the environment that has lfx; installed once per checkout."""
    return ensure_venv(Path(os.environ.get("AGENTMART_RUNTIME_VENV") or ROOT / ".agentmart" / "runtime-venv"))


@pytest.fixture(scope="session")
def components(runtime_python: Path) -> Components:
    """The components of that environment's lfx."""
    return Components(runtime_python)


@pytest.fixture(scope="session")
def shared_model() -> Iterator[Model]:
    """One stub model for all tests of a process."""
    with running_model() as model:
        yield model


@pytest.fixture
def model(shared_model: Model) -> Model:
    """The stub model, with nothing asked of it yet."""
    shared_model.gate.set()
    shared_model.asked.clear()
    shared_model.calls.clear()
    return shared_model


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Callable[[], Path]]:
    """Makes folders whose path is short enough for a Unix socket and open to every user."""
    base = Path(tempfile.mkdtemp(prefix="amrt-"))
    base.chmod(0o755)

    def make() -> Path:
        folder = base / uuid.uuid4().hex[:8]
        folder.mkdir()
        folder.chmod(0o777)
        return folder

    yield make
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def shared_runtime(
    runtime_python: Path, shared_model: Model, short_folder: Callable[[], Path]
) -> Iterator[Running]:
    """One runtime process for all tests that leave it as it was."""
    settings: dict[str, Any] = {"children": 2, "memory_mb": 512}
    with launched(short_folder(), runtime_python, shared_model.url, **settings) as running:
        yield running


@pytest.fixture
async def embedded(shared_runtime: Running) -> AsyncIterator[EmbeddedRuntime]:
    """A client of the shared runtime."""
    runtime = EmbeddedRuntime(shared_runtime.socket)
    await well(runtime, shared_runtime)
    yield runtime
    await runtime.close()


Deploy = Callable[..., Any]


@pytest.fixture
async def deploy(embedded: EmbeddedRuntime) -> AsyncIterator[Deploy]:
    """Deploys a flow under a new id and returns it; removed after the test."""
    made: list[str] = []

    async def act(flow: Flow, *, trust: str = "known", deployment_id: str = "") -> str:
        deployment_id = deployment_id or uuid.uuid4().hex
        made.append(deployment_id)
        await embedded.deploy(Deployment(deployment_id, "buyer", "provider", flow, trust))  # type: ignore[arg-type]
        return deployment_id

    yield act
    for deployment_id in made:
        await embedded.remove(deployment_id)


@pytest.fixture
async def langflow_stub() -> AsyncIterator[LangflowStub]:
    """A Langflow server that is none."""
    async with running_langflow() as stub:
        yield stub


@pytest.fixture
async def langflow(langflow_stub: LangflowStub) -> AsyncIterator[LangflowRuntime]:
    """A client of it."""
    runtime = LangflowRuntime(langflow_stub.url, KEY)
    yield runtime
    await runtime.close()


@pytest.fixture
async def real_langflow() -> AsyncIterator[LangflowRuntime]:
    """A client of the real server; what a test deployed there is removed after it."""
    runtime = LangflowRuntime(real.URL, real.KEY, timeout=120)
    before = (await runtime.health()).deployments
    yield runtime
    for deployment_id in (await runtime.health()).deployments - before:
        await runtime.remove(deployment_id)
    await runtime.close()
