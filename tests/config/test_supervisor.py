"""The supervisor on small programs of its own: health, restarts, order, deadlines."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import until

from agentmart.config import ports
from agentmart.config.supervisor import Plan, StartFailed, Supervisor, file_check, http_check, tcp_check

READY = "import pathlib, signal, sys, threading\n{before}\npathlib.Path({ready!r}).touch()\nthreading.Event().wait()\n"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs")
    yield supervisor
    supervisor.stop()


def plan(folder: Path, name: str, before: str = "", **changes: float) -> Plan:
    ready = folder / f"{name}.ready"
    script = READY.format(before=before, ready=str(ready))
    return Plan(
        name, [sys.executable, "-c", script], {"PATH": os.environ["PATH"]}, file_check(ready), **changes
    )


def test_healthy_children_are_told_and_stopped_last_first(supervisor: Supervisor, tmp_path: Path):
    told: list[str] = []
    ended = tmp_path / "ended"
    note = (
        "def end(*_):\n    open({ended!r}, 'a').write({name!r}); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)"
    )
    for name in ("a", "b"):
        supervisor.start(plan(tmp_path, name, note.format(ended=str(ended), name=name)))
    supervisor.await_healthy(threading.Event(), told.append)
    assert sorted(told) == ["a", "b"]
    supervisor.stop()
    assert ended.read_text() == "ba"
    assert [child.pid for child in supervisor.children.values()] == [None, None]


def test_a_child_that_dies_at_its_start_is_an_error_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
):
    supervisor.start(plan(tmp_path, "a", "sys.exit('no such colour')"))
    with pytest.raises(StartFailed, match=r"a ended with status 1 at its start(.|\n)*no such colour"):
        supervisor.await_healthy(threading.Event())


def test_a_child_that_never_gets_healthy_is_an_error(supervisor: Supervisor, tmp_path: Path):
    supervisor.start(plan(tmp_path, "a", "threading.Event().wait()", start_seconds=0.2))
    with pytest.raises(StartFailed, match="a is not healthy: it has not said that it is ready"):
        supervisor.await_healthy(threading.Event())


def test_a_killed_child_is_restarted(supervisor: Supervisor, tmp_path: Path):
    supervisor.start(plan(tmp_path, "a"))
    supervisor.await_healthy(threading.Event())
    child = supervisor.children["a"]
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: child.pid is None)
    stop = threading.Event()

    def restarted() -> None:
        if child.pid not in (None, first):
            stop.set()

    supervisor.watch(stop, restarted)
    assert child.restarts == 1


def test_early_deaths_are_restarted_ever_more_slowly(supervisor: Supervisor, tmp_path: Path):
    supervisor.start(plan(tmp_path, "a", "sys.exit(3)"))
    child = supervisor.children["a"]
    now = 1000.0
    waits = []
    for _ in range(8):
        until(lambda: child.pid is None)
        child.revive(now)
        before = child.restarts
        wait = 0.0
        while child.restarts == before:
            wait += 0.1
            child.revive(now + wait)
        waits.append(round(wait, 1))
        now += wait
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(10.0, abs=0.2)


def test_a_child_that_will_not_stop_is_killed_with_its_group(supervisor: Supervisor, tmp_path: Path):
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    supervisor.start(plan(tmp_path, "a", stubborn, stop_seconds=0.2))
    supervisor.await_healthy(threading.Event())
    supervisor.stop()
    assert supervisor.children["a"].exit_status() == -signal.SIGKILL


def test_checks_of_a_port_nobody_serves_say_so():
    port = ports.free()
    assert "refused" in http_check("127.0.0.1", port, "/")()
    assert "refused" in tcp_check("127.0.0.1", port)()
    assert ports.problem("127.0.0.1", port) == ""
