"""Turns in a runtime with few places: every customer its share, bounded queues, nothing lost on the way."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.support import make_grant

from agentmart.contracts.grants import Limits
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.fairness import FairPlaces, Rota, Turn, Turns

Lasts = Callable[[Random], float]
SERVICE: dict[str, Lasts] = {
    "exponential": lambda random: random.expovariate(1.0),
    "constant": lambda random: 1.0,
    "uniform": lambda random: random.uniform(0.5, 1.5),
}


def simulate(places: int, rates: dict[str, float], lasts: Lasts, *, seconds: float, most: int = 200) -> Any:
    """Return each customer's latencies: calls arrive at random at these rates and hold a place for `lasts`.

    Every customer has a stream of random numbers of its own, so it asks the same whoever else is there.
    """
    rota, number = Rota(places), count()
    events: list[tuple[float, int, Any]] = []
    for name, rate in rates.items():
        random, at = Random(name), 0.0
        while (at := at + random.expovariate(rate)) < seconds:
            heapq.heappush(events, (at, next(number), (name, lasts(random), at)))
    latencies: dict[str, list[float]] = {name: [] for name in rates}

    def begin(turn: Turn, now: float) -> None:
        assert rota.running <= places
        heapq.heappush(events, (now + turn.ticket[1], next(number), turn))

    while events:
        now, _, what = heapq.heappop(events)
        if isinstance(what, Turn):
            name, _, asked = what.ticket
            latencies[name].append(now - asked)
            for turn in rota.end(what, now):
                begin(turn, now)
        elif rota.queued(what[0]) < most:
            turn = rota.ask(what[0], what, now)
            if turn is not None:
                begin(turn, now)
    assert (rota.running, rota.waiting, rota._customers, rota._weights) == (0, 0, {}, 0.0)
    return latencies


def p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


@pytest.mark.parametrize("service", SERVICE)
@pytest.mark.parametrize("places", [16, 32, 64])
def test_a_customer_at_ten_times_its_share_hardly_delays_another(places: int, service: str) -> None:
    share = places / 2  # of two customers; a call takes a second
    lasts = SERVICE[service]
    seconds = 24_000 / places
    alone = simulate(places, {"b": share / 2}, lasts, seconds=seconds)
    beset = simulate(places, {"b": share / 2, "a": 10 * share}, lasts, seconds=seconds)
    assert len(beset["b"]) == len(alone["b"]) > 5000
    assert p95(beset["b"]) <= 1.2 * p95(alone["b"])
    assert len(beset["a"]) > 0.95 * (0.875 * places - share / 2) * seconds  # nor do the places stand idle


def test_in_one_queue_it_would() -> None:
    """What the measure above is worth: first come, first served fails it."""
    rota_of_all = simulate(16, {"b": 4.0}, SERVICE["exponential"], seconds=500)

    class One(Rota):
        def ask(self, name: Any, ticket: Any, now: float, *, weight: float = 1.0) -> Turn | None:
            return super().ask("everybody", ticket, now)

    original = globals()["Rota"]
    globals()["Rota"] = One
    try:
        queued = simulate(16, {"b": 4.0, "a": 80.0}, SERVICE["exponential"], seconds=500, most=10**9)
    finally:
        globals()["Rota"] = original
    assert p95(queued["b"]) > 10 * p95(rota_of_all["b"])


def served(rota: Rota, turns: list[Turn], calls: int) -> list[str]:
    """End turns one after the other, a second each, and return whose turns came."""
    came = []
    now = 0.0
    for _ in range(calls):
        now += 1.0 / rota.places
        for turn in rota.end(turns.pop(0), now):
            turns.append(turn)
            came.append(turn.ticket)
    return came


def test_places_are_dealt_by_weight() -> None:
    rota = Rota(4, reserved=0)
    turns = [turn for _ in range(4) if (turn := rota.ask("a", "a", 0.0))]
    for _ in range(400):
        assert rota.ask("a", "a", 0.0) is None
        assert rota.ask("b", "b", 0.0, weight=2.0) is None
        assert rota.ask("c", "c", 0.0) is None
    came = served(rota, turns, 400)
    shares = {name: came.count(name) / 400 for name in "abc"}
    assert shares["b"] == pytest.approx(0.5, abs=0.03)
    assert shares["a"] == pytest.approx(0.25, abs=0.03)
    assert shares["c"] == pytest.approx(0.25, abs=0.03)


def test_long_calls_pay_for_the_time_they_hold_a_place() -> None:
    """Both ask all the time; one's calls take ten times as long: it gets as much time, not as many calls."""
    rota, number = Rota(8, reserved=0), count()
    lasts = {"long": 10.0, "short": 1.0}
    held = {"long": 0.0, "short": 0.0}
    events: list[tuple[float, int, Turn]] = []

    def begin(turn: Turn, now: float) -> None:
        if now > 200:
            held[turn.ticket] += lasts[turn.ticket]
        heapq.heappush(events, (now + lasts[turn.ticket], next(number), turn))

    for name in lasts:
        for _ in range(50):
            turn = rota.ask(name, name, 0.0)
            if turn is not None:
                begin(turn, 0.0)
    now = 0.0
    while now < 2000:
        now, _, ended = heapq.heappop(events)
        again = rota.ask(ended.ticket, ended.ticket, now)
        assert again is None
        for turn in rota.end(ended, now):
            begin(turn, now)
    assert held["long"] / held["short"] == pytest.approx(1.0, abs=0.2)


