"""Lines of a month from plain facts: shares of time, usage, one-time charges, late usage, and words for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from uuid import UUID

import pytest

from agentmart.billing.explanation import in_words
from agentmart.billing.invoicing import (
    Billed,
    Component,
    Line,
    Ordered,
    PlanFacts,
    PlanUse,
    ResourceFacts,
    Unbillable,
    UnsupportedPlan,
    late_lines,
    month_lines,
    tax_of,
    unit_price_of,
)
from agentmart.billing.waterfall import StepKind, total
from agentmart.catalog.price_json import price_from_json
from agentmart.kit.periods import Period, month

MARCH = month(2026, 3)
FEBRUARY_START = datetime(2026, 2, 1, tzinfo=UTC)
RESOURCE = ResourceFacts(
    id=UUID(int=1),
    name="Helper 1",
    project_id=UUID(int=2),
    project_name="Project",
    provider_customer_id=UUID(int=3),
    offering_id=UUID(int=4),
    offering_name="Helper",
    offering_type="GSVAgents.Agent",
    service_provider_id=UUID(int=5),
    service_provider_name="Provider",
)
GRADUATED = {
    "tier_mode": "graduated",
    "tiers": [{"up_to": 100, "unit_price": "0.01"}, {"up_to": None, "unit_price": "0.003"}],
}


def component(kind: str, billing_type: str, price: dict[str, Any]) -> Component:
    parsed = price_from_json(price, fixed=billing_type != "usage")
    return Component(UUID(int=hash(kind) & 0xFFFF), kind, kind.title(), billing_type, "token", parsed)


def plan(*components: Component, currency: str = "USD", unit: str = "month", count: int = 1) -> PlanFacts:
    return PlanFacts(UUID(int=9), "Professional", unit, count, currency, components)


BASE = component("base", "fixed", {"price": "99.00"})
TOKENS = component("output_tokens", "usage", GRADUATED)


def use(facts: PlanFacts, *periods: Period, first: datetime | None = None, **quantities: int) -> PlanUse:
    sums = {kind: D(quantity) for kind, quantity in quantities.items()}
    return PlanUse(RESOURCE, facts, periods, first or (periods[0].start if periods else None), sums)


def amounts(lines: list[Line]) -> list[tuple[str, D]]:
    return [(line.component.type, line.amount) for line in lines]


@pytest.mark.parametrize(
    ("start", "end", "seconds", "amount"),
    [
        (FEBRUARY_START, MARCH.end, 2678400, "99.00"),
        (datetime(2026, 3, 10, 12, tzinfo=UTC), MARCH.end + timedelta(days=3), 1857600, "68.66"),
        (MARCH.start, datetime(2026, 3, 12, tzinfo=UTC), 950400, "35.13"),  # 99 × 11 ÷ 31 = 35.129…
        (MARCH.end - timedelta(seconds=136), MARCH.end + timedelta(days=1), 136, "0.01"),  # 0.005026…
        (MARCH.end - timedelta(seconds=135), MARCH.end, 135, "0.00"),  # 0.004989…
    ],
)
def test_a_fixed_component_is_prorated_by_seconds_and_rounded_once(
    start: datetime, end: datetime, seconds: int, amount: str
) -> None:
    (line,) = month_lines(MARCH, [use(plan(BASE), Period(start, end))])
    assert line.share is not None
    assert (line.share.used, line.share.full, line.amount) == (seconds, 2678400, D(amount))
    assert (line.period.start, line.period.end) == (max(start, MARCH.start), min(end, MARCH.end))
    assert total(step.amount for step in line.rated.steps) == line.amount


def test_eleven_of_thirty_days_are_not_rounded_before_they_are_multiplied() -> None:
    """A share rounded to two places first (0.37) would charge 36.63."""
    june = month(2026, 6)
    (line,) = month_lines(june, [use(plan(BASE), Period(june.start, datetime(2026, 6, 12, tzinfo=UTC)))])
    assert line.amount == D("36.30")


def test_parts_of_a_month_are_lines_of_their_own() -> None:
    cut = datetime(2026, 3, 11, tzinfo=UTC)
    again = datetime(2026, 3, 12, tzinfo=UTC)
    apart = month_lines(MARCH, [use(plan(BASE), Period(FEBRUARY_START, cut), Period(again, MARCH.end))])
    assert amounts(apart) == [("base", D("31.94")), ("base", D("63.87"))]
    touching = month_lines(MARCH, [use(plan(BASE), Period(FEBRUARY_START, cut), Period(cut, MARCH.end))])
    assert amounts(touching) == [("base", D("99.00"))]  # new limits cut the time, not the fee


def ordered(kind: str, *parts: tuple[datetime, datetime, int]) -> tuple[Ordered, ...]:
    """Limits of one component, period by period."""
    found: list[Ordered] = []
    for start, end, limit in parts:
        most = max((part.limits[kind] for part in found), default=D(0))
        found.append(Ordered(Period(start, end), {kind: D(limit)}, {kind: most}))
    return tuple(found)


@pytest.mark.parametrize("form", [{"price": "3.10"}, {"model": "fixed", "price": "3.10", "amount": "7"}])
def test_limits_are_prorated_by_the_time_each_was_in_force(form: dict[str, Any]) -> None:
    cut, later = datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 21, tzinfo=UTC)
    seats = replace(component("seats", "limit", {"price": "1"}), price=price_from_json(form))
    parts = ordered("seats", (FEBRUARY_START, cut, 10), (cut, later, 10), (later, MARCH.end, 20))
    facts = replace(use(plan(seats), Period(FEBRUARY_START, MARCH.end)), ordered=parts)
    lines = month_lines(MARCH, [facts])
    # 10 × 3.10 × 20 ÷ 31; 20 × 3.10 × 11 ÷ 31
    assert [(line.units, line.unit, line.amount) for line in lines] == [
        (D(10), "month", D("20.00")),
        (D(20), "month", D("22.00")),
    ]
    assert [line.period.start for line in lines] == [MARCH.start, later]
    assert [total(step.amount for step in line.rated.steps) for line in lines] == [D("20.00"), D("22.00")]


def test_limits_by_tiers_and_of_nothing() -> None:
    tiers = {
        "tier_mode": "volume",
        "tiers": [{"up_to": 5, "unit_price": "4"}, {"up_to": None, "unit_price": "3"}],
    }
    seats = replace(component("seats", "limit", {"price": "1"}), price=price_from_json(tiers))
    whole = Period(MARCH.start, MARCH.end)
    for limit, amounts_due in ((6, [D(18)]), (5, [D(20)]), (0, [])):
        parts = ordered("seats", (MARCH.start, MARCH.end, limit))
        lines = month_lines(MARCH, [replace(use(plan(seats), whole), ordered=parts)])
        assert [line.amount for line in lines] == amounts_due
    other = ordered("disks", (MARCH.start, MARCH.end, 5))
    assert month_lines(MARCH, [replace(use(plan(seats), whole), ordered=other)]) == []


def test_a_limit_for_the_whole_life_is_charged_once_and_for_what_it_is_raised_by() -> None:
    seats = replace(component("seats", "limit", {"price": "2"}), limit_period="total")
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (5, 10, 15, 20)]
    parts = ordered(
        "seats",
        (FEBRUARY_START, days[0], 4),
        (days[0], days[1], 10),
        (days[1], days[2], 3),
        (days[2], days[3], 10),
        (days[3], MARCH.end, 11),
    )
    lines = month_lines(MARCH, [replace(use(plan(seats), MARCH), ordered=parts)])
    assert [(line.units, line.unit, line.amount) for line in lines] == [
        (D(6), "quantity", D(12)),
        (D(1), "quantity", D(2)),
    ]


def test_every_switch_to_the_plan_is_charged() -> None:
    fee = component("change", "few", {"price": "15"})
    inside, before = datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC)
    facts = use(plan(fee, BASE), Period(before, MARCH.start), Period(inside, MARCH.end))
    lines = month_lines(MARCH, [replace(facts, switches=(before, inside))])
    assert amounts(lines)[0] == ("change", D(15))
    assert [(line.unit, line.units, line.period.start) for line in lines[:1]] == [("quantity", D(1), inside)]
    assert amounts(month_lines(MARCH, [facts])) == amounts(lines)[1:]


def test_tax_is_rounded_like_the_line() -> None:
    assert tax_of(D("10.05"), D("19"), "USD") == D("1.91")
    assert tax_of(D("-10.05"), D("19"), "USD") == D("-1.91")
    assert tax_of(D("1050"), D("7.7"), "JPY") == D(81)
    assert tax_of(D("10.05"), D(0), "USD") == D(0)


def test_periods_outside_the_month_and_of_no_length_charge_nothing() -> None:
    touching = Period(FEBRUARY_START, MARCH.start)
    instant = Period(MARCH.start + timedelta(microseconds=1), MARCH.start + timedelta(microseconds=2))
    assert month_lines(MARCH, [use(plan(BASE), touching, instant)]) == []


def test_a_free_base_is_no_line() -> None:
    free = component("base", "fixed", {"price": "0.00"})
    assert month_lines(MARCH, [use(plan(free), MARCH)]) == []


def test_several_units_of_a_fixed_component() -> None:
    seats = component("seats", "fixed", {"price": "10.00", "amount": 3})
    (line,) = month_lines(MARCH, [use(plan(seats), Period(datetime(2026, 3, 17, tzinfo=UTC), MARCH.end))])
    assert (line.amount, line.units, line.unit) == (D("14.52"), 3, "month")  # 30 × 15 ÷ 31


def test_usage_is_rated_whole_whatever_share_of_the_month_the_plan_was_in_force() -> None:
    facts = plan(TOKENS, component("requests", "usage", {"price": "0.01"}))
    half = Period(datetime(2026, 3, 16, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC))
    lines = month_lines(MARCH, [use(facts, half, output_tokens=250)])
    assert amounts(lines) == [("output_tokens", D("1.45"))]  # 100 × 0.01 + 150 × 0.003
    (line,) = lines
    assert (line.units, line.unit, line.period, line.share) == (250, "quantity", half, None)


def test_without_usage_only_what_costs_anyway_is_a_line() -> None:
    flat = component(
        "requests", "usage", {"tier_mode": "volume", "tiers": [{"up_to": None, "flat_price": "5"}]}
    )
    floor = component("input_tokens", "usage", {"price": "1", "minimum": "2.50"})
    lines = month_lines(MARCH, [use(plan(TOKENS, flat, floor), MARCH)])
    assert amounts(lines) == [("requests", D("5.00")), ("input_tokens", D("2.50"))]


def test_free_usage_is_shown() -> None:
    free = component("requests", "usage", {"price": "1", "free_units": 10})
    (line,) = month_lines(MARCH, [use(plan(free), MARCH, requests=4)])
    assert (line.amount, line.units, line.rated.steps[0].kind) == (D("0.00"), 4, StepKind.FREE)


def test_a_one_time_charge_falls_in_the_month_of_activation_only_once() -> None:
    fee = component("setup", "one", {"price": "50"})
    start = datetime(2026, 3, 10, tzinfo=UTC)
    lines = month_lines(MARCH, [use(plan(fee), Period(start, MARCH.end))])
    assert [(line.amount, line.share, line.unit) for line in lines] == [(D("50.00"), None, "quantity")]
    assert (
        month_lines(month(2026, 4), [use(plan(fee), Period(start, datetime(2027, 1, 1, tzinfo=UTC)))]) == []
    )
    changed = use(plan(fee), Period(datetime(2026, 3, 20, tzinfo=UTC), MARCH.end), first=start)
    assert month_lines(MARCH, [changed]) == []


def test_yen_have_no_cents() -> None:
    base = component("base", "fixed", {"price": "1001"})
    half = Period(MARCH.start, MARCH.start + timedelta(days=15, hours=12))
    assert amounts(month_lines(MARCH, [use(plan(base, currency="JPY"), half)])) == [("base", D("501"))]


def test_every_unsupported_plan_is_named() -> None:
    yearly = plan(BASE, unit="month", count=12)
    hourly = plan(BASE, unit="hour")
    with pytest.raises(UnsupportedPlan) as refusal:
        month_lines(MARCH, [use(yearly, MARCH), use(hourly, MARCH)])
    assert refusal.value.status == 409
    assert "charged per 12 × month" in refusal.value.message
    assert "charged per 1 × hour" in refusal.value.message
    assert "plan Professional (00000000000000000000000000000009) of Helper" in refusal.value.message


def test_corrections_below_zero_cannot_be_billed() -> None:
    with pytest.raises(
        Unbillable, match="Helper 1, plan Professional, Output_Tokens: A quantity of -1"
    ) as refusal:
        month_lines(MARCH, [use(plan(TOKENS), MARCH, output_tokens=-1)])
    assert refusal.value.code == "negative_quantity"
    with pytest.raises(Unbillable, match="Output_Tokens: A quantity of -2"):
        late_lines(MARCH, [use(plan(TOKENS), MARCH, output_tokens=-2)], {})


def test_a_quantity_beyond_the_last_tier_names_the_line() -> None:
    short = component(
        "requests", "usage", {"tier_mode": "graduated", "tiers": [{"up_to": 5, "unit_price": "1"}]}
    )
    with pytest.raises(
        Unbillable, match=r"Helper 1, plan Professional, Requests: The price covers .* up to 5, not 6"
    ):
        month_lines(MARCH, [use(plan(short), MARCH, requests=6)])


def test_late_usage_is_the_difference_to_one_bill_of_all() -> None:
    key = (RESOURCE.id, UUID(int=9), "output_tokens")
    billed = {key: Billed(D(101), D("1.00"), TOKENS.price)}  # 1.003 was rounded down
    (line,) = late_lines(MARCH, [use(plan(TOKENS), MARCH, output_tokens=103)], billed)
    assert (line.amount, line.units, line.late) == (D("0.01"), 2, True)  # 1.009 is 1.01 in one bill
    assert [step.kind for step in line.rated.steps] == [
        StepKind.TIER,
        StepKind.TIER,
        StepKind.ALREADY_RATED,
        StepKind.ROUNDING,
    ]
    assert total(step.amount for step in line.rated.steps) == line.amount
    assert late_lines(MARCH, [use(plan(TOKENS), MARCH, output_tokens=101)], billed) == []


def test_late_usage_keeps_the_price_it_was_first_rated_by() -> None:
    key = (RESOURCE.id, UUID(int=9), "output_tokens")
    old = price_from_json({"price": "1"})
    dearer = plan(component("output_tokens", "usage", {"price": "5"}))
    (line,) = late_lines(MARCH, [use(dearer, MARCH, output_tokens=3)], {key: Billed(D(1), D("1.00"), old)})
    assert (line.amount, line.price) == (D("2.00"), old)
    (line,) = late_lines(MARCH, [use(dearer, MARCH, output_tokens=3)], {})
    assert line.amount == D("15.00")


def test_unit_prices() -> None:
    prices = [BASE.price, TOKENS.price, price_from_json({"rate": "3"})]
    prices.append(price_from_json({"package_size": 1000, "price": "2"}))
    assert [unit_price_of(price) for price in prices] == [D("99.00"), D("0.01"), None, D("2")]


@pytest.mark.parametrize(
    ("price", "quantity", "text"),
    [
        (GRADUATED, 250, ["Tier 1 (from 0 up to 100): 100 tokens × 0.01 = 1 USD"]),
        (GRADUATED, 250, ["Tier 2 (above 100 and more): 150 tokens × 0.003 = 0.45 USD"]),
        ({"price": "0.5", "free_units": 2}, 5, ["2 tokens included = 0 USD", "3 tokens × 0.5 = 1.5 USD"]),
        ({"package_size": 1000, "price": "2"}, 1500, ["1500 tokens = 2 × 1000 at 2 each = 4 USD"]),
        ({"price": "1", "minimum": "9"}, 5, ["Topped up to the minimum = 4 USD"]),
        ({"price": "1", "maximum": "3"}, 5, ["Cut to the maximum = -2 USD"]),
        ({"price": "0.003"}, 1, ["Rounded half-up, once, to the currency's smallest unit = -0.003 USD"]),
    ],
)
def test_steps_in_words(price: dict[str, Any], quantity: int, text: list[str]) -> None:
    facts = plan(component("tokens", "usage", price))
    (line,) = month_lines(MARCH, [use(facts, MARCH, tokens=quantity)])
    told = [in_words(step.to_json(), unit="tokens", currency="USD") for step in line.rated.steps]
    assert [sentence for sentence in told if sentence in text] == text


def test_a_share_of_time_in_words() -> None:
    (line,) = month_lines(MARCH, [use(plan(BASE), Period(datetime(2026, 3, 16, 12, tzinfo=UTC), MARCH.end))])
    told = [in_words(step.to_json(), unit="", currency="USD") for step in line.rated.steps]
    assert told == [
        "1 × 99 per period = 99 USD",
        "In force for 1339200 of the period's 2678400 seconds, the rest is not charged = -49.5 USD",
    ]
