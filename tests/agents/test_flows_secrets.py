"""Plain secrets in an export: emptied in secret fields, refused anywhere else, never repeated to anybody."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from tests.support.flows import Flow, echo_flow, export, exports, node, template

from agentmart.agents.flows import FlowReport, inspect_flow

# Built from pieces, so that no scanner takes this file for a leak.
KEYS = {
    "openai": "sk-" + "proj-9aB3cD4eF5gH6iJ7kL8mN9oP0",
    "stripe": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "agentmart": "ar_sk_" + "live_eyJhbGciOiJIUzI1NiJ9.x1y2z3",
    "aws": "AKI" + "AIOSFODNN7ABCDEFG",
    "github": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "google": "AIz" + "aSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "slack": "xox" + "b-123456789012-abcdefGHIJKL",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "pem": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n-----END RSA",
    "url": "postgresql://app:" + "v3ryS3cret@db.internal/x",
}


def stripped(report: FlowReport) -> list[str]:
    return [problem.path for problem in report.warnings if problem.code == "secret_stripped"]


def everything(report: FlowReport) -> str:
    return json.dumps(report.as_dict()) + json.dumps(report.flow)


def with_field(value: Any, **extra: Any) -> Flow:
    flow = echo_flow()
    template(flow, "Prompt")["api_key"] = {"name": "api_key", "type": "str", "value": value} | extra
    return flow


def test_of_a_whole_release_nothing_is_a_false_alarm() -> None:
    found = Counter(
        problem.code for path in exports("1.13.0") for problem in inspect_flow(path.read_bytes()).warnings
    )
    assert found["secret_stripped"] == 0


@pytest.mark.parametrize(
    "extra",
    [{"password": True}, {"_input_type": "SecretStrInput"}, {}, {"password": True, "load_from_db": False}],
    ids=str,
)
def test_a_literal_in_a_secret_field_is_emptied_with_a_notice(extra: dict[str, Any]) -> None:
    report = inspect_flow(with_field("correct horse battery", **extra))
    assert report.valid
    assert stripped(report) == ["data.nodes[1].data.node.template.api_key"]
    assert report.flow["data"]["nodes"][1]["data"]["node"]["template"]["api_key"]["value"] == ""
    assert "correct horse" not in everything(report)


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_a_key_in_a_secret_field_is_emptied_even_if_called_a_variable(kind: str) -> None:
    report = inspect_flow(with_field(KEYS[kind], load_from_db=True, password=True))
    assert report.valid
    assert len(stripped(report)) == 1
    assert KEYS[kind] not in everything(report)
    assert report.requires.variables == ()


def test_a_variable_reference_stays() -> None:
    report = inspect_flow(with_field("OPENAI_API_KEY", load_from_db=True, password=True))
    assert stripped(report) == []
    assert report.requires.variables == ("OPENAI_API_KEY",)
    assert report.flow["data"]["nodes"][1]["data"]["node"]["template"]["api_key"]["value"] == "OPENAI_API_KEY"


def test_a_random_string_is_no_variable_s_name() -> None:
    report = inspect_flow(with_field("a81bc81bDEad4e5dABff90865d1e13b1", load_from_db=True, password=True))
    assert len(stripped(report)) == 1
    assert "a81bc81b" not in everything(report)


def test_the_same_flow_with_another_secret_is_the_same_content() -> None:
    one, two = (inspect_flow(with_field(value, password=True)) for value in ("first one", "second one"))
    assert one.sha256 == two.sha256


@pytest.mark.parametrize("value", ["", None, [], {}], ids=str)
def test_an_empty_secret_field_is_no_notice(value: Any) -> None:
    assert stripped(inspect_flow(with_field(value, password=True))) == []


@pytest.mark.parametrize(
    "value",
    [
        {"Authorization": "Bearer abcdef"},
        [{"key": "X-API-Key", "value": "abcdef"}],
        {"config": {"env": {"SOME_API_KEY": "abcdef"}}},
    ],
    ids=str,
)
def test_secrets_inside_tables_and_headers_are_emptied(value: Any) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["headers"] = {"name": "headers", "type": "table", "value": value}
    report = inspect_flow(flow)
    assert stripped(report) == ["data.nodes[1].data.node.template.headers"]
    assert "abcdef" not in everything(report)


def test_parameter_maps_and_variable_names_are_left_alone() -> None:
    flow = echo_flow()
    value = {"api_key": "api_key", "token": "MY_TOKEN", "password": "<your password>"}
    template(flow, "Prompt")["map"] = {"name": "map", "type": "dict", "value": value}
    report = inspect_flow(flow)
    assert stripped(report) == []
    assert report.flow["data"]["nodes"][1]["data"]["node"]["template"]["map"]["value"] == value


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_a_key_in_a_prompt_is_refused_and_not_shown(kind: str) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["template"]["value"] = f"Use {KEYS[kind]} please"
    report = inspect_flow(flow)
    assert [problem.code for problem in report.errors] == ["secret_in_flow"]
    assert report.errors[0].node == node(flow, "Prompt")["id"]
    assert "'template'" in report.errors[0].message
    assert KEYS[kind] not in everything(report)


def test_a_key_in_edited_code_a_note_a_name_or_a_key_is_refused() -> None:
    for place in ("code", "note", "description", "key"):
        flow = export()
        if place == "code":
            template(flow, "ChatInput")["code"]["value"] += f"\nKEY = '{KEYS['github']}'\n"
        elif place == "note":
            note = next(item for item in flow["data"]["nodes"] if item["type"] == "noteNode")
            note["data"]["node"]["description"] = KEYS["github"]
        elif place == "description":
            flow["description"] = KEYS["github"]
        else:
            flow[KEYS["github"]] = 1
        report = inspect_flow(flow)
        assert [problem.code for problem in report.errors] == ["secret_in_flow"], place
        assert KEYS["github"] not in everything(report)


@pytest.mark.parametrize(
    "text",
    [
        "sk-...",
        "sk-your-key-goes-right-here",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "task-management-for-everyone-2024",
        "postgresql://user:password@localhost/db",
        "https://{user}:{password}@host/",
        "see https://example.com:8080/a@b",
        "the AKIA prefix",
    ],
)
def test_placeholders_are_no_keys(text: str) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["template"]["value"] = text
    assert inspect_flow(flow).errors == ()


def test_a_real_key_behind_a_placeholder_is_found() -> None:
    flow = echo_flow() | {"description": "sk-your-key-here-or-sk-" + "1aB2cD3eF4gH5iJ6kL7mN8oP9"}
    assert [problem.code for problem in inspect_flow(flow).errors] == ["secret_in_flow"]


def test_only_published_text_is_passed_over_not_what_stands_beside_or_pretends_to() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["note"] = KEYS["openai"]
    assert [problem.code for problem in inspect_flow(flow).errors] == ["secret_in_flow"]
    flow = echo_flow()
    index = flow["data"]["nodes"].index(node(flow, "Prompt"))
    flow[f"data.nodes[{index}].data.node.template.code.value"] = KEYS["openai"]
    assert [problem.code for problem in inspect_flow(flow).errors] == ["secret_in_flow"]
