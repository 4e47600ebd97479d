"""A system-call filter for children: what flows never need and kernel exploits often do. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

PR_SET_PDEATHSIG, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
LD_ABS, JEQ, JGE, JSET, RET = 0x20, 0x15, 0x35, 0x45, 0x06
NR, ARCH, ARG0 = 0, 4, 16
X32_BIT = 0x40000000
CLONE_NEW_ANY = 0x7E020000  # mounts, control groups, name, IPC, users, processes, network
CLONE_THREAD = 0x00010000
NONE = 0xFFFFFFFF  # the machine has no such call
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)

# name: (x86_64, aarch64)
DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "syslog": (103, 116),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "statmount": (457, 457),
    "listmount": (458, 458),
    # a second process would have a memory limit of its own
    "fork": (57, NONE),
    "vfork": (58, NONE),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
}
CALLS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "prctl": (157, 167),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def install() -> None:
    """Filter the calling process and all it starts; needs no_new_privs. Raises OSError."""
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        return
    code = _program(*machine)
    buffer = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the system-call filter was not accepted")


def _program(column: int, arch: int) -> bytes:
    """Return the filter: a wrong architecture dies, what is denied gets an error, the rest passes."""
    steps = [
        _step(LD_ABS, ARCH),
        _step(JEQ, arch, 1, 0),
        _step(RET, RET_KILL_PROCESS),
        _step(LD_ABS, NR),
    ]
    if column == 0:
        steps += [_step(JGE, X32_BIT, 0, 1), _step(RET, RET_ERRNO | errno.ENOSYS)]
    for number in (numbers[column] for numbers in DENIED.values() if numbers[column] != NONE):
        steps += [_step(JEQ, number, 0, 1), _step(RET, RET_ERRNO | errno.EPERM)]
    # glibc falls back from clone3, whose flags a filter cannot see, to clone
    steps += [_step(JEQ, CALLS["clone3"][column], 0, 1), _step(RET, RET_ERRNO | errno.ENOSYS)]
    steps += [
        _step(JEQ, CALLS["clone"][column], 0, 6),
        _step(LD_ABS, ARG0),
        _step(JSET, CLONE_NEW_ANY, 0, 1),
        _step(RET, RET_ERRNO | errno.EPERM),
        _step(JSET, CLONE_THREAD, 0, 1),
        _step(RET, RET_ALLOW),
        _step(RET, RET_ERRNO | errno.EPERM),
    ]
    # who does not die with its parent outlives its run, its deployment and the runtime
    steps += [
        _step(JEQ, CALLS["prctl"][column], 0, 4),
        _step(LD_ABS, ARG0),
        _step(JEQ, PR_SET_PDEATHSIG, 0, 1),
        _step(RET, RET_ERRNO | errno.EPERM),
        _step(RET, RET_ALLOW),
    ]
    for name in ("socket", "socketpair"):
        checks = [_step(JEQ, family, len(FAMILIES) - index, 0) for index, family in enumerate(FAMILIES)]
        steps += [_step(JEQ, CALLS[name][column], 0, len(FAMILIES) + 3), _step(LD_ABS, ARG0)]
        steps += [*checks, _step(RET, RET_ERRNO | errno.EAFNOSUPPORT), _step(RET, RET_ALLOW)]
    return b"".join([*steps, _step(RET, RET_ALLOW)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)
