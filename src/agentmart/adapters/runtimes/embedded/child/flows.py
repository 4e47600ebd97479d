"""Build and run Langflow flows with lfx: the only module that calls the executor.

A deployment is prepared once (code swapped for the installed one, models pointed at the egress) and kept as a
template; every run gets a fresh copy of it, because a built graph keeps what it computed and holds one run.
"""

from __future__ import annotations

import asyncio
import copy
import enum
import functools
import json
import logging
import pickle
import ssl
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from httpx._transports import default as httpx_transports
from lfx.cli.runtime_variables import apply_global_vars_to_graph
from lfx.events.event_manager import EventManager
from lfx.graph.graph import utils as graph_utils
from lfx.graph.graph.base import Graph
from lfx.graph.vertex.param_handler import ParameterHandler
from lfx.graph.vertex.vertex_types import InterfaceVertex
from lfx.inputs.input_mixin import BaseInputMixin
from lfx.interface.components import component_cache, get_and_cache_all_types_dict
from lfx.interface.initialize import loading
from lfx.log.logger import configure
from lfx.run._defaults import apply_run_defaults
from lfx.schema.message import Message
from lfx.services.deps import get_settings_service
from lfx.services.variable import request_scope
from lfx.template.field.base import Output
from lfx.utils import flow_validation

from . import memory, models

Template = dict[str, Any]
NAMESPACE = uuid.UUID("0b9f9d0c-6c05-4d6e-9a55-5d3f6d1f3f52")
_UNCHANGING = (str, int, float, bool, bytes, type(None), enum.Enum, type, types.FunctionType)
SOURCES = 512
"""Of so many component sources a process keeps what it found out."""
MEMORY_MARKS = ("aget_messages", "get_memory_data", "lfx.memory", "langflow.memory", "MemoryComponent")


class BadFlow(Exception):
    """The flow cannot be built here; the message names the node and is safe to show."""


class Refused(Exception):
    """A tweak names a node or field that the flow lacks; the message is safe to show."""


class Installed:
    """What this runtime's lfx brings: source and template of every component, by each of its names."""

    def __init__(self) -> None:
        asyncio.run(get_and_cache_all_types_dict(get_settings_service()))
        types = component_cache.all_types_dict or {}
        self.code: dict[str, str] = flow_validation.collect_component_code_lookups(types)
        self.components: dict[str, dict[str, Any]] = {}
        for components in types.values():
            for name, component in components.items():
                for alias in flow_validation.get_component_type_aliases(name, component):
                    self.components.setdefault(alias, component)

    def template(self, component: str) -> Template:
        """Return the installed component's template; empty if there is none of that name."""
        return self.components.get(component, {}).get("template") or {}


def quiet() -> None:
    """Switch lfx's own log off: it would print prompts."""
    configure(disable=True)
    logging.disable(logging.CRITICAL)


def cache_component_classes() -> None:
    """Evaluate each component source once per process instead of once per node and copy.

    Saves most of a copy's time. The class is shared by the runs of one process, as installed modules are.
    """
    loading.eval_custom_component_code = functools.lru_cache(SOURCES)(loading.eval_custom_component_code)


def spare_descriptions() -> None:
    """Write no YAML of what a chat node made: it is for the editor's screen, and takes a tenth of a run."""
    InterfaceVertex.built_object_repr = lambda self: ""


def cache_file_fields() -> None:
    """Look through all components once per source, instead of once per node and copy, for what fields name files."""
    find = ParameterHandler._canonical_file_fields
    known: dict[str, dict[str, dict[str, Any]]] = {}

    def found(handler: Any) -> dict[str, dict[str, Any]]:
        code = handler.template_dict.get("code")
        source = code.get("value") if isinstance(code, dict) else None
        if not isinstance(source, str):
            return find(handler)  # type: ignore[no-any-return]
        if source not in known:
            if len(known) >= SOURCES:
                known.clear()
            known[source] = find(handler)
        return known[source]

    ParameterHandler._canonical_file_fields = found


