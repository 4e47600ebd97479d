"""The embedded PostgreSQL: binaries from a wheel, started and stopped by us (docs/decisions/0002)."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from agentmart.config import postgres_place, secrets
from agentmart.config.postgres_place import Place
from agentmart.contracts.tables import APP_ROLE, GATEWAY_ROLE, OWNER_ROLE
from agentmart.kit.env import BadSetting

logger = logging.getLogger(__name__)

SUPERUSER = "postgres"
MAJOR_VERSION = "18"
START_SECONDS = 120.0  # crash recovery of a large write-ahead log takes its time
STOP_SECONDS = 90.0
_POLL_SECONDS = 0.05
_started: list[
    subprocess.Popen[bytes]
] = []  # keeps servers that outlive their object from being warned about
_PROGRAM_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class PostgresFailed(BadSetting):
    """The embedded server did not start or stop; the message quotes its log."""


class EmbeddedPostgres:
    """One data folder's server, shared by every process that uses it.

    The first user starts it, later ones join it, the last one to leave stops it. Users are counted by a shared
    file lock, which the kernel drops with a killed process; a server left behind by one is joined, not restarted.
    """

    def __init__(self, data_dir: Path, options: Mapping[str, str] | None = None) -> None:
        """`options` override server settings of a server that this object starts (tests switch fsync off)."""
        self.data_dir = secrets.data_folder(data_dir)
        self._options = dict(options or {})
        self._secrets = secrets.load(self.data_dir)
        self._place: Place | None = None
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def place(self) -> Place:
        """Folders and user of the server."""
        if self._place is None:
            self._place = postgres_place.find(self.data_dir)
        return self._place

    def pid(self) -> int | None:
        """Return the process id of the running server, or None."""
        return _running(self.place.data)

    def start(self) -> None:
        """Start the server, or join it where it runs; returns when it answers. Raises BadSetting."""
        if self._users is not None:
            return
        with self._turn():
            if not (self.place.data / "PG_VERSION").exists():
                _make_cluster(self.place, self._secrets.postgres_password)
            self._check_version()
            if self.pid() is None:
                self._launch()
            self._await_answer()
            self._users = os.open(self._lock_path("users"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Leave the server; the last user to leave stops it and waits for its clean end."""
        if self._users is None:
            return
        with self._turn():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                last = True
            except BlockingIOError:
                last = False
            os.close(self._users)
            self._users = None
            if last:
                self._shut_down()

    def url(self, role: str = SUPERUSER, dbname: str = "postgres") -> str:
        """Return the address of a database as a role of ours (libpq's and asyncpg's form, through the socket)."""
        passwords = {
            SUPERUSER: self._secrets.postgres_password,
            OWNER_ROLE: self._secrets.owner_password,
            APP_ROLE: self._secrets.app_password,
            GATEWAY_ROLE: self._secrets.gateway_password,
        }
        host = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{role}:{quote(passwords[role], safe='')}@/{quote(dbname, safe='')}?host={host}"

    def _socket_folder(self) -> Path:
        """Return the folder of the socket; a running server's own word wins over what a new one would use."""
        with contextlib.suppress(OSError, IndexError):
            return Path((self.place.data / "postmaster.pid").read_text().splitlines()[4])
        return self.place.sockets

    def _lock_path(self, name: str) -> Path:
        return self.data_dir / "run" / f"pg-{name}.lock"

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one process at a time start or stop the server."""
        self._lock_path("turn").parent.mkdir(mode=0o711, exist_ok=True)
        descriptor = os.open(self._lock_path("turn"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _check_version(self) -> None:
        found = (self.place.data / "PG_VERSION").read_text().strip()
        if found != MAJOR_VERSION:
            raise BadSetting(
                f"{self.place.data} is of PostgreSQL {found}, this Agentmart runs {MAJOR_VERSION}: "
                "dump it with the version that made it, and restore into a new --data-dir"
            )

    def _launch(self) -> None:
        _await_orphans(self.place.data)
        _remove_stale_files(self.place)
        log = self.log_path()
        log.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        settings = _server_settings(self.place) | self._options
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        try:
            self._process = subprocess.Popen(
                [self.place.binary("postgres"), "-D", str(self.place.data), *arguments],
                cwd="/",
                env=_PROGRAM_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor, not for the database
                **self.place.as_user(),
            )
        finally:
            os.close(descriptor)
        _started.append(self._process)

    def log_path(self) -> Path:
        """Return the server's log file."""
        return self.data_dir / "logs" / "postgres.log"

    def _await_answer(self) -> None:
        """Wait until the server takes connections; raises PostgresFailed with the end of its log."""
        deadline = time.monotonic() + START_SECONDS
        problem = ""
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                code = self._process.returncode
                self._process = None
                raise PostgresFailed(f"PostgreSQL ended with status {code} at its start.\n{self._log_end()}")
            if _status(self.place.data) == "ready":
                try:
                    psycopg.connect(self.url(), connect_timeout=10).close()
                    return
                except psycopg.OperationalError as error:
                    problem = str(error)
                    if "authentication failed" in problem:
                        break
            time.sleep(_POLL_SECONDS)
        raise PostgresFailed(f"PostgreSQL does not answer: {problem or 'not ready'}.\n{self._log_end()}")

    def _log_end(self, lines: int = 12) -> str:
        try:
            end = self.log_path().read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            return ""
        return "\n".join([f"The end of {self.log_path()}:", *end])

    def _shut_down(self) -> None:
        """Ask for a fast, clean stop and wait; a server is never killed outright."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()  # reap it, or its id would seem alive
            if self.pid() is None:
                self._process = None
                return
            time.sleep(_POLL_SECONDS)
        raise PostgresFailed(
            f"PostgreSQL (process {pid}) is still shutting down after {STOP_SECONDS:.0f} s; it ends by itself.\n"
            f"{self._log_end()}"
        )


def _server_settings(place: Place) -> dict[str, str]:
    """Return settings for a small machine; statements and their values stay out of the log (they hold data)."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    buffers_mb = max(32, min(512, memory_mb // 16))
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(place.sockets),
        "unix_socket_permissions": "0700",
        "port": "5432",
        "max_connections": "100",
        "shared_buffers": f"{buffers_mb}MB",
        "effective_cache_size": f"{max(64, memory_mb // 2)}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": "64MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "10min",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_error_statement": "panic",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_line_prefix": "%m [%p] %u@%d ",
    }


