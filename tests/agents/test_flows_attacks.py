"""Broken and hostile exports: refused with node and reason, or classed as what they are; never executed."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.flows import Flow, echo_flow, edge, export, grouped, node, renamed, template

from agentmart.agents.flows import FlowLimits, FlowRefused, FlowReport, inspect_flow


def codes(report: FlowReport) -> list[str]:
    return [problem.code for problem in report.errors]


def refused(source: Any, limits: FlowLimits | None = None) -> tuple[str, int]:
    report = inspect_flow(source, limits=limits)
    with pytest.raises(FlowRefused) as caught:
        report.require(custom_code_allowed=True)
    assert caught.value.extra["errors"][0]["code"] == report.errors[0].code
    assert report.flow == {}
    return report.errors[0].code, caught.value.status


# --- text that is no flow ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"hello", "not_json"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "not_a_flow"),
        (b'{"flows": []}', "not_a_flow"),
        (b'{"data": {"nodes": {}}}', "not_a_flow"),
        (b'{"data": {"nodes": [], "edges": []}}', "empty_flow"),
        (b'{"data": {"nodes": [], "edges": []}, "is_component": true}', "is_component"),
        (b'{"data": NaN}', "bad_number"),
        (b'{"data": -Infinity}', "bad_number"),
        (b'{"data": 1e999}', "bad_number"),
        (b'{"data": 123456789012345678901234567890}', "bad_number"),
        (b'{"data": 9223372036854775808}', "bad_number"),
        (b'{"data": ' + b"1" * 10_000 + b"}", "bad_number"),
        (b'{"data": 1, "data": 2}', "duplicate_key"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "too_deep"),
    ],
)
def test_text_that_is_no_flow(source: bytes, code: str) -> None:
    assert refused(source) == (code, 400)


def test_not_json_names_line_and_column() -> None:
    problem = inspect_flow(b'{\n "data": oops}').errors[0]
    assert "line 2, column 10" in problem.message


def test_a_byte_order_mark_is_no_reason() -> None:
    assert inspect_flow(b"\xef\xbb\xbf" + json.dumps(echo_flow()).encode()).valid
    assert inspect_flow("\ufeff" + json.dumps(echo_flow())).valid


def test_twenty_megabytes_are_413_before_anything_is_parsed() -> None:
    big = echo_flow() | {"description": "x" * (20 * 1024 * 1024)}
    assert refused(json.dumps(big)) == ("too_large", 413)
    assert refused(json.dumps(big).encode()) == ("too_large", 413)
    assert refused(big) == ("too_large", 413)


def test_the_limit_counts_bytes_not_characters() -> None:
    text = json.dumps(echo_flow() | {"description": "ä" * 50_000}, ensure_ascii=False)
    size = len(text.encode())
    assert inspect_flow(text, limits=FlowLimits(max_bytes=size)).valid
    assert refused(text, FlowLimits(max_bytes=size - 1)) == ("too_large", 413)


@pytest.mark.parametrize(
    "value", [{1, 2}, float("nan"), b"x", object()], ids=["set", "nan", "bytes", "object"]
)
def test_an_object_that_json_cannot_hold(value: Any) -> None:
    assert refused({"data": value}) == ("not_json", 400)


def test_an_object_that_holds_itself() -> None:
    source: dict[str, Any] = {"data": {}}
    source["data"]["again"] = source
    assert refused(source) == ("not_json", 400)


@pytest.mark.parametrize(("text", "code"), [("a\0b", "nul_character"), ("\ud800", "bad_unicode")])
def test_text_that_a_database_cannot_hold(text: str, code: str) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["template"]["value"] = text
    report = inspect_flow(json.dumps(flow))
    assert codes(report) == [code]
    assert report.errors[0].path == "data.nodes[1].data.node.template.template.value"


def test_a_nul_in_a_key_and_a_backslash_that_is_none() -> None:
    assert codes(inspect_flow(echo_flow() | {"a\0b": 1})) == ["nul_character"]
    assert inspect_flow(echo_flow() | {"description": "write \\u0000 for NUL"}).valid


def test_too_many_nodes_and_edges() -> None:
    flow = echo_flow()
    assert refused(flow, FlowLimits(max_nodes=2)) == ("too_many_nodes", 400)
    assert refused(flow, FlowLimits(max_edges=1)) == ("too_many_edges", 400)


def test_nodes_inside_groups_count() -> None:
    assert refused(grouped(echo_flow(), "Prompt"), FlowLimits(max_nodes=3)) == ("too_many_nodes", 400)


# --- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.6.19", "2.0.0", "10.1", "latest", 1.13, ["1.0"]])
def test_unsupported_langflow_versions(version: Any) -> None:
    report = inspect_flow(echo_flow() | {"last_tested_version": version})
    assert codes(report) == ["unsupported_version"]


@pytest.mark.parametrize("version", ["1.0.17", "1.0.19.post2", "1.10.1rc3", "1.13.0", "1.99.0"])
def test_supported_langflow_versions(version: str) -> None:
    report = inspect_flow(echo_flow() | {"last_tested_version": version})
    assert (report.errors, report.langflow_version) == ((), version)


def test_a_missing_version_is_a_warning() -> None:
    flow = echo_flow()
    del flow["last_tested_version"]
    report = inspect_flow(flow)
    assert report.valid
    assert [problem.code for problem in report.warnings] == ["untested_version"]


def test_a_flow_of_a_later_minor_version_is_read_with_a_warning() -> None:
    report = inspect_flow(echo_flow() | {"last_tested_version": "1.14.0"})
    assert report.valid
    assert [(problem.code, problem.path) for problem in report.warnings] == [
        ("untested_version", "last_tested_version")
    ]
    assert "newer than the runtime (1.13.0)" in report.warnings[0].message


# --- the graph -------------------------------------------------------------------------------------


def test_a_cycle_is_refused_with_its_nodes() -> None:
    flow = echo_flow()
    fields = template(flow, "Prompt")
    fields["again"] = copy.deepcopy(fields["text"])
    second = renamed(node(flow, "Prompt"), "Prompt-second")
    flow["data"]["nodes"].append(second)
    first_id = node(flow, "Prompt")["id"]
    there = edge(flow, "Prompt", "prompt", "Prompt", "text")
    there["target"] = there["data"]["targetHandle"]["id"] = "Prompt-second"
    back = edge(flow, "Prompt", "prompt", "Prompt", "again")
    back["source"] = back["data"]["sourceHandle"]["id"] = "Prompt-second"
    flow["data"]["edges"] += [there, back]
    report = inspect_flow(flow)
    assert codes(report) == ["cycle"]
    assert first_id in report.errors[0].message
    assert "Prompt-second" in report.errors[0].message


def test_a_node_that_feeds_itself_is_a_cycle() -> None:
    flow = echo_flow()
    fields = template(flow, "Prompt")
    fields["again"] = copy.deepcopy(fields["text"])
    flow["data"]["edges"].append(edge(flow, "Prompt", "prompt", "Prompt", "again"))
    assert codes(inspect_flow(flow)) == ["cycle"]


def test_a_cycle_through_a_group_is_found() -> None:
    flow = echo_flow()
    fields = template(flow, "Prompt")
    fields["again"] = copy.deepcopy(fields["text"])
    flow["data"]["edges"].append(edge(flow, "Prompt", "prompt", "Prompt", "again"))
    assert codes(inspect_flow(grouped(flow, "Prompt"))) == ["cycle"]


def test_only_a_real_loop_component_may_lead_back() -> None:
    flow = echo_flow()
    prompt = node(flow, "Prompt")["data"]["node"]
    prompt["outputs"][0]["allows_loop"] = True
    back = edge(flow, "Prompt", "prompt", "Prompt", "text")
    back["data"]["targetHandle"] = {"id": back["target"], "name": "prompt", "output_types": ["Message"]}
    flow["data"]["edges"].append(back)
    assert codes(inspect_flow(flow)) == ["loop_not_allowed"]


def test_an_edge_to_a_missing_node() -> None:
    flow = echo_flow()
    gone = node(flow, "Prompt")["id"]
    flow["data"]["nodes"].remove(node(flow, "Prompt"))
    report = inspect_flow(flow)
    assert codes(report) == ["missing_node", "missing_node"]
    assert {problem.node for problem in report.errors} == {gone}


@pytest.mark.parametrize(
    ("output", "field", "code"),
    [("nothing", "text", "missing_output"), ("message", "nothing", "missing_field")],
)
def test_an_edge_to_a_missing_place(output: str, field: str, code: str) -> None:
    flow = echo_flow()
    flow["data"]["edges"][0] = edge(flow, "ChatInput", output, "Prompt", field)
    assert codes(inspect_flow(flow)) == [code]


def test_handles_as_text_alone_are_read() -> None:
    flow = echo_flow()
    for item in flow["data"]["edges"]:
        del item["data"]
    assert inspect_flow(flow).valid


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        {},
        {"source": "a"},
        {"source": 1, "target": 2},
        {"source": "a", "target": "b", "sourceHandle": "{"},
    ],
    ids=str,
)
def test_a_malformed_edge(broken: Any) -> None:
    flow = echo_flow()
    flow["data"]["edges"].append(broken)
    assert codes(inspect_flow(flow)) == ["bad_edge"]


def test_handles_that_name_other_nodes() -> None:
    flow = echo_flow()
    flow["data"]["edges"][0]["data"]["targetHandle"]["id"] = node(flow, "ChatOutput")["id"]
    assert codes(inspect_flow(flow)) == ["bad_edge"]


@pytest.mark.parametrize(
    "broken", [None, 7, {}, {"id": ""}, {"id": "x"}, {"id": "x" * 201, "data": {}}], ids=str
)
def test_a_malformed_node(broken: Any) -> None:
    flow = echo_flow()
    flow["data"]["nodes"].append(broken)
    assert codes(inspect_flow(flow)) == ["bad_node"]


def test_duplicate_ids_also_across_groups() -> None:
    flow = echo_flow()
    flow["data"]["nodes"].append(copy.deepcopy(node(flow, "Prompt")))
    assert codes(inspect_flow(flow)) == ["duplicate_node"]
    twice = grouped(echo_flow(), "Prompt")
    inner = node(twice, "GroupNode")["data"]["node"]["flow"]["data"]["nodes"][0]
    twice["data"]["nodes"].append(copy.deepcopy(inner))
    assert codes(inspect_flow(twice)) == ["duplicate_node"]


def test_a_node_without_source() -> None:
    flow = echo_flow()
    del template(flow, "Prompt")["code"]
    report = inspect_flow(flow)
    assert codes(report) == ["no_code"]
    assert report.errors[0].node == node(flow, "Prompt")["id"]


# --- whose code it is --------------------------------------------------------------------------------


def inject(flow: Flow, kind: str, marker: Path) -> None:
    """A statement in the class body that would leave a file behind."""
    held = template(flow, kind)["code"]
    head, _, rest = held["value"].partition("    display_name")
    held["value"] = f"{head}    open({str(marker)!r}, 'w').close()\n    display_name{rest}"


def test_an_edited_node_is_named_and_not_run(tmp_path: Path) -> None:
    flow = echo_flow()
    inject(flow, "Prompt", tmp_path / "ran")
    report = inspect_flow(flow)
    edited = next(item for item in report.nodes if item.type == "Prompt")
    assert (edited.node_class, edited.component, edited.custom_code) == ("edited", "Prompt", True)
    assert [(item.node, item.capability) for item in report.needs_permission] == [(edited.id, "custom_code")]
    assert report.trust == "custom"
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FlowRefused) as caught:
        report.require(custom_code_allowed=False)
    assert caught.value.status == 400
    assert caught.value.extra["errors"][0]["node"] == edited.id
    report.require(custom_code_allowed=True)


def test_an_unknown_type_is_custom(tmp_path: Path) -> None:
    flow = echo_flow()
    inject(flow, "Prompt", tmp_path / "ran")
    prompt = node(flow, "Prompt")
    prompt["data"]["type"] = "Innocent"
    prompt["data"]["node"]["metadata"] = {}
    report = inspect_flow(flow)
    classes = {item.type: item.node_class for item in report.nodes}
    assert classes == {"ChatInput": "known", "Innocent": "custom", "ChatOutput": "known"}
    assert not (tmp_path / "ran").exists()


def test_one_space_more_is_an_edit() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["value"] += " "
    assert [item.node_class for item in inspect_flow(flow).nodes] == ["known", "edited", "known"]


def test_forged_metadata_does_not_make_code_known() -> None:
    flow = echo_flow()
    honest = copy.deepcopy(node(flow, "Prompt")["data"]["node"]["metadata"])
    template(flow, "Prompt")["code"]["value"] = "import os\nos.system('id')\n"
    assert node(flow, "Prompt")["data"]["node"]["metadata"] == honest
    assert inspect_flow(flow).trust == "custom"


def test_a_type_with_the_source_of_another_component() -> None:
    flow = echo_flow()
    other = template(export(), "ChatInput")
    template(flow, "Prompt")["code"]["value"] = other["code"]["value"]
    report = inspect_flow(flow)
    assert codes(report) == ["type_mismatch"]
    assert "carries the source of ChatInput" in report.errors[0].message
    assert report.errors[0].node == node(flow, "Prompt")["id"]


def test_a_comment_that_carries_code_is_no_comment() -> None:
    flow = echo_flow()
    node(flow, "Prompt")["type"] = "noteNode"
    report = inspect_flow(flow)
    assert codes(report) == ["bad_node"]
    assert len(report.nodes) == 3


@pytest.mark.parametrize("claimed", ["code", "str"])
def test_an_edge_may_not_supply_source(claimed: str) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["type"] = claimed
    flow["data"]["edges"].append(edge(flow, "ChatInput", "message", "Prompt", "code"))
    assert codes(inspect_flow(flow)) == ["edge_into_code"]


def test_an_edge_may_not_feed_any_other_code_field() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["extra"] = {"type": "code", "value": "", "name": "extra"}
    flow["data"]["edges"].append(edge(flow, "ChatInput", "message", "Prompt", "extra"))
    assert codes(inspect_flow(flow)) == ["edge_into_code"]


def test_source_may_not_come_from_a_variable() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["load_from_db"] = True
    assert codes(inspect_flow(flow)) == ["code_from_variable"]


def test_two_code_keys_are_refused() -> None:
    text = json.dumps(echo_flow())
    twice = text.replace('"code": {', '"code": {"value": "import os"}, "code": {', 1)
    assert twice != text
    assert refused(twice) == ("duplicate_key", 400)


def test_source_as_lines_is_joined_like_langflow_joins_it() -> None:
    flow = echo_flow()
    whole = inspect_flow(flow)
    held = template(flow, "Prompt")["code"]
    held["value"] = held["value"].split("\n")
    report = inspect_flow(flow)
    assert report.sha256 == whole.sha256
    assert [item.node_class for item in report.nodes] == ["known"] * 3


@pytest.mark.parametrize("value", [7, {"a": 1}, ["x", 1], True], ids=str)
def test_source_that_is_no_text(value: Any) -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["value"] = value
    assert "bad_code" in codes(inspect_flow(flow))


def test_another_code_field_of_a_known_node_needs_permission() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["extra"] = {"type": "code", "value": "__import__('os')", "name": "extra"}
    report = inspect_flow(flow)
    assert [item.capability for item in report.needs_permission] == ["custom_code"]
    assert "'extra'" in report.needs_permission[0].reason


def test_custom_code_inside_nested_groups_is_found(tmp_path: Path) -> None:
    flow = echo_flow()
    inject(flow, "Prompt", tmp_path / "ran")
    flow = grouped(flow, "Prompt")
    inner = node(flow, "GroupNode")
    outer = {
        "id": "Outer-1",
        "type": "genericNode",
        "data": {
            "id": "Outer-1",
            "type": "GroupNode",
            "node": copy.deepcopy(inner["data"]["node"])
            | {"flow": {"data": {"nodes": [inner], "edges": []}}},
        },
    }
    flow["data"]["nodes"] = [item for item in flow["data"]["nodes"] if item is not inner] + [outer]
    flow["data"]["edges"] = []
    report = inspect_flow(flow)
    assert [(item.node_class, item.group) for item in report.nodes if item.type == "Prompt"] == [
        ("edited", "GroupNode-1")
    ]
    assert report.trust == "custom"


def test_a_group_of_known_nodes_is_known() -> None:
    report = inspect_flow(grouped(echo_flow(), "Prompt"))
    assert (report.errors, report.trust) == ((), "known")
    assert len(report.nodes) == 3


def test_a_group_may_not_replace_the_source_of_its_node() -> None:
    flow = grouped(echo_flow(), "Prompt")
    group = node(flow, "GroupNode")["data"]["node"]
    inner = group["flow"]["data"]["nodes"][0]["id"]
    group["template"]["innocent"] = {
        "type": "str",
        "value": "import os",
        "proxy": {"id": inner, "field": "code"},
    }
    assert codes(inspect_flow(flow)) == ["code_replaced"]


def test_mcp_over_stdio_needs_permission_but_a_url_does_not() -> None:
    flow = export("Nvidia Remix", version="0.8.4")
    name = next(item["id"] for item in flow["data"]["nodes"] if item["data"].get("type") == "MCPTools")
    fields = template(flow, "MCPTools")

    def needs() -> bool:
        found = inspect_flow(flow).needs_permission
        return any(item.node == name and item.capability == "mcp_stdio" for item in found)

    assert needs()
    fields["mcp_server"]["value"] = {"name": "x", "config": {"command": "sh", "args": ["-c", "id"]}}
    assert needs()
    fields["mcp_server"]["value"] = {"name": "x", "config": {"url": "https://mcp.example", "command": "sh"}}
    assert needs()
    fields["mcp_server"]["value"] = {"name": "x", "config": {"url": "https://mcp.example"}}
    fields.pop("command", None)
    assert not needs()


METHODS = [
    "get_function",
    "set_class_code",
    "_get_tools",
    "__repr__",
    "build_prompt.x",
    "",
    5,
    ["build_prompt"],
]


@pytest.mark.parametrize("method", METHODS)
def test_an_output_names_a_method_that_its_component_declares(method: Any) -> None:
    flow = echo_flow()
    prompt = node(flow, "Prompt")
    prompt["data"]["node"]["outputs"][0]["method"] = method
    (problem,) = inspect_flow(flow).errors
    assert (problem.code, problem.node) == ("unknown_method", prompt["id"])
    assert problem.path.endswith("outputs[0].method")


@pytest.mark.parametrize(
    ("method", "found"), [("get_function", ["unknown_method"]), ("to_toolkit", []), ("build_prompt", [])]
)
def test_methods_inside_groups_are_looked_at_too(method: str, found: list[str]) -> None:
    flow = echo_flow()
    node(flow, "Prompt")["data"]["node"]["outputs"].append({"name": "more", "method": method})
    assert codes(inspect_flow(grouped(flow, "Prompt"))) == found


def test_an_output_of_one_s_own_code_may_be_called_as_one_likes() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["code"]["value"] += "\n# mine\n"
    node(flow, "Prompt")["data"]["node"]["outputs"][0]["method"] = "anything"
    assert inspect_flow(flow).valid


# --- texts made to take long -------------------------------------------------------------------------

HALF_A_MEGABYTE = 2**19


@pytest.mark.parametrize(
    "piece", ["sk-", "ghp_", "xoxb-", "eyJ-", "sk-abcdefgh", "tvly-aB1", "://a:b", "eyJaaaaaaaaaa."]
)
def test_beginnings_of_keys_without_end_are_read_once(piece: str) -> None:
    """Each took minutes when every beginning was read to the end of the text."""
    flow = echo_flow() | {"description": piece * (HALF_A_MEGABYTE // len(piece)) + "your"}
    began = time.process_time()
    assert inspect_flow(flow).valid
    assert time.process_time() - began < 10


def test_a_long_key_above_many_values_does_not_fill_the_memory() -> None:
    """The paths together would have been 17 GB."""
    flow = echo_flow() | {
        "description": "sk-" + "1aB2cD3eF4gH5iJ6kL7mN8",
        "k" * HALF_A_MEGABYTE: [""] * 2**15,
    }
    (problem,) = inspect_flow(flow).errors
    assert (problem.code, problem.path) == ("secret_in_flow", "description")


def test_a_long_key_is_cut_where_it_is_named() -> None:
    flow = echo_flow() | {"k" * 1000: {"x": "sk-" + "1aB2cD3eF4gH5iJ6kL7mN8"}}
    (problem,) = inspect_flow(flow).errors
    assert problem.path == "k" * 200 + "….x"


def test_a_hundred_misplaced_secrets_are_enough() -> None:
    flow = echo_flow() | {"x": [f"sk-1aB2cD3eF4gH5iJ6kL7m{number}" for number in range(5000)]}
    assert len(inspect_flow(flow).errors) == 100


# --- same content ------------------------------------------------------------------------------------


def test_the_digest_ignores_order_and_spaces_and_sees_content() -> None:
    flow = echo_flow()
    turned = json.loads(json.dumps(flow), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    digest = inspect_flow(flow).sha256
    assert inspect_flow(json.dumps(turned, indent=4)).sha256 == digest
    template(flow, "Prompt")["template"]["value"] += "!"
    assert inspect_flow(flow).sha256 != digest


def test_the_caller_s_object_is_left_alone() -> None:
    flow = echo_flow()
    template(flow, "Prompt")["api_key"] = {"type": "str", "value": "hunter2-hunter2", "password": True}
    before = copy.deepcopy(flow)
    report = inspect_flow(flow)
    assert flow == before
    assert report.flow != before


# --- anything else -----------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=200)
    | st.text(max_size=200)
    | st.dictionaries(st.text(max_size=8), anything, max_size=4)
)
def test_nothing_makes_it_raise(source: Any) -> None:
    assert isinstance(inspect_flow(source), FlowReport)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, below in value.items():
            found += _places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            found += _places(below, (*path, index))
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_real_flow_with_any_place_replaced_never_makes_it_raise(data: st.DataObject) -> None:
    flow = grouped(echo_flow(), "Prompt") if data.draw(st.booleans()) else echo_flow()
    places = _places(flow)
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(places))
        holder: Any = flow
        for key in above:
            holder = holder[key] if isinstance(holder, (dict, list)) and _has(holder, key) else None
            if holder is None:
                break
        if isinstance(holder, (dict, list)) and _has(holder, last):
            holder[last] = data.draw(anything)
    report = inspect_flow(flow)
    # What leaves here must be storable: JSON without NaN.
    json.dumps(report.as_dict(), allow_nan=False).encode()


def _has(holder: Any, key: Any) -> bool:
    if isinstance(holder, dict):
        return key in holder
    return isinstance(key, int) and key < len(holder)
