"""Tweaks of buyers and callers: only exposed fields, right types, within bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmart.contracts.grants import Tweakable
from agentmart.contracts.tweaks import check_tweaks
from agentmart.kit.errors import Invalid

FIELDS = (
    Tweakable("llm", "temperature", "float", minimum=0.0, maximum=1.0),
    Tweakable("llm", "max_tokens", "int", minimum=1, maximum=4096),
    Tweakable("llm", "free", "int"),
    Tweakable("agent", "prompt", "str", max_length=10),
    Tweakable("agent", "chatty", "bool"),
    Tweakable("agent", "tone", "str", options=("dry", "warm")),
    Tweakable("agent", "level", "int", options=(1, 2)),
)


@pytest.mark.parametrize(
    ("node", "field", "value", "checked"),
    [
        ("llm", "temperature", 0.5, 0.5),
        ("llm", "temperature", 1, 1.0),
        ("llm", "temperature", 0, 0.0),
        ("llm", "max_tokens", 4096, 4096),
        ("agent", "prompt", "ten chars!", "ten chars!"),
        ("agent", "prompt", "", ""),
        ("agent", "chatty", False, False),
        ("agent", "tone", "warm", "warm"),
        ("agent", "level", 2, 2),
    ],
)
def test_allowed(node: str, field: str, value: Any, checked: Any) -> None:
    result = check_tweaks({node: {field: value}}, FIELDS)
    assert result == {node: {field: checked}}
    assert type(result[node][field]) is type(checked)


@pytest.mark.parametrize(
    ("node", "field", "value"),
    [
        ("llm", "temperature", 1.01),
        ("llm", "temperature", -0.01),
        ("llm", "temperature", float("nan")),
        ("llm", "temperature", float("inf")),
        ("llm", "temperature", "0.5"),
        ("llm", "temperature", True),
        ("llm", "temperature", None),
        ("llm", "max_tokens", 0),
        ("llm", "max_tokens", 4097),
        ("llm", "max_tokens", 1.0),
        ("llm", "max_tokens", True),
        ("llm", "free", 10**400),
        ("agent", "prompt", "eleven chars"),
        ("agent", "prompt", 7),
        ("agent", "prompt", "a\0"),
        ("agent", "prompt", "\ud800"),
        ("agent", "prompt", ["x"]),
        ("agent", "chatty", 1),
        ("agent", "chatty", "true"),
        ("agent", "tone", "cold"),
        ("agent", "tone", ["dry"]),
        ("agent", "level", True),
        ("agent", "level", 1.0),
    ],
)
def test_wrong_values(node: str, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        check_tweaks({node: {field: value}}, FIELDS)
    assert (caught.value.code, caught.value.field) == ("invalid_tweak", f"tweaks.{node}.{field}")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("node", "field"),
    [("llm", "openai_api_base"), ("llm", "code"), ("other", "temperature"), ("agent", "temperature")],
)
def test_fields_that_are_not_exposed(node: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_tweaks({node: {field: "x"}}, FIELDS)
    assert (caught.value.code, caught.value.field) == ("tweak_not_allowed", f"tweaks.{node}.{field}")


@pytest.mark.parametrize(
    "tweaks", [None, [], "x", 7, {"llm": None}, {"llm": "temperature"}, {"llm": [1]}], ids=str
)
def test_wrong_shapes(tweaks: Any) -> None:
    with pytest.raises(Invalid) as caught:
        check_tweaks(tweaks, FIELDS)
    assert caught.value.code == "invalid_tweak"


def test_nothing_is_allowed_where_nothing_is_exposed() -> None:
    assert check_tweaks({}, ()) == {}
    assert check_tweaks({"llm": {}}, ()) == {}
    with pytest.raises(Invalid):
        check_tweaks({"llm": {"temperature": 0.5}}, ())


def test_one_wrong_field_refuses_all() -> None:
    with pytest.raises(Invalid):
        check_tweaks({"llm": {"temperature": 0.5, "code": "x"}}, FIELDS)


def test_messages_are_short_and_printable() -> None:
    with pytest.raises(Invalid) as caught:
        check_tweaks({"x" * 10_000: {"\n\x1b[31m": 1}}, FIELDS)
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["llm", "agent", "x"]),
        json_values | st.dictionaries(st.sampled_from([item.field for item in FIELDS]), json_values),
        max_size=3,
    )
)
def test_only_invalid_is_ever_raised(tweaks: Any) -> None:
    try:
        checked = check_tweaks(tweaks, FIELDS)
    except Invalid:
        return
    allowed = {(item.node, item.field) for item in FIELDS}
    assert {(node, field) for node, fields in checked.items() for field in fields} <= allowed
