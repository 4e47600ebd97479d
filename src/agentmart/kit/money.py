"""Exact decimal arithmetic and ISO 4217 currencies: Decimal, rounded half-up once, never float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
)

from agentmart.kit.errors import Invalid

CONTEXT = Context(
    prec=80,
    rounding=ROUND_HALF_UP,
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
"""The context of every sum of money. The thread's own keeps 28 digits and rounds half-even, which loses cents
on large amounts and on exact ties. Use its methods (`CONTEXT.multiply(a, b)`): they only read precision and
rounding and may be shared by threads."""

# What a division leaves behind (amount × seconds ÷ seconds) is accurate to some 60 places. Two such remnants
# that make an exact tie, 0.005 × 1/3 + 0.005 × 2/3, add up to 0.00499…9: rounding at 40 places first restores
# the tie, and changes no value that came without a division.
_REMNANT = Decimal(1).scaleb(-40)
_REMNANT_DIGITS = 39  # before the point; with more, 40 places after it no longer fit the precision
_ZERO = Decimal(0)

_CODES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP "
        "GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
        "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
        "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
        "TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: places for places, codes in _CODES.items() for code in codes.split()}
_QUANTA = {currency: Decimal(1).scaleb(-exponent) for currency, exponent in _EXPONENTS.items()}

CURRENCIES = frozenset(_EXPONENTS)
"""The ISO 4217 codes that amounts may carry (money, not metals or test codes)."""


def minor_digits(currency: str) -> int:
    """Return the decimal places of a currency's minor unit (USD 2, JPY 0, KWD 3); raises Invalid."""
    try:
        return _EXPONENTS[currency]
    except KeyError:
        raise Invalid(
            f"{currency!r} is not an ISO 4217 currency code (three capital letters, for example USD).",
            code="unknown_currency",
            field="currency",
        ) from None


def exact(value: Decimal | int | str) -> Decimal:
    """Return the value as a finite Decimal, digit for digit.

    Raises TypeError for a float or bool (they do not hold what was meant) and Invalid for text that is no
    finite number.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(
            f"money and quantities are Decimal, int or text, not {type(value).__name__}: {value!r}"
        )
    else:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise Invalid(f"{_short(value)} is not a number.") from None
    if not number.is_finite():
        raise Invalid(f"{_short(value)} is not a finite number.")
    return number


def round_money(amount: Decimal | int | str, currency: str) -> Decimal:
    """Return the amount at the currency's minor unit, half away from zero; call it once per invoice line."""
    minor_digits(currency)
    number = exact(amount)
    if number.adjusted() < _REMNANT_DIGITS:
        number = CONTEXT.quantize(number, _REMNANT)
    rounded = CONTEXT.quantize(number, _QUANTA[currency])
    return rounded if rounded else rounded.copy_abs()  # no "-0.00" on an invoice


def to_minor(amount: Decimal | int | str, currency: str) -> int:
    """Return the amount in whole minor units (cents), rounded like `round_money`."""
    return int(CONTEXT.scaleb(round_money(amount, currency), minor_digits(currency)))


def from_minor(minor: int, currency: str) -> Decimal:
    """Return an amount given in minor units (cents) as a Decimal of the currency's places."""
    if isinstance(minor, bool) or not isinstance(minor, int):
        raise TypeError(f"minor units are whole numbers, not {type(minor).__name__}: {minor!r}")
    return CONTEXT.scaleb(Decimal(minor), -minor_digits(currency))


def decimal_text(value: Decimal) -> str:
    """Return a Decimal as plain digits: no exponent, no trailing zeros ("1200", "0.00002")."""
    if not value:
        return "0"
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money_text(value: Decimal, currency: str) -> str:
    """Return a Decimal as plain digits with at least the currency's places ("99.00", "0.00002")."""
    whole, _, fraction = decimal_text(value).partition(".")
    fraction = fraction.ljust(minor_digits(currency), "0")
    return f"{whole}.{fraction}" if fraction else whole


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency; sums of different currencies are refused with ValueError."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        minor_digits(self.currency)
        object.__setattr__(self, "amount", exact(self.amount))

    def __add__(self, other: Money) -> Money:
        return Money(CONTEXT.add(self.amount, self._same(other)), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(CONTEXT.subtract(self.amount, self._same(other)), self.currency)

    def __neg__(self) -> Money:
        return Money(CONTEXT.subtract(_ZERO, self.amount), self.currency)

    def __str__(self) -> str:
        return f"{money_text(self.amount, self.currency)} {self.currency}"

    def rounded(self) -> Money:
        """Return the amount at the currency's minor unit, half-up."""
        return Money(round_money(self.amount, self.currency), self.currency)

    def minor(self) -> int:
        """Return the rounded amount in minor units."""
        return to_minor(self.amount, self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added; convert first")
        return other.amount


def _short(value: object) -> str:
    """Return a value for a message, cut where it is absurdly long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
