"""Makes docs/settings.md from the table of settings."""

from __future__ import annotations

from collections.abc import Iterable

from agentmart.kit.env import Setting

_HEAD = """\
# Settings

Every setting is an environment variable; there is no configuration file. This page is made by
`agentmart settings > docs/settings.md` from `src/agentmart/contracts/environment.py`; a test compares them.

A value that cannot be read stops the process with the variable's name. A secret NAME may also be given as
NAME_FILE, the path of a file that holds it.
Under `agentmart serve` a process gets only the settings whose last column names it.

| Variable | Default | Kind | Meaning | Read by |
|---|---|---|---|---|
"""


def markdown(settings: Iterable[Setting]) -> str:
    """Return the page."""
    return _HEAD + "".join(_row(setting) for setting in settings)


def _row(setting: Setting) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    kind = f"{setting.kind}, secret" if setting.secret else setting.kind
    meaning = setting.meaning.replace("|", "\\|")
    return f"| `{setting.name}` | {default} | {kind} | {meaning} | {', '.join(setting.readers)} |\n"
