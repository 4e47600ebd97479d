"""Rating: the decided rules where vendors differ, the waterfall, refusals, and laws that hold for all prices."""

from __future__ import annotations

import decimal
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentmart.billing.aggregation import Aggregation, Reading, aggregate, weighted_average
from agentmart.billing.percentage import Events
from agentmart.billing.plan_change import change_plan, change_seats
from agentmart.billing.proration import Basis, Share, capped_credit, prorate, share_of
from agentmart.billing.rating import (
    Discount,
    NegativeQuantity,
    finish_line,
    rate,
    rate_increment,
    rate_line,
)
from agentmart.billing.tiers import QuantityBeyondTiers, graduated_events, volume_at_level
from agentmart.billing.waterfall import StepKind, total
from agentmart.catalog.pricing import (
    Fixed,
    Package,
    Percentage,
    PerUnit,
    Price,
    Tier,
    Tiered,
    TierMode,
)
from agentmart.kit.money import CONTEXT, round_money
from agentmart.kit.periods import Period, month

GRADUATED, VOLUME = TierMode.GRADUATED, TierMode.VOLUME
TIERS = (Tier(D(10), D(2), D(7)), Tier(D(20), D(1), D(3)), Tier(None, D("0.5")))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def amount(mode: TierMode, quantity: str, tiers: tuple[Tier, ...] = TIERS, **options: Any) -> D:
    return rate(Price(Tiered(mode, tiers, **options)), D(quantity)).amount


# --- decided rules ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [GRADUATED, VOLUME])
def test_zero_usage_owes_the_first_flat_price_unless_switched_off(mode: TierMode) -> None:
    assert amount(mode, "0") == 7
    assert amount(mode, "0", flat_at_zero=False) == 0
    assert amount(mode, "0.001", flat_at_zero=False) == D("7.002")


@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"),
    [
        ("10", "27", "27"),
        ("10.001", "30.001", "13.001"),  # the thousandth lies in the second tier, with its flat price
        ("20", "40", "23"),
        ("20.5", "40.25", "10.25"),
        ("9.999", "26.998", "26.998"),
    ],
)
def test_a_bound_belongs_to_its_tier_and_a_fraction_above_to_the_next(
    quantity: str, graduated: str, volume: str
) -> None:
    assert amount(GRADUATED, quantity) == D(graduated)
    assert amount(VOLUME, quantity) == D(volume)


@pytest.mark.parametrize("mode", [GRADUATED, VOLUME])
def test_a_finite_last_bound_is_valid_up_to_itself(mode: TierMode) -> None:
    tiers = (Tier(D(5), D(1)),)
    assert amount(mode, "5", tiers) == 5
    with pytest.raises(QuantityBeyondTiers, match=r"up to 5, not 5\.01; add an open last tier") as refusal:
        amount(mode, "5.01", tiers)
    assert refusal.value.extra == {"quantity": "5.01", "up_to": "5"}


def test_free_units_come_off_before_the_tiers() -> None:
    price = Price(Tiered(GRADUATED, TIERS), free_units=D(100))
    assert rate(price, D(112)).amount == 7 + 20 + 3 + 2
    assert rate(price, D(40)).amount == 7  # nothing chargeable is zero usage
    assert [step.kind for step in rate(price, D(40)).steps] == [StepKind.FREE, StepKind.TIER]


def test_minimum_and_maximum() -> None:
    price = Price(PerUnit(D(1)), minimum=D(10), maximum=D(20))
    assert [rate(price, D(quantity)).amount for quantity in (3, 10, 15, 20, 33)] == [10, 10, 15, 20, 20]
    assert rate(price, D(3)).of_kind(StepKind.MINIMUM) == 7
    assert rate(price, D(33)).of_kind(StepKind.MAXIMUM) == -13


def test_a_fixed_price_ignores_the_quantity() -> None:
    assert rate(Price(Fixed(D(9), D(5))), D(1000)).amount == 45


