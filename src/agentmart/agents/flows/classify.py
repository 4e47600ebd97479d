"""What each node is, by the full SHA-256 of its source: known, edited or custom; and what it can do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from agentmart.agents.flows.known import KnownComponents, KnownSource, plain_type
from agentmart.agents.flows.nodes import CODE, FlowGraph, FlowNode
from agentmart.agents.flows.parse import shown
from agentmart.agents.flows.report import NodeReport, Permission, Problem

LOOP_NAMES = frozenset({"LoopComponent", "Loop"})
MCP_FIELD = "mcp"
# What components leave to their base classes in some release (a survey of all harvested wheels).
INHERITED_METHODS = frozenset(
    method
    for line in (
        "as_dataframe as_vector_store build_agent build_base_retriever build_embeddings build_event",
        "build_message_history build_model build_output build_tool cast_vector_store data_output dataframe_output",
        "invoke_chain json_response load_dataframe load_files load_message message_output message_response",
        "run_model run_tool search_documents split_data text_response to_toolkit transform_data",
    )
    for method in line.split()
)


@dataclass(slots=True)
class Classified:
    """The nodes with code, in file order, and what follows from their classes."""

    nodes: list[NodeReport] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    loops: set[str] = field(default_factory=set)
    known_code: set[str] = field(default_factory=set)  # ids whose source is published text


def classify(graph: FlowGraph, known: KnownComponents) -> Classified:
    """Class every node that carries source; a false claim becomes an error of the graph."""
    result = Classified()
    for node in graph.nodes.values():
        if node.code is None:
            continue
        digest = hashlib.sha256(node.code.encode("utf-8", "surrogatepass")).hexdigest()
        source = known.source(digest)
        if source is None:
            _foreign(node, digest, known, result)
        else:
            _published(graph, node, digest, source, known, result)
    return result


def _published(
    graph: FlowGraph,
    node: FlowNode,
    digest: str,
    source: KnownSource,
    known: KnownComponents,
    result: Classified,
) -> None:
    claimed = plain_type(node.type)
    honest = claimed in source.names or known.aliases.get(claimed) in source.names
    component = claimed if claimed in source.names else source.names[0]
    if not honest:
        message = f"Node {node.id} says it is {shown(node.type)} but carries the source of {component}."
        graph.add("type_mismatch", message, f"{node.path}.data.type", node.id)
    else:
        _check_methods(graph, node)
    runtime_type = known.runtime_type(node.type)
    abilities = known.capabilities_of(source, runtime_type)
    if "mcp_stdio" in abilities and _only_remote_mcp(node):
        del abilities["mcp_stdio"]
    report = NodeReport(
        id=node.id,
        type=node.type,
        display_name=node.display_name,
        node_class="known",
        sha256=digest,
        component=component,
        module=source.module,
        releases=source.releases,
        origin=source.origin,
        runtime_type=runtime_type,
        capabilities=tuple(sorted(abilities)),
        group=node.group,
    )
    result.nodes.append(report)
    result.known_code.add(node.id)
    if LOOP_NAMES & set(source.names):
        result.loops.add(node.id)
    _known_findings(node, report, abilities, known, result)


def _check_methods(graph: FlowGraph, node: FlowNode) -> None:
    """Refuse an output whose method the component does not declare: the runtime calls whatever stands there."""
    rows = node.body.get("outputs")
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        method = row.get("method") if isinstance(row, dict) else None
        if method is None or _declares(node.code or "", method):
            continue
        message = (
            f"Node {node.id} names the method {shown(method)} for an output; {node.type} declares none of it."
        )
        graph.add("unknown_method", message, f"{node.path}.data.node.outputs[{index}].method", node.id)
        return  # one is reason enough


def _declares(code: str, method: Any) -> bool:
    if not isinstance(method, str) or not method.isidentifier() or method.startswith("_"):
        return False
    return method in INHERITED_METHODS or f'"{method}"' in code or f"'{method}'" in code


def _known_findings(
    node: FlowNode, report: NodeReport, abilities: dict[str, str], known: KnownComponents, result: Classified
) -> None:
    who = f"Node {node.id} ({report.component})"
    for capability, reason in sorted(abilities.items()):
        if capability in known.permission:
            result.permissions.append(Permission(node.id, capability, f"{who} {reason}."))
        else:
            message = f"{who} {reason}: it will fail in the embedded runtime."
            result.warnings.append(Problem(f"no_{capability}", message, node.path, node.id))
    for name in _other_code_fields(node):
        if "code_execution" not in abilities:
            reason = f"{who} carries code in its field {shown(name)}."
            result.permissions.append(Permission(node.id, "custom_code", reason))
    if not report.runtime_type:
        message = f"{who} is not available in this runtime ({known.runtime}): deploying the flow would fail."
        result.warnings.append(Problem("not_available", message, node.path, node.id))


def _foreign(node: FlowNode, digest: str, known: KnownComponents, result: Classified) -> None:
    base = _claimed_component(node, known)
    who = f"Node {node.id} ({node.display_name})"
    reason = (
        f"{who} carries an edited source of {base}: no release has it."
        if base
        else f"{who} carries code of its own: no release has it."
    )
    result.permissions.append(Permission(node.id, "custom_code", reason))
    result.nodes.append(
        NodeReport(
            id=node.id,
            type=node.type,
            display_name=node.display_name,
            node_class="edited" if base else "custom",
            sha256=digest,
            component=base,
            capabilities=("custom_code",),
            group=node.group,
        )
    )


def _claimed_component(node: FlowNode, known: KnownComponents) -> str:
    """Return the known component that type or metadata name, "" if neither does; a claim, good for words only."""
    claimed = plain_type(node.type)
    if claimed in known.names and claimed != "CustomComponent":
        return claimed
    metadata = node.body.get("metadata")
    module = metadata.get("module") if isinstance(metadata, dict) else None
    if isinstance(module, str):
        parent, _, name = module.rpartition(".")
        if parent in known.module_names and name in known.names:
            return name
        if module in known.module_names:
            return module.rpartition(".")[2]
    return ""


def _other_code_fields(node: FlowNode) -> list[str]:
    return [
        name
        for name, value in node.fields()
        if name != CODE and value.get("type") == CODE and value.get("value")
    ]


def _only_remote_mcp(node: FlowNode) -> bool:
    """Whether every server setting names a URL and none a command; a group could replace it, so never inside one."""
    configs = [value.get("value") for name, value in node.fields() if value.get("type") == MCP_FIELD]
    if node.group or not configs or "command" in node.template:
        return False
    return all(isinstance(value, dict) and _remote_config(value.get("config")) for value in configs)


def _remote_config(config: Any) -> bool:
    if not isinstance(config, dict) or not isinstance(config.get("url"), str):
        return False
    return set(config) <= {"url", "headers", "mode", "transport"} and "stdio" not in str(config).lower()
