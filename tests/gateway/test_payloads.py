"""The content of calls is kept only where the buyer asked for it: redacted, encrypted, with the call's usage."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.support import NOW, PAYLOAD_SECRET, Issued, World, call, issue

from agentmart.adapters.runtimes import TokenUsage
from agentmart.contracts.payloads import LONGEST_TEXT, PURPOSE, KeptPayload, PayloadPolicy
from agentmart.contracts.usage import CallStatus, Completed, UsageEvent
from agentmart.gateway import payloads
from agentmart.gateway.spool import Spool
from agentmart.gateway.usage import Outcome, event_of
from agentmart.kit.ids import uuid7
from agentmart.kit.redaction import Own
from agentmart.kit.sealing import Unreadable, unseal

SECRET = PAYLOAD_SECRET
KEPT = "SELECT * FROM metering_call_payload ORDER BY call_id"


def opened(row: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        unseal(bytes(row["sealed"]), row["call_id"], secrets=[SECRET], purpose=PURPOSE)
    )
    return content


async def choose(world: World, issued: Issued, *, enabled: bool = True, redact: Any = ("email",)) -> None:
    """Have the content of the agent's calls kept, as the buyer's settings do."""
    await world.store.run(
        "INSERT INTO metering_payload_setting (config_id, customer_id, enabled, retention_days, redact, modified) "
        "VALUES ($1, $2, $3, 7, $4, $5) ON CONFLICT (config_id) DO UPDATE SET enabled = excluded.enabled",
        issued.grant.config_id,
        issued.grant.customer_id,
        enabled,
        json.dumps(list(redact)),
        NOW,
    )
    await world.store.run("SELECT pg_notify('agentmart_grant', $1)", issued.grant.key_id.hex)


async def test_nothing_is_kept_unless_the_buyer_asks_for_it(world: World) -> None:
    issued = await world.issue()
    assert (await call(world.app, {"input": "my secret"}, issued.key)).status == 200
    assert await world.store.run(KEPT) == []
    await choose(world, issued, enabled=False)
    assert (await call(world.app, {"input": "my secret"}, issued.key)).status == 200
    assert await world.store.run(KEPT) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_kept_is_redacted_and_encrypted(
    world: World, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued = await world.issue()
    await choose(world, issued, redact=["email", {"name": "order_no", "pattern": "ORD-[0-9]{4}"}])
    answer = await call(
        world.app, {"input": "I am ann@example.com, about ORD-1234", "stream": stream}, issued.key
    )
    assert answer.status == 200 and b"ann@example.com" in answer.body
    (row,) = await world.store.run(KEPT)
    assert opened(row) == {
        "input": "I am [email], about [order_no]",
        "output": "I am [email], about [order_no]",
        "input_truncated": False,
        "output_truncated": False,
    }
    (event,) = await world.store.events()
    assert (row["call_id"], row["customer_id"], row["config_id"]) == (
        event["id"],
        issued.grant.customer_id,
        issued.grant.config_id,
    )
    assert row["occurred_at"] == event["occurred_at"]
    assert row["expires_at"] == event["occurred_at"] + timedelta(days=7)
    assert b"about" not in bytes(row["sealed"])
    with pytest.raises(Unreadable):
        unseal(bytes(row["sealed"]), uuid7(NOW), secrets=[SECRET], purpose=PURPOSE)
    assert "ann@example" not in caplog.text and "[email]" not in caplog.text


async def test_a_failed_call_is_kept_with_what_it_said(world: World) -> None:
    issued = await world.issue()
    await choose(world, issued)
    assert (await call(world.app, {"input": "fail crashed"}, issued.key)).status == 502
    (row,) = await world.store.run(KEPT)
    assert (opened(row)["input"], opened(row)["output"]) == ("fail crashed", "")


async def test_what_breaks_in_keeping_costs_no_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(rules: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(payloads, "redactor", broken)
    issued = await world.issue()
    await choose(world, issued)
    assert (await call(world.app, {"input": "hello"}, issued.key)).status == 200
    assert len(await world.store.events()) == 1
    assert await world.store.run(KEPT) == []


def made_event(grant: Any) -> UsageEvent:
    outcome = Outcome(CallStatus.OK, "x", TokenUsage(1, 2))
    return event_of(grant, uuid7(NOW), outcome, text="x", streamed=False, duration_ms=3, received_at=NOW)


async def test_long_texts_are_cut_where_nothing_half_redacted_remains() -> None:
    grant = replace(issue().grant, payloads=PayloadPolicy(7, ("email", Own("digits", "[0-9]{3,9}"))))
    event = made_event(grant)
    at_the_edge = "x " * (LONGEST_TEXT // 2 - 4) + "ann@example.com" + " y" * 5000
    kept = await payloads.keep(grant, event, text=at_the_edge, output="a" * 3, secret=SECRET)
    assert kept is not None
    content = json.loads(unseal(kept.sealed, event.id, secrets=["other", SECRET], purpose=PURPOSE))
    assert content["input_truncated"] and not content["output_truncated"]
    assert len(content["input"]) <= LONGEST_TEXT
    assert "ann" not in content["input"]


async def test_without_a_secret_nothing_is_kept() -> None:
    grant = replace(issue().grant, payloads=PayloadPolicy(7))
    assert await payloads.keep(grant, made_event(grant), text="x", output="y", secret="") is None


async def test_lone_surrogates_are_kept_as_marks() -> None:
    grant = replace(issue().grant, payloads=PayloadPolicy(7))
    event = made_event(grant)
    kept = await payloads.keep(grant, event, text="a\ud800b", output="", secret=SECRET)
    assert kept is not None
    assert json.loads(unseal(kept.sealed, event.id, secrets=[SECRET], purpose=PURPOSE))["input"] == "a?b"


async def test_kept_content_waits_in_the_spool_encrypted(tmp_path: Path) -> None:
    dead, heir = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    event = made_event(issue().grant)
    kept = KeptPayload(uuid7(NOW).hex, NOW + timedelta(days=1), b"\x00sealed")
    await dead.append(Completed(event, payload=kept))
    dead.close()
    found, _ = await asyncio.to_thread(heir.adopt)
    assert found == [Completed(event, payload=kept)]
