"""What the product must know of this runtime: its settings, and what its client is made from."""

from __future__ import annotations

from typing import Any

from agentmart.contracts.runtimes import RuntimeKind
from agentmart.kit.env import BadSetting, Environment, Setting

_READERS = ("gateway", "worker")


def parameters(env: Environment) -> dict[str, Any] | None:
    """Return the server's address and key, None where no server is set; raises BadSetting."""
    url = env.text("LANGFLOW_RUNTIME_URL")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise BadSetting("LANGFLOW_RUNTIME_URL must be the Langflow server's address, http://… or https://…")
    key = env.text("LANGFLOW_RUNTIME_API_KEY")
    if not key:
        raise BadSetting("LANGFLOW_RUNTIME_API_KEY must be set together with LANGFLOW_RUNTIME_URL")
    seconds = env.integer("LANGFLOW_RUNTIME_TIMEOUT")
    if seconds < 1:
        raise BadSetting(f"LANGFLOW_RUNTIME_TIMEOUT must be at least 1 second, not {seconds}")
    return {"url": url, "api_key": key, "timeout": float(seconds)}


def places(env: Environment) -> int:
    """Return how many calls the server is given at once, 0 for any number; raises BadSetting."""
    given = env.integer("LANGFLOW_RUNTIME_SLOTS")
    if given < 0:
        raise BadSetting("LANGFLOW_RUNTIME_SLOTS must be at least 0")
    return given


KIND = RuntimeKind(
    client="agentmart.adapters.runtimes.langflow.client.LangflowRuntime",
    parameters=parameters,
    settings=(
        Setting(
            "LANGFLOW_RUNTIME_URL",
            "Address of a Langflow server, 1.12 or newer, that runs flows; empty: none.",
            "",
            "url",
            readers=_READERS,
        ),
        Setting(
            "LANGFLOW_RUNTIME_API_KEY",
            "API key of a user of that server who has no other purpose.",
            "",
            secret=True,
            readers=_READERS,
        ),
        Setting(
            "LANGFLOW_RUNTIME_TIMEOUT",
            "Longest silence of that server, in seconds; an answer that is not streamed must have come by then.",
            "30",
            "int",
            readers=_READERS,
        ),
        Setting(
            "LANGFLOW_RUNTIME_SLOTS",
            "Calls a gateway gives that server at once; more wait, each customer's in its own queue. 0: any number.",
            "0",
            "int",
            readers=("gateway",),
        ),
    ),
    needed=("LANGFLOW_RUNTIME_URL", "LANGFLOW_RUNTIME_API_KEY"),
    places=places,
)
