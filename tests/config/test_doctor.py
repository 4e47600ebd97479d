"""doctor: each thing that is wrong is found, named, and comes with a way to mend it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from tests.adapters.runtimes.langflow_server import KEY, running_langflow

from agentmart.config import checks, ports, secrets
from agentmart.config.checks import Finding
from agentmart.contracts.environment import environment
from agentmart.kit.env import Environment


@pytest.fixture
def settings(tmp_path: Path) -> Environment:
    return environment({"AGENTMART_DATA_DIR": str(tmp_path)})


def only(findings: checks.Findings) -> Finding:
    (finding,) = findings
    return finding


def test_readable_settings_are_fine(settings: Environment):
    assert only(checks.settings_readable(settings)).state == "ok"


def test_every_unreadable_setting_is_named():
    bad = environment(
        {
            "AGENTMART_WEB_PORT": "eight",
            "AGENTMART_DEV_CLOCK": "perhaps",
            "OPENAI_API_KEY_FILE": "/nowhere/key",
        }
    )
    found = list(checks.settings_readable(bad))
    assert [finding.state for finding in found] == ["broken"] * 3
    assert {finding.fix.rsplit(" ", 1)[1] for finding in found} == {
        "AGENTMART_WEB_PORT",
        "AGENTMART_DEV_CLOCK",
        "OPENAI_API_KEY",
    }


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "broken"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "broken")]
)
def test_the_interpreter_is_checked(version: tuple[int, int], state: str):
    assert only(checks.python_version(version)).state == state


def test_a_secret_file_that_others_may_read_is_broken(settings: Environment, tmp_path: Path):
    assert only(checks.secret_file(settings, tmp_path)).state == "note"
    secrets.load(tmp_path)
    assert only(checks.secret_file(settings, tmp_path)).state == "ok"
    path = tmp_path / "secrets.json"
    path.chmod(0o644)
    found = only(checks.secret_file(settings, tmp_path))
    assert (found.state, found.fix) == ("broken", f"chmod 600 {path}")


@pytest.mark.parametrize("weak", ["short", "a" * 64])
def test_a_weak_secret_is_named_and_not_shown(weak: str, tmp_path: Path):
    found = only(checks.keys(environment({"AGENT_KEYS_SECRET_KEY": weak}), tmp_path))
    assert found.state == "broken"
    assert found.found.startswith("AGENT_KEYS_SECRET_KEY is weak")
    assert weak not in found.found


def test_a_port_in_use_is_broken(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = list(checks.ports(environment({"AGENTMART_WEB_PORT": str(port)}), tmp_path))
    web = next(finding for finding in found if finding.check == "web port")
    assert (web.state, web.found) == ("broken", f"{port} on 127.0.0.1 is in use")


def test_a_model_that_cannot_be_reached_is_broken(tmp_path: Path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        found = only(checks.model(environment({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url}), tmp_path))
    assert found.state == "broken"
    assert url in found.found


def test_without_a_langflow_server_there_is_nothing_to_say(settings: Environment, tmp_path: Path):
    assert list(checks.runtimes_elsewhere(settings, tmp_path)) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"AGENTMART_RUNTIME": "langflow"}, "AGENTMART_RUNTIME is langflow, but no server is set"),
        (
            {"LANGFLOW_RUNTIME_URL": "http://127.0.0.1:9", "LANGFLOW_RUNTIME_API_KEY": "sk-x"},
            "http://127.0.0.1:9: The Langflow server is not reachable.",
        ),
        (
            {"LANGFLOW_RUNTIME_URL": "http://u:pw@h", "LANGFLOW_RUNTIME_API_KEY": "sk-x"},
            "the address must have neither a login nor a query",
        ),
    ],
)
def test_a_langflow_server_that_is_missing_or_away_is_broken(
    values: dict[str, str], found: str, tmp_path: Path
):
    finding = only(checks.runtimes_elsewhere(environment(values), tmp_path))
    assert (finding.state, finding.found) == ("broken", found)
    assert "sk-x" not in finding.fix + finding.found


async def test_a_langflow_server_that_answers_is_fine(tmp_path: Path):
    async with running_langflow() as stub:
        values = {"LANGFLOW_RUNTIME_URL": stub.url, "LANGFLOW_RUNTIME_API_KEY": KEY}
        found = await asyncio.to_thread(
            lambda: only(checks.runtimes_elsewhere(environment(values), tmp_path))
        )
    assert (found.state, found.found) == ("ok", f"{stub.url} answers, 0 agents deployed")


def test_a_moved_clock_is_noted(settings: Environment, tmp_path: Path):
    assert only(checks.clock(settings, tmp_path)).state == "ok"
    (tmp_path / "dev-clock.json").write_text('{"offset_seconds": 86400}')
    moved = environment({"AGENTMART_DEV_CLOCK": "true"})
    assert only(checks.clock(moved, tmp_path)).found == "moved by 1 day, 0:00:00"


def test_a_new_database_is_healthy_and_only_lacks_migrations(data_dir: Path):
    settings = environment({"AGENTMART_DATA_DIR": str(data_dir)})
    found = {finding.check: finding.state for finding in checks.database_findings(settings, data_dir)}
    assert found == {"postgres files": "ok", "postgres": "ok", "database": "note"}


def test_a_database_that_is_away_is_broken_and_shown_without_its_password(data_dir: Path):
    url = f"postgresql://shop:hidden@127.0.0.1:{ports.free()}/shop"
    found = only(checks.database_findings(environment({"DATABASE_URL": url}), data_dir))
    assert (found.check, found.state) == ("postgres", "broken")
    assert "Connection refused" in found.found and "hidden" not in found.found
    assert found.fix == "start that server, or correct DATABASE_URL"


def test_a_folder_that_is_no_runtime_of_ours_is_broken(tmp_path: Path):
    (tmp_path / "thesis.txt").touch()
    found = only(checks.runtime_venv(environment({"AGENTMART_RUNTIME_VENV": str(tmp_path)}), tmp_path))
    assert found.state == "broken"
    assert "AGENTMART_RUNTIME_VENV" in found.fix
