"""Gateways side by side: ours with usage in memory and durable, nginx, FastAPI + httpx, LiteLLM, Portkey.

One run, contenders in turn: the gateway on core 0; wrk, the stub upstream and PostgreSQL on core 1. Figures are
medians over the rounds, with their range; processor time is that of the gateway's processes over the run divided
by wrk's requests. A round with a refusal or a socket error is void. `benchmarks/setup.sh` installs the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentmart.config import database
from agentmart.config import process_environment as environments
from agentmart.config.ports import free
from benchmarks import gateway_streams, gateway_stub

HERE = Path(__file__).parent
BENCH = Path(os.environ.get("AGENTMART_BENCH_DIR", ".agentmart/bench")).absolute()
INVOKE = "/api/agent-gateway/invoke/"
OURS_BODY = json.dumps({"input": "Hello, how are you today?!", "session_id": "bench"})
CHAT = {"model": "stub", "messages": [{"role": "user", "content": "Hello, how are you today?!"}]}
SECRET = "the secret of a benchmark, long enough"  # noqa: S105
CAVEATS = (
    "LiteLLM and Portkey translate providers and parse each event of a stream; nginx passes bytes on.",
    "FastAPI + httpx checks a JWT and translates, but limits nothing and keeps usage in memory.",
    "Ours checks key, Grant and every limit, translates, meters; `memory` keeps usage in memory, `durable` commits "
    "it before the last byte. No TLS anywhere.",
)


@dataclass
class Shot:
    """One kind of load."""

    name: str
    connections: int
    path: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    keys: Path | None = None
    pause_ms: int = 0
    least_seconds: float = 0.0  # where a round of the usual length would say little


@dataclass
class Contender:
    """A gateway, how it is started and what it is asked."""

    name: str
    command: list[str]
    environment: dict[str, str]
    port: int
    shots: list[Shot]
    core: str = "0"


class Server:
    """A started contender: its processes' time and memory."""

    def __init__(self, contender: Contender, log: Path) -> None:
        self._log = log.open("wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", contender.core, *contender.command],
            env={**os.environ, **contender.environment},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self.port = contender.port

    def wait(self, seconds: float = 120.0) -> None:
        """Return once it accepts connections; raises RuntimeError."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with suppress(OSError):
                gateway_streams.knock(self.port)
                time.sleep(0.5)
                return
            time.sleep(0.1)
        raise RuntimeError(f"did not start; see {self._log.name}")

    def tree(self) -> list[int]:
        """Return the process ids of the server and its children."""
        found, parents = [self.process.pid], _parents()
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def cpu(self) -> float:
        """Return the processor seconds used so far."""
        total = 0
        for pid in self.tree():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the proportional memory in MB."""
        total = 0
        for pid in self.tree():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024

    def stop(self) -> None:
        """End it and all it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._log.close()


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def shoot(server: Server, shot: Shot, seconds: float) -> dict[str, Any]:
    """Load the server for some seconds, after one of warming up; return wrk's figures and the processor time."""
    _wrk(server.port, shot, 1.0)
    before = server.cpu()
    figures = _wrk(server.port, shot, seconds)
    used = server.cpu() - before
    requests = max(1, figures["requests"])
    errors = sum(figures[name] for name in ("connect", "read", "write", "timeout", "status"))
    errors += not figures["requests"]
    return {
        "rps": figures["requests"] / figures["seconds"],
        "p50_ms": figures["p50"],
        "p90_ms": figures["p90"],
        "p99_ms": figures["p99"],
        "cpu_ms": used * 1000 / requests,
        "memory_mb": server.memory(),
        "errors": errors,
    }


