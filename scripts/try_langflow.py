"""Run the tests marked `langflow` against a real Langflow server: installs one, starts it, makes a key, stops it.

    python -m scripts.try_langflow VENV [pytest arguments]

VENV is a folder for the server's virtual environment (1.4 GB, made once). The server keeps its data in a temporary
folder, listens on loopback, and asks our development model: only the installation needs a network.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = ("langflow-base==1.13.0", "lfx-openai==0.2.0", "lfx-openai-compatible==0.2.0")
START_SECONDS = 180.0
MODEL_HOST = "127.0.0.2"  # Langflow takes 127.0.0.1 for the host of a container
USER, PASSWORD = "agentmart", "only-for-this-test-run"

# what docs/runtimes.md tells operators to set
SERVER_SETTINGS = {
    "LANGFLOW_AUTO_LOGIN": "false",
    "LANGFLOW_ALLOW_CUSTOM_COMPONENTS": "false",
    "LANGFLOW_ALLOW_COMPONENTS_PATHS_OVERRIDE": "false",
    "LANGFLOW_BLOCK_CODE_INTERPRETER_COMPONENTS": "true",
    "LANGFLOW_CONNECTOR_SSRF_ALLOW_LOOPBACK": "false",
    "LANGFLOW_MCP_SERVER_DOCKER_HARDENING": "true",
    "LANGFLOW_AGENTIC_EXPERIENCE": "false",
    "LANGFLOW_CREATE_STARTER_PROJECTS": "false",
    "LANGFLOW_CORS_ORIGINS": "http://127.0.0.1",
    "LANGFLOW_SSRF_ALLOWED_HOSTS": MODEL_HOST,
    "DO_NOT_TRACK": "true",
}


def main(arguments: list[str]) -> int:
    """Return pytest's exit status."""
    if not arguments:
        print(__doc__)
        return 2
    venv = Path(arguments[0]).absolute()
    install(venv)
    with tempfile.TemporaryDirectory(prefix="try-langflow-") as folder, contextlib.ExitStack() as stack:
        model = f"http://{MODEL_HOST}:{free_port(MODEL_HOST)}/v1"
        server = f"http://127.0.0.1:{free_port('127.0.0.1')}"
        stack.enter_context(
            started(model_command(model, Path(folder)), dict(os.environ), Path(folder) / "model.log")
        )
        begun = time.monotonic()
        stack.enter_context(
            started(
                server_command(venv, server), server_environment(Path(folder)), Path(folder) / "server.log"
            )
        )
        await_healthy(server, Path(folder) / "server.log")
        print(f"Langflow is healthy after {time.monotonic() - begun:.0f} s at {server}")
        environment = {
            **os.environ,
            "LANGFLOW_TEST_URL": server,
            "LANGFLOW_TEST_API_KEY": prepared(server, model),
            "LANGFLOW_TEST_PYTHON": str(venv / "bin" / "python"),
        }
        command = [sys.executable, "-m", "pytest", "-m", "langflow", "tests/adapters", *arguments[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


def install(venv: Path) -> None:
    """Make the server's virtual environment, unless it holds the pinned packages."""
    note = venv / "installed.json"
    if note.exists() and json.loads(note.read_text()) == list(PACKAGES):
        return
    print(f"installing {PACKAGES[0]} into {venv} (1.4 GB)")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    uv = Path(sys.executable).with_name("uv")
    python = str(venv / "bin" / "python")
    installer = (
        [str(uv), "pip", "install", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
    )
    subprocess.run([*installer, "--quiet", *PACKAGES], check=True)
    note.write_text(json.dumps(PACKAGES))


def model_command(model: str, folder: Path) -> list[str]:
    """Return how the development model is started."""
    port = str(urllib.parse.urlsplit(model).port)
    place = ["--data-dir", str(folder / "model"), "--host", MODEL_HOST, "--port", port]
    return [sys.executable, "-m", "agentmart.config.cli", "dev-model", *place]


def server_command(venv: Path, server: str) -> list[str]:
    """Return how Langflow is started."""
    port = str(urllib.parse.urlsplit(server).port)
    where = ["--host", "127.0.0.1", "--port", port, "--workers", "1", "--backend-only", "--no-open-browser"]
    return [str(venv / "bin" / "langflow"), "run", *where]


def server_environment(folder: Path) -> dict[str, str]:
    """Return Langflow's environment: nothing of ours but what every program needs."""
    ordinary = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    data = folder / "langflow"
    data.mkdir()
    return {
        **ordinary,
        **SERVER_SETTINGS,
        "LANGFLOW_CONFIG_DIR": str(data),
        "LANGFLOW_DATABASE_URL": f"sqlite:///{data / 'langflow.db'}",
        "LANGFLOW_SUPERUSER": USER,
        "LANGFLOW_SUPERUSER_PASSWORD": PASSWORD,
        "LANGFLOW_LOG_LEVEL": "error",
    }


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """Run a process in a group of its own; the whole group ends with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)


def await_healthy(server: str, log: Path) -> None:
    """Return once the server is well; raises SystemExit with its log when it takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if asked(f"{server}/health_check")["status"] == "ok":
                return
        time.sleep(0.5)
    raise SystemExit(f"Langflow did not become healthy:\n{log.read_text('utf-8', 'replace')[-3000:]}")


def prepared(server: str, model: str) -> str:
    """Point the user's OpenAI variables at the model; return an API key."""
    form = urllib.parse.urlencode({"username": USER, "password": PASSWORD}).encode()
    token = {"Authorization": f"Bearer {asked(f'{server}/api/v1/login', form)['access_token']}"}
    rows = (("OPENAI_BASE_URL", model, "Generic"), ("OPENAI_API_KEY", "sk-development", "Credential"))
    for name, value, kind in rows:
        variable = {"name": name, "value": value, "type": kind, "default_fields": []}
        asked(f"{server}/api/v1/variables/", variable, token)
    return str(asked(f"{server}/api/v1/api_key/", {"name": "agentmart"}, token)["api_key"])


def asked(url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """Return a JSON answer; `body` is a form if it is bytes; raises OSError."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, {**kind, **(headers or {})})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def free_port(host: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
