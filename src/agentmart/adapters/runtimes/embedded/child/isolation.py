"""Take a Linux process's rights away: namespaces, a root of its own, limits, capabilities. Standard library only.

Two steps. `enter_root` is done once by the zygote: it leaves the host's files and network behind and keeps a
read-only root with nothing but Python's libraries. `enter_cell` is done by every child: network, processes, IPC
and scratch space of its own, then its own uid, no capabilities, limits and a system-call filter. Works as root
and, where the system permits user namespaces, as an ordinary user (who then stays himself, but sees nothing of
himself).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_RECURSIVE = 0x8000
SYS_MOUNT_SETATTR = 442  # the same number on x86_64 and aarch64
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 4, 24, 38, 47
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
CODE_FOLDER = "/runtime"
SCRATCH_FOLDER = "/scratch"
DEVICES = ("null", "zero", "random", "urandom")

_libc = ctypes.CDLL(None, use_errno=True)


class IsolationError(Exception):
    """A step that this system does not permit; the message says which and what would permit it."""


def _check(result: int, what: str, hint: str = "") -> None:
    if result == 0:
        return
    code = ctypes.get_errno()
    raise IsolationError(f"{what}: {os.strerror(code)} ({errno.errorcode.get(code, code)}). {hint}".strip())


def _unshare(flags: int, hint: str = "") -> None:
    _check(_libc.unshare(flags), "unshare", hint)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = [None if part is None else part.encode() for part in (source, target, kind)]
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def _restrict(path: str, attributes: int) -> None:
    """Set mount attributes on `path` and everything mounted below it."""
    attr = struct.pack("QQQQ", attributes, 0, 0, 0)
    _check(
        _libc.syscall(SYS_MOUNT_SETATTR, -100, path.encode(), AT_RECURSIVE, attr, len(attr)),
        f"mount_setattr {path}",
        "Linux 5.12 or newer is needed.",
    )


def _pivot_root(new: str, old: str) -> None:
    number = SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise IsolationError(
            f"pivot_root: unknown machine {os.uname().machine}; x86_64 and aarch64 are supported."
        )
    _check(_libc.syscall(number, new.encode(), old.encode()), "pivot_root")
    os.chdir("/")


def enter_namespaces() -> None:
    """Leave the host's mounts, network, IPC and name; as an ordinary user by way of a user namespace."""
    flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        _unshare(
            flags, "The container lacks CAP_SYS_ADMIN: start the runtime as an ordinary user, or grant it."
        )
    else:
        _unshare(
            flags | CLONE_NEWUSER,
            "Permit user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1 or"
            " kernel.apparmor_restrict_unprivileged_userns=0.",
        )
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)


def library_paths() -> list[str]:
    """Return the folders Python needs, outermost only: libraries, no programs."""
    wanted = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"]
    for prefix in (sys.prefix, sys.base_prefix):
        wanted += [os.path.join(prefix, "lib"), os.path.join(prefix, "lib64")]
    real = sorted({os.path.realpath(path) for path in wanted if os.path.isdir(path)})
    return [path for path in real if not any(path.startswith(other + "/") for other in real)]


def _links(paths: list[str]) -> dict[str, str]:
    """Return the symbolic links (such as /lib → usr/lib) through which those folders are also named."""
    named = ["/lib", "/lib64", "/lib32", "/usr/lib64", os.path.join(sys.prefix, "lib64")]
    named += [os.path.join(sys.base_prefix, "lib64")]
    return {path: os.readlink(path) for path in named if os.path.islink(path)}


