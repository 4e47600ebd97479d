"""Say whether this system permits the isolation that flows need, by trying it. For `agentmart doctor`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROBE_SECONDS = 30.0
CHILD_UID = 61000
_TRY = """
import json, os, sys
sys.path.append(sys.argv[1])
from child import isolation, seccomp
try:
    isolation.watch_memory(); isolation.enter_namespaces(); isolation.enter_root(sys.argv[1] + "/child")
    isolation.note_memory(); isolation.enter_cell_namespaces()
    pid = os.fork()
    if pid == 0:
        isolation.enter_cell(uid=int(sys.argv[2]), memory_mb=64); seccomp.install()
        print(json.dumps({"uid": os.getuid(), "files": sorted(os.listdir("/"))}), flush=True)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
except (isolation.IsolationError, OSError) as error:
    print(json.dumps({"error": str(error)}), flush=True)
    os._exit(1)
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """`ok`: flows can be isolated here. `own_user`: each child also gets a user id of its own (root only)."""

    ok: bool
    own_user: bool
    message: str


def probe(python: str | Path = sys.executable, uid: int = CHILD_UID) -> Probe:
    """Isolate a process as the runtime does and report; never raises for what the system refuses."""
    command = [str(python), "-I", "-c", _TRY, str(Path(__file__).parent), str(uid)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PROBE_SECONDS, env={}, cwd="/"
        )
        answer = (
            json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {"error": done.stderr[-500:]}
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        answer = {"error": str(error)}
    if "error" in answer:
        return Probe(False, False, f"Flows cannot be isolated here: {answer['error']}")
    own_user = answer["uid"] != os.geteuid()
    kind = "a user id of its own" if own_user else "this user's id, in a user namespace"
    return Probe(True, own_user, f"Each flow process gets its own root, network, process table and {kind}.")
