"""The one entrance: a Langflow export in, everything we know of it out; nothing of it is ever executed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentmart.agents.flows.classify import Classified, classify
from agentmart.agents.flows.edges import check_edges
from agentmart.agents.flows.known import KnownComponents, load_known
from agentmart.agents.flows.nodes import FlowGraph, FlowNode, read_graph
from agentmart.agents.flows.parse import Unreadable, digest_of, read_document, shown
from agentmart.agents.flows.report import Endpoint, FlowLimits, FlowReport, Problem, Requires
from agentmart.agents.flows.secret_scan import find_misplaced, strip_secrets, variable_of
from agentmart.agents.flows.tweaks import candidates
from agentmart.agents.flows.upgrades import upgrades_of

INPUTS = frozenset({"ChatInput", "TextInput", "Webhook"})
OUTPUTS = frozenset({"ChatOutput", "TextOutput", "DataOutput"})
VERSION = re.compile(r"^v?(?P<major>\d{1,4})\.(?P<minor>\d{1,4})(\.|$|[a-z])")
SUPPORTED_MAJOR = 1
PACKAGE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
MAX_NAME = 200


def inspect_flow(
    source: bytes | str | Mapping[str, Any],
    *,
    limits: FlowLimits | None = None,
    known: KnownComponents | None = None,
) -> FlowReport:
    """Read, class and check a flow export; never raises for bad input, the report holds every reason.

    `report.status` is 413 above the size limit, 400 for any other error, else 200.
    """
    limits, known = limits or FlowLimits(), known or load_known()
    try:
        document = read_document(source, limits)
        graph = read_graph(document, limits)
        version, version_problems = _version(document, known.runtime)
        classified = classify(graph, known)
        check_edges(graph, classified.loops)
        notices = strip_secrets(graph)
        sha256 = digest_of(document)
    except Unreadable as refusal:
        return FlowReport(errors=(refusal.problem,), status=refusal.status)
    inputs, outputs = _endpoints(graph, INPUTS), _endpoints(graph, OUTPUTS)
    missing_errors, missing_warnings = _missing_ends(graph, inputs, outputs)
    errors = [problem for problem in version_problems if problem.code != "untested_version"]
    errors += graph.problems + find_misplaced(graph, document, classified.known_code) + missing_errors
    warnings = [problem for problem in version_problems if problem.code == "untested_version"]
    warnings += [*notices, *missing_warnings, *classified.warnings]
    name = document.get("name")
    return FlowReport(
        errors=tuple(errors),
        warnings=tuple(warnings),
        status=400 if errors else 200,
        name=name[:MAX_NAME] if isinstance(name, str) else "",
        langflow_version=version,
        sha256=sha256,
        nodes=tuple(classified.nodes),
        inputs=inputs,
        outputs=outputs,
        tweakable=candidates(graph, classified.nodes),
        needs_permission=tuple(classified.permissions),
        upgrades=tuple(upgrades_of(graph, classified.nodes, known)),
        requires=_requires(graph, classified),
        flow=document if not errors else {},
    )


def _version(document: dict[str, Any], runtime: str) -> tuple[str, list[Problem]]:
    """Return the Langflow version the flow was saved with, and what speaks against it.

    `runtime` is what flows run on ("lfx 1.13.0"): a flow of a later minor version may use what it lacks.
    """
    path, value = "last_tested_version", document.get("last_tested_version")
    if value is None or value == "":
        message = "The export does not say which Langflow version it comes from (last_tested_version)."
        return "", [Problem("untested_version", message, path)]
    match = VERSION.match(value) if isinstance(value, str) else None
    if match is None:
        message = f"Unknown Langflow version {shown(value)}: supported are 1.0 to 1.x."
        return "", [Problem("unsupported_version", message, path)]
    if int(match["major"]) != SUPPORTED_MAJOR:
        message = (
            f"Langflow version {shown(value)} is not supported: export the flow from Langflow 1.0 to 1.x."
        )
        return str(value)[:40], [Problem("unsupported_version", message, path)]
    newest = runtime.partition(" ")[2]
    if int(match["minor"]) > int(newest.split(".")[1]):
        message = f"Langflow {shown(value)} is newer than the runtime ({newest}): test the agent before you publish it."
        return str(value)[:40], [Problem("untested_version", message, path)]
    return str(value)[:40], []


def _endpoints(graph: FlowGraph, types: frozenset[str]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(node.id, node.type, node.display_name) for node in graph.nodes.values() if node.type in types
    )


def _missing_ends(
    graph: FlowGraph, inputs: tuple[Endpoint, ...], outputs: tuple[Endpoint, ...]
) -> tuple[list[Problem], list[Problem]]:
    errors, warnings = [], []
    if not outputs and graph.nodes:
        message = "The flow has no output component (Chat Output or Text Output): nothing to answer with."
        errors.append(Problem("no_output", message, "data.nodes"))
    if not inputs and graph.nodes:
        message = "The flow has no input component (Chat Input or Text Input): the caller's text is not used."
        warnings.append(Problem("no_input", message, "data.nodes"))
    return errors, warnings


def _requires(graph: FlowGraph, classified: Classified) -> Requires:
    nodes = [graph.nodes[report.id] for report in classified.nodes]
    variables = {
        name
        for node in nodes
        for field_name, field in node.fields()
        if (name := variable_of(field_name, field))
    }
    packages = {name for node in nodes for name in _packages(node)}
    models = {model for node in nodes for model in _models(node)}
    return Requires(tuple(sorted(packages)), tuple(sorted(variables)), tuple(sorted(models)))


def _packages(node: FlowNode) -> Iterator[str]:
    """Yield package names that the node's metadata claims; good for display only."""
    metadata = node.body.get("metadata")
    claimed = metadata.get("dependencies") if isinstance(metadata, dict) else None
    rows = claimed.get("dependencies") if isinstance(claimed, dict) else None
    for row in rows if isinstance(rows, list) else ():
        name = row.get("name") if isinstance(row, dict) else None
        if isinstance(name, str) and PACKAGE_NAME.match(name):
            yield name


def _models(node: FlowNode) -> Iterator[tuple[str, str]]:
    """Yield (provider, model) of the forms that releases used: a model selection, or provider and model_name."""
    values = {name: field.get("value") for name, field in node.fields()}
    selected = values.get("model")
    for row in selected if isinstance(selected, list) else ():
        if isinstance(row, dict):
            yield from _pair(row.get("provider"), row.get("name"))
    if not isinstance(selected, list):
        model = values.get("model_name") or selected
        provider = values.get("provider") or values.get("agent_llm") or node.type.removesuffix("Model")
        if any(name in values for name in ("model_name", "agent_llm")):
            yield from _pair(provider, model)


def _pair(provider: Any, model: Any) -> Iterable[tuple[str, str]]:
    if isinstance(model, str) and model and len(model) <= MAX_NAME:
        yield (provider[:MAX_NAME] if isinstance(provider, str) else "", model)