def enter_root(code: str) -> str:
    """Replace the root by a read-only one with Python's libraries and nothing of the host's data.

    `code` is the one further folder it shows; returns the path under which.
    """
    paths = library_paths()
    links = _links(paths)
    _mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID, "size=1m,mode=0755")
    os.mkdir("/tmp/host")
    _pivot_root("/tmp", "/tmp/host")
    os.mkdir("/new")
    _mount("tmpfs", "/new", "tmpfs", MS_NOSUID, "size=1m,mode=0755")
    for path, shown in [*zip(paths, paths, strict=True), (os.path.realpath(code), CODE_FOLDER)]:
        os.makedirs("/new" + shown, exist_ok=True)
        _mount("/host" + path, "/new" + shown, None, MS_BIND | MS_REC)
        _restrict("/new" + shown, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
    for path, target in links.items():
        if not os.path.lexists("/new" + path):
            os.makedirs(os.path.dirname("/new" + path), exist_ok=True)
            os.symlink(target, "/new" + path)
    _fill_dev_and_etc()
    os.mkdir("/new" + SCRATCH_FOLDER)
    _mount("tmpfs", "/new" + SCRATCH_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=1777")
    if not os.path.exists("/new/tmp"):  # it exists where the virtual environment lies under /tmp
        os.symlink(SCRATCH_FOLDER, "/new/tmp")
    os.mkdir("/new/.old")
    _pivot_root("/new", "/new/.old")
    _check(_libc.umount2(b"/.old", MNT_DETACH), "umount the old root")
    os.rmdir("/.old")
    attr = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    _check(_libc.syscall(SYS_MOUNT_SETATTR, -100, b"/", 0, attr, len(attr)), "mount_setattr /")
    return CODE_FOLDER


def _fill_dev_and_etc() -> None:
    os.makedirs("/new/dev", exist_ok=True)
    for device in DEVICES:
        Path("/new/dev", device).touch()
        _mount(f"/host/dev/{device}", f"/new/dev/{device}", None, MS_BIND)
    os.makedirs("/new/etc", exist_ok=True)
    files = {
        "passwd": "flow:x:65534:65534::/scratch:/nonexistent\n",
        "group": "flow:x:65534:\n",
        "hosts": "127.0.0.1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }
    for name, text in files.items():
        Path("/new/etc", name).write_text(text)
    cache = Path("/host/etc/ld.so.cache")
    if cache.exists():
        Path("/new/etc/ld.so.cache").write_bytes(cache.read_bytes())


def enter_cell_namespaces() -> None:
    """Give the caller's next child processes of its own, and the caller mounts, network and IPC of its own."""
    _unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)


def enter_cell(*, uid: int, memory_mb: int, scratch_mb: int = 64, may_write: bool = True) -> None:
    """Finish a child's isolation: own scratch folder, loopback, uid, limits, no capabilities. Cannot be undone.

    `uid` is taken only by root; `memory_mb` is what it may allocate beyond what it inherited. Flows that share a
    process may write no file: another's flow could read it.
    """
    owner = uid if os.geteuid() == 0 else os.geteuid()
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    options = f"size={scratch_mb}m,nr_inodes=4096,mode=0700,uid={owner}"
    flags = MS_NOSUID | MS_NODEV | (0 if may_write else MS_RDONLY)
    _mount("tmpfs", SCRATCH_FOLDER, "tmpfs", flags, options)
    os.chdir(SCRATCH_FOLDER)
    socket.sethostname("flow")
    loopback_up()
    _limit(memory_mb)
    _drop_rights(owner)


def loopback_up() -> None:
    """Switch on the loopback interface of the caller's own network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        flags = struct.unpack("16sh", fcntl.ioctl(probe, SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def _limit(memory_mb: int) -> None:
    megabyte = 1024 * 1024
    limits = {
        resource.RLIMIT_AS: _memory.address_space + memory_mb * megabyte,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: 3600,
        resource.RLIMIT_FSIZE: 64 * megabyte,
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_NPROC: 128,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


class _Memory:
    """How much address space the zygote has mapped; /proc is gone when a child wants to know."""

    def __init__(self) -> None:
        self.address_space = 0
        self._statm = -1

    def open(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def note(self) -> None:
        pages = int(os.pread(self._statm, 256, 0).split()[0])
        self.address_space = pages * resource.getpagesize()
        os.close(self._statm)


_memory = _Memory()


def watch_memory() -> None:
    """Open what `note_memory` reads; call before `enter_root`."""
    _memory.open()


def note_memory() -> None:
    """Remember what is mapped now: a child's limit comes on top of it."""
    _memory.note()


def _drop_rights(uid: int) -> None:
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent died, so that they are reaped here."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")


def die_with_parent() -> None:
    """Be killed when the process that forked this one dies."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
