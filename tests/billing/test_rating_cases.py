"""The reference rating cases: facts from other products' public tests, each model mapped to our function.

`AGENTMART_RATING_CASES` may name another file of the same form. Every key of a case's `expected` is compared; a
model that is neither mapped nor listed as waiting fails.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agentmart.billing import proration
from agentmart.billing.aggregation import weighted_average
from agentmart.billing.percentage import Events
from agentmart.billing.plan_change import PlanChange, change_plan, change_seats
from agentmart.billing.proration import Share, share_of
from agentmart.billing.rating import Discount, rate, rate_increment, rate_line
from agentmart.billing.tiers import graduated_events, package_count, volume_at_level
from agentmart.billing.waterfall import Rated, StepKind, total
from agentmart.catalog.pricing import (
    Fixed,
    Model,
    Package,
    PackageRounding,
    Percentage,
    PerUnit,
    Price,
    Tier,
    Tiered,
    TierMode,
)
from agentmart.kit.money import CONTEXT, round_money, to_minor
from agentmart.kit.periods import Period, days_between, instant

D = Decimal
Input = dict[str, Any]
Answer = dict[str, Any]

CASES_FILE = Path(
    os.environ.get("AGENTMART_RATING_CASES") or Path(__file__).parent.parent / "data" / "rating-cases.json"
)
CASES: list[dict[str, Any]] = json.loads(CASES_FILE.read_text(encoding="utf-8"))

CENTS = "USD"  # cases in cents that name no currency: two places


# --- rating ----------------------------------------------------------------------------------------------------
def _tiers(rows: list[Input]) -> tuple[Tier, ...]:
    """Tiers of a case; `rate` is a percentage as the unit price."""
    return tuple(
        Tier(
            None if row["up_to"] is None else D(row["up_to"]),
            D(row["unit"]) if "unit" in row else D(row["rate"]) / 100,
            D(row["flat"]),
        )
        for row in rows
    )


def _blocks(rows: list[Input]) -> tuple[Tier, ...]:
    """Tiers of blocks: capacities become cumulative bounds."""
    bound, tiers = D(0), []
    for row in rows:
        bound += D(row["block"]) * row["max_blocks"]
        tiers.append(Tier(bound, D(row["price"]), block=D(row["block"])))
    return tuple(tiers)


def _price(given: Input, model: Model) -> Price:
    minimum, maximum = given.get("minimum_spend"), given.get("maximum_spend")
    return Price(
        model,
        free_units=D(given.get("free_units", 0)),
        minimum=None if minimum is None else D(minimum),
        maximum=None if maximum is None else D(maximum),
    )


def _package(given: Input) -> Package:
    rounding = PackageRounding(given.get("round", "up"))
    return Package(D(given["package_size"]), D(given["package_amount"]), rounding)


def _answer(rated: Rated) -> Answer:
    """An amount, what it was topped up or cut by, and the amount of every tier."""
    assert total(step.amount for step in rated.steps) == rated.amount
    return {
        "amount": rated.amount,
        "true_up": rated.of_kind(StepKind.MINIMUM),
        "discount": -rated.of_kind(StepKind.MAXIMUM),
        "lines": [step.amount for step in rated.steps if step.kind is StepKind.TIER],
    }


def per_unit(given: Input) -> Answer:
    return _answer(rate(_price(given, PerUnit(D(given["unit_amount"]))), D(given["quantity"])))


def graduated(given: Input) -> Answer:
    model = Tiered(TierMode.GRADUATED, _tiers(given["tiers"]))
    return _answer(rate(_price(given, model), D(given["quantity"])))


def volume(given: Input) -> Answer:
    model = Tiered(TierMode.VOLUME, _tiers(given["tiers"]))
    return _answer(rate(_price(given, model), D(given["quantity"])))


def volume_prorated(given: Input) -> Answer:
    model = Tiered(TierMode.VOLUME, _tiers(given["tiers"]))
    steps = volume_at_level(model, D(given["full_quantity"]), D(given["prorated_quantity"]))
    return {"amount": total(step.amount for step in steps)}


def graduated_blocks(given: Input) -> Answer:
    return _answer(rate(Price(Tiered(TierMode.GRADUATED, _blocks(given["tiers"]))), D(given["quantity"])))


def volume_blocks(given: Input) -> Answer:
    return _answer(rate(Price(Tiered(TierMode.VOLUME, _blocks(given["tiers"]))), D(given["quantity"])))


def _increment(given: Input, model: Model) -> Answer:
    billed = given.get("already_billed_amount")
    return _answer(
        rate_increment(
            _price(given, model),
            D(given["already_billed_quantity"]),
            D(given["new_quantity"]),
            billed_before=None if billed is None else D(billed),
            final=bool(given.get("last_in_period", False)),
        )
    )


def graduated_incremental(given: Input) -> Answer:
    return _increment(given, Tiered(TierMode.GRADUATED, _tiers(given["tiers"])))


def package_incremental(given: Input) -> Answer:
    return _increment(given, _package(given))


def package(given: Input) -> Answer:
    return _answer(rate(_price(given, _package(given)), D(given["quantity"])))


def packages(given: Input) -> Answer:
    free = D(given.get("free_units", 0))
    quantity = max(D(0), D(given["quantity"]) - free)
    rounding = PackageRounding(given.get("round", "up"))
    return {"packages": package_count(quantity, D(given["package_size"]), rounding)}


def percentage(given: Input) -> Answer:
    free_amount = given.get("free_amount")
    model = Percentage(
        D(given["rate"]),
        D(given["fixed_per_event"]),
        free_events=given.get("free_events"),
        free_amount=None if free_amount is None else D(free_amount),
    )
    totals = tuple(D(value) for value in given["running_totals"])
    return _answer(rate(_price({}, model), D(given["units"]), events=Events(given["events"], totals)))


def percentage_per_event(given: Input) -> Answer:
    low, high = given.get("min"), given.get("max")
    model = Percentage(
        D(given["rate"]),
        D(given["fixed_per_event"]),
        min_per_event=None if low is None else D(low),
        max_per_event=None if high is None else D(high),
    )
    values = tuple(D(value) for value in given["events"])
    return _answer(rate(Price(model), sum(values, D(0)), events=Events(len(values), values=values)))


def cost_plus(given: Input) -> Answer:
    line = rate_line(Price(PerUnit(D(given["multiplier"]))), D(given["value"]), given["currency"])
    return {"amount": line.amount}


def prorated_events(given: Input) -> Answer:
    units = [D(value) for value in given["event_units"]]
    shares = [D(value) for value in given["event_prorated_units"]]
    return {"amount": round_money(graduated_events(_tiers(given["tiers"]), units, shares), "USD")}


# --- aggregation, minimum, credit ------------------------------------------------------------------------------
def weighted_sum(given: Input) -> Answer:
    period = Period(*(_moment(text) for text in given["period"]))
    changes = [(_moment(at), D(value)) for at, value in given["events"]]
    units = weighted_average(period, D(given["initial"]), changes)
    line = rate_line(Price(PerUnit(D(given["unit_amount"]))), units, CENTS)
    return {"units": units, "amount_cents": to_minor(line.amount, CENTS), "amount": line.amount}


def minimum_true_up(given: Input) -> Answer:
    missing = proration.minimum_true_up(D(given["min_amount_cents"]), D(given["used_amount_cents"]))
    return {"true_up_cents": missing}


def credit_cap(given: Input) -> Answer:
    paid, earlier = D(given["original_paid"]), D(given["previous_credits"])
    return {"credit": proration.capped_credit(D(given["potential_credit"]), paid, earlier)}


# --- proration -------------------------------------------------------------------------------------------------
def _amount(given: Input, exact: Decimal) -> Answer:
    """The rounded amount in the unit that the case is written in."""
    if "amount_cents" in given:
        return {"amount_cents": to_minor(exact / 100, CENTS)}
    return {"amount": round_money(exact, given.get("currency", CENTS))}


def trial_proration(given: Input) -> Answer:
    exact = proration.without_trial(D(given["amount_cents"]), given["period_days"], given["trial_days"])
    precise = CONTEXT.divide(exact, D(1)).quantize(D("1E-10"), rounding=ROUND_DOWN)
    return {"precise_cents": precise, **_amount(given, exact)}


def first_period(given: Input) -> Answer:
    amount = D(given["amount_cents"]) if "amount_cents" in given else D(given["amount"])
    exact = Share(given["billed_days"], given["period_days"], proration.Basis.DAY).of(amount)
    if "start" in given and "period_end" in given:  # the given day count is our own for the included last day
        assert (_date(given["period_end"]) - _date(given["start"])).days + 1 == given["billed_days"]
    return _amount(given, exact)


def time_ratio(given: Input) -> Answer:
    amount, used = D(given["amount"]), given["used_days"]
    # No used days means "not prorated" to the product the cases come from.
    exact = Share(used, given["period_days"]).of(amount) if used else amount
    return {"amount": round_money(exact, given["currency"])}


def ratio_days(given: Input) -> Answer:
    used = (_date(given["end_exclusive"]) - _date(given["start"])).days
    return {"ratio": proration.to_decimal(Fraction(used, given["period_days"]), given.get("scale", 9))}


def ratio_fixed(given: Input) -> Answer:
    start, end = _date(given["start"]), _date(given["end_exclusive"])
    ratio = proration.fixed_month_ratio(start, end, given.get("fixed_days", 30))
    return {"ratio": proration.to_decimal(ratio, 9)}


def billing_cycles(given: Input) -> Answer:
    start = _date(given["start"])
    end = _date(given.get("end_exclusive") or given["target"])
    cycles = proration.monthly_cycles(start, end, given["bill_cycle_day"])
    return {"cycles": cycles, "value": proration.to_decimal(cycles, 9)}


def calendar_days(given: Input) -> Answer:
    tz = given["timezone"]
    start, end = (datetime.fromisoformat(given[key]) for key in ("start_local", "end_local"))
    return {"days": days_between(instant(start, tz), instant(end, tz), tz)}


# --- changes ---------------------------------------------------------------------------------------------------
def immediate_change(given: Input) -> Answer:
    change = change_plan(
        D(given["old_amount"]),
        D(given["new_amount"]),
        given["currency"],
        unused=Share(given["old_remaining_days"], given["old_period_days"], proration.Basis.DAY),
        charged=Share(given["new_days"], given["new_period_days"], proration.Basis.DAY),
    )
    return _change(change)


def days_inclusive(given: Input) -> Answer:
    start, end = (_date(text) for text in given["period"])
    assert (end - start).days + 1 == given["period_days"]
    share = Share(given["remaining_days"], given["period_days"], proration.Basis.DAY)
    change = change_plan(
        D(given["old_unit"]) * given["old_quantity"],
        D(given["new_unit"]) * given["new_quantity"],
        given["currency"],
        unused=share,
        charged=share,
    )
    return _change(change)


def same_interval(given: Input) -> Answer:
    unused = _unused(given)
    return _change_cents(given, unused, unused)


def interval_change(given: Input) -> Answer:
    return _change_cents(given, _unused(given), None)


def _change_cents(given: Input, unused: Share, charged: Share | None) -> Answer:
    change = change_plan(
        D(given["old_amount_cents"]) / 100,
        D(given["new_amount_cents"]) / 100,
        CENTS,
        unused=unused,
        charged=charged,
        old_discount=_discount(given.get("old_discount")),
        new_discount=_discount(given.get("new_discount")),
    )
    credit, charge = to_minor(change.credit, CENTS), to_minor(change.charge, CENTS)
    return {"credit_cents": credit, "charge_cents": charge, "net_cents": charge - credit}


def seat_change(given: Input) -> Answer:
    current = D(given["current_price_cents"]) / 100
    pending = D(given["pending_price_cents"]) / 100 if "pending_price_cents" in given else current
    change = change_seats(
        current, given["old_seats"], given["new_seats"], CENTS, unused=_unused(given), next_price=pending
    )
    return {
        "proration_cents": abs(to_minor(change.due, CENTS)),
        "direction": "debit" if change.due >= 0 else "credit",
        "next_cycle_cents": to_minor(change.next_cycle, CENTS),
    }


def _change(change: PlanChange) -> Answer:
    return {
        "credit": change.credit,
        "charge": change.charge,
        "net": change.net,
        "account_credit": change.account_credit,
    }


def _discount(given: list[Any] | None) -> Discount | None:
    if given is None:
        return None
    kind, value = given
    return Discount(percent=D(value)) if kind == "percent" else Discount(amount=D(value) / 100)


def _unused(given: Input) -> Share:
    """The unused share of the period, by seconds, or the ratio that the case gives."""
    if "ratio" in given:
        used, full = given["ratio"].split("/")
        return Share(int(used), int(full))
    full = Period(_moment(given["period_start"]), _moment(given["period_end"]))
    change = _moment(given["change_at"])
    return share_of(Period(change, full.end), full) if change < full.end else Share(0, full.seconds)


def currency_rounding(given: Input) -> Answer:
    amount = D(given["amount"])
    if "unit_price" in given:  # the same amount by way of a line
        line = rate_line(Price(PerUnit(D(given["unit_price"]))), D(given["quantity"]), given["currency"])
        assert line.exact == amount
        assert line.amount == round_money(amount, given["currency"])
    fixed = rate_line(Price(Fixed(amount)), D(0), given["currency"])
    return {"amount": fixed.amount}


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


MAPPED: dict[str, Callable[[Input], Answer]] = {
    "per_unit": per_unit,
    "graduated": graduated,
    "volume": volume,
    "volume_prorated": volume_prorated,
    "graduated_incremental": graduated_incremental,
    "package_incremental": package_incremental,
    "package": package,
    "package_count": packages,
    "volume_blocks": volume_blocks,
    "graduated_blocks": graduated_blocks,
    "percentage": percentage,
    "percentage_per_event_min_max": percentage_per_event,
    "graduated_percentage": graduated,
    "cost_plus_multiplier": cost_plus,
    "graduated_prorated_events": prorated_events,
    "weighted_sum": weighted_sum,
    "minimum_true_up": minimum_true_up,
    "credit_cap": credit_cap,
    "trial_proration_days": trial_proration,
    "first_period_days": first_period,
    "proration_time_ratio": time_ratio,
    "proration_ratio_days": ratio_days,
    "proration_ratio_fixed30": ratio_fixed,
    "billing_cycles_in_advance_monthly": billing_cycles,
    "calendar_days_in_timezone": calendar_days,
    "plan_change_immediate_days": immediate_change,
    "proration_days_inclusive": days_inclusive,
    "plan_change_same_interval_seconds": same_interval,
    "plan_change_interval_change_seconds": interval_change,
    "plan_change_with_discount": same_interval,
    "seat_change_with_pending_plan_change": seat_change,
    "round_to_currency": currency_rounding,
}

_NOTES = "not yet built: credit notes come with invoices and tax"
_FIGURES = "not yet built: business figures come with the reports"
_UNSEEN = "not yet mapped: no case of it in the sample, so the names of its input are unknown"
WAITING: dict[str, str] = {
    "credit_note_tax_rounding": _NOTES,
    "credit_note_sequence": _NOTES,
    "termination_credit_note": _NOTES,
    "termination_refund_split": _NOTES,
    "invoice_numbering": "not yet built: numbers are assigned when invoices are finalized",
    "mrr": _FIGURES,
    "mrr_normalisation": _FIGURES,
    "mrr_monthly_series": _FIGURES,
    "mrr_fx": _FIGURES,
    "arpu": _FIGURES,
    "churn_rate_rolling_30d": _FIGURES,
    "churn_rate_month": _FIGURES,
    "churn_rate_year": _FIGURES,
    "revenue": _FIGURES,
    "upgrade_credit_days": _UNSEEN,
    "upgrade_charge_days": _UNSEEN,
    "downgrade_at_period_end": _UNSEEN,
    "termination_days": _UNSEEN,
    "cancellation_credit_days": _UNSEEN,
    "unused_time_credit_seconds": _UNSEEN,
    "quantity_rounding": _UNSEEN,
    "precise_unit_amount": _UNSEEN,
}


def same(expected: Any, actual: Any) -> bool:
    """Whether an expected JSON value is the computed one: numbers by value, "1+3/31" as a sum, lists in order."""
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(actual, Fraction):
        return sum((Fraction(part) for part in expected.split("+")), Fraction(0)) == actual
    if isinstance(actual, Decimal | int):
        return D(str(expected)) == actual
    return bool(expected == actual)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['model']}" for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    model = case["model"]
    if model in WAITING:
        pytest.skip(WAITING[model])
    assert model in MAPPED, f"no function is mapped to the model {model}"
    answer = MAPPED[model](case["input"])
    missing = set(case["expected"]) - set(answer)
    assert not missing, f"not computed: {missing}"
    wrong = {
        key: (value, answer[key]) for key, value in case["expected"].items() if not same(value, answer[key])
    }
    assert not wrong, f"(expected, computed): {wrong}"


def test_no_model_is_both_mapped_and_waiting() -> None:
    assert not set(MAPPED) & set(WAITING)


def test_the_sample_is_complete() -> None:
    """The copy in the repository holds every case; none was left out because it was awkward."""
    own = json.loads(
        (Path(__file__).parent.parent / "data" / "rating-cases.json").read_text(encoding="utf-8")
    )
    assert len(own) == 82
    assert sum(case["model"] in MAPPED for case in own) == 70
    assert {case["model"] for case in own} <= set(MAPPED) | set(WAITING)


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        ("3.0", D(3), True),
        (3, D("3.00"), True),
        ("3.01", D(3), False),
        ("1+3/31", Fraction(34, 31), True),
        ("1+4/31", Fraction(34, 31), False),
        (["1", "2"], [D(1), D(2)], True),
        (["1"], [D(1), D(2)], False),
        ("debit", "credit", False),
    ],
)
def test_the_comparison_can_fail(expected: Any, actual: Any, equal: bool) -> None:
    assert same(expected, actual) is equal


def test_a_wrong_price_breaks_the_cases() -> None:
    """Guard against a mapping that would pass whatever the engine says."""
    case = next(case for case in CASES if case["model"] == "graduated")
    tiers = _tiers(case["input"]["tiers"])
    dearer = Tiered(TierMode.GRADUATED, (replace(tiers[0], flat_price=tiers[0].flat_price + 1), *tiers[1:]))
    answer = _answer(rate(Price(dearer), D(case["input"]["quantity"])))
    assert not same(case["expected"]["amount"], answer["amount"])
