"""From bytes to a plain JSON object of our own, with every oddity of the text refused by name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from agentmart.agents.flows.report import FlowLimits, Problem

MAX_INTEGER = 2**63 - 1
MAX_INTEGER_DIGITS = 20
MAX_KEY_SHOWN = 200
_END: Any = object()


class Unreadable(Exception):
    """The text is no flow at all; carries the problem and the HTTP status."""

    def __init__(self, code: str, message: str, *, path: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.problem = Problem(code, message, path)
        self.status = status


def read_document(source: bytes | str | Mapping[str, Any], limits: FlowLimits) -> dict[str, Any]:
    """Parse a flow export into a private copy; raises Unreadable.

    A mapping is written out and read again: the same checks, and nobody else holds what we return.
    """
    text = _text(source, limits)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable("not_json", f"Not valid JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise _too_deep(limits) from error
    if not isinstance(document, dict):
        raise Unreadable(
            "not_an_object", "A flow export is one JSON object; this is a list or a single value."
        )
    if _depth_exceeds(document, limits.max_depth):
        raise _too_deep(limits)
    return document


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical UTF-8 form: keys sorted, no spaces.

    Raises Unreadable for text that no database can hold.
    """
    try:
        raw = msgspec.json.encode(document, order="sorted")
    except UnicodeEncodeError as error:
        path = _first_path(document, _has_surrogate)
        raise Unreadable(
            "bad_unicode", f"Half of a surrogate pair at {path}: not valid text.", path=path
        ) from error
    if b"\\u0000" in raw:
        path = _first_path(document, _has_nul)
        if path:
            raise Unreadable(
                "nul_character", f"A NUL character at {path}: PostgreSQL cannot store it.", path=path
            )
    return hashlib.sha256(raw).hexdigest()


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every key and string below `value`, depth first, without recursion.

    Long keys are cut in paths: a path must not be as long as the text, once for every place below it.
    """
    stack: list[Iterator[tuple[str, Any]]] = [iter([(path, value)])]
    while stack:
        where, item = next(stack[-1], ("", _END))
        if item is _END:
            stack.pop()
        elif isinstance(item, str):
            yield where, item
        elif isinstance(item, dict):
            for key in item:
                yield _below(where, key), key
            stack.append(_entries(where, item))
        elif isinstance(item, list):
            stack.append(_rows(where, item))


def _entries(path: str, item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((_below(path, key), below) for key, below in item.items())


def _rows(path: str, item: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{path}[{index}]", below) for index, below in enumerate(item))


def _below(path: str, key: str) -> str:
    """Return where a key's value lies."""
    name = key if len(key) <= MAX_KEY_SHOWN else f"{key[:MAX_KEY_SHOWN]}…"
    return f"{path}.{name}" if path else name


def _text(source: bytes | str | Mapping[str, Any], limits: FlowLimits) -> str:
    if isinstance(source, Mapping):
        try:
            source = json.dumps(dict(source), ensure_ascii=False, allow_nan=False)
        except RecursionError as error:
            raise _too_deep(limits) from error
        except (TypeError, ValueError) as error:
            raise Unreadable("not_json", "The flow holds a value that JSON has no form for.") from error
    size = len(source)
    if isinstance(source, str) and size <= limits.max_bytes:
        size = len(source.encode("utf-8", "surrogatepass"))
    if size > limits.max_bytes:
        most = limits.max_bytes / 1048576
        message = f"The flow is larger than the limit of {most:g} MiB."
        raise Unreadable("too_large", message, status=413)
    if isinstance(source, str):
        return source.removeprefix("\ufeff")
    try:
        return source.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"Not UTF-8 text: byte {error.start} does not belong there."
        raise Unreadable("not_utf8", message) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse repeated keys: two readers would take different values, and one of them is code."""
    item = dict(pairs)
    if len(item) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable("duplicate_key", f"The key {shown(twice)} appears twice in one object.")
    return item


def _integer(text: str) -> int:
    # The length first: Python itself refuses, in other words, to read thousands of digits.
    if len(text) > MAX_INTEGER_DIGITS or abs(number := int(text)) > MAX_INTEGER:
        raise Unreadable(
            "bad_number", f"A whole number of {len(text)} digits is not a setting of any component."
        )
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unreadable("bad_number", f"The number {shown(text, 40)} is outside the range of a float.")
    return number


def _constant(text: str) -> None:
    raise Unreadable("bad_number", f"{text} is not JSON: numbers must be finite.")


def _too_deep(limits: FlowLimits) -> Unreadable:
    return Unreadable("too_deep", f"The flow is nested deeper than {limits.max_depth} levels.")


def _depth_exceeds(document: dict[str, Any], most: int) -> bool:
    level: list[Any] = [document]
    for _ in range(most):
        level = [
            below
            for item in level
            for below in (item.values() if type(item) is dict else item)
            if type(below) is dict or type(below) is list
        ]
        if not level:
            return False
    return True


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _has_nul(text: str) -> bool:
    return "\0" in text


def _first_path(document: Mapping[str, Any], wrong: Any) -> str:
    found = next((path for path, text in strings(document) if wrong(text)), "")
    return shown(found, 200)[1:-1] if found else ""


def shown(text: object, most: int = 80) -> str:
    """Return foreign text quoted for a message: printable and cut."""
    whole = text if isinstance(text, str) else repr(text)
    return repr(whole[:most]) + ("…" if len(whole) > most else "")
