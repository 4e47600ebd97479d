"""A change of a Grant is in force within a second, whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from tests.gateway.support import INVOKE, Store, World, call, eventually, issue, make_grant

from agentmart.config.database import DatabaseUrls
from agentmart.contracts.grants import GrantState, Limits, Tweakable
from agentmart.gateway import grants as grants_module
from agentmart.gateway.database import Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.grants import Grants

HELLO = {"input": "hello"}
LISTENERS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'agentmart-gateway-listen' AND datname = $1"
)


class CountingDatabase(Database):
    """Counts reads; `pause` holds them after the row was read."""

    reads = 0
    pause: asyncio.Event | None = None

    async def row(self, statement: str, *values: object) -> object:
        """Read a row."""
        self.reads += 1
        row = await super().row(statement, *values)
        if self.pause is not None:
            await self.pause.wait()
        return row


@pytest.fixture
async def database(fresh_database: DatabaseUrls) -> AsyncIterator[CountingDatabase]:
    """A database that counts reads."""
    database = CountingDatabase(fresh_database.gateway, timeout=2.0)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def grants(database: CountingDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Grants]:
    """Grants that hear of changes; a busy test machine may keep them waiting for the next heartbeat."""
    monkeypatch.setattr(grants_module, "TRUST_SECONDS", 60.0)
    grants = Grants(database, ttl=60.0, unknown_ttl=60.0)
    grants.start()
    await eventually(lambda: trusted(grants))
    yield grants
    await grants.close()


async def trusted(grants: Grants) -> bool:
    return grants.trusted


async def test_a_grant_is_read_as_it_was_published(grants: Grants, store: Store) -> None:
    grant = make_grant(
        key_sha256=b"\x00\xff" * 16,
        state=GrantState.RESOURCE_PAUSED,
        expires_at=datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        accept_until=datetime(2026, 5, 6, tzinfo=UTC),
        limits=Limits(requests_per_minute=60, concurrent_requests=3, streaming=False, priority=True),
        tweakable=(
            Tweakable("n", "f", "float", minimum=0.0, maximum=2.0),
            Tweakable("n", "g", "str", options=("a",)),
        ),
        tweaks={"n": {"f": 0.5}},
        version=7,
    )
    plain = make_grant(plan_id=None, flow_version_id=None, limits=Limits())
    await store.publish(grant, plain)
    assert await grants.find(grant.key_id) == grant
    assert await grants.find(plain.key_id) == replace(plain, key_sha256=b"")


async def test_a_known_grant_costs_no_read(grants: Grants, store: Store, database: CountingDatabase) -> None:
    grant = make_grant()
    await store.publish(grant)
    unknown = uuid4()
    for _ in range(10):
        assert await grants.find(grant.key_id) is not None
        assert await grants.find(unknown) is None
    # The notice of the publication may come after the first look-up: then the grant is read once more.
    assert database.reads in (2, 3)


async def test_many_first_calls_share_one_read(
    grants: Grants, store: Store, database: CountingDatabase
) -> None:
    grant = make_grant()
    await store.publish(grant)
    found = await asyncio.gather(*(grants.find(grant.key_id) for _ in range(50)))
    assert found == [grant] * 50
    assert database.reads == 1


@pytest.mark.parametrize("payload", ["key", "*"])
async def test_a_change_is_heard(grants: Grants, store: Store, payload: str) -> None:
    grant = make_grant()
    await store.publish(grant, notify=False)  # its notice could come late and be taken for the change's
    assert await grants.find(grant.key_id) == grant
    changed = replace(grant, state=GrantState.REVOKED)
    await store.publish(changed, notify=False)
    assert await grants.find(grant.key_id) == grant
    await store.run(
        "SELECT pg_notify('agentmart_grant', $1)", grant.key_id.hex if payload == "key" else payload
    )

    async def seen() -> bool:
        return await grants.find(grant.key_id) == changed

    await eventually(seen, within=1.0)


async def test_a_read_that_a_change_overtook_is_not_kept(
    grants: Grants, store: Store, database: CountingDatabase
) -> None:
    grant = make_grant()
    await store.publish(grant)
    database.pause = asyncio.Event()
    early = asyncio.create_task(grants.find(grant.key_id))

    async def read_begun() -> bool:
        return database.reads == 1

    await eventually(read_begun)
    changed = replace(grant, state=GrantState.REVOKED)
    marker = make_grant()
    await store.publish(changed, marker)

    async def heard() -> bool:
        return grants._changes >= 2

    await eventually(heard)
    database.pause.set()
    await early
    database.pause = None
    assert await grants.find(grant.key_id) == changed


async def test_without_ears_nothing_is_trusted(
    grants: Grants, store: Store, database: CountingDatabase
) -> None:
    grant = make_grant()
    await store.publish(grant)
    await grants.find(grant.key_id)
    await grants.close()
    assert not grants.trusted
    await store.publish(replace(grant, state=GrantState.REVOKED), notify=False)
    found = await grants.find(grant.key_id)
    assert found is not None
    assert found.state is GrantState.REVOKED
    await grants.find(grant.key_id)
    assert database.reads == 3


async def test_without_ears_a_long_read_is_not_joined(
    store: Store, database: CountingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = Grants(database, ttl=60.0, unknown_ttl=60.0)
    grant = make_grant()
    await store.publish(grant)
    database.pause = asyncio.Event()
    first = asyncio.create_task(deaf.find(grant.key_id))
    await eventually(lambda: reads(database, 1))
    await store.publish(replace(grant, state=GrantState.REVOKED))
    monkeypatch.setattr(grants_module, "HEARTBEAT_SECONDS", -1.0)  # the first read is old now
    second = asyncio.create_task(deaf.find(grant.key_id))
    await eventually(lambda: reads(database, 2))
    database.pause.set()
    _, found = await asyncio.gather(first, second)
    assert found is not None and found.state == GrantState.REVOKED


async def reads(database: CountingDatabase, count: int) -> bool:
    return database.reads == count


async def test_trust_ends_with_the_heartbeat(
    database: CountingDatabase, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants_module, "HEARTBEAT_SECONDS", 60.0)
    monkeypatch.setattr(grants_module, "TRUST_SECONDS", 0.3)
    grants = Grants(database, ttl=60.0, unknown_ttl=60.0)
    grants.start()
    await eventually(lambda: trusted(grants))
    await eventually(lambda: distrusted(grants))  # the connection lives, but nothing has proved it lately
    grant = make_grant()
    await store.publish(grant, notify=False)
    for _ in range(2):
        assert await grants.find(grant.key_id) == grant
    assert database.reads == 2
    await grants.close()


async def distrusted(grants: Grants) -> bool:
    return not grants.trusted


async def test_no_database_no_grant(grants: Grants, store: Store) -> None:
    await store.cut_off()
    with pytest.raises(Unavailable):
        await grants.find(uuid4())
    await store.give_back()
    await eventually(lambda: trusted(grants))


async def test_a_revoked_key_is_refused_within_a_second(world: World) -> None:
    issued = await world.issue()
    assert (await call(world.app, HELLO, issued.key)).status == 200
    await world.store.publish(replace(issued.grant, state=GrantState.REVOKED))

    async def refused() -> bool:
        return (await call(world.app, HELLO, issued.key)).status == 401

    await eventually(refused, within=1.0)


async def test_a_key_revoked_while_the_body_comes_starts_nothing(world: World) -> None:
    """A connection opened before the revocation, whose body is sent after it."""
    issued = await world.issue()
    waiting, go_on = asyncio.Event(), asyncio.Event()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if go_on.is_set():
            return {"type": "http.disconnect"}
        waiting.set()
        await go_on.wait()
        return {"type": "http.request", "body": b'{"input": "hello"}', "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {issued.key}".encode())]
    scope = {"type": "http", "method": "POST", "path": INVOKE, "headers": headers}
    calling = asyncio.create_task(world.app(scope, receive, send))
    await waiting.wait()
    await world.store.publish(replace(issued.grant, state=GrantState.REVOKED))

    async def refused() -> bool:
        return (await call(world.app, b"", issued.key, method="GET", path="/v1/models")).status == 401

    await eventually(refused, within=1.0)
    go_on.set()
    await calling
    assert (sent[0]["status"], world.runtime.requests) == (401, [])


async def test_a_revoked_key_is_refused_even_if_the_listening_connection_dies(world: World) -> None:
    issued = await world.issue()

    async def listening() -> bool:
        return bool(await world.store.run(LISTENERS, world.store.name))

    await eventually(listening)
    assert (await call(world.app, HELLO, issued.key)).status == 200
    await world.store.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentmart-gateway-listen' "
        "AND datname = current_database()"
    )
    await world.store.publish(replace(issued.grant, state=GrantState.REVOKED), notify=False)

    async def refused() -> bool:
        return (await call(world.app, HELLO, issued.key)).status == 401

    await eventually(refused, within=1.0)


async def test_a_new_key_works_at_once_though_it_was_tried_before(world: World) -> None:
    issued = issue()
    assert (await call(world.app, HELLO, issued.key)).status == 401
    await world.store.publish(issued.grant)

    async def works() -> bool:
        return (await call(world.app, HELLO, issued.key)).status == 200

    await eventually(works, within=1.0)