def test_blocks_are_charged_when_started() -> None:
    tiers = (Tier(D(1000), D(3), block=D(100)), Tier(None, D(2), block=D(500)))
    assert amount(GRADUATED, "101", tiers) == 6
    assert amount(GRADUATED, "1001", tiers) == 30 + 2
    assert amount(VOLUME, "1001", tiers) == 3 * 2


def test_prorated_units_pay_at_the_tier_of_the_full_units() -> None:
    steps = volume_at_level(Tiered(VOLUME, TIERS), D(15), D("7.5"))
    assert total(step.amount for step in steps) == D("10.5")  # 7.5 × 1 + 3, although 7.5 alone is tier one


def test_an_increment_goes_on_where_the_last_bill_stopped() -> None:
    price = Price(Tiered(GRADUATED, TIERS), minimum=D(100))
    assert rate_increment(price, D(8), D(4), final=False).amount == 4 + 5
    assert rate_increment(price, D(8), D(4)).amount == 100 - 23
    assert rate_increment(price, D(8), D(4), billed_before=D(50)).amount == 50


def test_events_walk_up_and_down_the_tiers() -> None:
    tiers = (Tier(D(5), D(10), D(100)), Tier(None, D(5), D(50)))
    whole = [D(4), D(2), D(-3)]
    assert graduated_events(tiers, whole, whole) == 40 + 15 - 25 + 150
    assert graduated_events(tiers, [D(5)], [D(5)]) == 150  # the bound does not reach the second tier
    back = [D(6), D(-4), D(-1)]  # the second tier was reached, so its flat price stays due
    assert graduated_events(tiers, back, back) == 55 - 35 - 10 + 150
    with pytest.raises(QuantityBeyondTiers):
        graduated_events(tiers[:1], [D(6)], [D(6)])


@pytest.mark.parametrize(
    ("free_events", "free_amount", "amount"),
    [
        (None, None, "13"),  # 500 × 1 % + 4 × 2
        (2, None, "7.5"),  # 150 free, two events
        (2, D(100), "10"),  # 100 free, and one event: the second passes 100
        (None, D(150), "9.5"),  # the second event's total is not below 150: it pays its fixed part
        (9, None, "0"),
        (0, None, "13"),
        (None, D(0), "13"),
    ],
)
def test_free_events_and_amounts(free_events: int | None, free_amount: D | None, amount: str) -> None:
    price = Price(Percentage(D(1), D(2), free_events, free_amount))
    events = Events(4, (D(50), D(150), D(400), D(500)))
    assert rate(price, D(500), events=events).amount == D(amount)


def test_a_percentage_with_events_needs_them() -> None:
    assert rate(Price(Percentage(D("2.5"))), D(200)).amount == 5
    with pytest.raises(ValueError, match="needs the events"):
        rate(Price(Percentage(D(1), D(2))), D(200))
    with pytest.raises(ValueError, match="running totals of 2 events"):
        rate(Price(Percentage(D(1), free_events=2)), D(200), events=Events(3, (D(1),)))
    with pytest.raises(ValueError, match="all 3 values"):
        rate(Price(Percentage(D(1), min_per_event=D(1))), D(200), events=Events(3))


# --- lines -----------------------------------------------------------------------------------------------------
def test_a_line_is_discounted_then_prorated_then_rounded() -> None:
    line = rate_line(
        Price(Fixed(D("99.99"))), D(0), "USD", discount=Discount(amount=D(9)), share=Share(10, 31)
    )
    assert line.amount == D("29.35")  # (99.99 − 9) × 10/31 = 29.3516…; the other way round it would be 23.25
    assert line.to_json() == {
        "currency": "USD",
        "quantity": "0",
        "amount": "29.35",
        "steps": [
            {"kind": "fixed", "quantity": "1", "unit_price": "99.99", "amount": "99.99"},
            {"kind": "discount", "amount": "-9"},
            {
                "kind": "proration",
                "used": 10,
                "full": 31,
                "basis": "second",
                "amount": "-61.638387096774",
            },
            {"kind": "rounding", "amount": "-0.001612903226"},
        ],
    }