def _wrk(port: int, shot: Shot, seconds: float) -> dict[str, Any]:
    environment = {
        **os.environ,
        "BENCH_BODY": shot.body,
        "BENCH_PATH": shot.path,
        "BENCH_HEADERS": "".join(f"{name}: {value}\n" for name, value in shot.headers.items()),
        "BENCH_PAUSE_MS": str(shot.pause_ms),
        **({"BENCH_KEYS": str(shot.keys)} if shot.keys else {}),
    }
    command = ["wrk", "-t1", f"-c{shot.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    command += ["-s", str(HERE / "wrk_request.lua"), f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    return dict(json.loads(line.removeprefix("RESULT ")))


def measure(contender: Contender, rounds: int, seconds: float, log: Path, found: dict[str, Any]) -> None:
    """Start a contender, give it every load in turn, stop it; medians and ranges by load go into `found`.

    Raises RuntimeError where it breaks; what was found until then stays.
    """
    server = Server(contender, log)
    try:
        server.wait()
        for shot in contender.shots:
            runs = [shoot(server, shot, max(seconds, shot.least_seconds)) for _ in range(rounds)]
            good = [run for run in runs if not run["errors"]]
            figures: dict[str, Any] = {"void_rounds": len(runs) - len(good)}
            for name in ("rps", "p50_ms", "p90_ms", "p99_ms", "cpu_ms", "memory_mb"):
                values = [run[name] for run in good]
                if values:
                    figures[name] = round(statistics.median(values), 4)
                    figures[f"{name}_range"] = [round(min(values), 4), round(max(values), 4)]
            found[shot.name] = figures
            say(contender.name, shot.name, figures)
    finally:
        server.stop()


def say(contender: str, load: str, figures: dict[str, Any]) -> None:
    """Print one row."""
    if "rps" not in figures:
        print(f"| {contender} | {load} | void: {figures} |", flush=True)
        return
    low, high = figures["rps_range"]
    print(
        f"| {contender} | {load} | {figures['rps']:,.0f} ({low:,.0f}–{high:,.0f}) | {figures['p50_ms']:.2f} | "
        f"{figures['p99_ms']:.2f} | {figures['cpu_ms']:.4f} | {figures['memory_mb']:.0f} |",
        flush=True,
    )


# -- contenders


@dataclass
class Rig:
    """What all contenders stand on."""

    folder: Path
    stub: int
    slow: int
    urls: database.DatabaseUrls
    keys: dict[int, Path]
    concurrency: int


def nginx(rig: Rig) -> Contender:
    """The plain proxy: what no gateway beats."""
    port = free()
    path = gateway_stub.write_proxy(rig.folder / "nginx", port, rig.stub)
    return Contender("nginx", ["nginx", "-c", str(path)], {}, port, _chat_shots(rig, {}))


def direct(rig: Rig) -> Contender:
    """The stub alone, on the core it shares with wrk: an upper bound of every figure."""
    path = gateway_stub.write_stub(rig.folder / "direct", port := free())
    return Contender("stub alone", ["nginx", "-c", str(path)], {}, port, _chat_shots(rig, {}), core="1")


def _chat_shots(rig: Rig, headers: dict[str, str], prefix: str = "") -> list[Shot]:
    body = json.dumps(CHAT)
    stream = json.dumps({**CHAT, "stream": True, "stream_options": {"include_usage": True}})
    path = "/v1/chat/completions"
    run = json.dumps(
        {"input_value": "Hello, how are you today?!", "input_type": "chat", "session_id": "bench"}
    )
    shots = [
        Shot("chat c=1", 1, path, body, headers),
        Shot("chat c=32", 32, path, body, headers),
        Shot("stream of 8, c=32", 32, f"/s{path}" if not prefix else path, stream, headers),
        Shot("stream of 203, c=32", 32, f"/L{path}" if not prefix else path, stream, headers),
    ]
    if not headers:
        shots.append(Shot("invoke c=32", 32, "/api/v1/run/flow?stream=false", run))
    return shots


def fastapi(rig: Rig) -> Contender:
    """FastAPI + httpx."""
    port = free()
    command = [str(BENCH / "fastapi/bin/python"), "-m", "uvicorn", "gateway_fastapi:app", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error"]
    command += ["--app-dir", str(HERE)]
    environment = {"BENCH_UPSTREAM": f"http://127.0.0.1:{rig.stub}", "BENCH_SECRET": SECRET}
    shots = [Shot(f"invoke c={count}", count, INVOKE, OURS_BODY, keys=rig.keys[10]) for count in (1, 32)]
    return Contender("FastAPI + httpx", command, environment, port, shots)


def litellm(rig: Rig) -> Contender:
    """LiteLLM as it should be installed: with opentelemetry and httptools; no database, no virtual keys."""
    port = free()
    folder = rig.folder / "litellm"
    folder.mkdir(exist_ok=True)
    models = "".join(
        f"  - model_name: {name}\n    litellm_params:\n      model: openai/stub\n"
        f"      api_base: http://127.0.0.1:{rig.stub}{prefix}/v1\n      api_key: sk-stub\n"
        for name, prefix in (("stub", ""), ("short", "/s"), ("long", "/L"))
    )
    (folder / "config.yaml").write_text(
        f"model_list:\n{models}general_settings:\n  master_key: sk-benchmark-master-key-0123456789abcdef\n"
    )
    command = [str(BENCH / "litellm/bin/litellm"), "--config", str(folder / "config.yaml")]
    command += ["--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
    environment = {
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    headers = {"Authorization": "Bearer sk-benchmark-master-key-0123456789abcdef"}
    shots = _chat_shots(rig, headers, prefix="same")
    for shot, model in zip(shots[2:], ("short", "long"), strict=True):
        shot.body = json.dumps({**json.loads(shot.body), "model": model})
    return Contender("LiteLLM", command, environment, port, shots)


def portkey(rig: Rig) -> Contender:
    """Portkey's open-source gateway: no keys, no limits."""
    port = free()
    start = BENCH / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(start), "--headless", f"--port={port}"]
    shots = _chat_shots(rig, {"x-portkey-provider": "openai"}, prefix="same")
    for shot, prefix in zip(shots, ("", "", "/s", "/L"), strict=True):
        host = f"http://127.0.0.1:{rig.stub}{prefix}/v1"
        shot.headers = {**shot.headers, "Authorization": "Bearer sk-stub", "x-portkey-custom-host": host}
    return Contender("Portkey", command, {"NODE_ENV": "production"}, port, shots)


def _ours(rig: Rig, meter: str, name: str, shots: list[Shot], upstream: str) -> Contender:
    port = free()
    folder = rig.folder / name.replace(" ", "-").replace(",", "")
    folder.mkdir(exist_ok=True)
    environment = {
        "BENCH_PORT": str(port),
        "BENCH_UPSTREAM": upstream,
        "BENCH_DATABASE": rig.urls.gateway,
        "BENCH_FOLDER": str(folder),
        "BENCH_METER": meter,
    }
    command = [sys.executable, "-m", "benchmarks.gateway_ours", "serve"]
    return Contender(name, command, environment, port, shots)


def _invoke_shots(rig: Rig, counts: tuple[int, ...]) -> list[Shot]:
    return [Shot(f"invoke c={count}", count, INVOKE, OURS_BODY, keys=rig.keys[10]) for count in counts]


def ours_memory(rig: Rig) -> Contender:
    """Ours, usage in memory."""
    keys = rig.keys[10]
    chat = json.dumps({**CHAT, "model": "bench-agent"})
    stream = json.dumps({"input": "Hello, how are you today?!", "session_id": "bench", "stream": True})
    shots = _invoke_shots(rig, (1, 32))
    shots.append(Shot("chat c=32", 32, "/v1/chat/completions", chat, keys=keys))
    shots.append(Shot("stream of 8, c=32", 32, INVOKE, stream, keys=keys))
    return _ours(rig, "memory", "ours, memory", shots, f"http://127.0.0.1:{rig.stub}")


def ours_long(rig: Rig) -> Contender:
    """Ours, usage in memory, streams of 203 events."""
    stream = json.dumps({"input": "Hello, how are you today?!", "session_id": "bench", "stream": True})
    shots = [Shot("stream of 203, c=32", 32, INVOKE, stream, keys=rig.keys[10])]
    return _ours(rig, "memory", "ours, memory, long streams", shots, f"http://127.0.0.1:{rig.stub}/L")


def ours_durable(rig: Rig) -> Contender:
    """Ours, usage committed before the last byte."""
    shots = _invoke_shots(rig, (1, 32, rig.concurrency))
    half = Shot(
        "invoke at half load", 64, INVOKE, OURS_BODY, keys=rig.keys[10], pause_ms=21
    )  # 64 / 21 ms = 3,000/s
    return _ours(rig, "durable", "ours, durable", [*shots, half], f"http://127.0.0.1:{rig.stub}")


def ours_keys(rig: Rig) -> Contender:
    """Ours, usage in memory, 100,000 keys in the database: ten of them used, then all of them in turn."""
    shots = [
        Shot("invoke c=32, 10 keys used", 32, INVOKE, OURS_BODY, keys=rig.keys[10]),
        Shot("invoke c=32, 100,000 keys used", 32, INVOKE, OURS_BODY, keys=rig.keys[100_000]),
    ]
    return _ours(rig, "memory", "ours, 100,000 keys", shots, f"http://127.0.0.1:{rig.stub}")


def ours_flight(rig: Rig) -> Contender:
    """Ours, usage in memory, 1,000 calls of one second in flight, for so long that the calls cut off do not count."""
    shots = [replace(shot, least_seconds=20.0) for shot in _invoke_shots(rig, (1000,))]
    return _ours(rig, "memory", "ours, 1,000 in flight", shots, f"http://127.0.0.1:{rig.slow}")


CONTENDERS: dict[str, Callable[[Rig], Contender]] = {
    "stub": direct,
    "nginx": nginx,
    "memory": ours_memory,
    "long": ours_long,
    "durable": ours_durable,
    "keys": ours_keys,
    "flight": ours_flight,
    "fastapi": fastapi,
    "litellm": litellm,
    "portkey": portkey,
}
NEEDED = {
    "fastapi": BENCH / "fastapi/wanted",
    "litellm": BENCH / "litellm/wanted",
    "portkey": BENCH / "portkey/installed",
}


def first_tokens(rig: Rig, streams: int) -> dict[str, Any]:
    """Measure the first token of many streams at once, through ours and without it."""
    contender = _ours(rig, "memory", "ours, streams", [], f"http://127.0.0.1:{rig.slow}")
    server = Server(contender, rig.folder / "streams.log")
    key = rig.keys[10].read_text().split()[0]
    try:
        server.wait()
        body = json.dumps({"input": "Hi", "session_id": "bench", "stream": True}).encode()
        before = server.cpu()
        through = gateway_streams.run(server.port, INVOKE, key, body, streams)
        cpu = server.cpu() - before
        memory = server.memory()
    finally:
        server.stop()
    without = gateway_streams.run(rig.slow, "/api/v1/run/x?stream=true", "", b"{}", streams)
    figures = {
        "streams": streams,
        "first_token_ms": through,
        "first_token_direct_ms": without,
        "overhead_p50_ms": round(through["p50"] - without["p50"], 3),
        "cpu_ms_per_stream": round(cpu * 1000 / streams, 3),
        "memory_mb": round(memory, 1),
    }
    print(f"{streams} streams at once: {figures}", flush=True)
    return figures


@contextmanager
def rig_in(folder: Path, names: list[str], concurrency: int) -> Iterator[Rig]:
    """Start the stubs and a database with keys in it, all on core 1; stop them at the end."""
    migrate = [str(Path(sys.executable).with_name("agentmart")), "migrate", "--data-dir", str(folder)]
    subprocess.run(migrate, check=True, stdout=subprocess.DEVNULL)
    stub, slow = free(), free()
    path = gateway_stub.write_stub(folder / "stub", stub)
    commands = [["nginx", "-c", str(path)], [sys.executable, "-m", "benchmarks.gateway_stub", str(slow)]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        with database.running(environments.with_options(folder), folder) as urls:
            started += [subprocess.Popen(command) for command in commands]
            keys = {10: folder / "keys-10"}
            if "keys" in names:
                keys[100_000] = folder / "keys-100000"
            admin = database.with_database(urls.admin, database.DATABASE)
            for count, place in keys.items():
                make = [sys.executable, "-m", "benchmarks.gateway_ours", "publish", admin, "langflow"]
                subprocess.run([*make, str(count), str(place)], check=True)
            yield Rig(folder, stub, slow, urls, keys, concurrency)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Return ours over theirs, in requests a second at the same number of connections."""

    def rps(name: str, *loads: str) -> float:
        return max((found.get(name, {}).get(load, {}).get("rps", 0.0) for load in loads), default=0.0)

    theirs = {
        "nginx": rps("nginx", "invoke c=32"),
        "FastAPI + httpx": rps("fastapi", "invoke c=32"),
        "LiteLLM": rps("litellm", "chat c=32"),
        "Portkey": rps("portkey", "chat c=32"),
    }
    ours = {
        "memory": rps("memory", "invoke c=32"),
        "durable": max((f.get("rps", 0.0) for f in found.get("durable", {}).values()), default=0.0),
    }
    return {
        f"ours, {mine} / {name}": round(rate / other, 3)
        for mine, rate in ours.items()
        for name, other in theirs.items()
        if rate and other
    }


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*CONTENDERS, "streams"]
    parser.add_argument("--only", help=f"some of {','.join(known)}")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=256, help="of the widest durable load")
    parser.add_argument("--streams", type=int, default=2000)
    chosen = parser.parse_args()
    chosen.names = chosen.only.split(",") if chosen.only else known
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}")
    return chosen


def main() -> None:
    """Measure all contenders that are installed."""
    chosen = arguments()
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: run benchmarks/setup.sh")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.sched_setaffinity(0, {1})  # all that is started here and not sent elsewhere stays on core 1
    folder = Path(tempfile.mkdtemp(prefix="agentmart-bench-", dir="/tmp"))
    folder.chmod(0o711)
    found: dict[str, Any] = {}
    skipped = [name for name in chosen.names if name in NEEDED and not NEEDED[name].exists()]
    load = os.getloadavg()[0]
    try:
        with rig_in(folder, chosen.names, chosen.connections) as rig:
            print(
                f"Load {load:.1f} before; {chosen.rounds} rounds of {chosen.seconds:g} s. Skipped: {skipped}\n"
            )
            print("| contender | load | requests/s (range) | p50 ms | p99 ms | CPU ms/request | MB |")
            print("|---|---|---|---|---|---|---|", flush=True)
            for name in chosen.names:
                if name in CONTENDERS and name not in skipped:
                    try:
                        contender = CONTENDERS[name](rig)
                        log = folder / f"{name}.log"
                        figures = found.setdefault(name, {})
                        measure(contender, chosen.rounds, chosen.seconds, log, figures)
                    except RuntimeError as error:
                        skipped.append(f"{name}: {error}")
                        print(f"{name}: {error}", flush=True)
            if "streams" in chosen.names:
                found["streams"] = first_tokens(rig, chosen.streams)
    finally:
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_before": load,
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
        "skipped": skipped,
        "contenders": found,
        "ratios": ratios(found),
        "caveats": CAVEATS,
    }
    print("\n" + json.dumps({"ratios": report["ratios"], "skipped": skipped}, indent=2))
    print(*CAVEATS, sep="\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
