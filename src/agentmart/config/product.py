"""The whole product under one supervisor: `agentmart serve`, the demo, and tests of the real processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets as random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentmart.config import database, ports
from agentmart.config import process_environment as environments
from agentmart.config.database import DatabaseUrls
from agentmart.config.postgres import EmbeddedPostgres
from agentmart.config.processes import lifeline, runtime_venv
from agentmart.config.supervisor import (
    Plan,
    StartFailed,
    Supervisor,
    file_check,
    http_check,
    socket_check,
    tcp_check,
)
from agentmart.contracts.environment import environment
from agentmart.contracts.runtimes import runtimes_elsewhere
from agentmart.kit.env import BadSetting, Environment

ADMIN = "admin"
_PORT_PATIENCE_SECONDS = 5.0  # a killed supervisor's processes take a moment to leave
_EARLIER_PATIENCE_SECONDS = 60.0
_FIRST_STAFF_NOTE = "staff-created"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Login:
    """A staff login made at the first start; the password and token are shown this once."""

    username: str
    password: str
    token: str

    def __repr__(self) -> str:
        return f"Login({self.username!r})"


class Product:
    """One data folder's processes; `start` and `run` belong to one thread, `request_stop` to any."""

    def __init__(self, settings: Environment, say: Say = lambda line: None) -> None:
        """`say` gets one line of progress at a time."""
        self.settings = settings
        self.data_dir = environments.data_dir_of(settings)
        self.admin: Login | None = None
        self._say = say
        self._stop = threading.Event()
        self._supervisor = Supervisor(self.data_dir / "logs")
        self._resources = contextlib.ExitStack()
        self._urls: DatabaseUrls | None = None

    @property
    def web_url(self) -> str:
        """Address of the portal and REST API on this machine."""
        return (
            f"http://{environments.public_host(self.settings)}:{self.settings.integer('AGENTMART_WEB_PORT')}"
        )

    @property
    def gateway_url(self) -> str:
        """Address of the gateway on this machine."""
        return f"http://{environments.public_host(self.settings)}:{self.settings.integer('AGENTMART_GATEWAY_PORT')}"

    @property
    def urls(self) -> DatabaseUrls:
        """Addresses of the database; raises RuntimeError before start."""
        if self._urls is None:
            raise RuntimeError("the product has not started")
        return self._urls

    def pid(self, name: str) -> int | None:
        """Return the process id of `web`, `gateway`, `worker`, `runtime`, `dev-model` or `postgres`."""
        if name == "postgres":
            return EmbeddedPostgres(self.data_dir).pid() if self.urls.embedded else None
        return self._supervisor.children[name].pid

    def restarts(self, name: str) -> int:
        """Return how often a process was restarted."""
        return self._supervisor.children[name].restarts

    def processes(self) -> list[str]:
        """Return the names of the supervised processes."""
        return list(self._supervisor.children)

    def request_stop(self) -> None:
        """Ask the product to stop (from a signal handler or another thread)."""
        self._stop.set()

    def start(self) -> None:
        """Start everything and return when all is healthy; raises BadSetting (then `stop` cleans up)."""
        self._take_lock()
        environments.check(self.settings, self.data_dir)
        self._await_earlier_processes()
        self._check_ports()
        self._make_runtime()
        self._start_without_database()
        self._prepare_database()
        for name in ("web", "gateway", "worker"):
            self._supervisor.start(self._plan(name))
        self.admin = self._first_login()
        began = time.monotonic()
        self._supervisor.await_healthy(
            self._stop, lambda name: self._say(f"{name} is healthy ({time.monotonic() - began:.1f} s)")
        )

    def run(self, each_turn: Callable[[], None] = lambda: None) -> None:
        """Keep the processes alive until a stop is requested."""
        self._supervisor.watch(self._stop, each_turn)

    def stop(self) -> None:
        """Stop what runs, in reverse order, the database last."""
        try:
            self._supervisor.stop()
        finally:
            self._resources.close()

    def create_staff(self, username: str, password: str) -> str:
        """Create or reset a staff login; returns its API token."""
        return self._command("createstaff", "--username", username, "--password-stdin", given=password)

    def _take_lock(self) -> None:
        run = self.data_dir / "run"
        run.mkdir(mode=0o711, exist_ok=True)
        file = self._resources.enter_context((run / "serve.lock").open("a+"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BadSetting(
                f"agentmart already runs on {self.data_dir} (process {file.read().strip() or 'unknown'}); "
                "stop it first, or choose another --data-dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()

    def _await_earlier_processes(self) -> None:
        """Let the processes of a killed supervisor finish: they were asked to stop when it died."""
        run = self.data_dir / "run"
        deadline = time.monotonic() + _EARLIER_PATIENCE_SECONDS
        told = False
        while lifeline.others_remain(run) and not self._stop.is_set():
            if not told:
                self._say("waiting for the processes of an earlier run to finish")
                told = True
            if time.monotonic() > deadline:
                raise BadSetting(f"processes of an earlier run still use {self.data_dir}; end them first")
            self._stop.wait(0.1)

    def _check_ports(self) -> None:
        names = ["AGENTMART_WEB_PORT", "AGENTMART_GATEWAY_PORT"]
        if environments.uses_dev_model(self.settings):
            names.append("AGENTMART_DEV_MODEL_PORT")
        taken = {name: self.settings.integer(name) for name in names}
        if len(set(taken.values())) < len(taken):
            raise BadSetting(f"{', '.join(taken)} must differ; they are {list(taken.values())}")
        for name, port in taken.items():
            host = "127.0.0.1" if "MODEL" in name else self.settings.text("AGENTMART_HOST")
            deadline = time.monotonic() + _PORT_PATIENCE_SECONDS
            while problem := ports.problem(host, port):
                if time.monotonic() > deadline or self._stop.is_set():
                    raise BadSetting(
                        f"{name}: port {port} on {host} {problem}; stop its user, or choose another port"
                    )
                self._stop.wait(0.2)

    def _make_runtime(self) -> None:
        runtime_venv.make(environments.runtime_venv(self.settings, self.data_dir), self._say)

    def _start_without_database(self) -> None:
        if environments.uses_dev_model(self.settings):
            self._say("no model key is set: the development model answers")
            self._supervisor.start(self._plan("dev-model"))
        self._supervisor.start(self._plan("runtime"))

    def _prepare_database(self) -> None:
        began = time.monotonic()
        self._urls = self._resources.enter_context(database.running(self.settings, self.data_dir))
        if self._urls.embedded:
            self._say(f"PostgreSQL answers ({time.monotonic() - began:.1f} s)")
        began = time.monotonic()
        self._command("migrate")
        self._say(f"database roles and migrations are applied ({time.monotonic() - began:.1f} s)")

    def _first_login(self) -> Login | None:
        note = self.data_dir / _FIRST_STAFF_NOTE
        if note.exists():
            return None
        password = random.token_urlsafe(15)
        token = self._command(
            "createstaff", "--username", ADMIN, "--password-stdin", "--only-first", given=password
        )
        note.touch(mode=0o600)
        return Login(ADMIN, password, token) if token else None

    def _command(self, *arguments: str, given: str = "") -> str:
        """Run one of our own commands to its end; returns the last line it printed."""
        result = subprocess.run(
            [*_command_line(arguments[0]), *arguments[1:], "--data-dir", str(self.data_dir)],
            env=environments.for_commands(self.settings),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            said = (result.stderr or result.stdout).strip()
            log = self.data_dir / "logs" / f"{arguments[0]}.log"
            log.write_text(f"{said}\n")
            raise StartFailed(f"agentmart {arguments[0]} failed: {_problem_in(said)}\nAll of it: {log}")
        return (result.stdout.strip().splitlines() or [""])[-1]

    def _plan(self, name: str) -> Plan:
        host = environments.public_host(self.settings)
        ready = self.data_dir / "run" / f"{name}.ready"
        # A server elsewhere may be away for a while: that keeps nobody from starting the product.
        elsewhere = runtimes_elsewhere(self.settings)
        gateway_path = "/ready" if elsewhere else "/api/agent-gateway/health"
        checks = {
            "web": lambda: http_check(host, self.settings.integer("AGENTMART_WEB_PORT"), "/api/health/"),
            "gateway": lambda: http_check(
                host, self.settings.integer("AGENTMART_GATEWAY_PORT"), gateway_path
            ),
            "runtime": lambda: socket_check(environments.runtime_socket(self.settings, self.data_dir)),
            "dev-model": lambda: tcp_check("127.0.0.1", self.settings.integer("AGENTMART_DEV_MODEL_PORT")),
            "worker": lambda: file_check(ready),
        }
        grace = float(self.settings.integer("AGENTMART_SHUTDOWN_GRACE_SECONDS"))
        arguments = _command_line(name)
        if name == "worker":
            ready.unlink(missing_ok=True)
            arguments += ["--ready-file", str(ready)]
        return Plan(
            name=name,
            arguments=arguments,
            environment=environments.for_process(name, self.settings, self.data_dir, self._urls),
            check=checks[name](),
            stop_seconds=max(30.0, grace + 15.0) if name == "gateway" else 30.0,
        )


@contextlib.contextmanager
def running_product(
    data_dir: Path,
    *,
    web_port: int = 0,
    gateway_port: int = 0,
    overrides: Mapping[str, str] | None = None,
    say: Say = lambda line: None,
) -> Iterator[Product]:
    """Yield the product with all its processes healthy, and stop it afterwards.

    Port 0 is any free one; `overrides` are settings that win over the environment's. The processes are made and
    watched by a thread of its own. Raises BadSetting when the product does not start.
    """
    values = dict(os.environ) | dict(overrides or {}) | {"AGENTMART_DATA_DIR": str(data_dir)}
    values["AGENTMART_WEB_PORT"] = str(web_port or ports.free())
    values["AGENTMART_GATEWAY_PORT"] = str(gateway_port or ports.free())
    values.setdefault("AGENTMART_DEV_MODEL_PORT", str(ports.free()))
    product = Product(environment(values), say)
    started = threading.Event()
    problems: list[BaseException] = []
    thread = threading.Thread(target=_live, args=(product, started, problems), name="agentmart-supervisor")
    thread.start()
    try:
        started.wait()
        if problems:
            raise problems[0]
        yield product
    finally:
        product.request_stop()
        thread.join()
    if problems:
        raise problems[0]


def _live(product: Product, started: threading.Event, problems: list[BaseException]) -> None:
    try:
        product.start()
        started.set()
        product.run()
    except BaseException as error:  # noqa: BLE001  handed to the thread that waits
        problems.append(error)
    finally:
        try:
            product.stop()
        except BaseException as error:  # noqa: BLE001  likewise
            problems.append(error)
        started.set()


def _problem_in(said: str) -> str:
    """Return our own error, which comes last and may have several lines, or of a traceback the last line."""
    start = said.rfind("\nError: ")
    return said[start + 1 :] if start >= 0 or said.startswith("Error: ") else said[said.rfind("\n") + 1 :]


def _command_line(command: str) -> list[str]:
    return [sys.executable, "-m", "agentmart.config.cli", command]
