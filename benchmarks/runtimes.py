"""Runs of one flow without a model: the embedded runtime, and a real Langflow server with one worker, each on core 0.

    python -m benchmarks.runtimes LANGFLOW_VENV [--json PATH] [--seconds S] [--rounds N]

LANGFLOW_VENV is made where it is missing (1.4 GB). Both are asked through the same port from core 1, in turn, round by
round. The flow is lfx's own hello-world, as exported; a server's settings are those of `scripts/try_langflow`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from scripts import try_langflow

from agentmart.adapters.runtimes import Deployment, RunRequest, Runtime, RuntimeFailure
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.install import ensure_venv
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime
from agentmart.config.commands.demo import PLAIN_FLOW

START_SECONDS = 120.0
CALLERS = (1, 16)


def pinned(command: list[str]) -> list[str]:
    """Return a command that runs on core 0."""
    return ["taskset", "-c", "0", *command]


@contextmanager
def embedded(folder: Path, venv: Path) -> Iterator[EmbeddedRuntime]:
    """Start the embedded runtime with its default settings."""
    data = folder / "data"
    command = [str(Path(sys.executable).with_name("agentmart")), "runtime", "--data-dir", str(data)]
    environment = {**os.environ, "AGENTMART_RUNTIME_VENV": str(venv)}
    with try_langflow.started(pinned(command), environment, folder / "runtime.log"):
        yield EmbeddedRuntime(str(data / "run" / "runtime" / "runtime.sock"))


@contextmanager
def langflow(folder: Path, venv: Path) -> Iterator[LangflowRuntime]:
    """Start a Langflow server."""
    server = f"http://127.0.0.1:{try_langflow.free_port('127.0.0.1')}"
    command = pinned(try_langflow.server_command(venv, server))
    log = folder / "langflow.log"
    with try_langflow.started(command, try_langflow.server_environment(folder), log):
        try_langflow.await_healthy(server, log)
        yield LangflowRuntime(server, try_langflow.prepared(server, f"http://{try_langflow.MODEL_HOST}:9/v1"))


async def ready(runtime: Runtime) -> None:
    """Return once the runtime is well; raises RuntimeError."""
    until = time.monotonic() + START_SECONDS
    while not (health := await runtime.health()).ok:
        if time.monotonic() > until:
            raise RuntimeError(health.message)
        await asyncio.sleep(0.2)


async def deployed(runtime: Runtime, flow: dict[str, Any]) -> tuple[str, dict[str, float]]:
    """Deploy the flow; return its id and how long that and its first run took."""
    name = uuid4().hex
    begun = time.perf_counter()
    await runtime.deploy(Deployment(name, uuid4().hex, uuid4().hex, flow, "known"))
    there = time.perf_counter()
    await run(runtime, name)
    first = time.perf_counter() - there
    return name, {"deploy_ms": (there - begun) * 1000, "first_run_ms": first * 1000}


async def run(runtime: Runtime, name: str) -> float:
    """Run once in a session of its own; return the seconds it took."""
    begun = time.perf_counter()
    call = uuid4().hex
    await runtime.invoke(RunRequest(call, name, "Hello, how are you today?!", session_id=call))
    return time.perf_counter() - begun


async def load(runtime: Runtime, name: str, callers: int, seconds: float) -> dict[str, float]:
    """Have so many callers run it one after the other; return runs a second and the median."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def call() -> None:
        while time.perf_counter() < until:
            try:
                took.append(await run(runtime, name))
            except RuntimeFailure as failure:
                raise RuntimeError(
                    f"a run failed: {failure.code} {failure.message} {failure.detail}"
                ) from failure

    begun = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return {
        "runs_per_second": len(took) / (time.perf_counter() - begun),
        "p50_ms": statistics.median(took) * 1000,
    }


async def measure(runtimes: dict[str, Runtime], flow: dict[str, Any], rounds: int, seconds: float) -> Any:
    """Return the medians of all rounds by runtime."""
    found: dict[str, dict[str, Any]] = {}
    names = {}
    for kind, runtime in runtimes.items():
        await ready(runtime)
        names[kind], found[kind] = await deployed(runtime, flow)
        for _ in range(5):
            await run(runtime, names[kind])
        again = await deployed(runtime, flow)  # in a process that has run another deployment of it
        found[kind] |= {f"{what}_warm": value for what, value in again[1].items()}
    rows: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for callers in CALLERS:
            for kind, runtime in runtimes.items():
                rows.setdefault((kind, callers), []).append(
                    await load(runtime, names[kind], callers, seconds)
                )
    for (kind, callers), figures in rows.items():
        for what in ("runs_per_second", "p50_ms"):
            found[kind][f"{what}, {callers} callers"] = statistics.median(row[what] for row in figures)
    for runtime in runtimes.values():
        await runtime.close()
    return {kind: {what: round(value, 2) for what, value in row.items()} for kind, row in found.items()}


def main() -> None:
    """Measure both and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venv", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    try_langflow.install(chosen.venv.absolute())
    home = Path(os.environ.get("AGENTMART_DATA_DIR") or ".agentmart").absolute()
    venv = Path(os.environ.get("AGENTMART_RUNTIME_VENV") or home / "runtime-venv")
    ensure_venv(venv)
    flow = json.loads(next(venv.glob(f"lib/python3*/site-packages/{PLAIN_FLOW}")).read_text())
    os.sched_setaffinity(0, {1})
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="agentmart-runtimes-") as place, ExitStack() as stack:
        folder = Path(place)
        folder.chmod(0o711)
        runtimes: dict[str, Runtime] = {
            "embedded": stack.enter_context(embedded(folder, venv)),
            "langflow": stack.enter_context(langflow(folder, chosen.venv.absolute())),
        }
        found = asyncio.run(measure(runtimes, flow, chosen.rounds, chosen.seconds))
    ratios = {
        what: round(found["embedded"][what] / found["langflow"][what], 2)
        for what in found["embedded"]
        if what.startswith("runs_per_second")
    }
    report = {"python": platform.python_version(), "load_before": before, **found, "ratios": ratios}
    print(json.dumps(report, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
