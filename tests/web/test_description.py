"""The API's description is made once per release; every process after the first reads it from the data folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from agentmart.web import description as described

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/vnd.oai.openapi+json"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder; what is made is short, and counted by its text."""
    settings.DATA_DIR = tmp_path
    described.rendered.cache_clear()
    made: list[str] = []

    def make(form: str) -> bytes:
        made.append(form)
        return f'{{"made": {len(made)}}}'.encode()

    monkeypatch.setattr(described, "make", make)
    yield tmp_path
    described.rendered.cache_clear()


def ask(**headers: str) -> Any:
    described.rendered.cache_clear()  # as a new process
    return Client().get("/api/schema/", headers={**JSON, **headers})


def test_it_is_made_once_for_all_processes(folder: Path) -> None:
    first, second = ask(), ask()
    assert first.json() == second.json() == {"made": 1}
    assert first["ETag"] == second["ETag"]
    assert ask(**{"If-None-Match": first["ETag"]}).status_code == 304
    (kept,) = (folder / "cache").iterdir()
    assert kept.name == f"openapi-{described.release()}.json"
    assert (folder / "cache").stat().st_mode & 0o777 == 0o700


def test_json_and_yaml_are_kept_beside_each_other(folder: Path) -> None:
    assert ask().json() == {"made": 1}
    assert Client().get("/api/schema/", headers={"Accept": "application/yaml"}).content == b'{"made": 2}'
    assert Client().get("/api/schema/").content == b'{"made": 2}'
    assert {path.suffix for path in (folder / "cache").iterdir()} == {".json", ".yaml"}
    assert ask().json() == {"made": 1}


def test_another_release_makes_its_own_and_takes_the_older_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.setattr(described, "release", lambda: "b" * 32)
    assert ask().json() == {"made": 2}
    assert [path.name for path in (folder / "cache").iterdir()] == [f"openapi-{'b' * 32}.json"]


def test_without_a_folder_it_is_answered_all_the_same(folder: Path) -> None:
    (folder / "cache").write_text("in the way")
    assert (ask().json(), ask().json()) == ({"made": 1}, {"made": 2})
    assert [path.name for path in folder.iterdir()] == ["cache"]


def test_a_release_changes_with_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "module.py"
    source.write_text("x = 1")
    monkeypatch.setattr(described.agentmart, "__file__", str(tmp_path / "__init__.py"))
    described.release.cache_clear()
    before = described.release()
    assert described.release() == before
    source.write_text("x = 22")
    described.release.cache_clear()
    assert described.release() != before
    described.release.cache_clear()


def test_what_is_made_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = described.make("json")
    assert json.loads(made)["openapi"].startswith("3.")
    assert b"\n" not in made
