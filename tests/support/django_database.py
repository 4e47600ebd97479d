"""Points Django's connection at a database that did not exist when the settings were read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from django.db import connections


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Let Django's default connection use this address inside the block (existing connections must be closed)."""
    parts = urlsplit(url)
    values = {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parse_qs(parts.query)["host"][0],
        "PORT": "",
    }
    # In place: connections of all threads share this dict, and so does whoever asks django.conf.settings.
    settings = connections.settings["default"]
    before = {name: settings[name] for name in values}
    settings.update(values)
    try:
        yield
    finally:
        settings.update(before)
