"""The same through a gateway of its own process, over HTTP, with keys, limits and usage in PostgreSQL.

`python -m benchmarks.fairness --http`: the runtime sleeps as long as the call says; the callers of A and of B are in
one process, on connections of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic, perf_counter

import uvloop

from agentmart.adapters.runtimes import Deployment, Health, RunEvent, RunRequest, RunResult, Token
from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.gateway import server
from agentmart.gateway.app import create_app
from agentmart.gateway.settings import GatewaySettings
from benchmarks import gateway_ours

KIND = "sleeper"
LASTS = 0.2
START_SECONDS = 30.0
PATH = "/api/agent-gateway/invoke/"


class Sleeper:
    """A runtime whose runs take as many seconds as their text says."""

    async def deploy(self, deployment: Deployment) -> None:
        """Nothing to do."""

    async def remove(self, deployment_id: str) -> None:
        """Nothing to do."""

    async def invoke(self, request: RunRequest) -> RunResult:
        """Sleep."""
        await asyncio.sleep(float(request.text))
        return RunResult("Slept.", None, 1)

    async def stream(self, request: RunRequest) -> AsyncIterator[RunEvent]:
        """Sleep."""
        result = await self.invoke(request)
        yield Token(result.text)
        yield result

    async def health(self) -> Health:
        """Be well."""
        return Health(ok=True)

    async def close(self) -> None:
        """Nothing to do."""


def serve(url: str, folder: Path, port: int, places: int) -> None:
    """Run the gateway."""
    settings = GatewaySettings(
        database_url=url, keys=gateway_ours.KEYS, runtimes={}, data_dir=folder, places={KIND: places}
    )
    app = create_app(settings, runtimes={KIND: Sleeper()})
    server.serve(app, "127.0.0.1", port, shutdown_grace=5.0)


class Callers:
    """One customer's callers, on kept connections."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}

    async def call(self, lasts: float) -> None:
        """Make one call and note how long it took."""
        begun = perf_counter()
        connection = (
            self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        )
        reader, writer = connection
        body = json.dumps({"input": f"{lasts:.4f}"}).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._key}\r\n"
        writer.write(
            f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        status = int(answer.split(b" ", 2)[1])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.latencies.append(perf_counter() - begun)
        self._idle.append(connection)

    async def ask(self, name: str, rate: float, seconds: float) -> None:
        """Call at random moments, on average `rate` times a second."""
        random, calls = Random(name), set()
        begun, at = perf_counter(), 0.0
        while (at := at + random.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, begun + at - perf_counter()))
            calls.add(asyncio.create_task(self.call(random.uniform(0.5, 1.5) * LASTS)))
        await asyncio.gather(*calls)

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()


async def _measure(
    port: int, keys: dict[str, str], rates: dict[str, float], seconds: float
) -> dict[str, dict[str, float]]:
    callers = {name: Callers(port, keys[name]) for name in rates}
    await asyncio.gather(*(callers[name].ask(name, rate, seconds) for name, rate in rates.items()))
    found = {}
    for name, each in callers.items():
        values = sorted(each.latencies)
        found[name] = {
            "asked": sum(each.statuses.values()),
            "run": len(values),
            "p50_ms": round(values[len(values) // 2] * 1000, 2),
            "p95_ms": round(values[int(len(values) * 0.95)] * 1000, 2),
        }
        each.close()
        assert set(each.statuses) <= {200, 503}, each.statuses
    return found


@contextmanager
def gateway(places: int) -> Iterator[tuple[int, dict[str, str]]]:
    """Start a database and a gateway; yield its port and the keys of two customers."""
    with tempfile.TemporaryDirectory(prefix="fairness-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        migrate = [str(Path(sys.executable).with_name("agentmart")), "migrate", "--data-dir", name]
        subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL)
        with database.running(environments.with_options(folder), folder) as urls:
            made = gateway_ours.make_grants(20, KIND)
            asyncio.run(
                gateway_ours.publish(
                    database.with_database(urls.admin, database.DATABASE), [g for _, g in made]
                )
            )
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            command = [
                sys.executable,
                "-m",
                "benchmarks.fairness_http",
                urls.gateway,
                name,
                str(port),
                str(places),
            ]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ)
            try:
                _wait_for(port)
                yield port, {"a": made[0][0], "b": made[10][0]}  # ten keys to a customer
            finally:
                process.terminate()
                process.wait()


def _wait_for(port: int) -> None:
    end = monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if monotonic() > end:
                raise


def measure(
    places: int, rounds: list[dict[str, float]], seconds: float
) -> Iterator[dict[str, dict[str, float]]]:
    """Yield the figures of every round; rates are in shares of the places' runs."""
    share = places / LASTS / 2
    with gateway(places) as (port, keys):
        uvloop.run(_measure(port, keys, dict.fromkeys(keys, 20.0), 2.0))  # warm
        for rates in rounds:
            asked = {name: rate * share for name, rate in rates.items()}
            yield uvloop.run(_measure(port, keys, asked, seconds))


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
