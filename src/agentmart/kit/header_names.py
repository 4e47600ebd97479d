"""Names of HTTP headers in lower case, kept so that the usual ones are decoded once."""

from __future__ import annotations

MAX_NAMES = 1000


class HeaderNames(dict[bytes, str]):
    """Lower-case text by the bytes of a name; a stranger's inventions make it start again, not grow."""

    def __missing__(self, name: bytes) -> str:
        """Return the name in lower case and remember it."""
        if len(self) >= MAX_NAMES:
            self.clear()
        known = self[name] = name.decode("latin-1").lower()
        return known