def test_the_waterfall_of_tiers_can_be_stored_and_recomputed() -> None:
    line = rate_line(Price(Tiered(GRADUATED, TIERS)), D("25.003"), "JPY")
    stored = json.loads(json.dumps(line.to_json()))
    assert stored["amount"] == "43"
    assert stored["steps"] == [
        {
            "kind": "tier",
            "tier": 1,
            "from": "0",
            "up_to": "10",
            "quantity": "10",
            "unit_price": "2",
            "flat": "7",
            "amount": "27",
        },
        {
            "kind": "tier",
            "tier": 2,
            "from": "10",
            "up_to": "20",
            "quantity": "10",
            "unit_price": "1",
            "flat": "3",
            "amount": "13",
        },
        {
            "kind": "tier",
            "tier": 3,
            "from": "20",
            "up_to": None,
            "quantity": "5.003",
            "unit_price": "0.5",
            "flat": "0",
            "amount": "2.5015",
        },
        {"kind": "rounding", "amount": "0.4985"},
    ]
    again = sum(
        Fraction(step["quantity"]) * Fraction(step["unit_price"]) + Fraction(step["flat"])
        for step in stored["steps"]
        if step["kind"] == "tier"
    )
    assert again == Fraction(str(line.exact))


def test_a_package_step_says_how_many() -> None:
    (step,) = rate(Price(Package(D(1000), D("1.5"))), D(1001)).steps
    assert step.to_json() == {
        "kind": "package",
        "quantity": "1001",
        "unit_price": "1.5",
        "size": "1000",
        "packages": 2,
        "rounding": "up",
        "amount": "3",
    }


def test_sub_cent_prices_multiply_first_and_round_last() -> None:
    assert rate_line(Price(PerUnit(D("0.0000015"))), D(3_333_333), "USD").amount == D("5.00")
    assert rate_line(Price(PerUnit(D("0.005"))), D(1), "USD").amount == D("0.01")
    assert rate_line(Price(PerUnit(D("0.005"))), D(5), "USD").amount == D("0.03")  # half-even gives 0.02


def test_the_context_of_the_thread_does_not_matter() -> None:
    with decimal.localcontext(prec=2, rounding=decimal.ROUND_DOWN):
        line = rate_line(Price(Tiered(GRADUATED, TIERS)), D("12345.678"), "USD", share=Share(1, 3))
        assert graduated_events(TIERS, [D("12345.678")], [D("12345.678")]) == D("6202.839")
    assert line.amount == D("2067.61")


@pytest.mark.parametrize("quantity", [1.5, True, None])
def test_a_quantity_must_be_exact(quantity: Any) -> None:
    with pytest.raises(TypeError):
        rate(Price(PerUnit(D(1))), quantity)


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(NegativeQuantity, match="-3 cannot be priced"):
        rate(Price(PerUnit(D(1))), D(-3))


@pytest.mark.parametrize(
    "fields",
    [{}, {"percent": D(1), "amount": D(1)}, {"percent": D(101)}, {"percent": D(-1)}, {"amount": D(-1)}],
)
def test_impossible_discounts_are_refused(fields: dict[str, D]) -> None:
    with pytest.raises(ValueError, match="discount"):
        Discount(**fields)


def test_a_discount_takes_off_no_more_than_there_is() -> None:
    line = finish_line(rate(Price(Fixed(D(5))), D(0)), "USD", discount=Discount(amount=D(8)))
    assert line.amount == 0


