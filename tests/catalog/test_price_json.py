"""The plan API's price form: what is understood, how it is stored, and which field a refusal names."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.catalog.price_json import price_from_json, price_to_json
from agentmart.catalog.pricing import (
    Fixed,
    Package,
    PackageRounding,
    Percentage,
    PerUnit,
    Price,
    Tier,
    Tiered,
    TierMode,
)
from agentmart.kit.errors import Invalid

TIERS = [
    {"up_to": "1000", "unit_price": "0.002"},
    {"up_to": "10000", "unit_price": "0.001", "flat_price": "5"},
    {"up_to": None, "unit_price": "0.0005"},
]


def test_a_price_per_unit() -> None:
    assert price_from_json({"type": "requests", "price": "0.00002"}) == Price(PerUnit(D("0.00002")))
    assert price_from_json({"price": 3, "tier_mode": None, "tiers": []}) == Price(PerUnit(D(3)))
    assert price_from_json({"price": "1", "tier_mode": "", "tiers": None}) == Price(PerUnit(D(1)))


def test_a_fixed_component_multiplies_its_amount() -> None:
    assert price_from_json({"price": "99.00"}, fixed=True) == Price(Fixed(D(99), D(1)))
    assert price_from_json({"price": "9", "amount": 5}, fixed=True) == Price(Fixed(D(9), D(5)))
    assert price_from_json({"price": "9", "amount": 0}, fixed=True) == Price(Fixed(D(9), D(0)))


def test_tiers_name_their_mode() -> None:
    price = price_from_json({"type": "requests", "tier_mode": "graduated", "tiers": TIERS})
    assert price == Price(
        Tiered(
            TierMode.GRADUATED,
            (
                Tier(D(1000), D("0.002"), D(0)),
                Tier(D(10000), D("0.001"), D(5)),
                Tier(None, D("0.0005"), D(0)),
            ),
        )
    )
    assert price_from_json({"tier_mode": "volume", "tiers": TIERS, "price": "0"}).model == Tiered(
        TierMode.VOLUME,
        price.model.tiers,  # type: ignore[union-attr]
    )


def test_a_finite_last_bound_and_a_block_size() -> None:
    tiers = [{"up_to": 10, "unit_price": "1", "block": "5"}]
    model = price_from_json({"tier_mode": "volume", "tiers": tiers, "flat_at_zero": False}).model
    assert model == Tiered(TierMode.VOLUME, (Tier(D(10), D(1), D(0), D(5)),), flat_at_zero=False)


def test_packages_by_size_or_by_one_tier() -> None:
    expected = Price(Package(D(100), D("1.5")))
    assert price_from_json({"tier_mode": "package", "package_size": 100, "price": "1.5"}) == expected
    assert price_from_json({"package_size": 100, "price": "1.5"}) == expected
    one_tier = {"tier_mode": "package", "tiers": [{"up_to": 100, "unit_price": "0", "flat_price": "1.5"}]}
    assert price_from_json(one_tier) == expected
    down = price_from_json({"package_size": 100, "price": "1.5", "package_rounding": "down"})
    assert down == Price(Package(D(100), D("1.5"), PackageRounding.DOWN))


def test_percentage_allowance_and_bounds() -> None:
    price = price_from_json(
        {"rate": "2.9", "fixed_per_event": "0.30", "free_events": 3, "minimum": "5", "maximum": "500"}
    )
    assert price == Price(Percentage(D("2.9"), D("0.3"), 3), minimum=D(5), maximum=D(500))
    assert price_from_json({"price": "1", "free_units": "100"}).free_units == 100


def test_json_numbers_are_read_by_their_text() -> None:
    body = json.loads('{"price": 0.1}')
    assert price_from_json(body) == Price(PerUnit(D("0.1")))


@pytest.mark.parametrize(
    ("body", "field", "part"),
    [
        ({}, "price", "required"),
        ({"price": "-1"}, "price", "negative"),
        ({"price": "abc"}, "price", "not a number"),
        ({"price": "NaN"}, "price", "finite"),
        ({"price": "1e400"}, "price", "12 digits before"),
        ({"price": "1_000"}, "price", "not a number"),
        ({"price": "9" * 65}, "price", "not a number"),
        ({"price": True}, "price", "as text"),
        ({"price": {"a": 1}}, "price", "as text"),
        ({"price": "0.00000000001"}, "price", "10 digits after"),
        ({"price": "1000000000000"}, "price", "12 digits before"),
        ({"price": "1", "free_units": "-1"}, "free_units", "negative"),
        ({"price": "1", "minimum": "5", "maximum": "4"}, "maximum", "below the minimum"),
        ({"model": "magic", "price": "1"}, "model", "not one of"),
        ({"tiers": TIERS}, "tier_mode", "graduated or volume"),
        ({"tier_mode": "stairs", "tiers": TIERS}, "tier_mode", "not one of graduated, volume, package"),
        ({"tier_mode": "graduated"}, "tiers", "at least one tier"),
        ({"tier_mode": "graduated", "tiers": []}, "tiers", "1 to 100 tiers"),
        ({"tier_mode": "graduated", "tiers": {"0": {}}}, "tiers", "list of tiers"),
        ({"tier_mode": "graduated", "tiers": TIERS, "price": "1"}, "price", "from the tiers"),
        ({"tier_mode": "graduated", "tiers": ["x"]}, "tiers[0]", "Give an object"),
        ({"tier_mode": "volume", "tiers": [{"unit_price": "1"}]}, "tiers[0].up_to", "required"),
        ({"tier_mode": "volume", "tiers": [{"up_to": None}]}, "tiers[0].unit_price", "or both"),
        (
            {"tier_mode": "volume", "tiers": [{"up_to": 0, "unit_price": "1"}]},
            "tiers[0].up_to",
            "more than zero",
        ),
        (
            {"tier_mode": "volume", "tiers": [{"up_to": 5, "unit_price": "1", "flat_price": "-2"}]},
            "tiers[0].flat_price",
            "negative",
        ),
        (
            {
                "tier_mode": "graduated",
                "tiers": [{"up_to": 10, "unit_price": "1"}, {"up_to": 10, "unit_price": "1"}],
            },
            "tiers[1].up_to",
            "above 10",
        ),
        (
            {
                "tier_mode": "graduated",
                "tiers": [{"up_to": None, "unit_price": "1"}, {"up_to": 10, "unit_price": "1"}],
            },
            "tiers[0].up_to",
            "Only the last tier",
        ),
        ({"tier_mode": "package", "price": "1"}, "package_size", "required"),
        ({"tier_mode": "package", "package_size": 0, "price": "1"}, "package_size", "more than zero"),
        ({"tier_mode": "package", "tiers": TIERS}, "tiers", "one tier"),
        ({"tier_mode": "package", "tiers": [{"up_to": None, "flat_price": "1"}]}, "tiers[0].up_to", "size"),
        (
            {"tier_mode": "package", "tiers": [{"up_to": 10, "unit_price": "1"}]},
            "tiers[0].unit_price",
            "sold whole",
        ),
        ({"rate": "1", "free_events": "1.5"}, "free_events", "whole number"),
        ({"rate": "1", "free_events": 1, "min_per_event": "1"}, "free_events", "exclude"),
        ({"rate": "1", "min_per_event": "2", "max_per_event": "1"}, "max_per_event", "below the minimum"),
        ({"rate": "1", "free_units": "5"}, "free_units", "no free units"),
    ],
)
def test_a_refusal_names_the_field(body: dict[str, Any], field: str, part: str) -> None:
    with pytest.raises(Invalid) as bare:
        price_from_json(body)
    assert bare.value.field == field
    assert part in bare.value.message
    with pytest.raises(Invalid) as placed:
        price_from_json(body, path="components[2]")
    assert placed.value.field == f"components[2].{field}"


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        price_from_json([], path="components[0]")  # type: ignore[arg-type]
    assert refusal.value.field == "components[0]"


def test_ten_fraction_digits_may_be_followed_by_zeros() -> None:
    assert price_from_json({"price": "0.000000000100"}) == Price(PerUnit(D("0.0000000001")))
    assert price_from_json({"price": "0.12345678900"}) == Price(PerUnit(D("0.123456789")))


def test_the_stored_form() -> None:
    price = price_from_json({"tier_mode": "graduated", "tiers": TIERS, "free_units": "100"})
    assert price_to_json(price) == {
        "model": "tiered",
        "tier_mode": "graduated",
        "tiers": [
            {"up_to": "1000", "unit_price": "0.002", "flat_price": "0"},
            {"up_to": "10000", "unit_price": "0.001", "flat_price": "5"},
            {"up_to": None, "unit_price": "0.0005", "flat_price": "0"},
        ],
        "free_units": "100",
    }


amounts = st.decimals(0, 10**9, places=10)
positive = st.decimals(D("0.0000000001"), 10**9, places=10)


@st.composite
def tiereds(draw: st.DrawFn) -> Tiered:
    bounds: list[D | None] = sorted(draw(st.sets(positive, min_size=1, max_size=5)))  # type: ignore[assignment]
    if draw(st.booleans()):
        bounds[-1] = None
    blocks = st.none() | positive
    tiers = tuple(Tier(bound, draw(amounts), draw(amounts), draw(blocks)) for bound in bounds)
    return Tiered(draw(st.sampled_from([TierMode.GRADUATED, TierMode.VOLUME])), tiers, draw(st.booleans()))


models = st.one_of(
    st.builds(Fixed, amounts, amounts),
    st.builds(PerUnit, amounts),
    tiereds(),
    st.builds(Package, positive, amounts, st.sampled_from(list(PackageRounding))),
    st.builds(Percentage, amounts, amounts, st.none() | st.integers(0, 1000), st.none() | amounts),
)


@given(models, amounts, st.none() | amounts)
def test_every_price_comes_back_from_its_json(model: Any, free: D, minimum: D | None) -> None:
    free_units = D(0) if isinstance(model, Fixed | Percentage) else free
    price = Price(model, free_units, minimum)
    stored = json.loads(json.dumps(price_to_json(price)))
    assert price_from_json(stored) == price
