"""How JSON bodies are read (a file of its own: the framework's defaults name it).

What PostgreSQL or a number's reader could not hold is refused here, once for all fields, with its place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import exceptions, parsers, serializers

from agentmart.kit.errors import nested

MAX_DEPTH = 100
MAX_INTEGER = 2**63 - 1

_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class _Refused:
    """Stands for a value that is not accepted, until its place in the body is known."""

    def __init__(self, message: str) -> None:
        self.message = message


class JsonParser(parsers.BaseParser):
    """UTF-8 JSON with finite numbers of ordinary size, text without NUL, and bounded nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body; raises 400 naming the place of what cannot be accepted."""
        raw: bytes = stream.read()
        refused: list[_Refused] = []

        def refuse(message: str) -> _Refused:
            refused.append(_Refused(message))
            return refused[-1]

        def integer(text: str) -> Any:
            # The length first: Python itself refuses, in other words, to read thousands of digits.
            if len(text) > 20 or abs(number := int(text)) > MAX_INTEGER:
                return refuse(f"A whole number of {len(text)} digits is too large.")
            return number

        def decimal(text: str) -> Any:
            number = float(text)
            return number if math.isfinite(number) else refuse("The number is too large.")

        try:
            text = raw.decode()
            body = json.loads(
                text,
                parse_int=integer,
                parse_float=decimal,
                parse_constant=lambda name: refuse(f"{name} is not a number of JSON."),
            )
        except UnicodeDecodeError as error:
            raise exceptions.ParseError(f"The body is not UTF-8 text: byte {error.start}.") from None
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise exceptions.ParseError(f"The body is not valid JSON: {error.msg} at {place}.") from None
        except RecursionError:
            raise exceptions.ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
        _check_depth(body)
        if refused or _SUSPECT.search(text):
            check(body)
        return body


def check(body: Any) -> None:
    """Raise 400 for the first value (or key) that cannot be accepted, under its place in the body."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), body)]
    while stack:
        place, item = stack.pop()
        message = item.message if isinstance(item, _Refused) else text_problem(item)
        if message:
            raise serializers.ValidationError(nested(place, message))
        if isinstance(item, dict):
            for key, below in item.items():
                if text_problem(key):
                    raise serializers.ValidationError(nested(place, text_problem(key)))
                stack.append(((*place, key), below))
        elif isinstance(item, list):
            stack.extend(((*place, index), below) for index, below in enumerate(item))


def text_problem(value: Any) -> str:
    """Return why PostgreSQL cannot store a text, "" where it can."""
    if not isinstance(value, str):
        return ""
    if "\0" in value:
        return "Null characters are not allowed."
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "Half of a surrogate pair is not valid text."
    return ""


def _check_depth(body: Any) -> None:
    """Raise 400 for a body nested deeper than `MAX_DEPTH`: whoever walks it later may recurse."""
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        level = [
            below
            for item in level
            for below in (item.values() if type(item) is dict else item if type(item) is list else ())
            if type(below) is dict or type(below) is list
        ]
        if not level:
            return
    raise exceptions.ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")
