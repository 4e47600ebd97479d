"""Usage that the database did not take in time, kept in a synced file until it has.

One file per gateway process, locked while the process lives; the next gateway to start adopts what dead ones
left. Events carry their ids, so writing one twice does no harm.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import msgspec

from agentmart.contracts.usage import UsageEvent
from agentmart.kit.ids import new_id

_decoder = msgspec.json.Decoder(UsageEvent)


class Spool:
    """An append-only file of usage events, one JSON line each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"usage-{new_id().hex}.jsonl"
        self._file: int | None = None
        self._turn = asyncio.Lock()
        self.empty = True

    async def append(self, event: UsageEvent) -> None:
        """Return once the event is on the disk; raises OSError where it is not."""
        line = msgspec.json.encode(event) + b"\n"
        async with self._turn:
            await asyncio.to_thread(self._append, line)
            self.empty = False

    async def clear(self) -> None:
        """Forget everything: the database has it."""
        async with self._turn:
            if self._file is not None:
                await asyncio.to_thread(os.ftruncate, self._file, 0)
            self.empty = True

    def close(self) -> None:
        """Close the file, and remove it if nothing in it is still owed."""
        if self._file is not None:
            if self.empty:
                self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def adopt(self) -> tuple[list[UsageEvent], list[Path]]:
        """Return the events of files whose gateway is gone, and the files, to be removed once written."""
        events: list[UsageEvent] = []
        files: list[Path] = []
        for path in sorted(self._folder.glob("usage-*.jsonl")):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                events.extend(read_lines(path.read_bytes()))
                files.append(path)
            except BlockingIOError:
                continue  # its gateway lives and will write it itself
            finally:
                os.close(descriptor)
        return events, files

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(self._folder)
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError("the disk took only a part of the line")
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # a torn line would hide the next one
            raise


def read_lines(content: bytes) -> list[UsageEvent]:
    """Return the events of a spool file; a torn last line was never promised to anybody and is left out."""
    whole, _, _torn = content.rpartition(b"\n")
    return [_decoder.decode(line) for line in whole.split(b"\n") if line]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