# --- time ------------------------------------------------------------------------------------------------------
def test_proration_by_seconds_and_by_days_across_a_clock_change() -> None:
    march = month(2026, 3, "Europe/Berlin")  # 743 hours
    used = Period(utc("2026-03-28T23:00"), march.end)  # from the 29th, local; the 29th has 23 hours
    assert share_of(used, march) == Share(71 * 3600, 743 * 3600)
    assert share_of(used, march, Basis.DAY, "Europe/Berlin") == Share(3, 31, Basis.DAY)
    assert round_money(prorate(D(31), used, march, Basis.DAY, "Europe/Berlin"), "EUR") == 3
    assert round_money(prorate(D(31), used, march), "EUR") == D("2.96")


def test_what_lies_outside_the_period_does_not_count() -> None:
    october = month(2026, 10)
    assert prorate(D(99), Period(utc("2026-09-01"), utc("2027-01-01")), october) == 99
    assert prorate(D(99), Period(utc("2026-09-01"), october.start), october) == 0


def test_a_share_must_make_sense() -> None:
    for used, full in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="no share of a period"):
            Share(used, full)
    minute = Period(utc("2026-10-01T10:00"), utc("2026-10-01T10:01"))
    with pytest.raises(ValueError, match="0 of 0 days"):
        share_of(minute, minute, Basis.DAY)


def test_a_plan_change_credits_the_old_and_charges_the_new() -> None:
    rest = Share(10, 30)
    upgrade = change_plan(D(30), D(90), "USD", unused=rest, charged=rest)
    assert [upgrade.credit, upgrade.charge, upgrade.net, upgrade.account_credit] == [10, 30, 20, 0]
    reset = change_plan(D(30), D(5), "USD", unused=rest, charged=None)
    assert [reset.credit, reset.charge, reset.net, reset.account_credit] == [10, 5, -5, 5]
    seats = change_seats(D(15), 10, 4, "USD", unused=rest, next_price=D(20))
    assert [seats.due, seats.next_cycle] == [-30, 80]
    assert capped_credit(D(300), D(200), D(250)) == 0


def test_aggregations() -> None:
    period = month(2026, 10)
    readings = [
        Reading(utc("2026-09-30T23:59:59"), D(100), "z"),
        Reading(utc("2026-10-01T00:00"), D(3), "a", "2"),
        Reading(utc("2026-10-11T00:00"), D(5), "b", "1"),
        Reading(utc("2026-10-11T00:00"), D(2), "a", "3"),
        Reading(utc("2026-11-01T00:00"), D(100), "y"),
    ]
    results = {how: aggregate(how, readings, period, initial=D(7)) for how in Aggregation}
    assert results == {
        Aggregation.SUM: 10,
        Aggregation.COUNT: 3,
        Aggregation.MAX: 5,
        Aggregation.UNIQUE: 2,
        Aggregation.LATEST: 2,  # of two at the same instant, the one with the later id
        Aggregation.WEIGHTED_SUM: round(10 + D(7) * 21 / 31, 10),
    }
    nothing = {how: aggregate(how, [], period, initial=D(7)) for how in Aggregation}
    assert [nothing[how] for how in Aggregation] == [0, 0, 0, 0, 7, 7]


def test_changes_before_the_period_count_for_all_of_it() -> None:
    period = month(2026, 4)
    changes = [(utc("2026-01-01"), D(4)), (utc("2026-04-16"), D(2)), (utc("2026-05-01"), D(99))]
    assert weighted_average(period, D(1), changes) == 6


# --- laws ------------------------------------------------------------------------------------------------------
quantities = st.decimals(0, 10**9, places=6)
prices = st.decimals(0, 1000, places=10)


@st.composite
def tier_lists(draw: st.DrawFn, flats: bool = True) -> tuple[Tier, ...]:
    bounds = sorted(draw(st.sets(st.decimals(D("0.001"), 10**6, places=3), max_size=5)))
    flat = prices if flats else st.just(D(0))
    return tuple(Tier(bound, draw(prices), draw(flat)) for bound in [*bounds, None])


