"""Starts processes, watches them, restarts what dies, stops them in reverse order."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentmart.kit.env import BadSetting

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
_FIRST_RESTART_SECONDS = 0.2
_LONGEST_RESTART_SECONDS = 10.0
_STEADY_SECONDS = 60.0  # after so long a life the next restart is at once again
_LOG_ROTATE_BYTES = 20 * 1024 * 1024


class StartFailed(BadSetting):
    """A process did not become healthy; the message quotes the end of its log."""


Check = Callable[[], str]
"""Returns what is wrong with a process, or an empty text when it is healthy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One process: its command line, its whole environment, and how to tell that it works."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    check: Check
    start_seconds: float = 60.0
    stop_seconds: float = 30.0


class Child:
    """A planned process as it lives, dies and lives again."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.plan = plan
        self.log = log
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._restart_at: float | None = None
        self._wait = _FIRST_RESTART_SECONDS

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the process, its output appended to its log.

        The calling thread must outlive it: the kernel ties the child's life to the thread that made it.
        """
        _rotate(self.log)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._process = subprocess.Popen(
                [*self.plan.arguments, "--supervisor", str(os.getpid())],
                env=dict(self.plan.environment),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._started = time.monotonic()
        self._restart_at = None

    def exit_status(self) -> int | None:
        """Return the status of an ended process, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def revive(self, now: float) -> None:
        """Restart an ended process, after a wait that doubles with every early death. `now` is monotonic."""
        if self._process is None or self._process.poll() is None:
            return
        if self._restart_at is None:
            if now - self._started > _STEADY_SECONDS:
                self._wait = _FIRST_RESTART_SECONDS
            self._restart_at = now + self._wait
            logger.warning(
                "process ended",
                extra={"child": self.plan.name, "status": self._process.returncode, "restart_in": self._wait},
            )
            self._wait = min(self._wait * 2, _LONGEST_RESTART_SECONDS)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(
                    self._process.pid, signal.SIGTERM
                )  # its own children, which may still hold its port
        if now >= self._restart_at:
            self.restarts += 1
            self.start()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def await_end(self) -> None:
        """Wait for the end asked for; past the plan's deadline the whole process group is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(self.plan.stop_seconds)
        except subprocess.TimeoutExpired:
            logger.warning("process did not stop in time and is killed", extra={"child": self.plan.name})
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # also what it may have left behind in its group
        self._process.wait()

    def log_end(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 16_384))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join([f"The end of {self.log}:", *text.splitlines()[-lines:]])


class Supervisor:
    """A set of children, started in order, stopped in reverse order."""

    def __init__(self, logs: Path) -> None:
        """`logs` is the folder of the children's logs."""
        self._logs = logs
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.children: dict[str, Child] = {}

    def start(self, plan: Plan) -> None:
        """Start one more process."""
        child = Child(plan, self._logs / f"{plan.name}.log")
        self.children[plan.name] = child
        child.start()

    def await_healthy(self, stop: threading.Event, told: Callable[[str], None] = lambda name: None) -> None:
        """Wait until every child is healthy, telling each; raises StartFailed when one ends or takes too long."""
        waiting = dict(self.children)
        started = time.monotonic()
        while waiting and not stop.is_set():
            for name, child in list(waiting.items()):
                status = child.exit_status()
                if status is not None:
                    raise StartFailed(f"{name} ended with status {status} at its start.\n{child.log_end()}")
                problem = child.plan.check()
                if not problem:
                    del waiting[name]
                    told(name)
                elif time.monotonic() - started > child.plan.start_seconds:
                    raise StartFailed(f"{name} is not healthy: {problem}.\n{child.log_end()}")
            stop.wait(POLL_SECONDS)

    def watch(self, stop: threading.Event, each_turn: Callable[[], None] = lambda: None) -> None:
        """Restart what dies until `stop` is set."""
        while not stop.is_set():
            for child in self.children.values():
                child.revive(time.monotonic())
            each_turn()
            stop.wait(POLL_SECONDS)

    def stop(self) -> None:
        """Stop all children, the last started first, each within its own deadline."""
        for child in reversed(self.children.values()):
            child.ask_to_stop()
            child.await_end()


def http_check(host: str, port: int, path: str) -> Check:
    """Return a check that asks for an address; only 200 is healthy."""

    def check() -> str:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"http://{host}:{port}{path}: {error}"
        finally:
            connection.close()
        return "" if status == 200 else f"http://{host}:{port}{path} answers {status}"

    return check


def tcp_check(host: str, port: int) -> Check:
    """Return a check that connects to a port."""

    def check() -> str:
        try:
            socket.create_connection((host, port), timeout=2).close()
        except OSError as error:
            return f"{host}:{port}: {error}"
        return ""

    return check


def socket_check(path: Path) -> Check:
    """Return a check that connects to a Unix socket."""

    def check() -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            try:
                client.connect(str(path))
            except OSError as error:
                return f"{path}: {error}"
        return ""

    return check


def file_check(path: Path) -> Check:
    """Return a check that looks for the file a process makes once it is ready."""
    return lambda: "" if path.exists() else "it has not said that it is ready"


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_ROTATE_BYTES:
            log.replace(log.with_suffix(".log.1"))
