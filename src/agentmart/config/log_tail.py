"""Shows the processes' log files on the console as they grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class LogTail:
    """Prints what was appended to `*.log` in a folder since the last look, each line with its process's name."""

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        """What the files hold already is not shown."""
        self._folder = folder
        self._show = show
        self._seen = {path: path.stat().st_size for path in folder.glob("*.log")}

    def pump(self) -> None:
        """Show whole new lines."""
        for path in sorted(self._folder.glob("*.log")):
            start = self._seen.get(path, 0)
            if path.stat().st_size < start:
                start = 0  # the file was rotated
            with path.open("rb") as file:
                file.seek(start)
                new = file.read()
            end = new.rfind(b"\n") + 1
            self._seen[path] = start + end
            for line in new[:end].decode(errors="replace").splitlines():
                self._show(f"{path.stem:10} {line}")