@given(tier_lists(), quantities, st.sampled_from([GRADUATED, VOLUME]))
def test_steps_sum_to_the_amount_and_quantities_to_the_quantity(
    tiers: tuple[Tier, ...], quantity: D, mode: TierMode
) -> None:
    rated = rate(Price(Tiered(mode, tiers)), quantity)
    assert total(step.amount for step in rated.steps) == rated.amount
    assert total(step.quantity for step in rated.steps) == quantity
    assert all(step.quantity is not None and step.quantity >= 0 for step in rated.steps)


@given(tier_lists(), quantities)
def test_graduated_equals_an_independent_integral(tiers: tuple[Tier, ...], quantity: D) -> None:
    """Price × measure of each tier's interval, with fractions instead of decimals."""
    expected, low = Fraction(0), Fraction(0)
    for index, tier in enumerate(tiers):
        high = Fraction(str(quantity)) if tier.up_to is None else Fraction(str(tier.up_to))
        part = max(Fraction(0), min(high, Fraction(str(quantity))) - low)
        if part or index == 0:
            expected += part * Fraction(str(tier.unit_price)) + Fraction(str(tier.flat_price))
        low = high
    assert Fraction(str(amount(GRADUATED, str(quantity), tiers))) == expected


@given(tier_lists(), quantities, quantities)
def test_more_usage_never_costs_less(tiers: tuple[Tier, ...], one: D, other: D) -> None:
    less, more = sorted((one, other))
    assert amount(GRADUATED, str(less), tiers) <= amount(GRADUATED, str(more), tiers)
    package = Price(Package(D(7), D(3)), free_units=D(5))
    assert rate(package, less).amount <= rate(package, more).amount


@given(tier_lists(), quantities)
def test_graduated_and_volume_agree_in_the_first_tier(tiers: tuple[Tier, ...], quantity: D) -> None:
    first = tiers[0].up_to
    assume(first is None or quantity <= first)
    assert amount(GRADUATED, str(quantity), tiers) == amount(VOLUME, str(quantity), tiers)


@given(tier_lists(), quantities, quantities)
def test_two_bills_of_a_period_make_the_one_bill(tiers: tuple[Tier, ...], first: D, second: D) -> None:
    price = Price(Tiered(GRADUATED, tiers), free_units=D(10))
    later = rate_increment(price, first, second).amount
    assert CONTEXT.add(rate(price, first).amount, later) == rate(price, CONTEXT.add(first, second)).amount


@given(
    st.decimals(0, 10**9, places=4),
    st.lists(st.integers(1, 31 * 86_400 - 1), min_size=1, max_size=6, unique=True),
    st.sampled_from(list(Basis)),
)
def test_parts_of_a_period_add_up_to_the_whole_price(price: D, cuts: list[int], basis: Basis) -> None:
    october = month(2026, 10, "America/New_York")
    moments = [october.start + timedelta(seconds=cut) for cut in sorted(cuts)]
    bounds = [october.start, *moments, october.end]
    parts = [
        prorate(price, Period(start, end), october, basis, "America/New_York")
        for start, end in pairwise(bounds)
    ]
    assert abs(CONTEXT.subtract(total(parts), price)) < D("1E-60")
    assert round_money(total(parts), "USD") == round_money(price, "USD")


@given(
    tier_lists(),
    quantities,
    st.integers(0, 31),
    st.decimals(0, 100, places=2),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_the_steps_of_a_line_sum_to_its_rounded_amount(
    tiers: tuple[Tier, ...], quantity: D, days: int, percent: D, currency: str
) -> None:
    line = rate_line(
        Price(Tiered(GRADUATED, tiers), minimum=D("12.345")),
        quantity,
        currency,
        discount=Discount(percent=percent),
        share=Share(days, 31, Basis.DAY),
    )
    assert total(step.amount for step in line.steps) == line.amount
    assert line.amount == round_money(line.exact, currency)
    assert line.amount >= 0
