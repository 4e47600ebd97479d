"""Everything breaks, one thing after the other, under load: no answered call is lost, none is billed twice.

2,000 calls in the suite; `make chaos` makes 50,000 and writes what happened to docs/chaos.log.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.chaos.callers import Callers
from tests.chaos.place import DEADLINE, Place, happenings, place_at
from tests.chaos.sale import sold
from tests.support.postgres import make_data_dir
from tests.support.running import RUNTIME_VENV
from tests.support.waiting import until

from agentmart.devtools.demo import Cast

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.runtime]

CALLS = int(os.environ.get("AGENTMART_CHAOS_CALLS", "2000"))
LOG = os.environ.get("AGENTMART_CHAOS_LOG", "")
THREADS = 16
ROUND = 10_000
"""Everything happens once in so many calls."""


class Log:
    """What happened when; to a file where one is named."""

    def __init__(self, name: str) -> None:
        self._began = time.monotonic()
        self._path = Path(name) if name else None
        if self._path is not None:
            self._path.write_text("")

    def say(self, line: str) -> None:
        """Write a line."""
        line = f"{time.monotonic() - self._began:7.1f} s  {line}"
        print(line, flush=True)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{line}\n")


def test_the_log_is_whole_after_every_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(str(path))
    for number, line in enumerate(("one", "two"), 1):
        log.say(line)
        assert len(path.read_text().splitlines()) == number
    Log("").say("nowhere")


@pytest.fixture
def place(data_dir: Path) -> Iterator[Place]:
    """The product, running, its gateway behind a proxy."""
    postgres_dir = make_data_dir()
    with place_at(data_dir, postgres_dir) as (place, addresses):
        overrides = {
            "AGENTMART_DEV_CLOCK": "true",
            "AGENTMART_RUNTIME_VENV": str(RUNTIME_VENV),
            "AGENTMART_RUN_TIMEOUT_SECONDS": "20",
            "AGENTMART_LOG_LEVEL": "WARNING",
            "OPENAI_API_KEY": "",
            **addresses,
        }
        with place.running(overrides):
            yield place
    shutil.rmtree(postgres_dir)


def test_chaos(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(LOG)
    log.say(f"{CALLS} calls by {THREADS} callers, half of them under an Idempotency-Key, a quarter streamed")
    cast, key = sold(place.product, place.set_clock, monkeypatch)
    callers = Callers(place.product.gateway_url, key, messages=CALLS, threads=THREADS)
    began = time.monotonic()
    callers.start()
    may_miss = break_everything(place, callers, log.say)
    callers.join(max(DEADLINE, CALLS / 10))
    log.say(
        f"all {callers.count()} messages answered, {CALLS / (time.monotonic() - began):.0f} a second over all"
    )
    check_calls(place, callers, may_miss, log.say)
    check_bill(place, cast, log.say)


def break_everything(place: Place, callers: Callers, say: Callable[[str], None]) -> int:
    """Let everything happen, once a round, evenly over the calls; returns how many answers it may have cost."""
    rounds = max(1, CALLS // ROUND)
    all_of_them = happenings(place) * rounds
    may_miss = 0
    for number, (what, happen, each) in enumerate(all_of_them, 1):
        due = CALLS * number // (len(all_of_them) + 2)
        until(lambda due=due: callers.count() >= due, max(DEADLINE, CALLS / 10))  # type: ignore[misc]
        before = callers.count()
        began = time.monotonic()
        happen()
        may_miss += each * THREADS
        until(lambda before=before: callers.count() > before + THREADS, DEADLINE)  # type: ignore[misc]
        say(f"after {before} calls: {what}; {THREADS} more answered {time.monotonic() - began:.1f} s later")
    return may_miss


def check_calls(place: Place, callers: Callers, may_miss: int, say: Callable[[str], None]) -> None:
    """Compare what the callers saw with what is metered."""
    book = callers.book
    answered = set(book.answered)
    say(f"refused with status and request id: {dict(sorted(book.refused.items()))}")
    say(
        f"broken off: {book.broken}; nobody listening: {book.no_connection}; answers repeated: {book.repeated}"
    )
    assert book.complaints == []
    assert len(book.answered) == len(answered) == CALLS
    assert book.refused, "no call noticed anything: that proves nothing"
    assert book.broken <= may_miss, "an answer breaks off only where the gateway is killed"
    until(lambda: not list((place.data_dir / "spool").glob("usage-*.jsonl")) or spooled(place) == 0, DEADLINE)
    metered = [row[0].hex for row in place.rows("SELECT id FROM metering_usage_event WHERE requests = 1")]
    assert len(metered) == len(set(metered)), "none twice"
    assert answered <= set(metered), f"lost: {sorted(answered - set(metered))[:10]}"
    unanswered = set(metered) - answered
    doubt = "SELECT call_id FROM metering_call_started UNION SELECT call_id FROM metering_call_flag"
    in_doubt = {row[0].hex for row in place.rows(doubt)}
    say(f"metered: {len(metered)}, answered: {len(answered)}, metered and not answered: {len(unanswered)}")
    assert unanswered <= in_doubt, "each of them is flagged"
    assert len(unanswered) <= may_miss


def spooled(place: Place) -> int:
    """Return how many bytes of usage wait in spool files."""
    return sum(path.stat().st_size for path in (place.data_dir / "spool").glob("usage-*.jsonl"))


def check_bill(place: Place, cast: Cast, say: Callable[[str], None]) -> None:
    """The month's invoice counts exactly the metered calls."""
    start = datetime.fromisoformat(cast.ids["activated_at"])
    start = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    place.set_clock(end + timedelta(hours=1, seconds=5))
    until(lambda: place.rows("SELECT count(*) FROM metering_call_started") == [(0,)], DEADLINE)
    flags = dict(place.rows("SELECT outcome, count(*) FROM metering_call_flag GROUP BY 1"))
    say(f"flagged: {flags}")
    body = {"customer": cast.ids["neighbour_customer"], "year": start.year, "month": start.month}
    answer = cast.operator.call("POST", "/api/invoices/", body)
    assert answer.status in (200, 201), answer
    lines = {
        item["details"]["offering_component_type"]: Decimal(item["quantity"]) for item in answer.body["items"]
    }
    ((requests,),) = place.rows("SELECT sum(requests) FROM metering_usage_event")
    ((summed,),) = place.rows("SELECT sum(requests) FROM metering_usage_hour")
    say(f"invoice: {lines['requests']} requests; events: {requests}; hourly sums: {summed}")
    assert lines["requests"] == requests == summed
