"""A gateway and its scripted runtime in a process of their own (arguments: database URL, folder)."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from tests.gateway.support import KEYS, ScriptedRuntime

from agentmart.gateway import server
from agentmart.gateway.app import create_app
from agentmart.gateway.settings import GatewaySettings


def main() -> None:
    """Print the port, then serve until told to stop."""
    url, folder = sys.argv[1:]
    settings = GatewaySettings(database_url=url, keys=KEYS, runtimes={}, data_dir=Path(folder))
    app = create_app(settings, runtimes={"scripted": ScriptedRuntime()})
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    server.serve(app, "127.0.0.1", 0, shutdown_grace=settings.shutdown_grace, listening=listening)


if __name__ == "__main__":
    main()
