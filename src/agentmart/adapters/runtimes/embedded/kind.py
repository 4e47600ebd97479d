"""What the product must know of this runtime. Its process is the product's own, so its settings are with the others."""

from __future__ import annotations

from typing import Any

from agentmart.contracts.runtimes import RuntimeKind
from agentmart.kit.env import BadSetting, Environment


def parameters(env: Environment) -> dict[str, Any]:
    """Return where its socket is."""
    folder = env.path("AGENTMART_DATA_DIR")
    socket = env.text("AGENTMART_RUNTIME_SOCKET") or str(folder / "run" / "runtime" / "runtime.sock")
    return {"socket_path": socket}


def places(env: Environment) -> int:
    """Return how many runs its processes do at once; raises BadSetting."""
    given = env.integer("AGENTMART_RUNTIME_SLOTS")
    if given < 0:
        raise BadSetting("AGENTMART_RUNTIME_SLOTS must be at least 0")
    runs = env.integer("AGENTMART_RUNTIME_CHILDREN") * env.integer("AGENTMART_RUNTIME_RUNS_PER_CHILD")
    return given or max(1, runs)


KIND = RuntimeKind(
    client="agentmart.adapters.runtimes.embedded.client.EmbeddedRuntime",
    parameters=parameters,
    elsewhere=False,
    places=places,
)
