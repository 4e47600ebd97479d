"""Ties a process to the supervisor that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def follow_parent(parent: int) -> None:
    """Have this process asked to stop (SIGTERM) when its parent dies, however that dies; ends it if it has already.

    Linux only; elsewhere a killed supervisor leaves its processes running.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(f"the supervisor (process {parent}) is gone")
