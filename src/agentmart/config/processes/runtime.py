"""The runtime process: the parent of the flow processes, the only one that holds the model key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from agentmart.kit.env import Environment

_EMBEDDED = "agentmart.adapters.runtimes.embedded"


def make_venv(venv: Path, say: Callable[[str], None]) -> Path:
    """Make the runtime's virtual environment where missing or out of date; returns its interpreter."""
    import_module(f"{_EMBEDDED}.install").ensure_venv(venv, Path(sys.executable), say)
    return venv / "bin" / "python"


def run(settings: Environment, data_dir: Path, python: Path) -> None:
    """Run flows until SIGTERM. `settings` is this process's own environment, as the supervisor gave it."""
    shapes = import_module(f"{_EMBEDDED}.settings")
    import_module(f"{_EMBEDDED}.parent").run_parent(
        shapes.RuntimeSettings(
            socket_path=settings.path("AGENTMART_RUNTIME_SOCKET"),
            state_dir=data_dir / "runtime",
            venv_python=python,
            model=shapes.ModelEndpoint(
                base_url=settings.text("OPENAI_BASE_URL"), api_key=settings.text("OPENAI_API_KEY")
            ),
            children=settings.integer("AGENTMART_RUNTIME_CHILDREN"),
            runs_per_child=settings.integer("AGENTMART_RUNTIME_RUNS_PER_CHILD"),
            memory_mb=settings.integer("AGENTMART_RUNTIME_MEMORY_MB"),
            uid=settings.integer("AGENTMART_RUNTIME_UID"),
            run_timeout=float(settings.integer("AGENTMART_RUN_TIMEOUT_SECONDS")),
        )
    )
