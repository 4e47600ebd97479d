"""What an order says besides plan and limits: an offering's options, and an order's attributes against them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any

from agentmart.kit.errors import Invalid

MAX_OPTIONS = 100
MAX_TEXT = 10_000
EMPTY: dict[str, Any] = {"order": [], "options": {}}

Option = Mapping[str, Any]


def check_definition(raw: Any, *, field: str) -> dict[str, Any]:
    """Return `{order, options}` as it is stored; raises Invalid naming the option and key at fault."""
    if raw in (None, {}):
        return dict(EMPTY)
    if not isinstance(raw, Mapping):
        raise Invalid("Give an object with `order` and `options`.", field=field)
    options = raw.get("options", {})
    if not isinstance(options, Mapping) or len(options) > MAX_OPTIONS:
        raise Invalid(f"Give an object of at most {MAX_OPTIONS} options by name.", field=f"{field}.options")
    checked = {
        str(name): _check_option(option, f"{field}.options.{name}") for name, option in options.items()
    }
    order = raw.get("order", list(checked))
    if not isinstance(order, list) or any(not isinstance(name, str) for name in order):
        raise Invalid("Give the options' names in their order.", field=f"{field}.order")
    unknown = [name for name in order if name not in checked]
    if unknown:
        raise Invalid(f"There is no option {unknown[0]}.", field=f"{field}.order")
    return {"order": list(order), "options": checked}


def _check_option(raw: Any, field: str) -> dict[str, Any]:
    """Return one option; raises Invalid."""
    if not isinstance(raw, Mapping):
        raise Invalid("Give an object with `type` and `label`.", field=field)
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in _READERS:
        raise Invalid(f"Use one of {', '.join(sorted(_READERS))}.", field=f"{field}.type")
    if not isinstance(raw.get("label"), str) or not raw["label"]:
        raise Invalid("An option needs a label.", field=f"{field}.label")
    if not isinstance(raw.get("required", False), bool):
        raise Invalid("Must be a valid boolean.", field=f"{field}.required")
    choices = raw.get("choices", [])
    if not isinstance(choices, list) or any(not isinstance(choice, str) for choice in choices):
        raise Invalid("Give a list of texts.", field=f"{field}.choices")
    if kind.startswith("select_") and not choices:
        raise Invalid("A selection needs choices.", field=f"{field}.choices")
    for bound in ("min", "max"):
        if raw.get(bound) is not None and _number(raw[bound]) is None:
            raise Invalid("A valid number is required.", field=f"{field}.{bound}")
    if raw.get("pattern"):  # run on what others write, one can hold a process for minutes
        raise Invalid("Patterns are not offered; name choices, or check the order.", field=f"{field}.pattern")
    return dict(raw)


def check_options(options: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Raise Invalid (field attributes.NAME) where an order's attributes do not fit the offering's options.

    `options` is an offering's `options` or `resource_options`. Attributes that are no option are left alone (an
    order has others, as its name); an empty value counts as none.
    """
    for name, option in options.get("options", {}).items():
        value = attributes.get(name)
        field = f"attributes.{name}"
        if value is None or value == "" or value == []:
            if option.get("required") and option.get("default") in (None, ""):
                raise Invalid(f"{option.get('label', name)} is required.", field=field)
            continue
        problem = _READERS[option["type"]](option, value)
        if problem:
            raise Invalid(problem, field=field)


def with_defaults(options: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes, completed with the defaults of options that they leave out."""
    defaults = {
        name: option["default"]
        for name, option in options.get("options", {}).items()
        if option.get("default") not in (None, "")
    }
    return {**defaults, **attributes}


def _number(value: Any) -> Decimal | None:
    """Return a finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value)[:64])
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _text(option: Option, value: Any) -> str:
    if not isinstance(value, str):
        return "Not a valid string."
    if len(value) > MAX_TEXT:
        return f"Ensure this field has no more than {MAX_TEXT} characters."
    return ""


def _amount(option: Option, value: Any) -> str:
    number = _number(value)
    if number is None:
        return "A valid number is required."
    low, high = _number(option.get("min")), _number(option.get("max"))
    if low is not None and number < low:
        return f"Ensure this value is greater than or equal to {low}."
    if high is not None and number > high:
        return f"Ensure this value is less than or equal to {high}."
    return ""


def _integer(option: Option, value: Any) -> str:
    number = _number(value)
    if number is None or number != number.to_integral_value():
        return "A valid integer is required."
    return _amount(option, value)


def _boolean(option: Option, value: Any) -> str:
    return "" if isinstance(value, bool) else "Must be a valid boolean."


def _date(option: Option, value: Any) -> str:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return "Give a date as YYYY-MM-DD."
    return ""


def _time(option: Option, value: Any) -> str:
    try:
        time.fromisoformat(value)
    except (TypeError, ValueError):
        return "Give a time as HH:MM."
    return ""


def _select(option: Option, value: Any) -> str:
    if isinstance(value, str) and value in option["choices"]:
        return ""
    return f"Use one of {', '.join(option['choices'])}."


def _select_several(option: Option, value: Any) -> str:
    if not isinstance(value, list):
        return "Give a list."
    return next((problem for item in value if (problem := _select(option, item))), "")


_READERS: dict[str, Callable[[Option, Any], str]] = {
    "string": _text,
    "text": _text,
    "html_text": _text,
    "integer": _integer,
    "money": _amount,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "select_string": _select,
    "select_string_multi": _select_several,
}
