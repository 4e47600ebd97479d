"""Start a real runtime for a test, as the command line would: a process of its own, with its log in a file."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime

MAIN = """
import json, logging, sys
from pathlib import Path
from agentmart.adapters.runtimes.embedded.parent import run_parent
from agentmart.adapters.runtimes.embedded.settings import ModelEndpoint, RuntimeSettings

class Everything(logging.Formatter):
    def format(self, record):
        return repr({key: str(value) for key, value in vars(record).items()}) + super().format(record)

handler = logging.FileHandler(sys.argv[2])
handler.setFormatter(Everything())
logging.basicConfig(level=logging.DEBUG, handlers=[handler])
values = json.loads(sys.argv[1])
paths = {name: Path(values.pop(name)) for name in ("socket_path", "state_dir", "venv_python")}
model = ModelEndpoint(values.pop("model_url"), values.pop("model_key"))
print("starting", flush=True)
run_parent(RuntimeSettings(**paths, model=model, **values))
"""
MODEL_KEY = "sk-the-real-key"
SECRET = "a-secret-of-the-parent"
# an ordinary user who may not enter root's home, where the interpreter may lie: show him that part of it only
AS_USER = """
set -e
hold=$(mktemp -d); mount --bind "$1" "$hold"
case "$1" in "$2"/*) mount -t tmpfs -o mode=755 tmpfs "$2"; mkdir -p "$1"; chmod -R 755 "$2";; esac
mount --bind "$hold" "$1"
shift 2
exec setpriv --reuid 12345 --regid 12345 --clear-groups "$@"
"""


@dataclass(slots=True)
class Running:
    """A runtime process and where its things are."""

    process: subprocess.Popen[str]
    socket: Path
    state: Path
    log: Path

    def children(self) -> dict[int, list[int]]:
        """Return process id → ids of the processes it started, of everything below the runtime."""
        found: dict[int, list[int]] = {}
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            listing = Path(f"/proc/{pid}/task/{pid}/children")
            found[pid] = [int(child) for child in listing.read_text().split()] if listing.exists() else []
            todo += found[pid]
        return found

    def flow_processes(self) -> list[int]:
        """Return the ids of the processes in which flows run."""
        tree = self.children()
        [zygote] = list(tree[self.process.pid])
        return [inner for middle in tree[zygote] for inner in tree.get(middle, [])]

    def zygote(self) -> int:
        """Return the zygote's process id."""
        [zygote] = self.children()[self.process.pid]
        return zygote


@contextlib.contextmanager
def launched(
    folder: Path,
    python: Path,
    model_url: str,
    *,
    as_user: bool = False,
    killed: bool = False,
    **settings: Any,
) -> Iterator[Running]:
    """Start a runtime in `folder`; SIGTERM it at the end and insist that it obeys and leaves nothing behind."""
    values = {
        "socket_path": str(folder / "run" / "runtime.sock"),
        "state_dir": str(folder / "state"),
        "venv_python": str(python),
        "model_url": model_url,
        "model_key": MODEL_KEY,
        **settings,
    }
    log = folder / "runtime.log"
    command = [sys.executable, "-c", MAIN, json.dumps(values), str(log)]
    if as_user:
        unshare = ["unshare", "-m", "--propagation", "private", "bash", "-c", AS_USER, "as-user"]
        command = [*unshare, sys.base_prefix, str(Path.home()), *command]
    environment = {**os.environ, "AGENTMART_TEST_SECRET": SECRET}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    running = Running(process, folder / "run" / "runtime.sock", folder / "state", log)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        yield running
        if killed:
            return
        below = [pid for pid in running.children() if pid != process.pid]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert all_end(below)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def all_end(pids: list[int], seconds: float = 10.0) -> bool:
    """Say whether those processes end in time; one that only waits to be reaped has ended."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if _state(pid) not in ("", "Z")]:
        if time.monotonic() > deadline:
            return not left
        os.sched_yield()
    return True


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def well(runtime: EmbeddedRuntime, running: Running) -> None:
    """Wait until the runtime says that it is well."""
    while not (await runtime.health()).ok:
        assert running.process.poll() is None, running.log.read_text()[-3000:]
        os.sched_yield()  # the health call is a round trip to another process: asking again is the waiting
