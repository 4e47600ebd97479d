"""The demo tells the truth: its status and its JSON say what failed, and its arithmetic is right and its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agentmart.config.commands import demo as command
from agentmart.devtools import demo
from agentmart.devtools.rest import Unexpected
from agentmart.devtools.story import Story

Play = Callable[[object, Story], dict[str, Any]]


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, play: Play) -> tuple[int, dict[str, Any], str]:
    """Run the command around a play of its own; returns exit status, the JSON it wrote, what it printed."""

    @contextmanager
    def product(folder: Path, story: Story) -> Iterator[tuple[object, Path]]:
        yield object(), folder

    monkeypatch.setattr(command, "_product", product)
    monkeypatch.setattr(command, "_stage", lambda *given: None)
    monkeypatch.setattr(command, "play", play)
    path = folder / "results.json"
    done = CliRunner().invoke(
        command.demo, ["--data-dir", str(folder / "data"), "--json", str(path)], catch_exceptions=False
    )
    return done.exit_code, json.loads(path.read_text()), done.output


def ending(story: Story, *checks: bool) -> dict[str, Any]:
    for number, ok in enumerate(checks):
        story.check(f"check {number}", ok)
    return {
        "steps": story.steps,
        "invoice": {"total": "1.00"},
        "usage": {},
        "checks": story.checks,
        "ok": story.ok,
    }


def test_status_0_when_every_check_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status, results, _ = run(monkeypatch, tmp_path, lambda stage, story: ending(story, True, True))
    assert status == 0
    assert results["checks"] == [{"name": "check 0", "ok": True}, {"name": "check 1", "ok": True}]
    assert {"steps", "invoice", "usage", "checks"} <= set(results)


@pytest.mark.parametrize("checks", [(False,), (True, False, True), ()])
def test_status_1_when_one_failed_or_nothing_was_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checks: tuple[bool, ...]
) -> None:
    status, results, _ = run(monkeypatch, tmp_path, lambda stage, story: ending(story, *checks))
    assert (status, results["ok"]) == (1, False)


@pytest.mark.parametrize(
    "error",
    [
        Unexpected("GET /x: expected 200, got 500"),
        OSError("refused"),
        KeyError("output"),
        ValueError("no JSON"),
    ],
)
def test_whatever_goes_wrong_is_in_the_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def play(stage: object, story: Story) -> dict[str, Any]:
        story.check("before", True)
        raise error

    status, results, printed = run(monkeypatch, tmp_path, play)
    assert status == 1
    assert results["checks"] == [
        {"name": "before", "ok": True},
        {"name": "the demo ran to its end", "ok": False},
    ]
    assert str(error.args[0]) in printed


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [(0, "0"), (500, "0"), (501, "0.002"), (1000, "1"), (1001, "1.001"), (2500, "2.5")],
)
def test_tiers_by_arithmetic_of_its_own(quantity: int, amount: str) -> None:
    assert demo._graduated(quantity) == Decimal(amount)


def test_the_arithmetic_is_not_the_product_s() -> None:
    """Nothing of billing is imported: the demo could not repeat a mistake of the rating."""
    names = {getattr(value, "__module__", "") or "" for value in vars(demo).values()}
    assert not [name for name in names if name.startswith(("agentmart.billing", "agentmart.kit.money"))]
    assert "Decimal" in vars(demo) and sys.modules["agentmart.devtools.demo"] is demo


class Answers:
    """A person's client with prepared bodies by path."""

    def __init__(self, **bodies: Any) -> None:
        self.bodies = bodies

    def get(self, path: str) -> Any:
        return next(body for name, body in self.bodies.items() if name in path)


def explained(**changes: Any) -> list[dict[str, Any]]:
    """Check one usage line of two events whose explanation differs by `changes`; returns the checks."""
    events = [{"uuid": "a", "requests": 1}, {"uuid": "b", "requests": 1}]
    told = {
        "steps": [{"amount": "0.02"}],
        "events": [{"uuid": "a", "quantity": 1}, {"uuid": "b", "quantity": 1}],
        "events_total": 2,
    }
    item = {"uuid": "i", "quantity": "2", "price": 0.02, "details": {"offering_component_type": "requests"}}
    person: Any = Answers(explain={**told, **changes})
    story = Story(say=lambda line: None)
    demo._explain(story, demo.Cast(person, person, person, person), {"uuid": "v"}, item, events, (1, 2))
    return story.checks


def test_an_explanation_that_does_not_add_up_is_found() -> None:
    assert [check["ok"] for check in explained()] == [True, True]
    assert [check["ok"] for check in explained(steps=[{"amount": "0.03"}])] == [False, True]
    lost = [{"uuid": "a", "quantity": 1}]
    assert [check["ok"] for check in explained(events=lost)] == [True, False]
    wrong = [{"uuid": "a", "quantity": 1}, {"uuid": "b", "quantity": 2}]
    assert [check["ok"] for check in explained(events=wrong)] == [True, False]
