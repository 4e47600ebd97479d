"""The runtime process: the parent of the flow processes, the only one that holds the model key."""

from __future__ import annotations

from pathlib import Path

from agentmart.adapters.runtimes.embedded.parent import run_parent
from agentmart.adapters.runtimes.embedded.settings import ModelEndpoint, RuntimeSettings
from agentmart.kit.env import Environment


def run(settings: Environment, data_dir: Path, python: Path) -> None:
    """Run flows until SIGTERM; `settings` is this process's own, reduced environment."""
    run_parent(
        RuntimeSettings(
            socket_path=settings.path("AGENTMART_RUNTIME_SOCKET"),
            state_dir=data_dir / "runtime",
            venv_python=python,
            model=ModelEndpoint(
                base_url=settings.text("OPENAI_BASE_URL"), api_key=settings.text("OPENAI_API_KEY")
            ),
            children=settings.integer("AGENTMART_RUNTIME_CHILDREN"),
            runs_per_child=settings.integer("AGENTMART_RUNTIME_RUNS_PER_CHILD"),
            memory_mb=settings.integer("AGENTMART_RUNTIME_MEMORY_MB"),
            uid=settings.integer("AGENTMART_RUNTIME_UID"),
            run_timeout=float(settings.integer("AGENTMART_RUN_TIMEOUT_SECONDS")),
        )
    )
