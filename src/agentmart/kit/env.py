"""Reading settings from the environment, loudly: a value that cannot be read stops the process with its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class BadSetting(Exception):
    """A setting is missing or cannot be read; the message names it and says what it must be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: what it means, its default, which processes read it."""

    name: str
    meaning: str
    default: str = ""
    kind: Literal["str", "int", "bool", "path", "url"] = "str"
    secret: bool = False  # may also be given as NAME_FILE, the path of a file that holds it
    readers: tuple[str, ...] = ("web", "worker")


class Environment:
    """Declared settings read from a mapping; asking for an undeclared name is a programming error (KeyError)."""

    def __init__(self, settings: tuple[Setting, ...], values: Mapping[str, str] | None = None) -> None:
        self._settings = {setting.name: setting for setting in settings}
        self._values = os.environ if values is None else values

    def text(self, name: str) -> str:
        """Return the value, the content of `NAME_FILE` for a secret, or the default."""
        setting = self._settings[name]
        value = self._values.get(name)
        if value is None and setting.secret:
            path = self._values.get(f"{name}_FILE")
            if path:
                try:
                    return Path(path).read_text().strip()
                except OSError as error:
                    raise BadSetting(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
        return setting.default if value is None else value

    def integer(self, name: str) -> int:
        """Return the value as an int; raises BadSetting."""
        value = self.text(name)
        try:
            return int(value)
        except ValueError:
            raise BadSetting(f"{name} must be a whole number, not {value!r}") from None

    def flag(self, name: str) -> bool:
        """Return the value as a bool (1/true/yes/on, 0/false/no/off); raises BadSetting."""
        value = self.text(name).strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise BadSetting(f"{name} must be true or false, not {value!r}")

    def path(self, name: str) -> Path:
        """Return the value as an absolute path (a leading ~ is the home folder)."""
        return Path(self.text(name)).expanduser().absolute()

    def is_set(self, name: str) -> bool:
        """Return whether a value was given (not only a default)."""
        return bool(self.text(name)) and self.text(name) != self._settings[name].default
