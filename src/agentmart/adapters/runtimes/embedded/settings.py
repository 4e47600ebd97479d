"""What the runtime's parent is told at start: one dataclass, filled by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """The OpenAI-compatible service behind the egress; `base_url` ends in /v1 where theirs does."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"ModelEndpoint(base_url={self.base_url!r})"


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Everything the parent needs; sizes in MB, times in seconds."""

    socket_path: Path  # its folder is made with mode 0700 if it is not there
    state_dir: Path  # deployments and chat memory
    venv_python: Path  # the interpreter of the virtual environment that has lfx
    model: ModelEndpoint
    children: int = 2  # processes that share the flows of known components
    runs_per_child: int = 8  # concurrent runs in each of those
    custom_children: int = 4  # processes per deployment with code of its own, one run each
    max_custom_children: int = 24  # of all deployments together
    recycle_after: int = 2000  # runs after which a child is replaced
    idle_seconds: float = 300.0  # after which a custom child without work is ended
    max_waiting: int = 256  # runs that may wait for a free child, per pool
    memory_mb: int = 768  # what a child may allocate beyond what it shares
    uid: int = 61000  # first of the user ids given to children when the parent is root
    run_timeout: float = 120.0  # upper bound of a run's own limit
    max_answer_bytes: int = 4 * 1024 * 1024
    history_messages: int = 100  # kept and handed over per session
    history_days: int = 30
    drain_seconds: float = 20.0
