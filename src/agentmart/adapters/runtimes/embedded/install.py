"""Install the runtime's own virtual environment (lfx) from the lock beside this file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.txt")
MARKER = "agentmart-lock.sha256"


class InstallFailed(Exception):
    """The environment could not be made; the message says at which step and what was printed last."""


def fingerprint(python: str | Path) -> str:
    """Return what an installed environment must match: the lock and the interpreter's version."""
    command = [str(python), "-I", "-c", "import sys; print(sys.version_info[:3], sys.base_prefix)"]
    version = _run(command, "ask the interpreter for its version")
    return hashlib.sha256(LOCK.read_bytes() + version.encode()).hexdigest()


def installed(target: Path, python: str | Path = sys.executable) -> bool:
    """Say whether `target` holds a finished environment of this lock and interpreter."""
    marker = target / MARKER
    return marker.is_file() and marker.read_text() == fingerprint(python)


def ensure_venv(
    target: Path, python: str | Path = sys.executable, log: Callable[[str], object] = print
) -> Path:
    """Make the environment at `target` unless it is there; returns its interpreter.

    Takes a minute and about 600 MB. Two callers at once: one works, the other waits. An interrupted or outdated
    environment is replaced. Raises InstallFailed.
    """
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(target.name + ".lock"), "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not installed(target, python):
            _install(target, python, log)
    return target / "bin" / "python"


def _install(target: Path, python: str | Path, log: Callable[[str], object]) -> None:
    log(f"Installing the flow runtime into {target} (about a minute, 600 MB)")
    mark = fingerprint(python)
    shutil.rmtree(target, ignore_errors=True)
    _run(
        [str(python), "-m", "venv", str(target)], "make a virtual environment (is the venv module installed?)"
    )
    pip = [
        str(target / "bin" / "python"),
        "-I",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "-q",
    ]
    install = [*pip, "install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LOCK)]
    _run(install, "install the locked packages (is the package index reachable?)")
    partial = target / (MARKER + ".partial")
    partial.write_text(mark)
    partial.replace(target / MARKER)
    log("The flow runtime is installed")


def _run(command: list[str], what: str) -> str:
    """Run a step readable by every user: flow processes run under other user ids."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, umask=0o022, env=_environment()
        )
    except OSError as error:
        raise InstallFailed(f"Could not {what}: {error}") from error
    if done.returncode != 0:
        raise InstallFailed(f"Could not {what}:\n{(done.stderr or done.stdout)[-3000:]}")
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Return the environment without what would point Python at other packages."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
