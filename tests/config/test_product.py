"""The whole product as an operator starts it: real processes, killed and restarted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postgres import make_data_dir
from tests.support.waiting import until

from agentmart.config import ports
from agentmart.config.product import Product, running_product
from agentmart.kit.env import BadSetting

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.runtime]

ROOT = Path(__file__).parents[2]
RUNTIME_VENV = os.environ.get("AGENTMART_RUNTIME_VENV") or str(ROOT / ".agentmart" / "runtime-venv")
PROCESSES = {"dev-model", "runtime", "web", "gateway", "worker"}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """One product for the tests that leave it as they found it: healthy."""
    overrides = {"AGENTMART_RUNTIME_VENV": RUNTIME_VENV, "OPENAI_API_KEY": ""}
    folder = make_data_dir()
    with running_product(folder, overrides=overrides) as product:
        yield product
    shutil.rmtree(folder)


def status(url: str, token: str = "") -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Token {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def healthy(product: Product) -> bool:
    return (
        status(f"{product.web_url}/api/health/") == 200
        and status(f"{product.gateway_url}/api/agent-gateway/health/") == 200
    )


def test_every_process_survives_being_killed(product: Product):
    assert set(product.processes()) == PROCESSES
    assert healthy(product)
    for name in product.processes():
        before, restarts = product.pid(name), product.restarts(name)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda name=name, before=before: product.pid(name) not in (None, before), 30)  # type: ignore[misc]
        until(lambda: healthy(product), 60)
        assert product.restarts(name) == restarts + 1


def test_no_process_holds_what_is_anothers(product: Product):
    secrets = json.loads((product.data_dir / "secrets.json").read_text())
    expected = {
        "web": {
            "app_password",
            "agent_keys_secret",
            "django_secret_key",
            "payload_key",
            "stored_secrets_key",
        },
        "worker": {"app_password", "agent_keys_secret", "django_secret_key"},
        "gateway": {"gateway_password", "agent_keys_secret", "payload_key", "sessions_secret"},
        "runtime": set(),
        "dev-model": set(),
    }
    for name, allowed in expected.items():
        environment = Path(f"/proc/{product.pid(name)}/environ").read_text()
        assert {secret for secret, value in secrets.items() if value in environment} == allowed


def test_a_second_product_on_the_same_folder_is_refused(product: Product):
    with pytest.raises(BadSetting, match="agentmart already runs on"), running_product(product.data_dir):
        pass
    assert healthy(product)


def test_logs_hold_no_secret_and_are_private(product: Product):
    secrets = json.loads((product.data_dir / "secrets.json").read_text())
    assert product.admin is not None
    hidden = [*secrets.values(), product.admin.password, product.admin.token]
    assert status(f"{product.web_url}/api/customers/", product.admin.token) == 200
    for log in (product.data_dir / "logs").glob("*.log"):
        assert log.stat().st_mode & 0o077 == 0
        assert not [secret for secret in hidden if secret in log.read_text()]


def serve(data_dir: Path, **environment: str) -> subprocess.Popen[str]:
    values = {**os.environ, "AGENTMART_RUNTIME_VENV": RUNTIME_VENV, "OPENAI_API_KEY": "", **environment}
    values["AGENTMART_DEV_MODEL_PORT"] = str(ports.free())
    command = [sys.executable, "-m", "agentmart.config.cli", "serve", "--data-dir", str(data_dir)]
    command += ["--web-port", str(ports.free()), "--gateway-port", str(ports.free())]
    return subprocess.Popen(command, env=values, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


def test_serve_prints_the_first_login_once_and_a_killed_supervisor_leaves_nothing_broken(data_dir: Path):
    first = serve(data_dir)
    printed = lines_until(first, "Ctrl-C stops everything")
    assert any("API token" in line for line in printed)
    first.kill()
    first.communicate()
    second = serve(data_dir)
    printed = lines_until(second, "Ctrl-C stops everything")
    assert not any("API token" in line for line in printed)
    second.send_signal(signal.SIGTERM)
    rest, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert rest.strip().endswith("stopped")
    sockets = data_dir / "run" / "pg"
    assert not list(sockets.glob(".s.PGSQL.*"))


def test_a_port_in_use_is_told_before_anything_starts(data_dir: Path):
    with running_other(data_dir / "other") as port:
        command = [
            sys.executable,
            "-m",
            "agentmart.config.cli",
            "serve",
            "--data-dir",
            str(data_dir / "mine"),
        ]
        done = subprocess.run(
            [*command, "--web-port", str(port)], capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 1
    assert f"AGENTMART_WEB_PORT: port {port} on 127.0.0.1 is in use" in done.stderr
    assert not (data_dir / "mine" / "pg").exists()


class running_other:
    """A listener on some port."""

    def __init__(self, folder: Path) -> None:
        self.port = ports.free()
        self.folder = folder

    def __enter__(self) -> int:
        self.folder.mkdir()
        command = [sys.executable, "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: status(f"http://127.0.0.1:{self.port}/") == 200)
        return self.port

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def test_migrate_and_createstaff_work_alone(data_dir: Path):
    def agentmart(*arguments: str, given: str = "") -> str:
        command = [sys.executable, "-m", "agentmart.config.cli", *arguments, "--data-dir", str(data_dir)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "OK" in agentmart("migrate")
    assert "No migrations to apply" in agentmart("migrate")
    token = agentmart(
        "createstaff", "--username", "olga", "--password", "correct horse battery"
    ).splitlines()[-1]
    assert len(token) == 40
    again = agentmart(
        "createstaff", "--username", "olga", "--password-stdin", given="another horse battery\n"
    )
    assert again.splitlines()[-1] != token
