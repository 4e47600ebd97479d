"""Currencies and rounding: exact ties, every exponent, no float, no dependence on the thread's context."""

from __future__ import annotations

import decimal
from decimal import Decimal as D
from functools import reduce
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.kit.errors import Invalid
from agentmart.kit.money import (
    CONTEXT,
    CURRENCIES,
    Money,
    decimal_text,
    exact,
    from_minor,
    minor_digits,
    money_text,
    round_money,
    to_minor,
)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("1.23556789", "USD", "1.24"),
        ("0.005", "USD", "0.01"),
        ("0.015", "USD", "0.02"),
        ("0.025", "USD", "0.03"),  # half-even would give 0.02
        ("2.675", "EUR", "2.68"),
        ("-0.005", "USD", "-0.01"),
        ("0.004999999999", "USD", "0.00"),
        ("0.5", "JPY", "1"),
        ("1234.4999", "JPY", "1234"),
        ("1.0005", "KWD", "1.001"),
        ("1.00005", "CLF", "1.0001"),
        ("99", "USD", "99.00"),
        ("1E+3", "USD", "1000.00"),
        ("123456789012345678901234567890.125", "USD", "123456789012345678901234567890.13"),
        ("9" * 39 + ".995", "USD", "1" + "0" * 39 + ".00"),
        ("9" * 60 + ".005", "USD", "9" * 60 + ".01"),
    ],
)
def test_round_money(amount: str, currency: str, rounded: str) -> None:
    assert str(round_money(D(amount), currency)) == rounded


def test_a_rounded_negative_trifle_has_no_sign() -> None:
    assert str(round_money(D("-0.001"), "USD")) == "0.00"


def test_rounding_ignores_the_context_of_the_thread() -> None:
    seen: list[str] = []

    def work() -> None:
        with decimal.localcontext(prec=3, rounding=decimal.ROUND_DOWN):
            seen.append(str(round_money(D("12345.675"), "USD")))
            seen.append(str((Money(D("12345.675"), "USD") + Money(D("0.000001"), "USD")).amount))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["12345.68", "12345.675001"]


def test_shares_that_make_a_tie_are_rounded_as_the_tie() -> None:
    sixth = CONTEXT.divide(D("0.005"), D(6))
    sixths = reduce(CONTEXT.add, [sixth] * 6)
    assert sixths < D("0.005")
    assert round_money(sixths, "USD") == D("0.01")
    assert round_money(D("0.00499999999999999999999999999"), "USD") == 0


@pytest.mark.parametrize("value", [1.5, 0.0, True, None, [1]])
def test_what_is_not_exact_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="are Decimal, int or text, not"):
        round_money(value, "USD")
    with pytest.raises(TypeError):
        Money(value, "USD")


@pytest.mark.parametrize("value", ["", "abc", "NaN", "Infinity", "-Infinity", "sNaN", "1,5", D("NaN")])
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="number"):
        exact(value)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [
        ("USD", 2),
        ("EUR", 2),
        ("JPY", 0),
        ("ISK", 0),
        ("KRW", 0),
        ("KWD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("HUF", 2),
    ],
)
def test_minor_digits(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("currency", ["usd", "", "XXX", "US", "USDT"])
def test_an_unknown_currency_is_refused_by_field(currency: str) -> None:
    with pytest.raises(Invalid) as refusal:
        minor_digits(currency)
    assert refusal.value.field == "currency"
    assert refusal.value.code == "unknown_currency"


def test_every_code_has_three_capitals() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCIES)
    assert len(CURRENCIES) == 166


@pytest.mark.parametrize(
    ("amount", "currency", "minor"), [("12.345", "USD", 1235), ("12.5", "JPY", 13), ("-1.0005", "KWD", -1001)]
)
def test_to_minor(amount: str, currency: str, minor: int) -> None:
    assert to_minor(D(amount), currency) == minor


def test_from_minor_keeps_the_places() -> None:
    assert str(from_minor(9900, "USD")) == "99.00"
    assert str(from_minor(99, "JPY")) == "99"
    assert str(from_minor(-5, "KWD")) == "-0.005"
    with pytest.raises(TypeError):
        from_minor(D("1"), "USD")  # type: ignore[arg-type]


@given(st.integers(-(10**20), 10**20), st.sampled_from(sorted(CURRENCIES)))
def test_minor_units_survive_the_way_there_and_back(minor: int, currency: str) -> None:
    assert to_minor(from_minor(minor, currency), currency) == minor


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
def test_rounding_moves_by_half_a_cent_at_most(amount: D) -> None:
    assert abs(round_money(amount, "USD") - amount) <= D("0.005")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1200", "1200"),
        ("0.00002", "0.00002"),
        ("1E+3", "1000"),
        ("2E-5", "0.00002"),
        ("99.00", "99"),
        ("-0", "0"),
    ],
)
def test_decimal_text(value: str, text: str) -> None:
    assert decimal_text(D(value)) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [("99", "USD", "99.00"), ("0.00002", "USD", "0.00002"), ("1E3", "JPY", "1000"), ("1.5", "KWD", "1.500")],
)
def test_money_text(value: str, currency: str, text: str) -> None:
    assert money_text(D(value), currency) == text


def test_money_adds_in_one_currency_only() -> None:
    due = Money(D("99"), "USD") + Money(D("0.335"), "USD") - Money(D("1"), "USD")
    assert due == Money(D("98.335"), "USD")
    assert -due == Money(D("-98.335"), "USD")
    assert str(due.rounded()) == "98.34 USD"
    assert due.minor() == 9834
    with pytest.raises(ValueError, match="USD and EUR cannot be added"):
        due + Money(D(1), "EUR")
    with pytest.raises(Invalid):
        Money(D(1), "DOGE")
