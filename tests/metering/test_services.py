"""Sweeping calls whose end is unclear, partitions for the months ahead, and who may write usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, connections, transaction
from pytest_django import DjangoDbBlocker
from tests.support.django_database import connected_to
from tests.support.sale import Sold, sell, use
from tests.support.world import World

from agentmart.config.database import DatabaseUrls
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.kit.ids import uuid7
from agentmart.metering import services
from agentmart.metering.models import CallFlag, CallStarted

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)
EVENT = """
INSERT INTO metering_usage_event (id, customer_id, provider_customer_id, project_id, resource_id, offering_id,
    occurred_at, received_at, status, requests, input_tokens, output_tokens, source, duration_ms)
VALUES (%(id)s, %(any)s, %(any)s, %(any)s, %(any)s, %(any)s, %(at)s, now(), 'ok', 1, 0, 0, 'none', 1)
"""


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=NOW)


def start(sold: Sold, call_id: UUID, at: datetime) -> UUID:
    with tenancy.as_system("test"):
        CallStarted.objects.create(
            call_id=call_id,
            gateway_id=uuid4(),
            customer_id=sold.resource.customer_id,
            provider_customer_id=sold.resource.provider_customer_id,
            resource_id=sold.resource.id,
            key_id=uuid4(),
            started_at=at,
        )
    return call_id


def flags() -> dict[UUID, str]:
    with tenancy.as_system("test"):
        return dict(CallFlag.objects.values_list("call_id", "outcome"))


def started() -> set[UUID]:
    with tenancy.as_system("test"):
        return set(CallStarted.objects.values_list("call_id", flat=True))


def test_old_calls_are_flagged_once_young_ones_are_left_alone(sold: Sold) -> None:
    long_ago = NOW - PATIENCE - timedelta(seconds=1)
    metered = start(sold, use(sold, long_ago), long_ago)
    lost = start(sold, uuid7(long_ago), long_ago)
    running = start(sold, uuid7(NOW - PATIENCE), NOW - PATIENCE)
    assert services.sweep_calls(now=NOW, older_than=PATIENCE) == 2
    assert flags() == {metered: "undelivered", lost: "abandoned"}
    assert started() == {running}
    assert services.sweep_calls(now=NOW, older_than=PATIENCE) == 0


def test_a_call_that_is_metered_after_it_was_given_up_is_no_longer_called_abandoned(sold: Sold) -> None:
    """It ran longer than the sweeper waits, or its event lay in a spool while the database was away."""
    long_ago = NOW - timedelta(hours=1)
    with pytest.MonkeyPatch.context() as patch:
        call = uuid7(long_ago)
        patch.setattr("tests.support.sale.uuid7", lambda at: call)
        start(sold, call, long_ago)
        services.sweep_calls(now=NOW, older_than=PATIENCE)
        assert flags() == {call: "abandoned"}
        use(sold, long_ago)
    assert services.sweep_calls(now=NOW, older_than=PATIENCE) == 0
    assert flags() == {call: "undelivered"}


@pytest.mark.parametrize("side", ["buyer", "provider"])
def test_neither_side_of_a_sale_can_write_usage(world: World, sold: Sold, side: str) -> None:
    use(sold, NOW, output=500)
    person = world.buyer if side == "buyer" else world.provider
    assert person.customer is not None
    actor = Actor(user_id=person.user.id, grants=(RoleGrant(person.customer.id, "CUSTOMER.OWNER"),))
    for statement in (
        "DELETE FROM metering_usage_hour",
        "UPDATE metering_usage_hour SET output_tokens = 0",
        "DELETE FROM metering_call_started",
        "UPDATE metering_call_flag SET outcome = 'abandoned'",
    ):
        with tenancy.acting(actor), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM metering_usage_hour")
            assert cursor.fetchone() == (1,)
            cursor.execute(statement)
            assert cursor.rowcount == 0
    columns = "INSERT INTO metering_usage_event SELECT (jsonb_populate_record(e, jsonb_build_object("
    copy = f"{columns}'id', gen_random_uuid()))).* FROM metering_usage_event e"
    with (
        tenancy.acting(actor),
        pytest.raises(Exception, match="row-level security"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(copy)


def test_partitions_are_made_ahead_and_not_even_their_owner_empties_one(
    fresh_database: DatabaseUrls, django_db_blocker: DjangoDbBlocker
) -> None:
    now = datetime(2031, 12, 31, 23, 59, tzinfo=UTC)
    with psycopg.connect(fresh_database.owner, autocommit=True) as owner:
        owner.execute("SELECT set_config('agentmart.system', 'on', false)")
        first = datetime(2032, 1, 1, tzinfo=UTC)
        owner.execute(EVENT, {"id": uuid7(first), "at": first, "any": uuid4()})
        with django_db_blocker.unblock():
            connections.close_all()
            with connected_to(fresh_database.owner):
                made = services.ensure_partitions(now=now, months_ahead=2)
                again = services.ensure_partitions(now=now, months_ahead=2)
                connections.close_all()
        # January has an event in the default partition and keeps using it.
        assert made == [f"metering_usage_event_{month}" for month in ("2031_11", "2031_12", "2032_02")]
        assert again == []
        moments = {
            "2031_11": datetime(2031, 11, 1, tzinfo=UTC),
            "2031_12": datetime(2031, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
            "default": datetime(2032, 1, 1, tzinfo=UTC),
            "2032_02": datetime(2032, 2, 29, 12, tzinfo=UTC),
        }
        for name, moment in moments.items():
            event = {"id": uuid7(moment), "at": moment, "any": uuid4()}
            owner.execute(EVENT, event)
            found = owner.execute(
                "SELECT tableoid::regclass::text FROM metering_usage_event WHERE id = %(id)s", event
            ).fetchone()
            assert found == (f"metering_usage_event_{name}",)
        for table in ("metering_usage_event", *made, "metering_usage_event_default"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute(f"TRUNCATE {table}")


def test_an_event_s_id_names_the_millisecond_it_happened_in(
    sold: Sold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours are added up by time, events are found by id: an event at odds with itself is not kept."""
    use(sold, NOW.replace(microsecond=123456))
    monkeypatch.setattr("tests.support.sale.uuid7", lambda at: uuid7(at + timedelta(milliseconds=1)))
    with pytest.raises(Exception, match="metering_usage_event_id_is_its_time"), transaction.atomic():
        use(sold, NOW)
