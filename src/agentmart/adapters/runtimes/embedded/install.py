"""Install the runtime's own virtual environment (lfx) from the lock beside this file.

Set-up runs this file as a script too, before any package is there, so it imports the standard library alone:
`install.py runtime TARGET` makes the runtime's environment, `install.py packages VENV LOCK` fills any other one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.txt")
PIP = Path(__file__).with_name("pip.txt")
"""The pip that installs: those that come with Python 3.11 and 3.12 take twice the time."""

MARKER = "agentmart-lock.sha256"
OURS = "agentmart-runtime"
"""Lies in every folder made here from its first moment on: only such a folder is ever emptied."""

_CHECKED = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
_DOWNLOADS = 4  # pip fetches one file at a time
_NOT_COMPILED = "tests|sympy|pip|setuptools|pkg_resources"
"""Half of all code, and nothing that runs while the product or its checks do."""


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


def foreign(target: Path) -> bool:
    """Say whether something lies at `target` that was not made here."""
    if not target.is_dir():
        return target.exists() or target.is_symlink()
    ours = (OURS, MARKER, f"{MARKER}.partial")
    return any(target.iterdir()) and not any((target / name).exists() for name in ours)


def ensure_venv(
    target: Path, python: str | Path = sys.executable, log: Callable[[str], object] = print
) -> Path:
    """Make the environment at `target` unless it is there; returns its interpreter.

    Takes a minute and about 650 MB. Two callers at once: one works, the other waits. An interrupted or outdated
    environment is replaced, a folder that was not made here is left alone. Raises InstallFailed.
    """
    target = target.absolute()
    try:
        if not installed(target, python):
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target.with_name(target.name + ".lock"), "w") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)
                if not installed(target, python):
                    _install(target, python, log)
    except OSError as error:
        where = error.filename or target
        raise InstallFailed(f"Could not write {where}: {error.strerror or error}") from error
    return target / "bin" / "python"


def fill(python: Path, lock: Path) -> None:
    """Install a lock's packages with the pip of `python`'s environment, every file checked by its hash.

    The work of one `pip install` in less than half its time. Raises InstallFailed.
    """
    venv = python.parents[1]
    pip = [str(python), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "-q"]
    fetch, install = (
        [*pip, "download", *_CHECKED],
        [*pip, "install", *_CHECKED, "--root-user-action", "ignore"],
    )
    download = "download the locked packages (is the package index reachable?)"
    _run([*install, "-r", str(PIP)], download)
    with tempfile.TemporaryDirectory(dir=venv, prefix="wheels-") as wheels:
        parts = list(_split(lock, Path(wheels)))
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: _run([*fetch, "-d", wheels, "-r", str(part)], download), parts))
        unpack = [*install, "--no-compile", "--no-index", "--find-links", wheels, "-r", str(lock)]
        _run(unpack, "install the locked packages")
    _compile(python, venv / "lib")


def _compile(python: Path, folder: Path) -> None:
    # What does not compile is a template or an example in some package: nothing imports it.
    but = f"^{re.escape(str(folder))}/.*/({_NOT_COMPILED})/"
    command = [str(python), "-I", "-m", "compileall", "-qq", "-j", "0", "-x", but, str(folder)]
    subprocess.run(command, capture_output=True, check=False, umask=0o022, env=_environment())


def _install(target: Path, python: str | Path, log: Callable[[str], object]) -> None:
    if foreign(target):
        raise InstallFailed(
            f"{target} is not empty and was not made by Agentmart, so it is left as it is: "
            "point AGENTMART_RUNTIME_VENV at another folder, or empty this one"
        )
    log(f"Installing the flow runtime into {target} (about a minute, 650 MB)")
    mark = fingerprint(python)
    target.mkdir(exist_ok=True, mode=0o755)
    target.chmod(0o755)
    (target / OURS).touch()
    _empty(target, keep=OURS)
    _run(
        [str(python), "-m", "venv", str(target)], "make a virtual environment (is the venv module installed?)"
    )
    fill(target / "bin" / "python", LOCK)
    partial = target / (MARKER + ".partial")
    partial.write_text(mark)
    partial.replace(target / MARKER)
    log("The flow runtime is installed")


def _empty(folder: Path, *, keep: str) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != keep:
            path.unlink()


def _split(lock: Path, folder: Path) -> Iterable[Path]:
    """Write the lock's entries into as many files as downloads shall run; a line that is indented goes on."""
    parts: list[list[str]] = [[] for _ in range(_DOWNLOADS)]
    count = -1
    for line in lock.read_text().splitlines(keepends=True):
        count += not line.startswith((" ", "#", "\n"))
        parts[count % _DOWNLOADS].append(line)
    for number, part in enumerate(parts):
        path = folder / f"part-{number}.txt"
        path.write_text("".join(part))
        yield path


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


def _main(arguments: list[str]) -> None:
    try:
        match arguments:
            case ["runtime", target]:
                ensure_venv(Path(target))
            case ["packages", venv, lock]:
                fill(Path(venv).absolute() / "bin" / "python", Path(lock))
            case _:
                sys.exit("usage: install.py runtime TARGET | install.py packages VENV LOCK")
    except InstallFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1:])
