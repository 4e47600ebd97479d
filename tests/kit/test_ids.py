"""Identifiers carry their moment exactly."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

from agentmart.kit.ids import uuid7, uuid7_floor, uuid7_time

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)


def test_every_millisecond_of_a_second_comes_back_as_it_was() -> None:
    for second, number in itertools.product(
        (MIDNIGHT, datetime(2038, 1, 19, 5, 3, 55, tzinfo=UTC)), range(1000)
    ):
        moment = second + timedelta(milliseconds=number)
        for part in (timedelta(), timedelta(microseconds=1), timedelta(microseconds=999)):
            assert uuid7_time(uuid7(moment + part)) == uuid7_time(uuid7_floor(moment + part)) == moment


def test_an_id_has_the_version_and_variant_of_uuid7() -> None:
    made = uuid7(MIDNIGHT)
    assert (made.version, made.variant) == (7, UUID(int=1 << 63).variant)


def test_the_floor_separates_moments() -> None:
    assert uuid7(MIDNIGHT - timedelta(milliseconds=1)) < uuid7_floor(MIDNIGHT) < uuid7(MIDNIGHT)
