"""What a buyer's tweak may be: only exposed fields, of the right type, within bounds. Used by portal and gateway."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agentmart.contracts.grants import Tweakable
from agentmart.kit.errors import Invalid

MAX_TEXT = 20_000
MAX_INTEGER = 2**53  # beyond it JSON readers disagree
MAX_SHOWN = 80

Tweaks = dict[str, dict[str, Any]]


def check_tweaks(tweaks: object, tweakable: Sequence[Tweakable]) -> Tweaks:
    """Return the tweaks as node → field → value of the declared types.

    Raises Invalid with `field` "tweaks.NODE.FIELD": `tweak_not_allowed` for a field that is not exposed,
    `invalid_tweak` for a value of the wrong type or outside the bounds.
    """
    if not isinstance(tweaks, Mapping):
        raise _refused("invalid_tweak", 'Tweaks must be an object: {"node": {"field": value}}.')
    allowed = {(item.node, item.field): item for item in tweakable}
    checked: Tweaks = {}
    for node, fields in tweaks.items():
        if not isinstance(fields, Mapping):
            raise _refused("invalid_tweak", f"Tweaks of {_cut(node)} must be an object of fields.", node)
        for name, value in fields.items():
            item = allowed.get((node, name)) if isinstance(node, str) and isinstance(name, str) else None
            if item is None:
                message = (
                    f"The field {_cut(name)} of {_cut(node)} cannot be set: this offering does not expose it."
                )
                raise _refused("tweak_not_allowed", message, node, name)
            checked.setdefault(node, {})[name] = check_value(item, value)
    return checked


def check_value(item: Tweakable, value: object) -> Any:
    """Return the value in the field's type; raises Invalid with code `invalid_tweak`."""
    if item.options:
        # `1 == True` in Python: a choice must match in type too.
        if not any(type(value) is type(option) and value == option for option in item.options):
            choices = ", ".join(_cut(option) for option in item.options[:20])
            raise _wrong(item, f"must be one of {choices}")
        return value
    if item.type == "bool":
        if not isinstance(value, bool):
            raise _wrong(item, "must be true or false")
        return value
    if item.type == "str":
        return _check_text(item, value)
    return _check_number(item, value)


def _check_text(item: Tweakable, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(item, "must be text")
    most = MAX_TEXT if item.max_length is None else item.max_length
    if len(value) > most:
        raise _wrong(item, f"must be at most {most} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(item, "must be valid text without NUL characters")
    return value


def _check_number(item: Tweakable, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(item, "must be a number" if item.type == "float" else "must be a whole number")
    if item.type == "int" and not isinstance(value, int):
        raise _wrong(item, "must be a whole number")
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > MAX_INTEGER:
        raise _wrong(item, "must be a finite number of ordinary size")
    if item.minimum is not None and value < item.minimum:
        raise _wrong(item, f"must be at least {item.minimum:g}")
    if item.maximum is not None and value > item.maximum:
        raise _wrong(item, f"must be at most {item.maximum:g}")
    return float(value) if item.type == "float" else value


def _wrong(item: Tweakable, what: str) -> Invalid:
    return _refused("invalid_tweak", f"The field {item.field} of {item.node} {what}.", item.node, item.field)


def _refused(code: str, message: str, *path: object) -> Invalid:
    return Invalid(message, code=code, field=".".join(["tweaks", *(_cut(part) for part in path)]))


def _cut(value: object) -> str:
    """Return a caller's word printable and short."""
    text = value if isinstance(value, str) else repr(value)
    printable = "".join(character if character.isprintable() else "?" for character in text[:MAX_SHOWN])
    return printable + ("…" if len(text) > MAX_SHOWN else "")
