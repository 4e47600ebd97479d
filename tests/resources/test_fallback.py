"""Flows are deployed to the runtime that stands in for others, too; its troubles stop nobody."""

from __future__ import annotations

from typing import Any

import pytest

from agentmart.adapters import runtimes
from agentmart.adapters.runtimes import Deployment, RuntimeFailure
from agentmart.adapters.runtimes.fake import FakeRuntime
from agentmart.resources import runtime

DEPLOYMENT = Deployment("0" * 32, "c", "p", {"data": {"nodes": [{}]}}, "known")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, FakeRuntime]:
    """Two runtimes, the second standing in for the first."""
    made = {"embedded": FakeRuntime(), "langflow": FakeRuntime()}
    monkeypatch.setattr(runtimes, "build", lambda kind, **params: made[kind])
    settings.ADAPTERS = {"runtimes": {"embedded": {}, "langflow": {}}}
    settings.FALLBACK_RUNTIME = "langflow"
    return made


def test_both_runtimes_hold_what_one_is_asked_for(two: dict[str, FakeRuntime]) -> None:
    runtime.deploy("embedded", DEPLOYMENT)
    assert [list(each.deployments) for each in two.values()] == [["0" * 32], ["0" * 32]]
    runtime.remove("embedded", "0" * 32)
    assert [list(each.deployments) for each in two.values()] == [[], []]


def test_what_runs_at_the_fallback_itself_is_there_alone(two: dict[str, FakeRuntime]) -> None:
    runtime.deploy("langflow", DEPLOYMENT)
    assert [list(each.deployments) for each in two.values()] == [[], ["0" * 32]]


def test_without_a_fallback_there_is_one(two: dict[str, FakeRuntime], settings: Any) -> None:
    settings.FALLBACK_RUNTIME = ""
    runtime.deploy("embedded", DEPLOYMENT)
    assert [list(each.deployments) for each in two.values()] == [["0" * 32], []]


def test_a_fallback_that_fails_is_told_to_the_log_alone(
    two: dict[str, FakeRuntime], caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(FakeRuntime):
        async def deploy(self, deployment: Deployment) -> None:
            raise RuntimeFailure("refused", "No.")

    two["langflow"] = Refusing()
    runtime.deploy("embedded", DEPLOYMENT)
    assert list(two["embedded"].deployments) == ["0" * 32]
    assert "the runtime that stands in is not in step" in caplog.text


def test_the_runtimes_own_failure_goes_to_whoever_asked(two: dict[str, FakeRuntime]) -> None:
    with pytest.raises(RuntimeFailure) as failed:
        runtime.deploy("embedded", Deployment("0" * 32, "c", "p", {}, "known"))
    assert failed.value.code == "bad_flow"
    assert list(two["langflow"].deployments) == []
