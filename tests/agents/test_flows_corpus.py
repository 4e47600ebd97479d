"""Every real export of two releases: classed exactly, and without a line of it executed."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from tests.support.flows import export, exports

from agentmart.agents.flows import FlowReport, inspect_flow, load_known

WATCHED = ("exec", "compile", "import", "open", "subprocess.Popen", "os.system", "socket.connect", "ctypes.")
_watch: dict[str, Counter[str] | None] = {"seen": None}


def _hear(event: str, _args: tuple[object, ...]) -> None:
    seen = _watch["seen"]
    if seen is not None and event.startswith(WATCHED):
        seen[event] += 1


@pytest.fixture(scope="session")
def audit() -> None:
    """One audit hook per process: they cannot be removed."""
    sys.addaudithook(_hear)


def reports(version: str) -> list[FlowReport]:
    return [inspect_flow(path.read_bytes()) for path in exports(version)]


@pytest.mark.parametrize(
    ("version", "flows", "nodes", "starter_only", "trusted"),
    [("1.13.0", 27, 144, 4, 21), ("0.8.4", 32, 211, 42, 24)],
)
def test_every_node_of_a_release_is_known(
    version: str, flows: int, nodes: int, starter_only: int, trusted: int
) -> None:
    found = reports(version)
    classes = Counter(node.node_class for report in found for node in report.nodes)
    origins = Counter(node.origin for report in found for node in report.nodes)
    assert len(found) == flows
    assert classes == {"known": nodes}
    assert origins["starter"] == starter_only
    assert Counter(report.trust for report in found)["known"] == trusted
    assert [problem for report in found for problem in report.errors] == []


def test_nothing_is_executed_compiled_imported_or_opened(audit: None) -> None:
    sources = [path.read_bytes() for version in ("1.13.0", "0.8.4") for path in exports(version)]
    load_known()
    inspect_flow(sources[0])
    seen: Counter[str] = Counter()
    _watch["seen"] = seen
    try:
        for source in sources:
            inspect_flow(source)
    finally:
        _watch["seen"] = None
    assert seen == {}


def test_the_audit_hook_would_notice(audit: None) -> None:
    seen: Counter[str] = Counter()
    _watch["seen"] = seen
    try:
        exec(compile("1", "probe", "exec"))  # noqa: S102 - proves the watch above can fail
    finally:
        _watch["seen"] = None
    assert set(seen) >= {"exec", "compile"}


def test_a_release_of_origin_follows_from_the_hash() -> None:
    report = inspect_flow(export(version="0.8.4"))
    chat = next(node for node in report.nodes if node.type == "ChatInput")
    assert (chat.component, chat.origin, chat.runtime_type) == ("ChatInput", "source", "ChatInput")
    assert chat.module.startswith("lfx.components.input_output.chat")
    # Seen in the wheels' own starter projects and in lfx; langflow-base 0.N.P is Langflow 1.N.P.
    assert chat.releases == "langflow-base 0.7.1-1.13.0, lfx 0.2.1-1.11.2"


def test_a_loop_may_lead_back_to_itself() -> None:
    report = inspect_flow(export("Research Translation Loop"))
    assert report.errors == ()


def test_needs_permission_names_what_the_component_can_do() -> None:
    report = inspect_flow(export("Text Sentiment Analysis"))
    needs = {(item.node.partition("-")[0], item.capability) for item in report.needs_permission}
    assert ("File", "files") in needs
    assert report.trust == "custom"
    assert report.valid


def test_variables_and_models_are_named() -> None:
    report = inspect_flow(export(version="0.8.4"))
    assert report.requires.models == (("Anthropic", "claude-opus-4-5-20251101"),)
    tasks = inspect_flow(export("Sequential Tasks Agents", version="0.8.4"))
    assert tasks.requires.variables == ("OPENAI_API_KEY",)


def test_a_flow_without_an_output_is_refused() -> None:
    flow = export()
    flow["data"]["nodes"] = [
        item for item in flow["data"]["nodes"] if item["data"].get("type") != "ChatOutput"
    ]
    flow["data"]["edges"] = [item for item in flow["data"]["edges"] if "ChatOutput" not in item["target"]]
    assert [problem.code for problem in inspect_flow(flow).errors] == ["no_output"]


def test_without_an_input_it_is_a_warning() -> None:
    report = inspect_flow(export("SEO Keyword Generator"))
    assert report.valid
    assert "no_input" in [problem.code for problem in report.warnings]


def test_models_of_older_releases_are_announced_as_upgrades() -> None:
    # An EmbeddingModel saved when provider and model name were fields of their own.
    report = inspect_flow(export("Nvidia Remix", version="0.8.4"))
    assert [(item.code, item.node) for item in report.upgrades] == [
        ("model_upgraded", "EmbeddingModel-X6URU")
    ]
    assert inspect_flow(export()).upgrades == ()
