"""A component's price as plain JSON: the plan API's form in and out, and how a price version is stored.

Keys: `price`, `amount` (fixed components), `tier_mode` + `tiers[{up_to, unit_price, flat_price, block}]`,
`package_size` + `package_rounding`, `rate` + `fixed_per_event` … (percentage), `flat_at_zero`, `free_units`,
`minimum`, `maximum`. `model` names the kind; a form without it is understood from the other keys. Unknown
keys are left alone (the dict is the whole component). Every refusal is `Invalid` with the field's path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from agentmart.catalog.pricing import (
    ZERO,
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
from agentmart.kit.errors import Invalid
from agentmart.kit.money import decimal_text, exact

MAX_FRACTION_DIGITS = 10
MAX_WHOLE_DIGITS = 12
MAX_TIERS = 100

_MISSING = (None, "")


def price_from_json(data: Mapping[str, Any], *, path: str = "", fixed: bool = False) -> Price:
    """Return the price that a plan component's JSON describes; raises Invalid naming the field.

    `path` is where the mapping lies in the request ("components[2]"); `fixed` says that the component is
    charged per period and not by usage (its billing type), where the JSON itself names no `model`.
    """
    form = _Form(data, path)
    kind = form.choice("model", tuple(_MODELS)) or _guess(form, fixed)
    model = _MODELS[kind](form)
    price = Price(
        model,
        free_units=form.number("free_units") or ZERO,
        minimum=form.number("minimum"),
        maximum=form.number("maximum"),
    )
    if price.minimum is not None and price.maximum is not None and price.maximum < price.minimum:
        raise form.error("maximum", "The maximum is below the minimum.")
    if isinstance(model, Fixed | Percentage) and price.free_units:
        raise form.error("free_units", f"A {kind} price has no free units.")
    return price


def price_to_json(price: Price) -> dict[str, Any]:
    """Return a JSON-ready dict (decimals as text) that `price_from_json` reads back to an equal price."""
    out: dict[str, Any] = {"model": _kind(price.model), **_model_to_json(price.model)}
    if price.free_units:
        out["free_units"] = decimal_text(price.free_units)
    if price.minimum is not None:
        out["minimum"] = decimal_text(price.minimum)
    if price.maximum is not None:
        out["maximum"] = decimal_text(price.maximum)
    return out


class _Form:
    """A mapping with its place in the request: reads typed values, refuses by full path."""

    def __init__(self, data: Any, path: str) -> None:
        if not isinstance(data, Mapping):
            raise Invalid(f"Give an object, not {_named(data)}.", field=path or "price")
        self.data = data
        self.path = path

    def error(self, key: str, message: str) -> Invalid:
        """Return the refusal of one key."""
        return Invalid(message, field=f"{self.path}.{key}" if self.path else key)

    def has(self, key: str) -> bool:
        """Return whether the key carries a value (null and "" are none)."""
        value = self.data.get(key)
        return not (value is None or value == "")

    def number(self, key: str, *, positive: bool = False) -> Decimal | None:
        """Return a number of at most 12 digits before and 10 after the point, or None if absent."""
        if not self.has(key):
            return None
        number = self._read(key)
        if number < 0:
            raise self.error(key, "This must not be negative.")
        if positive and not number:
            raise self.error(key, "This must be more than zero.")
        if number.adjusted() >= MAX_WHOLE_DIGITS:
            raise self.error(key, f"At most {MAX_WHOLE_DIGITS} digits before the point.")
        _, digits, exponent = number.as_tuple()
        if isinstance(exponent, int) and exponent < -MAX_FRACTION_DIGITS:
            if any(digits[exponent + MAX_FRACTION_DIGITS :]):
                raise self.error(key, f"At most {MAX_FRACTION_DIGITS} digits after the point.")
            number = number.quantize(Decimal(1).scaleb(-MAX_FRACTION_DIGITS))
        return number

    def required(self, key: str, *, positive: bool = False) -> Decimal:
        """Return a number that must be there."""
        number = self.number(key, positive=positive)
        if number is None:
            raise self.error(key, "This field is required.")
        return number

    def whole(self, key: str) -> int | None:
        """Return a whole number, or None if absent."""
        number = self.number(key)
        if number is None:
            return None
        if number != int(number):
            raise self.error(key, "Give a whole number.")
        return int(number)

    def flag(self, key: str, default: bool) -> bool:
        """Return a JSON boolean."""
        if not self.has(key):
            return default
        value = self.data[key]
        if not isinstance(value, bool):
            raise self.error(key, f"Give true or false, not {_named(value)}.")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        """Return one of the choices, or None if absent."""
        if not self.has(key):
            return None
        value = self.data[key]
        if value not in choices:
            raise self.error(key, f"{_named(value)} is not one of {', '.join(choices)}.")
        return str(value)

    def _read(self, key: str) -> Decimal:
        value = self.data[key]
        if isinstance(value, float):
            value = repr(value)  # the shortest text that reads as this number: what stood in the JSON
        elif isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise self.error(key, f"Give a decimal number as text, not {_named(value)}.")
        if isinstance(value, str) and (len(value) > 64 or "_" in value):
            raise self.error(key, "This is not a number.")
        try:
            return exact(value)
        except Invalid as refusal:
            raise self.error(key, refusal.message) from None


def _guess(form: _Form, fixed: bool) -> str:
    """Return the kind of price that a form without `model` describes."""
    if form.has("rate"):
        return "percentage"
    if form.data.get("tier_mode") == TierMode.PACKAGE or (
        form.has("package_size") and not form.has("tier_mode")
    ):
        return "package"
    if form.has("tier_mode") or form.data.get("tiers"):
        return "tiered"
    return "fixed" if fixed else "per_unit"


def _read_fixed(form: _Form) -> Fixed:
    amount = form.number("amount")
    return Fixed(form.required("price"), Decimal(1) if amount is None else amount)


def _read_per_unit(form: _Form) -> PerUnit:
    return PerUnit(form.required("price"))


def _read_tiered(form: _Form) -> Tiered:
    mode = form.choice("tier_mode", tuple(TierMode))
    if mode is None or mode == TierMode.PACKAGE:
        raise form.error("tier_mode", "A price with tiers says how they are read: graduated or volume.")
    if form.number("price"):
        raise form.error("price", "A tiered price takes its prices from the tiers; leave this out.")
    return Tiered(TierMode(mode), _read_tiers(form), form.flag("flat_at_zero", True))


def _read_tiers(form: _Form) -> tuple[Tier, ...]:
    """Return the tiers: 1 to 100, bounds ascending, only the last one open."""
    raw = form.data.get("tiers")
    if raw in _MISSING:
        raise form.error("tiers", "A tiered price needs at least one tier.")
    if not isinstance(raw, list | tuple):
        raise form.error("tiers", f"Give a list of tiers, not {_named(raw)}.")
    if not 1 <= len(raw) <= MAX_TIERS:
        raise form.error("tiers", f"Give 1 to {MAX_TIERS} tiers, not {len(raw)}.")
    tiers: list[Tier] = []
    below = ZERO
    for index, item in enumerate(raw):
        row = _Form(item, f"{form.path}.tiers[{index}]" if form.path else f"tiers[{index}]")
        tier = _read_tier(row)
        if tier.up_to is None and index < len(raw) - 1:
            raise row.error("up_to", "Only the last tier may be open (null); this one needs an upper bound.")
        if tier.up_to is not None and tier.up_to <= below:
            raise row.error("up_to", f"Bounds must ascend: this must be above {decimal_text(below)}.")
        below = tier.up_to or ZERO
        tiers.append(tier)
    return tuple(tiers)


def _read_tier(row: _Form) -> Tier:
    if "up_to" not in row.data:
        raise row.error("up_to", "This field is required (null for a last tier without end).")
    if not row.has("unit_price") and not row.has("flat_price"):
        raise row.error("unit_price", "A tier needs a unit_price, a flat_price or both.")
    return Tier(
        row.number("up_to", positive=True),
        row.number("unit_price") or ZERO,
        row.number("flat_price") or ZERO,
        row.number("block", positive=True),
    )


def _read_package(form: _Form) -> Package:
    """Return a package price: `package_size` + `price`, or one tier whose full content is the package."""
    mode = form.choice("tier_mode", tuple(TierMode))
    if mode not in (None, TierMode.PACKAGE):
        raise form.error("tier_mode", "A package price has tier_mode package or none.")
    rounding = PackageRounding(form.choice("package_rounding", tuple(PackageRounding)) or PackageRounding.UP)
    if not form.data.get("tiers"):
        return Package(form.required("package_size", positive=True), form.required("price"), rounding)
    if form.has("package_size"):
        raise form.error("package_size", "Give either package_size and price, or one tier; not both.")
    if form.number("price"):
        raise form.error("price", "Give either package_size and price, or one tier; not both.")
    tiers = _read_tiers(form)
    if len(tiers) > 1:
        raise form.error(
            "tiers",
            "A package price has one tier: up_to is the package's size, flat_price its price. "
            "For prices that change with the quantity use graduated or volume tiers with a block size.",
        )
    (tier,) = tiers
    if tier.up_to is None:
        raise form.error("tiers[0].up_to", "The size of a package needs a number.")
    if tier.unit_price:
        raise form.error("tiers[0].unit_price", "A package is sold whole: give its flat_price only.")
    return Package(tier.up_to, tier.flat_price, rounding)


def _read_percentage(form: _Form) -> Percentage:
    price = Percentage(
        form.required("rate"),
        form.number("fixed_per_event") or ZERO,
        form.whole("free_events"),
        form.number("free_amount"),
        form.number("min_per_event"),
        form.number("max_per_event"),
    )
    if price.per_event and (price.free_events is not None or price.free_amount is not None):
        key = "free_events" if price.free_events is not None else "free_amount"
        raise form.error(key, "Free limits and a minimum or maximum per event exclude each other.")
    low, high = price.min_per_event, price.max_per_event
    if low is not None and high is not None and high < low:
        raise form.error("max_per_event", "The maximum per event is below the minimum.")
    return price


_MODELS: dict[str, Callable[[_Form], Model]] = {
    "fixed": _read_fixed,
    "per_unit": _read_per_unit,
    "tiered": _read_tiered,
    "package": _read_package,
    "percentage": _read_percentage,
}


def _kind(model: Model) -> str:
    match model:
        case Fixed():
            return "fixed"
        case PerUnit():
            return "per_unit"
        case Tiered():
            return "tiered"
        case Package():
            return "package"
        case Percentage():
            return "percentage"


def _model_to_json(model: Model) -> dict[str, Any]:
    match model:
        case Fixed():
            return {"price": decimal_text(model.unit_price), "amount": decimal_text(model.amount)}
        case PerUnit():
            return {"price": decimal_text(model.unit_price)}
        case Tiered():
            out: dict[str, Any] = {
                "tier_mode": str(model.mode),
                "tiers": [_tier_to_json(tier) for tier in model.tiers],
            }
            return out if model.flat_at_zero else {**out, "flat_at_zero": False}
        case Package():
            return {
                "tier_mode": str(TierMode.PACKAGE),
                "package_size": decimal_text(model.size),
                "price": decimal_text(model.price),
                "package_rounding": str(model.rounding),
            }
        case Percentage():
            return _percentage_to_json(model)


def _tier_to_json(tier: Tier) -> dict[str, Any]:
    out: dict[str, Any] = {
        "up_to": None if tier.up_to is None else decimal_text(tier.up_to),
        "unit_price": decimal_text(tier.unit_price),
        "flat_price": decimal_text(tier.flat_price),
    }
    return out if tier.block is None else {**out, "block": decimal_text(tier.block)}


def _percentage_to_json(model: Percentage) -> dict[str, Any]:
    out: dict[str, Any] = {
        "rate": decimal_text(model.rate),
        "fixed_per_event": decimal_text(model.fixed_per_event),
    }
    if model.free_events is not None:
        out["free_events"] = model.free_events
    for key in ("free_amount", "min_per_event", "max_per_event"):
        value: Decimal | None = getattr(model, key)
        if value is not None:
            out[key] = decimal_text(value)
    return out


def _named(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
