"""The rules behind robust calls, without a gateway: breaker, shedder, bounded pieces."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.contracts.environment import environment
from agentmart.gateway.breakers import Breaker, Rules, State
from agentmart.gateway.pieces import Pieces
from agentmart.gateway.settings import GatewaySettings, settings_from_environment
from agentmart.gateway.shedding import Overloaded, Shedder
from agentmart.kit.env import BadSetting

# -- breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.bad(now)
    assert breaker.state(now) is State.OPEN
    return breaker


def test_a_breaker_opens_at_five_failures_that_are_half_of_the_calls() -> None:
    breaker = Breaker()
    for _ in range(6):
        breaker.good(0)
    for _ in range(5):
        breaker.bad(0)
    assert breaker.state(0) is State.CLOSED, "5 of 11"
    breaker.bad(0)
    assert breaker.state(0) is State.OPEN, "6 of 12"


def test_a_breaker_forgets_what_is_older_than_its_window() -> None:
    breaker = Breaker()
    for second in range(4):
        breaker.bad(second)
    breaker.bad(12)
    assert breaker.state(12) is State.CLOSED
    for _ in range(4):
        breaker.bad(12)
    assert breaker.state(12) is State.OPEN


def test_an_open_breaker_refuses_until_its_pause_is_over_and_then_lets_one_try() -> None:
    breaker = opened()
    assert not breaker.admit(1.9)
    assert (breaker.retry_after(0), breaker.retry_after(1.5), breaker.retry_after(9)) == (2, 1, 1)
    assert breaker.state(2) is State.HALF_OPEN
    assert breaker.admit(2)
    assert not breaker.would_admit(2)
    assert not breaker.admit(2), "one at a time"
    breaker.unknown()
    assert breaker.admit(2), "a try that told nothing frees its place"


def test_two_good_tries_close_a_breaker_and_a_bad_one_doubles_its_pause() -> None:
    breaker = opened()
    moment = 0.0
    for pause in (2, 4, 8, 8):
        assert not breaker.admit(moment + pause - 0.1)
        moment += pause
        assert breaker.admit(moment)
        breaker.bad(moment)
    moment += 8
    for _ in range(2):
        assert breaker.state(moment) is State.HALF_OPEN
        assert breaker.admit(moment)
        breaker.good(moment)
    assert breaker.state(moment) is State.CLOSED
    for _ in range(5):
        breaker.bad(moment)
    assert breaker.retry_after(moment) == 2, "the pause is short again"


def test_flows_of_one_or_two_deployments_open_nothing_and_those_of_three_do() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.suspect(0, "one")
        breaker.suspect(0, "two")
    assert breaker.state(0) is State.CLOSED
    breaker.suspect(0, "three")
    assert breaker.state(0) is State.OPEN


def test_late_news_of_calls_from_before_change_nothing() -> None:
    breaker = opened()
    breaker.good(0.5)
    breaker.bad(0.5)
    breaker.suspect(0.5, "one")
    assert breaker.state(1.9) is State.OPEN
    assert breaker.admit(2)
    breaker.suspect(2, "one")  # the try told nothing sure
    assert breaker.state(2) is State.HALF_OPEN
    assert breaker.admit(2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["admit", "good", "bad", "suspect", "unknown"]),
            st.floats(0, 5),
            st.text("abcd", max_size=1),
        )
    )
)
def test_no_order_of_events_shuts_a_breaker_for_good(events: list[tuple[str, float, str]]) -> None:
    breaker, now = Breaker(), 0.0
    for event, passed, who in events:
        now += passed
        match event:
            case "admit":
                breaker.admit(now)
            case "suspect":
                breaker.suspect(now, who)
            case "unknown":
                breaker.unknown()
            case _:
                getattr(breaker, event)(now)
    breaker.unknown()  # every call ends somehow
    now += Rules().longest_pause
    for _ in range(Rules().closing):
        assert breaker.admit(now)
        breaker.good(now)
    assert breaker.state(now) is State.CLOSED


# -- shedder


def test_a_burst_is_served_and_a_queue_that_stands_is_not_added_to() -> None:
    shedder = Shedder(0.5)
    for number in range(100):
        shedder.enter(number, 10.0)
    shedder.check(10.9)
    with pytest.raises(Overloaded) as refused:
        shedder.check(11.0)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"] == "2"
    assert shedder.shed == 1
    for number in range(100):
        shedder.leave(number, 11.0)
    shedder.check(11.0)
    assert shedder.wait(11.0) == 0


def test_a_queue_that_moves_too_slowly_is_not_added_to_either() -> None:
    shedder = Shedder(0.5)
    for step in range(20):  # each waits 0.8 s
        shedder.enter(step, step / 10)
        if step >= 8:
            shedder.leave(step - 8, step / 10)
    with pytest.raises(Overloaded):
        shedder.check(1.9)


def test_waits_within_the_bound_shed_nobody() -> None:
    shedder = Shedder(0.5)
    for step in range(100):
        shedder.check(step / 10)
        shedder.enter(step, step / 10)
        if step >= 4:
            shedder.leave(step - 4, step / 10)
    assert shedder.shed == 0


def test_without_a_bound_nobody_is_shed() -> None:
    shedder = Shedder(0)
    shedder.enter("a", 0)
    shedder.check(1000)
    shedder.leave("b", 1000)  # who never entered


# -- pieces


async def test_pieces_come_in_order_and_end() -> None:
    pieces = Pieces(10)
    pieces.put("a")
    pieces.put("b")
    pieces.end()
    assert [await pieces.get() for _ in range(4)] == ["a", "b", None, None]


async def test_a_reader_waits_for_pieces_and_a_run_for_room() -> None:
    pieces = Pieces(3)
    reading = asyncio.create_task(pieces.get())
    await asyncio.sleep(0)
    pieces.put("abc")
    assert await reading == "abc"
    pieces.put("abc")
    assert pieces.full
    waiting = asyncio.create_task(pieces.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await pieces.get() == "abc"
    await waiting
    pieces.put("abcd")
    waiting = asyncio.create_task(pieces.room())
    await asyncio.sleep(0)
    pieces.abandon()
    await waiting
    pieces.put("dropped")
    assert not pieces.full
    pieces.end()
    assert await pieces.get() is None


# -- settings


def configured(**changes: str) -> GatewaySettings:
    values = {
        "AGENTMART_GATEWAY_DATABASE_URL": "postgresql://u:p@/d?host=/s",
        "AGENT_KEYS_SECRET_KEY": "x" * 32,
        "AGENTMART_DATA_DIR": "/data",
    }
    return settings_from_environment(environment({**values, **changes}))


def test_settings_of_robust_calls() -> None:
    usual = configured()
    assert (usual.fallbacks, usual.longest_wait, usual.shutdown_grace) == ({}, 0.5, 20.0)
    other = configured(
        AGENTMART_FALLBACK_RUNTIME="langflow",
        LANGFLOW_RUNTIME_URL="http://127.0.0.1:7860",
        LANGFLOW_RUNTIME_API_KEY="sk-x",
        AGENTMART_SHED_AFTER_MS="0",
        AGENTMART_SHUTDOWN_GRACE_SECONDS="5",
    )
    assert other.fallbacks == {"embedded": "langflow", "langflow": "langflow"}
    assert (other.longest_wait, other.shutdown_grace) == (0.0, 5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENTMART_FALLBACK_RUNTIME", "langflow"),  # which is not set up
        ("AGENTMART_FALLBACK_RUNTIME", "fake"),
        ("AGENTMART_SHED_AFTER_MS", "-1"),
        ("AGENTMART_SHUTDOWN_GRACE_SECONDS", "0"),
    ],
)
def test_bad_settings_of_robust_calls_name_themselves(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=name):
        configured(**{name: value})
