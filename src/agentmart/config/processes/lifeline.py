"""Ties a process to the supervisor that started it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from pathlib import Path

LOCK_NAME = "processes.lock"
_PR_SET_PDEATHSIG = 1


def follow_parent(parent: int, run: Path) -> None:
    """Have this process asked to stop (SIGTERM) when its parent dies, however that dies; ends it if it has already.

    Until it ends it shares a lock in the folder `run`, so that a next supervisor waits for calls and jobs that
    are still being finished. Linux only; elsewhere a killed supervisor leaves its processes running.
    """
    run.mkdir(mode=0o711, parents=True, exist_ok=True)
    # Never closed: the kernel drops the lock with the last process that has the descriptor.
    fcntl.flock(os.open(run / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), fcntl.LOCK_SH)
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(f"the supervisor (process {parent}) is gone")


def others_remain(run: Path) -> bool:
    """Return whether processes of an earlier supervisor still use the data folder."""
    descriptor = os.open(run / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
