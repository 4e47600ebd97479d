"""Which flow runtimes an installation has: the settings that say so, read alike by gateway and worker."""

from __future__ import annotations

from typing import Any

from agentmart.kit.env import BadSetting, Environment

RUNTIMES = ("embedded", "langflow")
"""The kinds a resource may run in; names of adapters.runtimes.KINDS."""


def runtime_parameters(env: Environment) -> dict[str, dict[str, Any]]:
    """Return kind → parameters of its client: always `embedded`, and `langflow` where a server is set.

    The parameters hold the server's key. Raises BadSetting.
    """
    folder = env.path("AGENTMART_DATA_DIR")
    socket = env.text("AGENTMART_RUNTIME_SOCKET") or str(folder / "run" / "runtime" / "runtime.sock")
    found: dict[str, dict[str, Any]] = {"embedded": {"socket_path": socket}}
    url = env.text("LANGFLOW_RUNTIME_URL")
    if url:
        found["langflow"] = _langflow(env, url)
    return found


def new_runtime(env: Environment) -> str:
    """Return the kind that new resources get; raises BadSetting for one that does not exist."""
    kind = env.text("AGENTMART_RUNTIME")
    if kind not in RUNTIMES:
        raise BadSetting(f"AGENTMART_RUNTIME must be one of {', '.join(RUNTIMES)}, not {kind!r}")
    return kind


def fallback_runtime(env: Environment) -> str:
    """Return the kind that stands in for others, empty where none does; raises BadSetting for one not set up."""
    kind = env.text("AGENTMART_FALLBACK_RUNTIME")
    if kind and kind not in runtime_parameters(env):
        raise BadSetting(
            f"AGENTMART_FALLBACK_RUNTIME must be a runtime that is set up (embedded, or langflow with "
            f"LANGFLOW_RUNTIME_URL), not {kind!r}"
        )
    return kind


def _langflow(env: Environment, url: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise BadSetting("LANGFLOW_RUNTIME_URL must be the Langflow server's address, http://… or https://…")
    key = env.text("LANGFLOW_RUNTIME_API_KEY")
    if not key:
        raise BadSetting("LANGFLOW_RUNTIME_API_KEY must be set together with LANGFLOW_RUNTIME_URL")
    seconds = env.integer("LANGFLOW_RUNTIME_TIMEOUT")
    if seconds < 1:
        raise BadSetting(f"LANGFLOW_RUNTIME_TIMEOUT must be at least 1 second, not {seconds}")
    return {"url": url, "api_key": key, "timeout": float(seconds)}
