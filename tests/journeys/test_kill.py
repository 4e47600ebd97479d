"""kill -9 of the gateway, a flow process and the worker in the middle of the calls: nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.running import RUNTIME_VENV, begin_sale, flow_processes
from tests.support.waiting import until

from agentmart.config.product import Product, running_product
from agentmart.devtools.demo import CONFIGS, INVOKE, Cast, Stage
from agentmart.devtools.rest import Rest
from agentmart.kit.clock import OffsetClock

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.runtime]

CALLS = 25
CALLERS = 4
DEADLINE = 90.0


@pytest.fixture
def product(data_dir: Path) -> Iterator[Product]:
    overrides = {
        "AGENTMART_DEV_CLOCK": "true",
        "AGENTMART_RUNTIME_VENV": str(RUNTIME_VENV),
        "OPENAI_API_KEY": "",
    }
    with running_product(data_dir, overrides=overrides) as running:
        yield running


class Callers:
    """Four clients that make 25 calls between them, each tried until it is answered."""

    def __init__(self, gateway: Rest) -> None:
        self._gateway = gateway
        self._numbers = iter(range(CALLS))
        self._lock = threading.Lock()
        self.answered: list[str] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._work) for _ in range(CALLERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()

    def count(self) -> int:
        with self._lock:
            return len(self.answered)

    def _work(self) -> None:
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            self._until_answered(number)

    def _until_answered(self, number: int) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            try:
                reply = self._gateway.call(
                    "POST", INVOKE, {"input": f"Message {number}", "session_id": "kill"}
                )
            except OSError as error:
                self._failed(type(error).__name__)
            else:
                if reply.status == 200:
                    with self._lock:
                        self.answered.append(reply.body["request_id"])
                    return
                assert reply.status in (502, 503, 504), reply
                assert reply.body["request_id"], reply
                self._failed(reply.body["code"])
            time.sleep(0.05)
        raise AssertionError(f"call {number} was never answered")

    def _failed(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def rows(product: Product, sql: str) -> list[tuple[Any, ...]]:
    """Return rows as the owner with all tenants visible."""
    with psycopg.connect(product.urls.owner) as connection:
        connection.execute("SET agentmart.system = 'on'")
        return connection.execute(sql).fetchall()  # type: ignore[arg-type]


def test_kills_lose_nothing_and_bill_nothing_twice(product: Product) -> None:
    clock = OffsetClock(product.data_dir / "dev-clock.json")
    stage, cast = begin_sale(product, lambda moment: clock.set_offset(moment - datetime.now(UTC)))
    config = f"{CONFIGS}/{cast.ids['config']}"
    key = cast.buyer.post(f"{config}/api-keys/", {"name": "Kill"})["key"]
    gateway = Rest(stage.gateway_url, f"Bearer {key}")
    callers = Callers(gateway)
    callers.start()
    until(lambda: callers.count() >= 4, DEADLINE)
    kill(product.pid("gateway"))
    until(lambda: callers.count() >= 10, DEADLINE)
    children = flow_processes(product.pid("runtime") or 0)
    assert children
    for pid in children:
        kill(pid)
    until(lambda: callers.count() >= 16, DEADLINE)
    late = cast.neighbour.post(
        "/api/marketplace-orders/",
        {
            "offering": cast.ids["plain_offering"],
            "project": cast.ids["neighbour_project"],
            "attributes": {"name": "Ordered at the kill"},
        },
    )
    kill(product.pid("worker"))
    callers.join()
    answered = {*callers.answered}
    assert len(callers.answered) == len(answered) == CALLS
    assert callers.failures, "no call noticed the kills: they came too late to prove anything"

    until(
        lambda: cast.neighbour.get(f"/api/marketplace-orders/{late['uuid']}/")["state"] == "done",
        DEADLINE,
    )

    metered = [row[0].hex for row in rows(product, "SELECT id FROM metering_usage_event WHERE requests = 1")]
    assert len(metered) == len(set(metered))
    assert answered <= set(metered)
    unanswered = set(metered) - answered
    in_doubt = {
        row[0].hex
        for row in rows(
            product,
            "SELECT call_id FROM metering_call_started UNION SELECT call_id FROM metering_call_flag",
        )
    }
    assert unanswered <= in_doubt
    assert len(unanswered) <= CALLERS

    check_bill(product, stage, cast)


def check_bill(product: Product, stage: Stage, cast: Cast) -> None:
    """The month's invoice counts exactly the metered calls, and calls in doubt are flagged."""
    activated = datetime.fromisoformat(cast.ids["activated_at"])
    start = activated.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    stage.set_clock(end + timedelta(hours=1, seconds=5))
    until(
        lambda: rows(product, "SELECT count(*) FROM metering_call_started") == [(0,)],
        DEADLINE,
    )
    body = {"customer": cast.ids["buyer_customer"], "year": start.year, "month": start.month}
    answer = cast.operator.call("POST", "/api/invoices/", body)
    assert answer.status in (200, 201), answer
    lines = {
        item["details"]["offering_component_type"]: Decimal(item["quantity"]) for item in answer.body["items"]
    }
    resource = cast.ids["resource"]
    ((requests, tokens),) = rows(
        product,
        "SELECT sum(requests), sum(output_tokens) FROM metering_usage_event "
        f"WHERE resource_id = '{resource}'",
    )
    assert lines["requests"] == requests
    assert lines["output_tokens"] == tokens
