"""CSV for spreadsheets: written row by row, and no cell can be a formula; pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class _Echo:
    """A file whose `write` hands back what was written."""

    def write(self, value: str) -> str:
        return value


def cell(value: object) -> str:
    """Return a cell's text; what a spreadsheet would read as a formula gets a leading apostrophe.

    A plain number below zero is none and stays a number. A uuid is written as the API's JSON does, without dashes.
    """
    text = "" if value is None else value.hex if isinstance(value, UUID) else str(value)
    if text.startswith(FORMULA) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a CSV file line by line, the columns' names first (RFC 4180: commas, CRLF)."""
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(value) for value in row])
