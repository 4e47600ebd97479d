"""A third runtime is one folder: put there, it has settings and serves calls; nothing else is told."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from tests.gateway.support import INVOKE, KEYS, Store, eventually, issue

from agentmart.config.database import DatabaseUrls

KIND = """
from agentmart.contracts.runtimes import RuntimeKind
from agentmart.kit.env import Setting


def parameters(env):
    saying = env.text("PARROT_SAYING")
    return {"saying": saying} if saying else None


KIND = RuntimeKind(
    client="agentmart.adapters.runtimes.parrot.client.Parrot",
    parameters=parameters,
    settings=(Setting("PARROT_SAYING", "What the parrot says first.", secret=True, readers=("gateway", "worker")),),
    needed=("PARROT_SAYING",),
)
"""
CLIENT = """
from agentmart.adapters.runtimes.base import Health, RunResult, Token, TokenUsage


class Parrot:
    def __init__(self, saying):
        self.saying = saying

    async def deploy(self, deployment):
        pass

    async def remove(self, deployment_id):
        pass

    async def invoke(self, request):
        return RunResult(f"{self.saying}, {request.text}", TokenUsage(2, 3), 1, 1)

    async def stream(self, request):
        yield Token(self.saying)
        yield Token(f", {request.text}")
        yield await self.invoke(request)

    async def health(self):
        return Health(ok=True)

    async def close(self):
        pass
"""
START = """
import sys
import agentmart.adapters.runtimes as folder
folder.__path__.append(sys.argv.pop(1))
from agentmart.config.cli import main
main()
"""


def parrot(folder: Path) -> str:
    """Write the runtime's folder; return where it is."""
    (folder / "parrot").mkdir(parents=True)
    for name, content in (("__init__", ""), ("kind", KIND), ("client", CLIENT)):
        (folder / "parrot" / f"{name}.py").write_text(content)
    return str(folder)


@asynccontextmanager
async def gateway(place: str, database_url: str, data_dir: Path) -> AsyncIterator[str]:
    """Run `agentmart gateway` with the parrot; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "AGENTMART_GATEWAY_DATABASE_URL": database_url,
        "AGENT_KEYS_SECRET_KEY": KEYS.secret,
        "AGENTMART_GATEWAY_PORT": str(port),
        "AGENTMART_RUNTIME": "parrot",
        "PARROT_SAYING": "Pieces of eight",
    }
    command = [sys.executable, "-c", START, place, "gateway", "--data-dir", str(data_dir)]
    with (data_dir / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"

    async def up() -> bool:
        assert process.poll() is None, (data_dir / "log").read_text()
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{base}/ready")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await eventually(up, within=30)
        yield base
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def test_a_folder_is_a_runtime(fresh_database: DatabaseUrls, store: Store, tmp_path: Path) -> None:
    issued = issue(runtime="parrot")
    await store.publish(issued.grant)
    (tmp_path / "data").mkdir()
    place = parrot(tmp_path / "runtimes")
    async with (
        gateway(place, fresh_database.gateway, tmp_path / "data") as base,
        httpx.AsyncClient(base_url=base, headers={"X-API-Key": issued.key}) as client,
    ):
        answer = await client.post(INVOKE, json={"input": "Polly"})
        stream = await client.post(INVOKE, json={"input": "Polly", "stream": True})
        metrics = (await client.get("/metrics")).text
    assert (answer.status_code, answer.json()["output"]) == (200, "Pieces of eight, Polly")
    assert stream.text.count("event: token") == 2
    assert 'runtime="parrot"' in metrics
    assert "Pieces of eight" not in (tmp_path / "data" / "log").read_text() + metrics
    events = await store.events()
    assert [(each["input_tokens"], each["output_tokens"], each["source"]) for each in events] == [
        (2, 3, "runtime"),
        (2, 3, "runtime"),
    ]


def test_its_settings_are_the_products(tmp_path: Path) -> None:
    asked = (
        "from agentmart.config.process_environment import for_process; from agentmart.contracts.environment "
    )
    asked += "import environment; from agentmart.contracts import runtimes; env = environment(); from pathlib import "
    asked += "Path; print(*runtimes.runtime_parameters(env), runtimes.new_runtime(env), *("
    asked += "name for name in ('worker', 'runtime') if 'PARROT_SAYING' in for_process(name, env, Path('.'), None)))"
    start = f"import sys; import agentmart.adapters.runtimes as f; f.__path__.append(sys.argv[1]); {asked}"
    settings = {
        "AGENTMART_APP_DATABASE_URL": "postgresql://a:b@localhost/x",
        "AGENTMART_SECRET_KEY": "x" * 50,
        "AGENT_KEYS_SECRET_KEY": KEYS.secret,
        "AGENTMART_RUNTIME": "parrot",
        "PARROT_SAYING": "Ahoy",
    }
    result = subprocess.run(
        [sys.executable, "-c", start, parrot(tmp_path / "runtimes")],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (result.stdout.split(), result.stderr) == (["embedded", "parrot", "parrot", "worker"], "")
