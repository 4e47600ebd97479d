"""What the gateway tells Prometheus: counts, times and states; nothing of tenants, keys or texts."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from time import monotonic

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from agentmart.gateway.http import Exchange, Reply
from agentmart.kit.errors import NotFound

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LOOPBACK = frozenset({"127.0.0.1", "::1"})
PROXIED = ("x-forwarded-for", "forwarded", "x-real-ip")


class Metrics:
    """The figures of one gateway process. `token` opens them to others than this machine."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._registry = CollectorRegistry()
        self._of_runtimes: dict[str, Gauge] = {}
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._answers = Counter(
            "agentmart_gateway_answers",
            "Answers by status and code; the code is ok, or the refusal's or failure's.",
            ("status", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "agentmart_gateway_answer_seconds",
            "From the request's head to the answer's last byte.",
            ("stream",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._run_seconds = Histogram(
            "agentmart_gateway_run_seconds",
            "Of that, from the start of a call to the end of its run.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "agentmart_gateway_tokens", "Tokens metered.", ("direction",), registry=self._registry
        )

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

    def observe(self, exchange: Exchange) -> None:
        """Count one finished exchange."""
        code = str(exchange.facts.get("code") or ("ok" if exchange.status else "caller_left"))
        self._answers.labels(str(exchange.status), code).inc()
        if "stream" not in exchange.facts:
            return
        self._seconds.labels("yes" if exchange.facts["stream"] else "no").observe(
            monotonic() - exchange.begun
        )
        if "run_ms" in exchange.facts:
            self._run_seconds.observe(exchange.facts["run_ms"] / 1000)
            self._tokens.labels("input").inc(exchange.facts["input_tokens"])
            self._tokens.labels("output").inc(exchange.facts["output_tokens"])

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
