"""The gateway's SQL on the migrated database, as its own role."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.gateway.support import NOW, Store, make_grant

from agentmart.adapters.runtimes import TokenUsage
from agentmart.config.database import DatabaseUrls
from agentmart.contracts.tables import GATEWAY_PRIVILEGES, GATEWAY_ROLE
from agentmart.contracts.usage import CallStarted, CallStatus, Completed, UsageEvent
from agentmart.gateway.usage import COUNT_MONTH, WRITE_BATCH, Outcome, batch_values, event_of, started_of
from agentmart.kit.ids import uuid7

GRANT = make_grant()


@pytest.fixture
async def gateway(fresh_database: DatabaseUrls):
    """A connection as the gateway's role."""
    connection = await asyncpg.connect(fresh_database.gateway)
    yield connection
    await connection.close()


def event(grant=GRANT, at: datetime = NOW, status: CallStatus = CallStatus.OK, **changes) -> UsageEvent:
    outcome = Outcome(status, "x", TokenUsage(11, 7))
    made = event_of(grant, uuid7(at), outcome, text="x", streamed=False, duration_ms=5, received_at=at)
    return replace(made, **changes)


async def write(connection, started=(), events=(), delivered=()) -> int:
    return await connection.fetchval(
        WRITE_BATCH, *batch_values(started, [Completed(event) for event in events], delivered)
    )


async def test_the_role_may_do_what_is_listed_and_nothing_else(store: Store) -> None:
    rows = await store.run(
        """
        SELECT c.relname AS name, p.privilege_type AS privilege
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) p JOIN pg_roles r ON r.oid = p.grantee
        WHERE r.rolname = $1
        """,
        GATEWAY_ROLE,
    )
    granted: dict[str, set[str]] = {}
    for row in rows:
        granted.setdefault(row["name"], set()).add(row["privilege"])
    assert granted == {table: set(privileges) for table, privileges in GATEWAY_PRIVILEGES.items()}
    columns = await store.run(
        "SELECT 1 FROM information_schema.column_privileges WHERE grantee = $1 AND NOT table_name = ANY ($2)",
        GATEWAY_ROLE,
        list(GATEWAY_PRIVILEGES),
    )
    assert columns == []
    role = await store.run(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = $1",
        GATEWAY_ROLE,
    )
    assert not any(role[0].values())
    memberships = "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1"
    assert await store.run(memberships, GATEWAY_ROLE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE metering_usage_event SET requests = 0",
        "DELETE FROM metering_usage_event",
        "DELETE FROM metering_usage_hour",
        "UPDATE access_grant SET state = 'active'",
        "SELECT * FROM access_api_key",
        "SELECT * FROM identity_user",
    ],
)
async def test_the_role_is_refused(gateway, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await gateway.execute(statement)


async def test_every_field_is_stored_as_it_is(gateway, store: Store) -> None:
    full = event(
        meters={"pages": Decimal("1.50")}, error_code="crashed", streamed=True, status=CallStatus.ERROR
    )
    bare = event(plan_id=None, key_id=None, flow_version_id=None)
    started = started_of(GRANT, full.id, uuid4())
    assert await write(gateway, [started], [full, bare]) == 2
    stored = {row["id"]: row for row in await store.events()}
    for made in (full, bare):
        for name in (field.name for field in fields(UsageEvent) if field.name != "meters"):
            assert stored[made.id][name] == getattr(made, name), name
    assert stored[full.id]["meters"] == '{"pages": "1.50"}'
    (row,) = await store.run("SELECT * FROM metering_call_started")
    assert row == {field.name: getattr(started, field.name) for field in fields(CallStarted)}


async def test_a_batch_written_twice_counts_once(gateway, store: Store) -> None:
    events = [event(make_grant()) for _ in range(3)]
    assert await write(gateway, events=[*events, events[0]]) == 3
    before = await store.hours()
    assert await write(gateway, events=events) == 0
    assert await write(gateway, events=[events[1], event()]) == 1
    assert len(await store.events()) == 4
    assert [hour for hour in await store.hours() if hour["resource_id"] != GRANT.resource_id] == before


async def test_hours_are_the_sums_of_their_events(gateway, store: Store) -> None:
    half = timedelta(minutes=30)
    other_plan = replace(GRANT, plan_id=None)
    events = [
        event(at=NOW.replace(minute=0, second=0)),
        event(at=NOW.replace(minute=59, second=59), status=CallStatus.ERROR),
        event(at=NOW, status=CallStatus.TIMEOUT),
        event(at=NOW, status=CallStatus.CANCELLED),
        event(at=NOW + 2 * half),
        event(other_plan),
    ]
    for one in events:  # one batch each: sums are added to
        assert await write(gateway, events=[one]) == 1
    nine, ten = NOW.replace(minute=0, second=0), NOW.replace(hour=10, minute=0, second=0)
    names = ("hour", "plan_key", "events", "errors", "requests", "input_tokens", "output_tokens")
    rows = [tuple(row[name] for name in names) for row in await store.hours()]
    assert sorted(rows) == sorted(
        [
            (nine, UUID(int=0), 1, 0, 1, 11, 7),
            (nine, GRANT.plan_id, 4, 2, 2, 44, 28),
            (ten, GRANT.plan_id, 1, 0, 1, 11, 7),
        ]
    )
    (row,) = [row for row in await store.hours() if row["hour"] == ten]
    for name in ("resource_id", "customer_id", "provider_customer_id", "project_id", "offering_id"):
        assert row[name] == getattr(GRANT, name)


async def test_delivered_calls_are_closed_and_only_they(gateway, store: Store) -> None:
    rows = [started_of(GRANT, uuid7(NOW), uuid4()) for _ in range(3)]
    await write(gateway, started=rows)
    await write(gateway, delivered=[rows[0].call_id, uuid4()])
    assert await store.open_calls() == sorted(row.call_id for row in rows[1:])
    await write(gateway, started=rows[1:])  # tried again after a lost answer
    assert len(await store.open_calls()) == 2


async def test_two_gateways_write_the_same_hours_without_deadlock(
    fresh_database: DatabaseUrls, store: Store
) -> None:
    shared = [make_grant() for _ in range(20)]

    async def one_gateway(order: int) -> None:
        connection = await asyncpg.connect(fresh_database.gateway)
        for _ in range(20):
            await write(connection, events=[event(grant) for grant in shared[::order]])
        await connection.close()

    await asyncio.gather(*(one_gateway(order) for order in (1, -1, 1, -1)))
    assert {hour["events"] for hour in await store.hours()} == {80}


async def test_the_month_count_is_the_months_own(gateway) -> None:
    march, april = (
        NOW.replace(day=1, hour=0, minute=0, second=0),
        NOW.replace(month=4, day=1, hour=0, minute=0, second=0),
    )
    ms = timedelta(milliseconds=1)
    await write(
        gateway,
        events=[
            event(at=march - ms),
            event(at=march),
            event(at=april - ms),
            event(at=april),
            event(at=NOW, status=CallStatus.ERROR, requests=0),
            event(make_grant(), at=NOW),
        ],
    )
    assert await gateway.fetchval(COUNT_MONTH, GRANT.resource_id, march, april) == 2
    assert await gateway.fetchval(COUNT_MONTH, uuid4(), march, april) == 0
