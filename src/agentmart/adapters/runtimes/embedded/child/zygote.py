"""The process that has lfx imported and forks sandboxed children of itself. Started by the parent only.

It holds no secret, has no network and sees no file but libraries. Requests and answers are packets on
the socket it is started with: `{"uid", "memory_mb", "custom"}` with the child's channel → `{"pid"}` with its pidfd.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from . import __path__, isolation, seccomp

PACKET = 64 * 1024
YOUNG_OBJECTS = 20_000
ENVIRONMENT = {
    "HOME": isolation.SCRATCH_FOLDER,
    "TMPDIR": isolation.SCRATCH_FOLDER,
    "LANG": "C.UTF-8",
    "PATH": "/nonexistent",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "DO_NOT_TRACK": "true",
    "LANGCHAIN_TRACING_V2": "false",
    "OPENAI_BASE_URL": "http://127.0.0.2:8080/v1",
    "LANGFLOW_CONFIG_DIR": f"{isolation.SCRATCH_FOLDER}/lfx",
    "LANGFLOW_DO_NOT_TRACK": "true",
    "LANGFLOW_DEACTIVATE_TRACING": "true",
    "LANGFLOW_ALLOW_CUSTOM_COMPONENTS": "false",
    "LANGFLOW_ALLOW_COMPONENTS_PATHS_OVERRIDE": "false",
    "LANGFLOW_SUBSTITUTE_OUTDATED_COMPONENT_CODE": "false",
    "LANGFLOW_BLOCK_CODE_INTERPRETER_COMPONENTS": "true",
    "LANGFLOW_AGENTIC_EXPERIENCE": "false",
    "LANGFLOW_AUTO_LOGIN": "false",
    "LANGFLOW_CORS_ORIGINS": "http://localhost",
    "LANGFLOW_CONNECTOR_SSRF_ALLOW_LOOPBACK": "false",
    "LANGFLOW_SSRF_ALLOWED_HOSTS": "127.0.0.2",
    "LANGFLOW_MCP_SERVER_DOCKER_HARDENING": "true",
    "LANGFLOW_TWEAKS_POLICY": "off",
    "LANGFLOW_USE_NOOP_DATABASE": "true",
}


def main(control_fd: int) -> None:
    """Isolate, import and warm lfx, say so, then fork on request until the parent is gone."""
    control = socket.socket(fileno=control_fd)
    isolation.die_with_parent()
    isolation.adopt_orphans()
    started = time.monotonic()
    try:
        os.umask(0o022)
        isolation.watch_memory()
        isolation.enter_namespaces()
        __path__[:] = [isolation.enter_root(__path__[0])]
        os.umask(0o077)
        isolation.loopback_up()
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
        from . import flows, memory, warmup, worker  # noqa: PLC0415 - only now: importing lfx is what must be isolated

        flows.quiet()
        memory.install()
        flows.cache_component_classes()
        flows.cache_file_fields()
        flows.copy_plain_data_quickly()
        flows.copy_fields_quickly()
        flows.do_without_langflow()
        flows.spare_descriptions()
        flows.share_tls_context()
        installed = flows.Installed()
        cold = warmup.run(installed)
    except isolation.IsolationError as error:
        _give_up(control, f"This system does not permit the isolation that flows need: {error}")
    except Exception:  # noqa: BLE001 - outermost: the parent must learn why there is no runtime
        _give_up(control, traceback.format_exc())
    isolation.note_memory()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)  # a run makes thousands, and most end with it
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # children are reaped by the kernel; the parent watches pidfds
    ready = {"ready": round(time.monotonic() - started, 3), "components": len(installed.code), "cold": cold}
    control.send(json.dumps(ready).encode())
    _forever(control, lambda channel, custom: worker.run(channel, installed, custom=custom))


def _give_up(control: socket.socket, reason: str) -> NoReturn:
    control.send(json.dumps({"failed": reason[-8000:]}).encode())
    sys.exit(1)


def _forever(control: socket.socket, serve: Callable[[socket.socket, bool], None]) -> None:
    while True:
        packet, fds, _, _ = socket.recv_fds(control, PACKET, 1)
        if not packet:
            return
        request = json.loads(packet)
        pid = os.fork()
        if pid == 0:
            control.close()
            _become_cell(socket.socket(fileno=fds[0]), request, serve)
        os.close(fds[0])
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            control.send(json.dumps({"failed": "the child died at once"}).encode())
            continue
        socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [pidfd])
        os.close(pidfd)


def _keep_only(channel: int) -> None:
    """Close every inherited descriptor but the channel, and send standard streams nowhere."""
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.closerange(3, channel)
    os.closerange(channel + 1, 4096)


def _become_cell(
    channel: socket.socket, request: dict[str, int], serve: Callable[[socket.socket, bool], None]
) -> NoReturn:
    """Fork once more into a process namespace of its own; this process stays to die with it, or it with this."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        isolation.die_with_parent()
        isolation.enter_cell_namespaces()
        inner = os.fork()
        if inner == 0:
            isolation.die_with_parent()
            custom = bool(request["custom"])
            isolation.enter_cell(uid=request["uid"], memory_mb=request["memory_mb"], may_write=custom)
            isolation.die_with_parent()  # a change of uid clears it
            seccomp.install()
            _keep_only(channel.fileno())
            serve(channel, custom)
        channel.close()
        status = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF
    except BaseException:  # noqa: BLE001 - outermost of a forked process: it must never return into the zygote
        sys.stderr.write(traceback.format_exc()[-4000:])
        sys.stderr.flush()
    os._exit(status)
