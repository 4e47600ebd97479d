"""What a provider may expose: plain settings, never code, addresses, credentials or templates."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.flows import echo_flow, export, exports, node, template

from agentmart.agents.flows import choose_tweakable, inspect_flow
from agentmart.contracts.grants import Tweakable
from agentmart.kit.errors import Invalid

NEVER = re.compile(
    r"code|url|key$|token$|secret|password|credential|template|^path$|sql|session_id|^model$|provider"
)


def test_of_a_language_model_only_harmless_settings() -> None:
    model = node(export(), "LanguageModelComponent")["id"]
    report = inspect_flow(export())
    assert report.tweakable == (
        Tweakable(model, "max_tokens", "int", "Max Tokens", minimum=1, maximum=128000),
        Tweakable(model, "temperature", "float", "Temperature", default=0.1, minimum=0, maximum=1),
    )


def test_no_export_offers_a_forbidden_field() -> None:
    offered = {
        item.field
        for version in ("1.13.0", "0.8.4")
        for path in exports(version)
        for item in inspect_flow(path.read_bytes()).tweakable
    }
    assert {"system_prompt", "temperature", "max_tokens", "n_messages"} <= offered
    assert [name for name in sorted(offered) if NEVER.search(name)] == []


def test_dangerous_nodes_offer_nothing() -> None:
    for path in exports("1.13.0"):
        report = inspect_flow(path.read_bytes())
        dangerous = {item.node for item in report.needs_permission}
        assert not dangerous & {item.node for item in report.tweakable}


@pytest.mark.parametrize(
    ("name", "changes", "offered"),
    [
        ("tone", {}, True),
        ("author", {}, True),
        ("keywords", {}, True),
        ("max_tokens", {"type": "int"}, True),
        ("tone", {"type": "code"}, False),
        ("tone", {"type": "prompt"}, False),
        ("tone", {"type": "file"}, False),
        ("tone", {"type": "dict"}, False),
        ("tone", {"_input_type": "SecretStrInput"}, False),
        ("tone", {"_input_type": "HandleInput", "type": "other"}, False),
        ("tone", {"_input_type": "IntInput"}, False),
        ("tone", {"password": True}, False),
        ("tone", {"load_from_db": True}, False),
        ("tone", {"show": False}, False),
        ("tone", {"list": True}, False),
        ("tone", {"display_name": "Base URL"}, False),
        ("tone", {"display_name": "Template"}, False),
        ("openai_api_base", {}, False),
        ("base_url", {}, False),
        ("apiKey", {}, False),
        ("access_token", {}, False),
        ("sql_query", {}, False),
        ("file_path", {}, False),
        ("session_id", {}, False),
        ("global_imports", {}, False),
        ("allow_dangerous_code", {"type": "bool"}, False),
        ("model_name", {}, False),
        ("_hidden", {}, False),
        ("method", {}, False),
        ("search_method", {}, True),
        ("verify_ssl", {"type": "bool"}, False),
        ("embedding_choice", {}, False),
        ("keyspace", {}, False),
        ("filename", {}, False),
    ],
)
def test_which_fields_are_offered(name: str, changes: dict[str, Any], offered: bool) -> None:
    flow = echo_flow()
    template(flow, "Prompt")[name] = {"type": "str", "value": None, "show": True} | changes
    assert [item.field for item in inspect_flow(flow).tweakable] == ([name] if offered else [])


def test_a_field_that_an_edge_fills_is_not_offered() -> None:
    # `text` of the Prompt is fed by the chat input.
    assert inspect_flow(echo_flow()).tweakable == ()


def test_choices_come_with_their_options() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["tone"] = {
        "_input_type": "DropdownInput",
        "type": "str",
        "value": "dry",
        "options": ["dry", "warm"],
        "show": True,
    }
    (item,) = inspect_flow(flow).tweakable
    assert (item.options, item.default, item.max_length) == (("dry", "warm"), "dry", None)


OFFERED = (
    Tweakable("n", "temperature", "float", "Temperature", 0.1, 0.0, 1.0),
    Tweakable("n", "tone", "str", "Tone", "dry", options=("dry", "warm", "loud")),
    Tweakable("n", "prompt", "str", "Prompt", "", max_length=20_000),
)


def test_a_provider_narrows_what_is_offered() -> None:
    rows = [
        {"node": "n", "field": "temperature", "maximum": 0.5, "label": "Heat", "default": 0.2},
        {"node": "n", "field": "tone", "options": ["dry", "warm"]},
        {"node": "n", "field": "prompt", "max_length": 500},
    ]
    assert choose_tweakable(rows, OFFERED) == (
        Tweakable("n", "temperature", "float", "Heat", 0.2, 0.0, 0.5),
        Tweakable("n", "tone", "str", "Tone", "dry", options=("dry", "warm")),
        Tweakable("n", "prompt", "str", "Prompt", "", max_length=500),
    )


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ("x", "tweakable"),
        (["x"], "tweakable.0"),
        ([{"node": "n", "field": "code"}], "tweakable.0"),
        ([{"node": "other", "field": "tone"}], "tweakable.0"),
        ([{"node": "n", "field": "tone"}] * 2, "tweakable.1"),
        ([{"node": "n", "field": "temperature", "maximum": 2}], "tweakable.0"),
        ([{"node": "n", "field": "temperature", "minimum": -1}], "tweakable.0"),
        ([{"node": "n", "field": "temperature", "minimum": 0.9, "maximum": 0.1}], "tweakable.0"),
        ([{"node": "n", "field": "temperature", "maximum": "1"}], "tweakable.0.maximum"),
        ([{"node": "n", "field": "temperature", "maximum": float("nan")}], "tweakable.0.maximum"),
        ([{"node": "n", "field": "temperature", "default": 7}], "tweakable.0.default"),
        ([{"node": "n", "field": "tone", "options": ["cold"]}], "tweakable.0.options"),
        ([{"node": "n", "field": "tone", "options": "dry"}], "tweakable.0.options"),
        ([{"node": "n", "field": "prompt", "max_length": 0}], "tweakable.0.max_length"),
        ([{"node": "n", "field": "prompt", "max_length": 30_000}], "tweakable.0.max_length"),
        ([{"node": "n", "field": "prompt", "label": 7}], "tweakable.0.label"),
    ],
    ids=str,
)
def test_a_provider_cannot_widen(rows: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        choose_tweakable(rows, OFFERED)
    assert (caught.value.code, caught.value.field) == ("invalid_tweakable", field)
