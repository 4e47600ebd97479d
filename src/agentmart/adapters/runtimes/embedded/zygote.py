"""The parent's handle on the zygote: start it, have it fork children, notice its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentmart.adapters.runtimes.embedded.settings import RuntimeSettings

logger = logging.getLogger("agentmart.runtime.zygote")

PACKET = 64 * 1024
START_SECONDS = 120.0
FORK_SECONDS = 15.0
# the folder of `child` is on the path for as long as it takes to import it
BOOT = (
    "import sys; sys.path.append(sys.argv[1]); import child.zygote as zygote; sys.path.remove(sys.argv[1]);"
    " zygote.main(int(sys.argv[2]))"
)


class ZygoteFailed(Exception):
    """The zygote could not start or fork; the message says why."""


@dataclass(slots=True)
class Forked:
    """A new child: its process id, a handle that is never mistaken for another's, the channel to it."""

    pid: int
    pidfd: int
    channel: socket.socket
    listener: socket.socket

    def kill(self) -> None:
        """End the child and all it started, at once."""
        _kill(self.pidfd)

    async def ended(self) -> None:
        """Wait for the process to be gone, then release the handle."""
        try:
            await _readable(self.pidfd)
        finally:
            os.close(self.pidfd)


class Zygote:
    """One zygote process. Not restarted by itself: make another."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._forking: set[asyncio.Task[Forked]] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def start(self) -> float:
        """Start it and wait until lfx is imported; returns the seconds. Raises ZygoteFailed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(START_SECONDS)
        code = str(Path(__file__).parent)
        arguments = [str(self._settings.venv_python), "-I", "-c", BOOT, code, str(theirs.fileno())]
        try:
            # PDEATHSIG follows the thread that forks: this is the event loop's, which lives as long as the parent
            self._process = subprocess.Popen(
                arguments,
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ZygoteFailed(f"The runtime's Python cannot be started: {error}") from error
        finally:
            theirs.close()
        self._control = ours
        answer = await asyncio.to_thread(_receive, ours)
        if "ready" not in answer:
            self.kill()
            raise ZygoteFailed(str(answer.get("failed", "it ended without a word")))
        ours.settimeout(FORK_SECONDS)
        logger.info("lfx is loaded", extra={"seconds": answer["ready"], "cold": answer.get("cold", [])})
        return float(answer["ready"])

    async def fork(self, *, uid: int, memory_mb: int, custom: bool) -> Forked:
        """Return a new sandboxed child, ready to load flows; raises ZygoteFailed.

        Whoever gives up waiting leaves the fork to end by itself: an answer must never be taken for another's.
        """
        request = json.dumps({"uid": uid, "memory_mb": memory_mb, "custom": custom}).encode()
        forking = asyncio.create_task(self._fork(request))
        self._forking.add(forking)
        forking.add_done_callback(self._forking.discard)
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(_throw_away)
            raise

    async def _fork(self, request: bytes) -> Forked:
        ours, theirs = socket.socketpair()
        ours.settimeout(FORK_SECONDS)
        async with self._lock:
            try:
                return await asyncio.to_thread(self._ask, request, ours, theirs)
            except (OSError, ValueError) as error:
                ours.close()
                raise ZygoteFailed(f"a child could not be forked: {error}") from error
            finally:
                theirs.close()

    def _ask(self, request: bytes, ours: socket.socket, theirs: socket.socket) -> Forked:
        if self._control is None:
            raise OSError("the zygote is gone")
        try:
            socket.send_fds(self._control, [request], [theirs.fileno()])
            packet, fds, _, _ = socket.recv_fds(self._control, PACKET, 1)
        except TimeoutError:
            self._end()  # its late answer would be taken for that of the next fork
            raise
        theirs.close()  # so that the channel ends when the child does
        if not fds:
            raise OSError(json.loads(packet or b"{}").get("failed", "the zygote is gone"))
        try:
            _, listeners, _, _ = socket.recv_fds(ours, 1, 1)
            if not listeners:
                raise OSError("the child could not isolate itself; its reason is on standard error")
        except OSError:
            _kill(fds[0])
            os.close(fds[0])
            raise
        ours.setblocking(False)
        return Forked(json.loads(packet)["pid"], fds[0], ours, socket.socket(fileno=listeners[0]))

    async def ended(self) -> int:
        """Wait for the process to end; returns its status."""
        assert self._process is not None
        pidfd = os.pidfd_open(self._process.pid)
        try:
            await _readable(pidfd)
        finally:
            os.close(pidfd)
        return self._process.wait()

    def kill(self) -> None:
        """End it; its children end with it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None and self._process.poll() is None:
            self._end()
            self._process.wait()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()

    @property
    def pid(self) -> int:
        """The process id, 0 if it was never started."""
        return self._process.pid if self._process else 0


def _kill(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _throw_away(forking: asyncio.Task[Forked]) -> None:
    """End a child that nobody waits for any more."""
    if forking.cancelled() or forking.exception() is not None:
        return
    forked = forking.result()
    forked.kill()
    os.close(forked.pidfd)
    forked.channel.close()
    forked.listener.close()


async def _readable(descriptor: int) -> None:
    """Wait until a pidfd says that its process is gone."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)


def _receive(control: socket.socket) -> dict[str, Any]:
    try:
        packet = control.recv(PACKET)
    except OSError as error:
        return {"failed": f"it did not answer: {error}"}
    value = json.loads(packet or b"{}")
    return value if isinstance(value, dict) else {}
