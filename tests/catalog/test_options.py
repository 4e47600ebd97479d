"""What an order says besides plan and limits: definitions and values, without a database."""

from __future__ import annotations

from typing import Any

import pytest

from agentmart.catalog.options import EMPTY, check_definition, check_options, with_defaults
from agentmart.kit.errors import Invalid


def one(kind: str, **more: Any) -> dict[str, Any]:
    """A definition with one option, `x`."""
    return check_definition({"options": {"x": {"type": kind, "label": "X", **more}}}, field="options")


def test_nothing_is_an_empty_definition() -> None:
    assert check_definition({}, field="options") == check_definition(None, field="options") == EMPTY
    assert one("string")["order"] == ["x"]
    check_options({}, {"anything": 1})


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([], "options"),
        ({"options": []}, "options.options"),
        ({"options": {f"o{n}": {} for n in range(101)}}, "options.options"),
        ({"options": {"x": 1}}, "options.options.x"),
        ({"options": {"x": {"type": "odd", "label": "X"}}}, "options.options.x.type"),
        ({"options": {"x": {"type": ["string"], "label": "X"}}}, "options.options.x.type"),
        ({"options": {"x": {"type": "string"}}}, "options.options.x.label"),
        ({"options": {"x": {"type": "string", "label": "X", "required": 1}}}, "options.options.x.required"),
        ({"options": {"x": {"type": "select_string", "label": "X"}}}, "options.options.x.choices"),
        (
            {"options": {"x": {"type": "select_string", "label": "X", "choices": [1]}}},
            "options.options.x.choices",
        ),
        ({"options": {"x": {"type": "integer", "label": "X", "min": "a"}}}, "options.options.x.min"),
        ({"options": {"x": {"type": "string", "label": "X", "pattern": "a+"}}}, "options.options.x.pattern"),
        ({"order": ["y"], "options": {}}, "options.order"),
        ({"order": "x", "options": {}}, "options.order"),
    ],
)
def test_wrong_definitions_name_their_place(raw: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_definition(raw, field="options")
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("definition", "good", "bad"),
    [
        (one("string"), ["a", ""], [1, ["a"], "x" * 10_001]),
        (one("text"), ["a\nb"], [{}]),
        (one("integer", min=1, max=5), [1, "5", 3.0], [0, 6, 1.5, "x", True, "NaN"]),
        (one("money", min=0), ["0.5", 2], [-1, "Infinity", "1e"]),
        (one("boolean"), [True, False], ["true", 1]),
        (one("date"), ["2026-03-10"], ["10.3.2026", 5]),
        (one("time"), ["10:30"], ["25:00", 5]),
        (one("select_string", choices=["a", "b"]), ["a"], ["c", ["a"], 1]),
        (one("select_string_multi", choices=["a", "b"]), [["a", "b"], []], ["a", ["a", "c"]]),
    ],
)
def test_values_fit_their_type(definition: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check_options(definition, {"x": value})
    for value in bad:
        with pytest.raises(Invalid) as refused:
            check_options(definition, {"x": value})
        assert refused.value.field == "attributes.x"


def test_what_is_required_must_be_there_or_have_a_default() -> None:
    needed = one("string", required=True)
    for attributes in ({}, {"x": None}, {"x": ""}):
        with pytest.raises(Invalid, match="X is required"):
            check_options(needed, attributes)
    check_options(one("string", required=True, default="d"), {})
    assert with_defaults(one("string", default="d"), {"name": "n"}) == {"x": "d", "name": "n"}
    assert with_defaults(one("string", default="d"), {"x": "own"}) == {"x": "own"}
