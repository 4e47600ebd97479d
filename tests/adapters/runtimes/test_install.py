"""The runtime's environment: what is left alone, what is said, how a lock is divided."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentmart.adapters.runtimes.embedded import install


def refuse(command: list[str], what: str) -> str:
    raise install.InstallFailed(f"Could not {what}")


def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(install.InstallFailed, match=r"not made by Agentmart.*AGENTMART_RUNTIME_VENV"):
        install.ensure_venv(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "venv").write_text("")
    with pytest.raises(install.InstallFailed, match="not made by Agentmart"):
        install.ensure_venv(tmp_path / "venv")


@pytest.mark.parametrize("name", [install.OURS, install.MARKER])
def test_an_unfinished_or_outdated_one_is_emptied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("of another lock")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "old.py").write_text("")
    (tmp_path / "elsewhere").symlink_to("/")
    monkeypatch.setattr(install, "fingerprint", lambda python: "of this lock")
    monkeypatch.setattr(install, "_run", refuse)
    with pytest.raises(install.InstallFailed, match="make a virtual environment"):
        install.ensure_venv(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [install.OURS]


def test_a_finished_one_is_used_even_where_nothing_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / install.MARKER).write_text(install.fingerprint(sys.executable))
    assert install.ensure_venv(tmp_path / "venv") == tmp_path / "venv" / "bin" / "python"
    assert not (tmp_path / "venv.lock").exists()


def test_where_it_cannot_be_made_the_path_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(install.InstallFailed, match=rf"Could not write {tmp_path}/file"):
        install.ensure_venv(tmp_path / "file" / "venv")


def test_every_entry_of_the_lock_is_in_exactly_one_part(tmp_path: Path) -> None:
    parts = [path.read_text().splitlines() for path in install._split(install.LOCK, tmp_path)]
    lines = install.LOCK.read_text().splitlines()
    assert len(parts) == 4 and all(part[0][0].isalnum() for part in parts)
    assert sorted(line for part in parts for line in part) == sorted(lines)
    for part in parts:
        starts = [index for index, line in enumerate(lines) if line in part and line[0].isalnum()]
        whole = [line for start in starts for line in _entry(lines, start)]
        assert part == whole


def _entry(lines: list[str], start: int) -> list[str]:
    end = start + 1
    while end < len(lines) and not lines[end][0].isalnum():
        end += 1
    return lines[start:end]