def test_a_place_is_kept_free_for_whoever_comes() -> None:
    rota = Rota(16)
    turns = [rota.ask("a", n, 0.0) for n in range(20)]
    assert sum(turn is not None for turn in turns) == 14
    assert rota.ask("b", 0, 0.0) is not None
    assert rota.ask("c", 0, 0.0) is not None
    assert rota.ask("d", 0, 0.0) is None  # now all are taken
    first = turns[0]
    assert first is not None
    assert [turn.ticket for turn in rota.end(first, 1.0)] == [0]  # d's, not the seventh of a's


def test_one_place_serves_everybody() -> None:
    rota = Rota(1)
    turn = rota.ask("a", "a", 0.0)
    assert turn is not None
    for name in ("a", "b", "a", "c"):
        assert rota.ask(name, name, 0.0) is None
    assert served(rota, [turn], 4) == ["a", "b", "c", "a"]


@given(
    st.integers(1, 12),
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["ask", "ask", "end", "leave"]), st.floats(0, 5)),
        max_size=120,
    ),
)
@settings(max_examples=300, deadline=None)
def test_nothing_is_lost_and_no_place_stands_idle_for_long(
    places: int, steps: list[tuple[str, str, float]]
) -> None:
    rota, now = Rota(places), 0.0
    running: list[Turn] = []
    waiting: list[tuple[str, int]] = []
    for ticket, (name, what, passed) in enumerate(steps):
        now += passed
        begun: list[Turn] = []
        if what == "ask":
            turn = rota.ask(name, (name, ticket), now)
            if turn is None:
                waiting.append((name, ticket))
            else:
                running.append(turn)
        elif what == "end" and running:
            begun = rota.end(running.pop(0), now)
        elif what == "leave" and waiting:
            left = waiting.pop(0)
            begun = rota.give_up(left[0], left, now)
        for turn in begun:
            waiting.remove(turn.ticket)
            running.append(turn)
        assert (rota.running, rota.waiting) == (len(running), len(waiting))
        assert rota.running <= places
        if waiting:
            assert rota.running >= places - places // 8
    while running:
        now += 1
        for turn in rota.end(running.pop(0), now):
            waiting.remove(turn.ticket)
            running.append(turn)
    assert waiting == []
    assert rota._customers == {}


# -- waiting


async def test_calls_wait_for_their_turn() -> None:
    turns = Turns(1, most_waiting=10, patience=5.0)
    first = await turns.take("a")
    second = asyncio.create_task(turns.take("a"))
    other = asyncio.create_task(turns.take("b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (turns.running, turns.waiting) == (1, 2)
    turns.end(first)
    turn = await second
    assert not other.done()
    turns.end(turn)
    turns.end(await other)
    assert (turns.running, turns.waiting) == (0, 0)


async def test_queues_are_bounded_and_so_is_the_wait() -> None:
    turns = Turns(1, most_waiting=4, patience=0.05)
    held = await turns.take("a")
    waiting = [asyncio.create_task(turns.take("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refusal:
        await turns.take("a")  # its queue is half of all
    assert refusal.value.status == 503
    assert refusal.value.extra["reason"] == "no_place"
    assert int(refusal.value.headers["Retry-After"]) >= 1
    waiting += [asyncio.create_task(turns.take(name)) for name in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await turns.take("d")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 4
    assert (turns.running, turns.waiting) == (1, 0)
    turns.end(held)
    turns.end(await turns.take("a"))


async def test_a_callers_deadline_ends_its_wait() -> None:
    turns = Turns(1, most_waiting=4, patience=30.0)
    await turns.take("a")
    begun = monotonic()
    with pytest.raises(Unavailable):
        await turns.take("b", until=monotonic() + 0.05)
    assert monotonic() - begun < 5


async def test_who_leaves_the_queue_leaves_no_gap() -> None:
    turns = Turns(1, most_waiting=9, patience=5.0)
    held = await turns.take("a")
    tasks = [asyncio.create_task(turns.take(name)) for name in "abab"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    turns.end(held)
    tasks[0].cancel()  # whoever's turn has just come may leave too
    tasks[3].cancel()
    turn = await tasks[2]
    assert turns.running == 1
    turns.end(turn)
    assert (turns.running, turns.waiting) == (0, 0)
    assert turns._rota._customers == {}


# -- with a lease


class Lease:
    """Notes how it ended."""

    def __init__(self) -> None:
        self.ended: list[Any] = []

    def release(self, requests: int, tokens: int = 0) -> None:
        """Note it."""
        self.ended.append((requests, tokens))

    def give_back(self) -> None:
        """Note it."""
        self.ended.append("back")


def fair(**changes: Any) -> FairPlaces:
    class Settings:
        places = {"scripted": 1}
        most_waiting = 10
        turn_patience = 0.05

    for name, value in changes.items():
        setattr(Settings, name, value)
    return FairPlaces(Settings())  # type: ignore[arg-type]


async def test_a_lease_carries_its_place() -> None:
    places = fair()
    lease, second = Lease(), Lease()
    held = await places.take(make_grant(), lease, monotonic() + 60)
    with pytest.raises(Unavailable):
        await places.take(make_grant(), second, monotonic() + 60)
    assert second.ended == ["back"]
    held.release(1, 18)
    held.release(1, 18)
    assert lease.ended == [(1, 18), (1, 18)]  # the lease itself minds only the first
    again = await places.take(make_grant(limits=Limits(priority=True)), Lease(), monotonic() + 60)
    again.give_back()
    assert places._turns["scripted"].running == 0


async def test_a_runtime_without_places_of_its_own_is_not_waited_for() -> None:
    places = fair(places={})
    lease = Lease()
    assert await places.take(make_grant(), lease, monotonic() + 60) is lease
