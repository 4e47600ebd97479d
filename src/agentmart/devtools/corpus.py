"""Langflow's own starter projects, for tests and the demo: fetched as data from pinned wheels, never installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# SHA-256 of the langflow-base wheels whose starter projects are the corpus: 217 exports in eight releases.
WHEELS = {
    "0.0.96": "6dbf8bceed9dd24237f95920ee9c5b67424378e236678f6c12e7b37b2b5a3d09",
    "0.1.4": "d215f6eafa8b99bf5d001d8e8491d426df64428e0620fa75a9154a41cc529a42",
    "0.3.4": "8ece12c41f9e5b56ca114e65d4df9bdb963217ccb7ebf898cb50f99021800c60",
    "0.5.1": "7d97714d23923e43c46a664ef653aae48e5736ffffab1c61de91db56b9fd36b4",
    "0.6.9": "c6ac4561daf76bbeb78340f3be11da6a11519d5b78b10b9b341da0acea72c0f7",
    "0.8.4": "fce3fd5211621bdb19c80b40d1faf0b566bc59978112f86fb0e7c7a6f9e5ced2",
    "0.10.3": "6787ca1aa3b8e100cca3c3bdf3f7bf6d3a801a9e74ced7f8cef984d28b41ce99",
    "1.13.0": "e15db23e16cf27d6d1ac8fcc5030cf25ad3a04356a9581862b4e97de739dd3a2",
}
COUNTS = {
    "0.0.96": 10,
    "0.1.4": 18,
    "0.3.4": 33,
    "0.5.1": 31,
    "0.6.9": 33,
    "0.8.4": 32,
    "0.10.3": 33,
    "1.13.0": 27,
}
INSIDE = "langflow/initial_setup/starter_projects/"
DOWNLOAD_SECONDS = 600


class CorpusError(Exception):
    """The starter projects could not be fetched; the message says why and what to do."""


def ensure_starter_projects(version: str, target: Path) -> Path:
    """Return the folder of that release's exports, `target/VERSION`, downloading the pinned wheel when it is absent.

    Only JSON leaves the wheel; the folder appears whole or not at all, so several processes may ask at once.
    Raises CorpusError for an unknown version, a failed download or content that is not what was pinned.
    """
    if version not in WHEELS:
        raise CorpusError(f"No pinned wheel of langflow-base {version}; known are {', '.join(WHEELS)}.")
    folder = target / version
    if not _complete(folder, version):
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=f".{version}-") as scratch:
            fresh = Path(scratch) / "json"
            fresh.mkdir()
            _unzip(_download(version, Path(scratch)), fresh)
            if not _complete(fresh, version):
                raise CorpusError(
                    f"The wheel of langflow-base {version} does not hold {COUNTS[version]} exports."
                )
            _move(fresh, folder, version)
    return folder


def starter_projects(version: str, target: Path) -> list[Path]:
    """Return the exports of a release in the order of their names."""
    return sorted(ensure_starter_projects(version, target).glob("*.json"))


def _complete(folder: Path, version: str) -> bool:
    return folder.is_dir() and len(list(folder.glob("*.json"))) == COUNTS[version]


def _download(version: str, scratch: Path) -> Path:
    """Fetch the wheel through pip, which checks the pinned digest; so do we."""
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"langflow-base=={version} --hash=sha256:{WHEELS[version]}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--dest",
        str(scratch),
        "--requirement",
        str(wanted),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"Downloading langflow-base {version} took over {DOWNLOAD_SECONDS} s.") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or ["pip said nothing"]
        message = (
            f"pip could not download langflow-base {version}: {last[0]}. Check the network and PIP_INDEX_URL."
        )
        raise CorpusError(message) from error
    wheel = next(scratch.glob("*.whl"))
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEELS[version]:
        raise CorpusError(f"The wheel of langflow-base {version} is not the pinned one.")
    return wheel


def _unzip(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith(INSIDE) and member.endswith(".json"):
                # The base name only: whatever the archive says, nothing lands outside the folder.
                (folder / Path(member).name).write_bytes(archive.read(member))


def _move(fresh: Path, folder: Path, version: str) -> None:
    """Put the finished folder in place; another process may have been faster."""
    if folder.exists() and not _complete(folder, version):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rename(fresh, folder)
    except OSError as error:
        if not _complete(folder, version):
            raise CorpusError(f"Cannot write {folder}: {error.strerror}.") from error
