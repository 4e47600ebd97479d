"""Classes all 217 real Langflow exports, and proves that none took 20 ms or ran a line of code.

    classify_corpus.py [--folder DIR] [--rounds N] [--json PATH]

Missing releases are downloaded into DIR (default .agentmart/corpus). Each export is read from memory, parsed, classed
and checked N times (up to 12 while over the limit); the best round's processor time counts, since other programs on
the machine only ever add to the clock, which is printed beside it. Exit status 1 if any export took 20 ms or more, had
a node without a class, or if the interpreter was asked to execute, compile, import, open or start anything meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentmart.agents.flows import FlowReport, inspect_flow, load_known
from agentmart.devtools.corpus import WHEELS, starter_projects

LIMIT_MS = 20.0
MOST_ROUNDS = 12
FORBIDDEN = (
    "exec",
    "compile",
    "import",
    "open",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "socket.connect",
    "ctypes",
)


class Watch:
    """An audit hook that counts forbidden events while it is on; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self.on = False
        self.seen: Counter[str] = Counter()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _args: tuple[Any, ...]) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen[event] += 1


@dataclass(frozen=True)
class Timed:
    """One export's report and its best time."""

    version: str
    name: str
    size: int
    ms: float  # processor time of the thread: what is left of the clock when nothing else runs
    wall_ms: float
    report: FlowReport


def main() -> int:
    """Measure, print, decide."""
    parser = argparse.ArgumentParser(description="Class the starter projects of eight Langflow releases.")
    parser.add_argument("--folder", type=Path, default=Path(".agentmart/corpus"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    load_known()
    watch = Watch()
    flows = [
        _measure(version, path, args.rounds, watch)
        for version in WHEELS
        for path in starter_projects(version, args.folder)
    ]
    summary = _summary(flows, watch)
    _print(flows, summary)
    if args.json:
        args.json.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 0 if summary["ok"] else 1


def _measure(version: str, path: Path, rounds: int, watch: Watch) -> Timed:
    raw = path.read_bytes()
    best = wall = float("inf")
    for done in range(MOST_ROUNDS):
        if done >= rounds and best < LIMIT_MS:
            break
        watch.on = True
        started, started_cpu = time.perf_counter(), time.thread_time()
        report = inspect_flow(raw)
        best = min(best, (time.thread_time() - started_cpu) * 1000)
        wall = min(wall, (time.perf_counter() - started) * 1000)
        watch.on = False
    # Without the flow itself: keeping 217 of them alive would time the garbage collector.
    return Timed(version, path.stem, len(raw), best, wall, replace(report, flow={}))


def _summary(flows: list[Timed], watch: Watch) -> dict[str, Any]:
    nodes = [node for flow in flows for node in flow.report.nodes]
    slow = [f"{flow.version} {flow.name}: {flow.ms:.1f} ms" for flow in flows if flow.ms >= LIMIT_MS]
    classes = Counter(node.node_class for node in nodes)
    return {
        "ok": not slow and not watch.seen and len(flows) == 217 and sum(classes.values()) == len(nodes),
        "flows": len(flows),
        "nodes": len(nodes),
        "classes": dict(classes),
        "origins": dict(Counter(node.origin for node in nodes)),
        "sources": len({node.sha256 for node in nodes}),
        "source_origins": dict(Counter({node.sha256: node.origin for node in nodes}.values())),
        "max_ms": round(max(flow.ms for flow in flows), 2),
        "median_ms": round(statistics.median(flow.ms for flow in flows), 2),
        "max_wall_ms": round(max(flow.wall_ms for flow in flows), 2),
        "median_wall_ms": round(statistics.median(flow.wall_ms for flow in flows), 2),
        "max_bytes": max(flow.size for flow in flows),
        "slow": slow,
        "executed": dict(watch.seen),
        "trust": dict(Counter(flow.report.trust for flow in flows)),
        "permissions": dict(
            Counter(item.capability for flow in flows for item in flow.report.needs_permission)
        ),
        "warnings": dict(Counter(problem.code for flow in flows for problem in flow.report.warnings)),
        "errors": [
            f"{flow.version} {flow.name}: {problem.code}: {problem.message}"
            for flow in flows
            for problem in flow.report.errors
        ],
        "runnable": sum(all(node.runtime_type for node in flow.report.nodes) for flow in flows),
    }


def _print(flows: list[Timed], summary: dict[str, Any]) -> None:
    for version in dict.fromkeys(flow.version for flow in flows):
        times = [flow.ms for flow in flows if flow.version == version]
        middle = statistics.median(times)
        print(
            f"langflow-base {version:>7}: {len(times):3} flows, median {middle:5.1f} ms, max {max(times):5.1f} ms"
        )
    for key, value in summary.items():
        print(f"{key:>15}: {value}")


if __name__ == "__main__":
    sys.exit(main())
