"""What a customer's crowd costs another one: p95 of B's calls alone, and while A asks for ten times its share.

A runtime with few places, the gateway's own turns on the real clock, calls that take a random time around 20 ms.
`python -m benchmarks.fairness [--http] [--places 16] [--seconds 10] [--json PATH]`; the bound is 20 percent more.
With `--http` the calls, of 200 ms then, go through a running gateway (`fairness_http`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from random import Random
from time import perf_counter

from agentmart.gateway.errors import Unavailable
from agentmart.gateway.fairness import Turns
from benchmarks import fairness_http

LASTS = 0.02
ALLOWED = 1.2


async def _call(turns: Turns, name: str, lasts: float, latencies: list[float]) -> None:
    begun = perf_counter()
    try:
        turn = await turns.take(name)
    except Unavailable:
        return
    try:
        await asyncio.sleep(lasts)
    finally:
        turns.end(turn)
    latencies.append(perf_counter() - begun)


async def _ask(turns: Turns, name: str, rate: float, seconds: float, latencies: list[float]) -> int:
    """Ask at random moments, on average `rate` times a second; returns how often."""
    random = Random(name)
    calls = set()
    begun = perf_counter()
    at, asked = 0.0, 0
    while (at := at + random.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, begun + at - perf_counter()))
        calls.add(asyncio.create_task(_call(turns, name, random.uniform(0.5, 1.5) * LASTS, latencies)))
        asked += 1
    await asyncio.gather(*calls)
    return asked


async def measure(places: int, rates: dict[str, float], seconds: float) -> dict[str, dict[str, float]]:
    """Return for each customer how many calls it made, how many were run, and their latencies in milliseconds."""
    turns = Turns(places, most_waiting=200, patience=10.0)
    latencies: dict[str, list[float]] = {name: [] for name in rates}
    asked = await asyncio.gather(*(_ask(turns, n, rate, seconds, latencies[n]) for n, rate in rates.items()))
    found = {}
    for name, count in zip(rates, asked, strict=True):
        values = sorted(latencies[name])
        found[name] = {
            "asked": count,
            "run": len(values),
            "p50_ms": round(values[len(values) // 2] * 1000, 2),
            "p95_ms": round(values[int(len(values) * 0.95)] * 1000, 2),
        }
    return found


def main() -> int:
    """Measure, print, and say by the exit code whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rounds = [{"b": 0.5}, {"b": 0.5, "a": 10.0}]
    if asked.http:
        alone, beset = fairness_http.measure(asked.places, rounds, asked.seconds)
    else:
        share = asked.places / LASTS / 2
        alone, beset = (
            asyncio.run(
                measure(asked.places, {name: rate * share for name, rate in rates.items()}, asked.seconds)
            )
            for rates in rounds
        )
    ratio = beset["b"]["p95_ms"] / alone["b"]["p95_ms"]
    result = {
        "places": asked.places,
        "alone": alone["b"],
        "beset": beset["b"],
        "crowd": beset["a"],
        "ratio": round(ratio, 3),
    }
    print(json.dumps(result, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if ratio <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
