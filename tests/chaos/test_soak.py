"""Load for a long time: memory stays flat, nothing restarts, nothing is lost. `make soak` runs it for 30 minutes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
import pytest
from tests.chaos.callers import Callers
from tests.chaos.sale import sold
from tests.support.running import RUNTIME_VENV, flow_processes

from agentmart.config.product import Product, running_product
from agentmart.kit.clock import OffsetClock

MINUTES = float(os.environ.get("AGENTMART_SOAK_MINUTES", "0"))
LOG = os.environ.get("AGENTMART_SOAK_LOG", "")
THREADS = 8
EVERY = 5.0
WATCHED = ("gateway", "worker", "runtime", "flows")
MAY_GROW = 0.10
MAY_GROW_MB = 12.0
"""What the second half may be above the first: the allocator's noise, no leak."""


@pytest.fixture
def product(data_dir: Path) -> Iterator[Product]:
    """The product, running."""
    overrides = {
        "AGENTMART_DEV_CLOCK": "true",
        "AGENTMART_RUNTIME_VENV": str(RUNTIME_VENV),
        "AGENTMART_LOG_LEVEL": "WARNING",
        "OPENAI_API_KEY": "",
    }
    with running_product(data_dir, overrides=overrides) as running:
        yield running


def memory_mb(pid: int | None) -> float:
    """Return a process's resident memory."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def sample(product: Product) -> dict[str, float]:
    """Return what each watched process holds, the flow processes together."""
    found = {name: memory_mb(product.pid(name)) for name in WATCHED[:-1]}
    found["flows"] = sum(memory_mb(pid) for pid in flow_processes(product.pid("runtime") or 0))
    return found


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.runtime
@pytest.mark.skipif(not MINUTES, reason="run by make soak")
def test_soak(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = OffsetClock(product.data_dir / "dev-clock.json")
    _, key = sold(product, lambda moment: clock.set_offset(moment - datetime.now(UTC)), monkeypatch)
    callers = Callers(product.gateway_url, key, messages=10**9, threads=THREADS)
    callers.start()
    samples: list[dict[str, float]] = []
    lines = [f"{MINUTES:g} minutes, {THREADS} callers; resident memory in MB: {', '.join(WATCHED)}"]
    ends = time.monotonic() + MINUTES * 60
    while time.monotonic() < ends:
        time.sleep(EVERY)
        samples.append(sample(product))
        shown = "  ".join(f"{samples[-1][name]:7.1f}" for name in WATCHED)
        lines.append(f"{len(samples) * EVERY:7.0f} s  {callers.count():8d} answered  {shown}")
    callers.stop()
    callers.join(120)
    problems = judge(samples, lines)
    book = callers.book
    lines.append(f"{len(book.answered)} answered, refused: {dict(book.refused)}, broken off: {book.broken}")
    with psycopg.connect(product.urls.owner) as connection:
        connection.execute("SET agentmart.system = 'on'")
        row = connection.execute("SELECT count(*) FROM metering_usage_event WHERE requests = 1").fetchone()
    lines.append(f"metered: {row}")
    if LOG:
        Path(LOG).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    assert row == (len(book.answered),)
    assert book.complaints == []
    assert [product.restarts(name) for name in product.processes()] == [0] * len(product.processes())
    assert problems == []


def judge(samples: list[dict[str, float]], lines: list[str]) -> list[str]:
    """Compare the last third of the time with the one before; the first warms up. Returns what grew too much."""
    third = len(samples) // 3
    problems = []
    for name in WATCHED:
        before = median(each[name] for each in samples[third : 2 * third])
        after = median(each[name] for each in samples[2 * third :])
        lines.append(f"{name}: {before:.1f} MB, then {after:.1f} MB")
        if after - before > max(MAY_GROW_MB, MAY_GROW * before):
            problems.append(f"{name} grew from {before:.1f} to {after:.1f} MB")
    return problems


def test_judge_sees_a_leak() -> None:
    flat = [dict.fromkeys(WATCHED, 100.0 + n % 3) for n in range(30)]
    assert judge(flat, []) == []
    leak = [{**dict.fromkeys(WATCHED, 100.0), "gateway": 100.0 + 3 * n} for n in range(30)]
    assert len(judge(leak, [])) == 1
