"""Folders for Unix sockets: private, and short enough for the kernel."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

PATH_MAX_BYTES = 107  # sun_path of Linux, less the final zero
_SHORT_PARENT = "/tmp"  # whatever TMPDIR says: it must be short, and the folder in it is 0700


def folder_for(
    run: Path, name: str, socket_name: str, uid: int | None = None, *, usable: bool = True
) -> Path:
    """Return a folder (0700, owned by `uid` or the present user) for a socket: `run`/`name` where it fits.

    Where the path is too long, or the folder not `usable` for that user, a folder under the machine's temporary
    folder takes its place and is remembered in `run`.
    """
    wanted = run / name
    if usable and len(os.fsencode(wanted / socket_name)) <= PATH_MAX_BYTES:
        wanted.mkdir(mode=0o700, exist_ok=True)
        _own(wanted, uid)
        return wanted
    note = run / f"{name}-sockets"
    if note.exists():
        remembered = Path(note.read_text().strip())
        if _is_private(remembered, os.geteuid() if uid is None else uid):
            return remembered
    made = Path(tempfile.mkdtemp(prefix="agentmart-", dir=_SHORT_PARENT))
    _own(made, uid)
    note.write_text(f"{made}\n")
    return made


def _own(folder: Path, uid: int | None) -> None:
    if uid is not None:
        os.chown(folder, uid, uid)
    folder.chmod(0o700)


def _is_private(folder: Path, uid: int) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and stat.S_IMODE(status.st_mode) == 0o700
