"""The command line: help, documentation of settings, the development clock, messages for mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentmart.config.cli import COMMANDS, main
from agentmart.config.commands import clock
from agentmart.config.settings_page import markdown
from agentmart.contracts.environment import SETTINGS

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments), env=environment)
    return result.exit_code, result.output


def test_help_lists_every_command():
    status, output = run("--help")
    assert status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_takes_a_data_folder(name: str):
    status, output = run(name, "--help")
    assert status == 0
    assert "--data-dir" in output


def test_help_loads_no_django():
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom agentmart.config.cli import main\n"
        "CliRunner().invoke(main, ['--help']); CliRunner().invoke(main, ['gateway', '--help'])\n"
        "print('django' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_page_of_settings_is_what_the_table_says():
    assert (ROOT / "docs" / "settings.md").read_text() == markdown(SETTINGS)
    assert run("settings") == (0, markdown(SETTINGS))


def test_an_unknown_command_is_a_usage_error():
    status, output = run("server")
    assert status == 2
    assert "No such command 'server'" in output


def test_a_bad_setting_is_a_message_and_no_traceback(tmp_path: Path):
    status, output = run("dev-clock", "--data-dir", str(tmp_path), AGENTMART_DEV_CLOCK="perhaps")
    assert status == 1
    assert output == "Error: AGENTMART_DEV_CLOCK must be true or false, not 'perhaps'\n"


def test_a_data_folder_that_cannot_be_made_is_a_message(tmp_path: Path):
    (tmp_path / "file").touch()
    status, output = run("dev-clock", "--data-dir", str(tmp_path / "file" / "x"), AGENTMART_DEV_CLOCK="true")
    assert status == 1
    assert "choose a folder you may write with --data-dir" in output


def test_the_clock_moves_only_where_development_is_on(tmp_path: Path):
    status, output = run("dev-clock", "--data-dir", str(tmp_path), "--advance", "30d")
    assert status == 1
    assert "set AGENTMART_DEV_CLOCK=true" in output
    assert not (tmp_path / "dev-clock.json").exists()


def test_the_clock_advances_adds_up_and_resets(tmp_path: Path):
    def move(*arguments: str) -> int:
        status, _ = run("dev-clock", "--data-dir", str(tmp_path), *arguments, AGENTMART_DEV_CLOCK="true")
        assert status == 0
        return int(json.loads((tmp_path / "dev-clock.json").read_text())["offset_seconds"])

    assert move("--advance", "30d") == 30 * 86400
    assert move("--advance", "1d12h") == 31 * 86400 + 12 * 3600
    assert move("--reset") == 0
    moved = timedelta(seconds=move("--to", "2040-01-31T23:59:00Z"))
    assert abs(datetime.now(UTC) + moved - datetime(2040, 1, 31, 23, 59, tzinfo=UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--advance", "soon"], "'soon' is not a duration"),
        (["--to", "2040-01-31T23:59:00"], "has no time zone"),
        (["--to", "tomorrow"], "is not a moment"),
        (["--to", "2040-01-31T23:59:00Z", "--reset"], "give one of"),
    ],
)
def test_the_clock_refuses_what_it_cannot_read(arguments: list[str], message: str, tmp_path: Path):
    status, output = run("dev-clock", "--data-dir", str(tmp_path), *arguments, AGENTMART_DEV_CLOCK="true")
    assert status == 2
    assert message in output


def test_moments_are_read_in_any_zone():
    assert clock.moment("2026-02-01T01:00:00+02:00") == datetime(2026, 1, 31, 23, tzinfo=UTC)