def _make_cluster(place: Place, password: str) -> None:
    """Run initdb beside the final folder and rename it there, so that a broken attempt leaves no half cluster."""
    for leftover in place.data.parent.glob("data.new-*"):
        shutil.rmtree(leftover)
    draft = Path(tempfile.mkdtemp(prefix="data.new-", dir=place.data.parent))
    uid = postgres_place.init_user(place.uid)
    if uid is not None:
        os.chown(draft, uid, uid)
    problem = ""
    for locale in ("C.UTF-8", "C"):
        result = _run_initdb(place, draft / "data", uid, locale, password)
        if result.returncode == 0:
            break
        problem = result.stderr.strip() or result.stdout.strip()
    else:
        raise PostgresFailed(f"initdb failed: {problem}")
    if place.uid is not None:
        _hand_over(draft, place.uid)
    (draft / "data").rename(place.data)
    draft.rmdir()


def _run_initdb(
    place: Place, data: Path, uid: int | None, locale: str, password: str
) -> subprocess.CompletedProcess[str]:
    # The password goes through a pipe: initdb may run as another user, who could not read a file of ours.
    reader, writer = os.pipe()
    if uid is not None:
        os.fchown(reader, uid, uid)
    try:
        os.write(writer, f"{password}\n".encode())
        os.close(writer)
        return subprocess.run(
            [
                place.binary("initdb"),
                *("-D", str(data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile=/dev/fd/{reader}"),
                *("--encoding=UTF8", f"--locale={locale}", "--text-search-config=english"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=_PROGRAM_ENVIRONMENT,
            pass_fds=[reader],
            **postgres_place.as_user(uid),
        )
    finally:
        os.close(reader)


def _hand_over(folder: Path, uid: int) -> None:
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.chown(Path(parent, name), uid, uid, follow_symlinks=False)


def _pid_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _running(data: Path) -> int | None:
    """Return the pid in postmaster.pid if that process is a server of this folder, and not a namesake."""
    lines = _pid_lines(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    return pid if _works_in(pid, data) else None


def _status(data: Path) -> str:
    lines = _pid_lines(data)
    return lines[7].strip() if len(lines) > 7 else ""


def _works_in(pid: int, folder: Path) -> bool:
    """Return whether a live process has the folder as its working directory, as every server process does."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder.resolve())
    except OSError:
        return False


def _await_orphans(data: Path) -> None:
    """Wait for processes of a killed server to notice it and end: two servers on one folder would ruin it."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        alive = [int(name) for name in os.listdir("/proc") if name.isdigit() and _works_in(int(name), data)]
        if not alive:
            return
        if time.monotonic() > deadline:
            raise PostgresFailed(f"processes {alive} of an earlier server still use {data}; end them first")
        time.sleep(_POLL_SECONDS)


def _remove_stale_files(place: Place) -> None:
    """Remove what a killed server left: after a restart of the machine its process id may be somebody else's."""
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    for name in (postgres_place.SOCKET_NAME, f"{postgres_place.SOCKET_NAME}.lock"):
        (place.sockets / name).unlink(missing_ok=True)
