"""What the gateway tells Prometheus: counts, times and states; nothing of tenants, keys or texts."""

from __future__ import annotations

import hmac
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agentmart.gateway.http import Exchange, Reply
from agentmart.kit.errors import NotFound

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LOOPBACK = frozenset({"127.0.0.1", "::1"})
PROXIED = ("x-forwarded-for", "forwarded", "x-real-ip")


class Times:
    """How many took how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulative counts by upper bound, as Prometheus has them."""
        bounds = [*map(str, SECONDS), "+Inf"]
        return list(zip(bounds, accumulate(map(float, self.counts)), strict=True))


class Tallies(Collector):
    """What is counted of every answer: plain numbers, which become metrics when somebody asks for them."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self.seconds = {False: Times(), True: Times()}
        self.run_seconds = Times()
        self.tokens: Counter[str] = Counter()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        answers = CounterMetricFamily(
            "agentmart_gateway_answers",
            "Answers by status and code; the code is ok, or the refusal's or failure's.",
            labels=("status", "code"),
        )
        for (status, code), count in self.answers.items():
            answers.add_metric((str(status), code), count)
        yield answers
        seconds = HistogramMetricFamily(
            "agentmart_gateway_answer_seconds",
            "From the request's head to the answer's last byte.",
            labels=("stream",),
        )
        for stream, times in self.seconds.items():
            seconds.add_metric(("yes" if stream else "no",), times.buckets(), times.total)
        yield seconds
        runs = HistogramMetricFamily(
            "agentmart_gateway_run_seconds", "Of that, from the start of a call to the end of its run."
        )
        runs.add_metric((), self.run_seconds.buckets(), self.run_seconds.total)
        yield runs
        tokens = CounterMetricFamily("agentmart_gateway_tokens", "Tokens metered.", labels=("direction",))
        for direction, count in self.tokens.items():
            tokens.add_metric((direction,), count)
        yield tokens


class Metrics:
    """The figures of one gateway process. `token` opens them to others than this machine."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._registry = CollectorRegistry()
        self._of_runtimes: dict[str, Gauge] = {}
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._tallies = Tallies()
        self._registry.register(self._tallies)

    def watch(self, name: str, told: str, value: Callable[[], float]) -> None:
        """Show a value that is read when asked for."""
        Gauge(f"agentmart_gateway_{name}", told, registry=self._registry).set_function(value)

    def watch_runtime(self, name: str, told: str, runtime: str, value: Callable[[], float]) -> None:
        """Show a value of one runtime, read when asked for."""
        gauge = self._of_runtimes.get(name)
        if gauge is None:
            gauge = Gauge(f"agentmart_gateway_{name}", told, ("runtime",), registry=self._registry)
            self._of_runtimes[name] = gauge
        gauge.labels(runtime).set_function(value)

    def observe(self, exchange: Exchange, seconds: float) -> None:
        """Count one finished exchange, which took so long."""
        facts, tallies = exchange.facts, self._tallies
        tallies.answers[
            exchange.status, facts.get("code") or ("ok" if exchange.status else "caller_left")
        ] += 1
        stream = facts.get("stream")
        if stream is None:
            return
        tallies.seconds[stream].add(seconds)
        run_ms = facts.get("run_ms")
        if run_ms is not None:
            tallies.run_seconds.add(run_ms / 1000)
            tallies.tokens["input"] += facts["input_tokens"]
            tallies.tokens["output"] += facts["output_tokens"]

    async def answer(self, exchange: Exchange) -> None:
        """Serve `GET /metrics`: to callers with the token; without one configured, to this machine alone.

        Raises NotFound for everybody else. What a proxy passes on comes from elsewhere, whatever its address.
        """
        if not (self._has_token(exchange) if self._token else self._is_near(exchange)):
            raise NotFound("There is nothing at this path.")
        await exchange.reply(Reply(200, generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST))

    def _has_token(self, exchange: Exchange) -> bool:
        scheme, _, given = (exchange.header("authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)

    def _is_near(self, exchange: Exchange) -> bool:
        return exchange.client in LOOPBACK and not any(exchange.header(name) for name in PROXIED)
