"""What the runtime keeps on disk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentmart.adapters.runtimes import Deployment, RuntimeFailure
from agentmart.adapters.runtimes.embedded.store import (
    DAY,
    MAX_HISTORY_LENGTH,
    MAX_MESSAGE_LENGTH,
    Deployments,
    Record,
    Sessions,
    check_id,
)

FIRST, SECOND = "a" * 32, "b" * 32
NOW = 1_800_000_000.0


def _record(deployment_id: str, generation: int = 1) -> Record:
    return Record(deployment_id, "buyer", "provider", "known", generation, False)


def _message(number: int) -> dict[str, str]:
    return {"id": f"m{number}", "text": f"text {number}", "sender": "User", "sender_name": "U"}


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    """A store that keeps three messages per session."""
    store = Sessions(tmp_path / "memory" / "sessions.sqlite3", keep=3, days=30)
    yield store
    store.close()


async def _texts(sessions: Sessions, deployment_id: str = FIRST, session_id: str = "s") -> list[str]:
    return [message["text"] for message in await sessions.recent(deployment_id, session_id)]


async def test_the_newest_messages_of_a_session_are_kept_in_order(sessions: Sessions) -> None:
    await sessions.save(FIRST, "s", {"put": [_message(1), _message(2)]}, now=NOW)
    await sessions.save(FIRST, "s", {"put": [_message(3), _message(4)]}, now=NOW)
    assert await _texts(sessions) == ["text 2", "text 3", "text 4"]
    assert await _texts(sessions, SECOND) == []
    assert await _texts(sessions, FIRST, "other") == []


async def test_a_message_is_overwritten_in_its_place_or_removed(sessions: Sessions) -> None:
    await sessions.save(FIRST, "s", {"put": [_message(1), _message(2), _message(3)]}, now=NOW)
    await sessions.save(FIRST, "s", {"put": [{**_message(1), "text": "changed"}], "drop": ["m2"]}, now=NOW)
    assert await _texts(sessions) == ["changed", "text 3"]


async def test_a_run_gets_as_much_of_a_long_session_as_it_can_hold(sessions: Sessions) -> None:
    long = {"text": "x" * (MAX_HISTORY_LENGTH // 2 - 10)}
    assert len(long["text"]) > MAX_MESSAGE_LENGTH
    longest = {"text": "x" * MAX_MESSAGE_LENGTH}
    assert MAX_HISTORY_LENGTH // MAX_MESSAGE_LENGTH == 2
    await sessions.save(FIRST, "s", {"put": [{**_message(1), **long}]}, now=NOW)
    assert await _texts(sessions) == []  # longer than any message that is kept
    messages = [{**_message(number), **longest, "sender": "s" * 1000} for number in range(3)]
    await sessions.save(FIRST, "s", {"put": messages}, now=NOW)
    found = await sessions.recent(FIRST, "s")
    assert [(message["id"], len(message["sender"])) for message in found] == [("m1", 200), ("m2", 200)]


async def test_a_deployment_is_forgotten_alone(sessions: Sessions) -> None:
    for deployment_id in (FIRST, SECOND):
        await sessions.save(deployment_id, "s", {"put": [_message(1)]}, now=NOW)
    await sessions.forget(FIRST)
    assert (await _texts(sessions), await _texts(sessions, SECOND)) == ([], ["text 1"])


async def test_old_messages_expire_to_the_second(sessions: Sessions) -> None:
    await sessions.save(FIRST, "s", {"put": [_message(1)]}, now=NOW)
    await sessions.expire(now=NOW + 30 * DAY)
    assert await _texts(sessions) == ["text 1"]
    await sessions.expire(now=NOW + 30 * DAY + 1)
    assert await _texts(sessions) == []


def test_deployments_survive_a_restart_and_are_private(tmp_path: Path) -> None:
    deployments = Deployments(tmp_path / "deployments")
    deployments.put(_record(FIRST), Deployment(FIRST, "buyer", "provider", {"data": {"nodes": [1]}}, "known"))
    deployments.put(_record(SECOND), Deployment(SECOND, "buyer", "provider", {}, "known"))
    deployments.remove(SECOND)
    deployments.remove(SECOND)
    again = Deployments(tmp_path / "deployments")
    assert again.records == {FIRST: _record(FIRST)}
    assert again.flow(again.get(FIRST)) == {"data": {"nodes": [1]}}
    [path] = (tmp_path / "deployments").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_redeployment_has_a_key_of_its_own() -> None:
    assert _record(FIRST, 1).key != _record(FIRST, 2).key


@pytest.mark.parametrize(
    "deployment_id", ["", "../../etc/passwd", "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n"]
)
def test_an_id_that_is_no_id_is_refused(deployment_id: str) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        check_id(deployment_id)
    assert caught.value.code == "bad_flow"


async def test_a_deployment_keeps_so_much_and_no_more(tmp_path: Path) -> None:
    most = 2000
    message = {"text": "x" * 100}
    length = len(json.dumps({**_message(1000), **message}))
    store = Sessions(tmp_path / "sessions.sqlite3", keep=3, days=30, most=most)
    for number in range(1000, 1040):  # each in a session of its own
        await store.save(FIRST, f"s{number}", {"put": [{**_message(number), **message}]}, now=NOW)
    await store.save(SECOND, "s", {"put": [_message(1)]}, now=NOW)
    kept = [number for number in range(1000, 1040) if await store.recent(FIRST, f"s{number}")]
    store.close()
    assert kept == list(range(kept[0], 1040))
    assert most * 0.9 - length < len(kept) * length <= most
    again = Sessions(tmp_path / "sessions.sqlite3", keep=3, days=30, most=5 * length)
    await again.save(FIRST, "new", {"put": [_message(1)]}, now=NOW)
    assert [number for number in kept if await again.recent(FIRST, f"s{number}")] == kept[-4:]
    assert len(await again.recent(SECOND, "s")) == 1
    again.close()


def test_a_damaged_file_of_a_deployment_leaves_the_others_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deployments = Deployments(tmp_path)
    for deployment_id in (FIRST, SECOND):
        deployments.put(_record(deployment_id), Deployment(deployment_id, "buyer", "provider", {}, "known"))
    (tmp_path / f"{FIRST}.json").write_bytes(b'{"record":{"deployment')
    assert list(Deployments(tmp_path).records) == [SECOND]
    assert [record.message for record in caplog.records] == ["a deployment cannot be read"]
