"""CSV: its form, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.kit.csv_lines import cell, lines


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("-12.50", "-12.50"),
        ("-", "'-"),
        ("-1e5", "'-1e5"),
        ("--1", "'--1"),
        (Decimal("-3"), "-3"),
        (7, "7"),
        (None, ""),
        ("Acme = good", "Acme = good"),
    ],
)
def test_a_cell(value: Any, expected: str) -> None:
    assert cell(value) == expected


def test_the_file_is_rfc_4180() -> None:
    assert "".join(lines(["a", "b"], [['x, "y"', 1], [None, "two\nlines"]])) == (
        'a,b\r\n"x, ""y""",1\r\n,"two\nlines"\r\n'
    )


def test_lines_are_made_when_they_are_read() -> None:
    def endless() -> Any:
        while True:
            yield ["x"]

    found = lines(["a"], endless())
    assert [next(found), next(found), next(found)] == ["a\r\n", "x\r\n", "x\r\n"]


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2)))
def test_any_text_is_read_back_and_starts_no_formula(rows: list[list[str]]) -> None:
    written = "".join(lines(["a", "b"], rows))
    read = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert [[value.removeprefix("'") for value in row] for row in read] == [
        [value.removeprefix("'") for value in row] for row in rows
    ]
    for row in read:
        for value in row:
            assert not value.startswith(("=", "+", "@", "\t", "\r", "\n"))
            assert not value.startswith("-") or value[1:].replace(".", "").isdigit()


def test_a_uuid_is_written_as_in_json() -> None:
    assert cell(UUID("5d6ef6f9-8a64-4aac-aecf-7b424c159bda")) == "5d6ef6f98a644aacaecf7b424c159bda"
