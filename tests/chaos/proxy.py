"""A TCP proxy of our own that can cut the network: what passes through it breaks off, what comes is turned away.

The far side is PostgreSQL's Unix socket, so that nothing but the proxy is between the two.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from pathlib import Path

CHUNK = 65_536


class Proxy:
    """Passes connections on to the socket at `target`, from a port of its own, in a thread of its own."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._cut = threading.Event()
        self._closing = False
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break off every connection, and let no new one through until `mend`."""
        self._cut.set()
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._cut.clear()

    def close(self) -> None:
        """Stop."""
        self._closing = True
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                if self._cut.is_set():
                    raise ConnectionRefusedError
                far.connect(str(self._target))
            except OSError:
                near.close()
                far.close()
                continue
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with self._lock:
            self._pairs.add((near, far))
        other = {near: far, far: near}
        with contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while not self._cut.is_set():
                for key, _ in selector.select(0.5):
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    data = end.recv(CHUNK)
                    if not data:
                        raise ConnectionResetError
                    other[end].sendall(data)
        with self._lock:
            self._pairs.discard((near, far))
        near.close()
        far.close()