def share_tls_context() -> None:
    """Read the certificates once per process instead of twice per model client, most of a model run's time.

    No TLS is spoken here: the egress is plain HTTP inside the child's own network.
    """
    module = vars(httpx_transports)
    original = module["create_ssl_context"]
    default = functools.cache(ssl.create_default_context)

    def create(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        return default() if verify is True and cert is None else original(verify, cert, trust_env)

    module["create_ssl_context"] = create
    default()


def allow_custom_code() -> None:
    """Let this process run the code that exports carry; for processes that serve one deployment only."""
    settings = get_settings_service().settings
    settings.allow_custom_components = True
    settings.block_code_interpreter_components = False


def copy_plain_data_quickly() -> None:
    """Copy a graph's nodes and edges by pickle where lfx takes its own copy of them: a fifth of the time."""
    graph_utils.copy = types.SimpleNamespace(copy=copy.copy, deepcopy=_deepcopy)


def copy_fields_quickly() -> None:
    """Copy a component's inputs and outputs without asking of every text and number whether it can change.

    lfx copies each of them twice a run, by pydantic's deep copy: a fifth of a run's time.
    """
    for model in (BaseInputMixin, Output):
        model.__deepcopy__ = _deepcopy_of_fields


def _deepcopy_of_fields(self: Any, memo: dict[int, Any] | None = None) -> Any:
    memo = {} if memo is None else memo
    copied = self.__copy__()
    for name, value in copied.__dict__.items():
        if not isinstance(value, _UNCHANGING):
            copied.__dict__[name] = copy.deepcopy(value, memo)
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        if getattr(copied, name):
            object.__setattr__(copied, name, copy.deepcopy(getattr(copied, name), memo))
    return copied


def _deepcopy(data: Any, memo: dict[int, Any] | None = None) -> Any:
    if type(data) is not dict:
        return copy.deepcopy(data, memo)
    try:
        return pickle.loads(pickle.dumps(data, pickle.HIGHEST_PROTOCOL))
    except (pickle.PicklingError, TypeError, AttributeError):
        return copy.deepcopy(data, memo)


def do_without_langflow() -> None:
    """Say at once that there is no `langflow` here: lfx asks the disk for it in every run, in vain."""
    sys.modules["langflow"] = None  # type: ignore[assignment]


class _Pickled(dict[str, Any]):
    """Plain data that is pickled once, and every copy of it made from that."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self._pickled = pickle.dumps(data, pickle.HIGHEST_PROTOCOL)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        copied: dict[str, Any] = pickle.loads(self._pickled)
        return copied


class Flow:
    """One deployment, ready to be copied and run in this process."""

    def __init__(
        self, deployment_id: str, payload: dict[str, Any], *, trusted: bool, installed: Installed
    ) -> None:
        """Prepare and build once; raises BadFlow."""
        inner = payload.get("data")
        source = inner if isinstance(inner, dict) else payload
        data = {
            "nodes": copy.deepcopy(source.get("nodes")),
            "edges": copy.deepcopy(source.get("edges") or []),
        }
        if not isinstance(data["nodes"], list) or not data["nodes"]:
            raise BadFlow("The flow has no nodes.")
        data["nodes"] = [node for node in data["nodes"] if node.get("type") != "noteNode"]
        self.uses_memory = not trusted
        for node in _walk(data["nodes"]):
            self._prepare(node, installed, trusted=trusted)
        self.deployment_id = str(uuid.UUID(deployment_id))
        self.user_id = str(uuid.uuid5(NAMESPACE, deployment_id))
        try:
            self.template = Graph.from_payload(
                data,
                flow_id=self.deployment_id,
                user_id=self.user_id,
                instantiate_components=False,
                emit_extension_events=False,  # they would wait for a lock on a file that is not there
            )
            self.template.raw_graph_data = _Pickled(self.template.raw_graph_data)
            graph = self._copy({}, stream=False)
            graph.prepare()
        except BadFlow:
            raise
        except Exception as error:
            raise BadFlow(_why_not(error)) from error
        kinds = {vertex.data.get("type") for vertex in graph.vertices if vertex.is_input}
        self.input_type = "chat" if "ChatInput" in kinds else "any"
        self.outputs = [vertex.id for vertex in graph.vertices if vertex.is_output]
        if not self.outputs:
            raise BadFlow("The flow has no output node: add a Chat Output.")

    def _prepare(self, node: dict[str, Any], installed: Installed, *, trusted: bool) -> None:
        inner = node["data"].get("node") or {}
        template = inner.get("template")
        if not isinstance(template, dict):
            return
        component = str(node["data"].get("type") or "")
        code = template.get("code")
        if isinstance(code, dict) and code.get("value"):
            own = installed.code.get(component)
            if trusted and own is None:
                name = inner.get("display_name") or component
                raise BadFlow(
                    f"Component {component or name} of node {node.get('id')} is not available in this runtime."
                )
            if trusted:
                code["value"] = own
            _evaluate(str(code["value"]), component, node)
            if any(mark in str(code["value"]) for mark in MEMORY_MARKS):
                self.uses_memory = True
        models.adapt_node(component, template, installed.template(component))

    def _copy(self, tweaks: dict[str, dict[str, Any]], *, stream: bool) -> Graph:
        def before(graph: Graph) -> None:
            nodes = graph.raw_graph_data["nodes"]
            _set_streaming(nodes, stream)
            _apply_tweaks(nodes, tweaks)

        return self.template.copy_for_run(user_id=self.user_id, before_instantiate=before)

    async def run(
        self,
        text: str,
        *,
        session_id: str,
        history: list[dict[str, Any]],
        tweaks: dict[str, dict[str, Any]],
        model_token: str,
        on_token: Callable[[str], None] | None,
    ) -> tuple[str, dict[str, Any]]:
        """Run a fresh copy once; return the answer's text and the session's changes."""
        graph = self._copy(tweaks, stream=on_token is not None)
        variables = {models.KEY_VARIABLE: model_token, "OPENAI_BASE_URL": models.EGRESS_URL}
        apply_run_defaults(graph, session_id=session_id, user_id=self.user_id)
        for vertex_id in graph.has_session_id_vertices:  # a session pinned in the export is not the caller's
            graph.get_vertex(vertex_id).update_raw_params({"session_id": session_id}, overwrite=True)
        apply_global_vars_to_graph(graph, variables)
        graph.context["no_env_fallback"] = True
        scope = request_scope.activate_request_variables(variables)
        try:
            with memory.bound(memory.Session(history)) as session:
                outputs = await graph.arun(
                    inputs=[{"input_value": text}],
                    types=[self.input_type],
                    outputs=self.outputs,
                    session_id=session_id,
                    stream=False,
                    event_manager=_events(on_token) if on_token else None,
                )
            return _answer(outputs), session.changes()
        finally:
            request_scope.reset_request_variables(scope)


def _evaluate(code: str, component: str, node: dict[str, Any]) -> None:
    """Turn a component's source into its class, which is kept; raises BadFlow if a package is missing."""
    try:
        loading.eval_custom_component_code(code, class_name=component)
    except Exception as error:
        if package := _missing_package(error):
            raise BadFlow(
                f"Component {component} of node {node.get('id')} needs the Python package {package},"
                " which this runtime lacks."
            ) from error


def _missing_package(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return error.name or ""
        error = error.__cause__ or error.__context__
    return ""


def _walk(nodes: list[dict[str, Any]], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every node, those inside groups too."""
    if depth > 8:
        raise BadFlow("Groups are nested more than 8 deep.")
    for node in nodes:
        if not isinstance(node, dict) or not isinstance(node.get("data"), dict):
            raise BadFlow("A node is not an object with data.")
        yield node
        flow = (node["data"].get("node") or {}).get("flow")
        if isinstance(flow, dict):
            yield from _walk((flow.get("data") or {}).get("nodes") or [], depth + 1)


def _set_streaming(nodes: list[dict[str, Any]], stream: bool) -> None:
    for node in _walk(nodes):
        field = (node["data"]["node"].get("template") or {}).get("stream")
        if isinstance(field, dict) and field.get("type") == "bool":
            field["value"] = stream


def _apply_tweaks(nodes: list[dict[str, Any]], tweaks: dict[str, dict[str, Any]]) -> None:
    if not tweaks:
        return
    by_id = {str(node.get("id")): node for node in _walk(nodes)}
    for node_id, fields in tweaks.items():
        if node_id not in by_id:
            raise Refused(f"The flow has no node {node_id}.")
        template = by_id[node_id]["data"]["node"].get("template") or {}
        for name, value in fields.items():
            field = template.get(name)
            if not isinstance(field, dict) or name == "code" or field.get("type") == "code":
                raise Refused(f"Node {node_id} has no field {name} that may be set.")
            field["value"] = value
            if "load_from_db" in field:
                field["load_from_db"] = False


def _events(on_token: Callable[[str], None]) -> EventManager:
    """Return lfx's event manager with everything switched off but tokens; they may come from other threads."""
    loop = asyncio.get_running_loop()

    def token(*, manager: EventManager, event_type: str, data: Any) -> None:
        text = data.get("chunk") if isinstance(data, dict) else None
        if isinstance(text, str) and text:
            loop.call_soon_threadsafe(on_token, text)

    events = EventManager(None)
    events.register_event("on_token", "token", token)
    return events


def _answer(outputs: list[Any]) -> str:
    """Return the text of the first output that has one, chat outputs first."""
    results = [result for output in outputs for result in (output.outputs or []) if result is not None]
    values = [value for result in results for value in _values(result.results)]
    messages = [value for value in values if isinstance(value, Message)]
    texts = [message.get_text() for message in messages] or [_plain_text(value) for value in values]
    return next((text for text in texts if text), "")


def _values(results: Any) -> list[Any]:
    return list(results.values()) if isinstance(results, dict) else [results]


def _plain_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    data = getattr(value, "data", value)
    try:
        return json.dumps(data, default=str)
    except (TypeError, ValueError):
        return str(data)


def _why_not(error: Exception) -> str:
    """Say why a flow cannot be built without showing paths or tracebacks."""
    if missing := _missing_package(error):
        return f"The flow needs the Python package {missing}, which this runtime lacks."
    return "The flow cannot be built by this runtime."
