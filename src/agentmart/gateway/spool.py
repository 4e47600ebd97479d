"""Usage that the database did not take in time, kept in a synced file until it has.

One file per gateway process, locked while the process lives; the next gateway to start adopts what dead ones
left. Events carry their ids, so writing one twice does no harm. What cannot be read, or what the database refuses
for good, is set aside in `refused.jsonl` for a person to look at: it must not hold up the rest.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from pathlib import Path

import msgspec

from agentmart.contracts.usage import Completed, UsageEvent
from agentmart.kit.ids import new_id

logger = logging.getLogger("agentmart.gateway")

_decoder = msgspec.json.Decoder(Completed)
_bare = msgspec.json.Decoder(UsageEvent)  # lines of gateways that kept no answers


REFUSED = "refused.jsonl"


class Spool:
    """An append-only file of ended calls, one JSON line each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"usage-{new_id().hex}.jsonl"
        self._file: int | None = None
        self._torn = False  # a line may have been left unfinished
        self._turn = asyncio.Lock()
        self.empty = True

    async def append(self, call: Completed) -> None:
        """Return once the call is on the disk; raises OSError where it is not."""
        line = msgspec.json.encode(call) + b"\n"
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

    def adopt(self) -> tuple[list[Completed], list[Path]]:
        """Return the calls in files whose gateway is gone, and the files, to be removed once written."""
        calls: list[Completed] = []
        files: list[Path] = []
        for path in sorted(self._folder.glob("usage-*.jsonl")):
            try:
                found = self._take_over(path)
            except BlockingIOError:
                continue  # its gateway lives and will write it itself
            except OSError as error:
                logger.critical("usage_spool_unreadable", extra={"path": str(path), "error": str(error)})
                continue
            calls.extend(found)
            files.append(path)
        return calls, files

    def _take_over(self, path: Path) -> list[Completed]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            calls, unreadable = read_lines(path.read_bytes())
        finally:
            os.close(descriptor)
        if unreadable:
            logger.critical(
                "usage_spool_damaged", extra={"path": str(path), "unreadable_lines": len(unreadable)}
            )
            self._write_aside(b"".join(line + b"\n" for line in unreadable))
        return calls

    async def set_aside(self, call: Completed) -> None:
        """Keep a call that the database refuses where nothing is replayed from; raises OSError."""
        await asyncio.to_thread(self._write_aside, msgspec.json.encode(call) + b"\n")

    def _write_aside(self, lines: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._folder / REFUSED, flags, 0o600)
        try:
            os.write(descriptor, lines)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._file = self._create()
        size = os.fstat(self._file).st_size
        if self._torn:
            line = b"\n" + line
        self._torn = True
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError("the disk took only a part of the line")
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # a torn line would hide the next one
            raise
        self._torn = False

    def _create(self) -> int:
        """Make the file, and lock it before it has the name by which another gateway would adopt it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.replace(self._path)
            _sync_folder(self._folder)
        except OSError:
            os.close(file)
            raise
        return file


def read_lines(content: bytes) -> tuple[list[Completed], list[bytes]]:
    """Return the calls of a spool file, and the lines that are none.

    A torn last line was never promised to anybody and is left out.
    """
    whole, _, _torn = content.rpartition(b"\n")
    calls: list[Completed] = []
    unreadable: list[bytes] = []
    for line in whole.split(b"\n"):
        try:
            if line:
                calls.append(_read(line))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            unreadable.append(line)
    return calls, unreadable


def _read(line: bytes) -> Completed:
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        return Completed(_bare.decode(line))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
