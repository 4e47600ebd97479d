"""Limits of several gateways at one server: exact together, one round trip a call, and what happens without it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from tests.gateway.support import NOW, eventually, make_grant

from agentmart.adapters.counters import CountersAway, ScriptCall, build
from agentmart.contracts.grants import Caps, Grant, Limits
from agentmart.gateway.buckets import MINUTE_NS, month_number
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.limits import RateLimited
from agentmart.gateway.shared_limits import SharedLimits
from agentmart.gateway.shared_scripts import SCRIPTS

MONTH = month_number(NOW)
SERVER = shutil.which("redis-server") or shutil.which("valkey-server")

pytestmark = pytest.mark.skipif(
    SERVER is None,
    reason="neither redis-server nor valkey-server is installed (apt-get install redis-server)",
)


class Server:
    """A server of the test's own, on a socket in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.client = Redis(unix_socket_path=str(self.socket), decode_responses=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert SERVER is not None
        command = [
            SERVER,
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.socket.parent
        )
        until = monotonic() + 20
        while monotonic() < until:
            try:
                self.client.ping()
                return
            except OSError:
                pass
            except Exception as error:
                if "onnect" not in type(error).__name__ and "Loading" not in str(error):
                    raise
        raise AssertionError("the server does not answer")

    def stop(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.client.connection_pool.disconnect()
        self.socket.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """A server for the tests of this file."""
    with TemporaryDirectory(prefix="agentmart-redis-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.client.close()
        server.stop()


@pytest.fixture
def server(running: Server) -> Server:
    """The server, emptied."""
    running.client.flushall()
    running.client.config_resetstat()
    return running


class Stored:
    """In the place of the database: what usage says, and how often it was asked."""

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.asked = 0

    async def row(self, statement: str, *values: Any) -> tuple[int, int]:
        """Return the sums."""
        self.asked += 1
        return self.requests, self.tokens


class Gateways:
    """Several gateways' limits at one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stored = Stored()
        self.made: list[SharedLimits] = []

    def make(self, count: int = 1, *, fail_open: bool = True, longest: float = 60.0) -> list[SharedLimits]:
        """Return so many more."""
        new = [
            SharedLimits(
                self.stored,  # type: ignore[arg-type]
                build(self.url, SCRIPTS, timeout=1.0),
                fail_open=fail_open,
                longest=longest,
            )
            for _ in range(count)
        ]
        self.made += new
        return new


@pytest.fixture
async def gateways(server: Server) -> AsyncIterator[Gateways]:
    """A place to make gateways' limits."""
    made = Gateways(server.url)
    yield made
    for limits in made.made:
        await limits.close()


def limited(**limits: Any) -> Grant:
    return make_grant(limits=Limits(**limits))


async def tries(
    limits: list[SharedLimits], grant: Grant, count: int, text: str = "", now: datetime = NOW
) -> list[Any]:
    """Ask so many times at once, in turn at each gateway; returns leases and refusals."""
    asked = (limits[i % len(limits)].take(grant, now, text) for i in range(count))
    return await asyncio.gather(*asked, return_exceptions=True)


def admitted(results: list[Any]) -> int:
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, RateLimited):
            raise result
    return sum(not isinstance(result, RateLimited) for result in results)


async def settled(server: Server, pattern: str, value: Any) -> None:
    """Wait until what the server keeps under the one key of that pattern is this."""

    async def is_so() -> bool:
        keys = server.client.keys(pattern)
        kept = [
            server.client.zcard(key) if server.client.type(key) == "zset" else server.client.get(key)
            for key in keys
        ]
        return kept == ([] if value is None else [value])

    await eventually(is_so)


@pytest.mark.parametrize("scope", ["key", "plan", "customer", "agent"])
async def test_of_n_calls_at_once_at_several_gateways_exactly_the_limit_pass(
    gateways: Gateways, scope: str
) -> None:
    four = gateways.make(4)
    # So slow a rate that nothing is refilled while the test runs: one request in 15 seconds and more.
    for limit, calls in ((1, 40), (4, 200), (3, 64)):
        caps = {"requests_per_minute": limit}
        grant = (
            make_grant(key_limits=Limits(**caps))
            if scope == "key"
            else limited(**(caps if scope == "plan" else {scope: Caps(**caps)}))
        )
        assert admitted(await tries(four, grant, calls)) == limit


async def test_a_large_bucket_too(gateways: Gateways, server: Server) -> None:
    four = gateways.make(4)
    grant = limited(requests_per_minute=500)
    begun = monotonic()
    results = await tries(four, grant, 2000)
    refilled = 500 * (monotonic() - begun) / 60
    assert 500 <= admitted(results) <= 500 + refilled


async def test_calls_at_once_and_sums_are_exact_too(gateways: Gateways) -> None:
    four = gateways.make(4)
    gateways.stored.requests = 93
    assert admitted(await tries(four, limited(concurrent_requests=7), 60)) == 7
    assert admitted(await tries(four, limited(requests_per_month=100), 60)) == 7
    gateways.stored.tokens = 880
    assert admitted(await tries(four, limited(tokens_per_month=1000), 60, text="x" * 36)) == 12
    assert admitted(await tries(four, limited(tokens_per_minute=60), 60, text="x" * 36)) == 6


async def test_any_stretch_of_time_admits_at_most_its_share(gateways: Gateways) -> None:
    three = gateways.make(3)
    grant = limited(requests_per_minute=1200)  # one each 50 ms
    await tries(three, grant, 1300)
    begun = monotonic()
    passed = 0
    while monotonic() < begun + 0.6:
        passed += admitted(await tries(three, grant, 9))
    lasted = monotonic() - begun
    assert 1 <= passed <= 20 * (lasted + 0.1) + 1


async def test_a_refused_call_takes_nothing_anywhere(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = replace(
        limited(requests_per_minute=5, requests_per_month=50, concurrent_requests=9),
        key_limits=Limits(requests_per_minute=2),
    )
    results = await tries([limits], grant, 6)
    assert admitted(results) == 2
    refusal = results[-1]
    assert refusal.extra["scope"] == "key"
    assert refusal.extra["limit"] == "requests_per_minute"
    assert refusal.extra["retry_after"] == 30
    assert [server.client.get(key) for key in server.client.keys("*requests_per_month*")] == ["2"]
    other = replace(grant, key_id=uuid4(), key_limits=None)
    assert admitted(await tries([limits], other, 6)) == 3


async def test_one_command_a_call_and_one_at_its_end(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = replace(
        limited(
            requests_per_minute=100,
            tokens_per_minute=9000,
            concurrent_requests=9,
            requests_per_month=500,
            customer=Caps(requests_per_minute=90),
            agent=Caps(requests_per_minute=80),
        ),
        key_limits=Limits(requests_per_minute=70),
    )
    (await limits.take(grant, NOW, "hello")).give_back()  # the server learns the scripts, and the sums
    await settled(server, "*concurrent*", None)
    server.client.config_resetstat()
    for number in range(1, 4):
        lease = await limits.take(grant, NOW, "hello")
        stats = server.client.info("commandstats")
        assert stats["cmdstat_evalsha"]["calls"] == 2 * number - 1
        lease.release(1, 20)
        await settled(server, "*concurrent*", None)
    assert "cmdstat_script|load" not in stats
    assert gateways.stored.asked == 1


async def test_many_calls_share_a_round_trip(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    batches: list[int] = []
    counters = limits._batches._counters
    run = counters.run

    async def counted(calls: Any) -> list[Any]:
        batches.append(len(calls))
        return await run(calls)

    counters.run = counted  # type: ignore[method-assign]
    assert admitted(await tries([limits], limited(requests_per_minute=1000), 300)) == 300
    assert sum(batches) == 300
    assert len(batches) <= 4


async def test_tokens_are_charged_at_the_end_and_headers_follow_the_server(gateways: Gateways) -> None:
    here, there = gateways.make(2)
    grant = limited(tokens_per_minute=600, requests_per_minute=10)
    lease = await here.take(grant, NOW, "x" * 396)  # 100 tokens
    await there.take(grant, NOW, "x" * 396)
    shown = dict(there.headers(grant, NOW))
    assert shown["x-ratelimit-limit-tokens"] == "600"
    assert int(shown["x-ratelimit-remaining-tokens"]) in range(400, 405)
    assert shown["x-ratelimit-remaining-requests"] == "8"
    lease.release(1, 900)
    with pytest.raises(RateLimited) as refusal:
        while True:
            await there.take(grant, NOW, "x" * 36)
    assert refusal.value.extra["limit"] in ("tokens_per_minute", "requests_per_minute")
    assert dict(there.headers(grant, NOW))["x-ratelimit-remaining-tokens"] == "0"


async def test_what_is_given_back_can_be_taken_again(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = limited(
        requests_per_minute=1,
        concurrent_requests=1,
        requests_per_month=1,
        tokens_per_month=9,
        tokens_per_minute=9,
    )
    for _ in range(3):
        lease = await limits.take(grant, NOW, "x" * 32)
        lease.give_back()
        lease.give_back()
        await settled(server, "*concurrent*", None)
    lease = await limits.take(grant, NOW, "x" * 32)
    with pytest.raises(RateLimited):
        await limits.take(grant, NOW, "x" * 32)
    lease.release(1, 9)
    await settled(server, "*requests_per_month*", "1")
    await settled(server, "*tokens_per_month*", "9")


async def test_a_failed_call_is_no_request_of_the_month(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    gateways.stored.requests = 5
    lease = await limits.take(limited(requests_per_month=10), NOW, "")
    assert server.client.get(server.client.keys("*")[0]) == "6"
    lease.release(0, 0)
    await settled(server, "*requests_per_month*", "5")


async def test_the_places_of_a_dead_gateway_come_back(gateways: Gateways, server: Server) -> None:
    (dead,) = gateways.make(longest=0.2)
    (alive,) = gateways.make()
    grant = limited(concurrent_requests=2)
    assert admitted(await tries([dead], grant, 5)) == 2

    async def has_room() -> bool:
        return admitted(await tries([alive], grant, 1)) == 1

    assert not await has_room()
    await eventually(has_room)


async def test_a_caller_who_leaves_before_the_answer_takes_nothing(
    gateways: Gateways, server: Server
) -> None:
    (limits,) = gateways.make()
    grant = limited(concurrent_requests=1, requests_per_minute=1)
    task = asyncio.create_task(limits.take(grant, NOW, ""))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled(server, "*concurrent*", None)
    await eventually(lambda: _can(limits, grant))


async def _can(limits: SharedLimits, grant: Grant) -> bool:
    return admitted(await tries([limits], grant, 1)) == 1


async def test_a_server_that_forgot_everything_is_told_anew(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = limited(requests_per_month=10)
    gateways.stored.requests = 4
    (await limits.take(grant, NOW, "")).release(1)
    await settled(server, "*requests_per_month*", "5")
    server.client.flushall()
    server.client.script_flush()
    gateways.stored.requests = 5
    assert admitted(await tries([limits], grant, 9)) == 5
    assert gateways.stored.asked >= 2


async def test_the_next_month_begins_with_what_is_stored(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = limited(requests_per_month=3)
    gateways.stored.requests = 3
    assert admitted(await tries([limits], grant, 2)) == 0
    gateways.stored.requests = 1
    assert admitted(await tries([limits], grant, 9, now=NOW.replace(month=4))) == 2


async def test_a_rate_is_refilled_by_the_servers_clock(gateways: Gateways, server: Server) -> None:
    (limits,) = gateways.make()
    grant = limited(requests_per_minute=6)
    assert admitted(await tries([limits], grant, 9)) == 6
    (key,) = server.client.keys("*")
    missing, since = server.client.get(key).split()
    assert 0 <= 6 * 60_000_000 - int(missing) <= 6 * 1_000_000  # a second's worth at most
    server.client.set(key, f"{missing} {int(since) - 20_000_000}")
    assert admitted(await tries([limits], grant, 9)) == 2
    missing, since = server.client.get(key).split()
    server.client.set(key, f"{missing} {int(since) - 3600_000_000}")
    assert admitted(await tries([limits], grant, 9)) == 6
    missing, since = server.client.get(key).split()
    server.client.set(key, f"{missing} {int(since) + 3600_000_000}")  # the clock went back an hour
    assert admitted(await tries([limits], grant, 9)) == 0
    now, _ = server.client.time()
    assert int(server.client.get(key).split()[1]) <= (now + 1) * 1_000_000  # it goes on from here


async def test_without_the_server_each_gateway_counts_by_itself(gateways: Gateways, tmp_path: Path) -> None:
    gateways.url = f"unix://{tmp_path}/nobody.sock"
    here, there = gateways.make(2)
    gateways.stored.requests = 8
    grant = limited(requests_per_minute=3, requests_per_month=10)
    assert admitted(await tries([here], grant, 9)) == 2
    assert admitted(await tries([there], grant, 9)) == 2
    assert not here.shared


async def test_or_refuses(gateways: Gateways, tmp_path: Path) -> None:
    gateways.url = f"unix://{tmp_path}/nobody.sock"
    (limits,) = gateways.make(fail_open=False)
    for _ in range(3):
        with pytest.raises(Unavailable) as refusal:
            await limits.take(limited(requests_per_minute=3), NOW, "")
        assert refusal.value.status == 503
        assert refusal.value.headers["Retry-After"] == "1"
    await limits.take(limited(), NOW, "")  # nothing to ask


async def test_it_goes_on_from_where_the_server_stood_and_comes_back() -> None:
    with TemporaryDirectory(prefix="agentmart-redis-") as folder:
        server = Server(Path(folder))
        server.start()
        gateways = Gateways(server.url)
        try:
            here, there = gateways.make(2)
            grant = limited(requests_per_minute=4)
            assert admitted(await tries([here], grant, 1)) == 1
            assert admitted(await tries([there], grant, 1)) == 1
            assert admitted(await tries([here], grant, 1)) == 1
            server.stop()
            assert admitted(await tries([here], grant, 9)) == 1
            assert not here.shared
            server.start()

            async def back() -> bool:
                await here.take(limited(requests_per_minute=9), NOW, "")
                return bool(server.client.keys("*"))

            await eventually(back)
            assert here.shared
        finally:
            for limits in gateways.made:
                await limits.close()
            server.client.close()
            server.stop()


async def test_a_server_that_is_too_slow_is_away(server: Server, gateways: Gateways) -> None:
    (limits,) = gateways.make(fail_open=False)
    await limits.take(limited(requests_per_minute=3), NOW, "")
    server.client.execute_command("CLIENT", "PAUSE", "10000", "ALL")
    try:
        with pytest.raises(Unavailable):
            await limits.take(limited(requests_per_minute=3), NOW, "")
    finally:
        server.client.execute_command("CLIENT", "UNPAUSE")


async def test_an_error_of_the_server_is_not_a_verdict(server: Server) -> None:
    counters = build(server.url, {"broken": "return redis.call('NOPE')"}, timeout=1.0)
    with pytest.raises(CountersAway):
        await counters.run([ScriptCall("broken", [], [])])
    await counters.close()


def test_addresses() -> None:
    with pytest.raises(KeyError):
        build("http://127.0.0.1", SCRIPTS, timeout=1.0)
    for url in ("redis://127.0.0.1:6379/2", "valkey://127.0.0.1:6379", "rediss://127.0.0.1", "unix:///tmp/x"):
        build(url, SCRIPTS, timeout=1.0)


def test_units_are_whole() -> None:
    assert MINUTE_NS % 60_000_000 == 0
