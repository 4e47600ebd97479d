"""The flow runtime's virtual environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from agentmart.adapters.runtimes.embedded.install import InstallFailed, ensure_venv
from agentmart.kit.env import BadSetting


def make(venv: Path, say: Callable[[str], object]) -> Path:
    """Make the environment where missing or out of date; returns its interpreter. Raises BadSetting."""
    try:
        return ensure_venv(venv, sys.executable, say)
    except InstallFailed as error:
        raise BadSetting(f"the flow runtime cannot be installed: {error}") from error
