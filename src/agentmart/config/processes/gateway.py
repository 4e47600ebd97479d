"""The gateway process."""

from __future__ import annotations

from importlib import import_module

from agentmart.contracts.environment import environment


def run(host: str, port: int) -> None:
    """Serve until SIGTERM, then let calls in flight finish; the environment must hold the gateway's settings."""
    gateway = import_module("agentmart.gateway.app")
    gateway.run(gateway.settings_from_environment(environment()), host, port)
