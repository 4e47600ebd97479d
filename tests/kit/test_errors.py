"""What is wrong with a request stands in the refusal as it stands in the request."""

from __future__ import annotations

from typing import Any

import pytest

from agentmart.kit.errors import nested, steps_of


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("name", {"name": ["m"]}),
        ("limits.seats", {"limits": {"seats": ["m"]}}),
        ("usages[0].amount", {"usages": [{"amount": ["m"]}]}),
        ("usages[2].amount", {"usages": [{}, {}, {"amount": ["m"]}]}),
        ("plans[1].components[0].tiers", {"plans": [{}, {"components": [{"tiers": ["m"]}]}]}),
        ("plans[1].components[0]", {"plans": [{}, {"components": {"0": ["m"]}}]}),
        ("tags[3]", {"tags": {"3": ["m"]}}),
        ("limits.a/b:c-d_e", {"limits": {"a/b:c-d_e": ["m"]}}),
        ("Idempotency-Key", {"Idempotency-Key": ["m"]}),
        ("", {"non_field_errors": ["m"]}),
        ("[0].amount", {"non_field_errors": ["m"]}),
        ("a[1000].b", {"a": {"1000": {"b": ["m"]}}}),
    ],
)
def test_a_place_is_nested(place: str, told: dict[str, Any]) -> None:
    assert nested(steps_of(place), "m") == told


def test_a_name_that_looks_like_a_place_costs_nothing() -> None:
    told = nested(steps_of("prices." + "a." * 100_000 + "[999999999].b"), "m")
    depth = 0
    while isinstance(told, dict):
        (told,) = told.values()
        depth += 1
    assert (depth, told) == (12, ["m"])
    assert len(str(nested(steps_of("prices.[999999999].b"), "m"))) < 100
