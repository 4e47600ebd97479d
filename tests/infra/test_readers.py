"""Serializers read rows the short way; what they answer is what the framework answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from rest_framework import serializers

from agentmart.infra.fields import ApiSerializer, HexUUIDField
from agentmart.infra.readers import moment_text

NOON = datetime(2026, 3, 10, 12, 0, 0, 5, tzinfo=UTC)


class Fields(serializers.Serializer[Any]):
    """Fields of every kind that rows are shown by."""

    text = serializers.CharField()
    number_as_text = serializers.CharField(source="number")
    number = serializers.IntegerField()
    amount = serializers.FloatField()
    price = serializers.DecimalField(max_digits=10, decimal_places=2)
    flag = serializers.BooleanField()
    flag_as_text = serializers.BooleanField(source="word")
    at = serializers.DateTimeField()
    year = serializers.DateTimeField(source="at", format="%Y")
    elsewhere = serializers.DateTimeField()
    day = serializers.DateField()
    key = HexUUIDField()
    nothing = serializers.CharField()
    inner = serializers.CharField(source="other.name")
    lost = serializers.CharField(source="none.name", default="-")
    left_out = serializers.CharField(source="missing.name", required=False)
    method = serializers.CharField(source="said")
    of_json = serializers.CharField(source="json.name")
    computed = serializers.SerializerMethodField()
    part = serializers.JSONField(source="json")

    def get_computed(self, row: Any) -> int:
        """Return twice the number."""
        number = row["number"] if isinstance(row, dict) else row.number
        return int(number) * 2


class Quick(ApiSerializer, Fields):
    """The same, read the short way."""


def row() -> Any:
    """A row with a value for each."""
    return SimpleNamespace(
        text="one",
        number=7,
        amount=Decimal("1.5"),
        price=Decimal("2"),
        flag=True,
        word="true",
        at=NOON,
        elsewhere=NOON.astimezone(timezone(timedelta(hours=2))),
        day=date(2026, 3, 10),
        key=UUID(int=1),
        nothing=None,
        other=SimpleNamespace(name="inner"),
        none=None,
        said=lambda: "called",
        json={"name": "of json"},
    )


def test_a_row_is_shown_as_the_framework_shows_it() -> None:
    assert Quick(row()).data == Fields(row()).data
    assert Quick([row()], many=True).data == Fields([row()], many=True).data


def test_a_mapping_is_shown_as_the_framework_shows_it() -> None:
    whole = dict(vars(row()))
    assert Quick(whole).data == Fields(whole).data


def test_a_wrong_row_is_an_error() -> None:
    broken = row()
    del broken.text
    with pytest.raises(AttributeError, match="text"):
        Quick(broken).data  # noqa: B018


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-03-10T12:00:00.000005Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-03-10T12:00:00.000005Z"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000000Z"),
    ],
)
def test_times_are_utc_with_microseconds(moment: datetime, text: str) -> None:
    assert moment_text(moment) == text
