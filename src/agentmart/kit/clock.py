"""Time: aware UTC, read once at the edge of a request, job or call and passed in as `now`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)


class OffsetClock:
    """The machine's time plus an offset kept in a small JSON file; for development and demos only.

    Every process of one installation reads the same file (`{"offset_seconds": int}`), so moving the file
    moves time for all of them within one call. A missing file means no offset.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the present moment plus the offset, aware, in UTC."""
        return datetime.now(UTC) + self.offset()

    def offset(self) -> timedelta:
        """Return the offset in force."""
        try:
            stat = os.stat(self._path)
        except FileNotFoundError:
            return timedelta()
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._offset = timedelta(seconds=int(json.loads(self._path.read_text())["offset_seconds"]))
            self._seen = seen
        return self._offset

    def set_offset(self, offset: timedelta) -> None:
        """Move time for every process that reads the same file (atomic replace)."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        draft.write_text(json.dumps({"offset_seconds": int(offset.total_seconds())}))
        draft.replace(self._path)
