"""Flow exports for tests, made out of the installed components' own templates."""

from __future__ import annotations

import copy
import itertools
import json
import uuid
from pathlib import Path
from typing import Any

from agentmart.adapters.runtimes import RunRequest

Flow = dict[str, Any]

CUSTOM_HEAD = """
from lfx.custom.custom_component.component import Component
from lfx.io import MessageTextInput, Output
from lfx.schema.message import Message


class Own(Component):
    display_name = "Own"
    inputs = [MessageTextInput(name="input_value", display_name="Input")]
    outputs = [Output(name="message", display_name="Message", method="answer")]

    def answer(self) -> Message:
        text = self.input_value
"""


class Components:
    """The component templates of the runtime's lfx."""

    def __init__(self, python: Path) -> None:
        [index] = python.parent.parent.glob("lib/python3*/site-packages/lfx/_assets/component_index.json")
        entries = json.loads(index.read_text())["entries"]
        self._known = {name: item for _, group in entries for name, item in group.items()}

    def node(self, component: str, **values: Any) -> Flow:
        """Return a node with some fields set; lfx reads the kind out of the id, so the ids look like real ones."""
        node_id = f"{component.split()[0]}-1"
        inner = copy.deepcopy(self._known[component])
        for name, value in values.items():
            inner["template"][name]["value"] = value
        return {
            "id": node_id,
            "type": "genericNode",
            "data": {"id": node_id, "type": component, "node": inner},
        }

    def echo(self) -> Flow:
        """Chat input → prompt "You said: {text}" → chat output; calls no model."""
        return chain(
            self.node("ChatInput"), (self._prompt("You said: {text}"), "text"), self.node("ChatOutput")
        )

    def _prompt(self, template: str, *fields: str) -> Flow:
        prompt = self.node("Prompt Template", template=template)
        names = ["text", *fields]
        prompt["data"]["node"]["custom_fields"] = {"template": names}
        for name in names:
            prompt["data"]["node"]["template"][name] = {
                "type": "str",
                "name": name,
                "display_name": name,
                "input_types": ["Message"],
                "value": "",
                "required": False,
                "multiline": True,
            }
        return prompt

    def model(self, **values: Any) -> Flow:
        """Chat input → language model → chat output."""
        model = self.node("LanguageModelComponent", **values)
        return chain(self.node("ChatInput"), model, self.node("ChatOutput"))

    def agent(self) -> Flow:
        """Chat input → agent → chat output."""
        return chain(self.node("ChatInput"), self.node("Agent"), self.node("ChatOutput"))

    def remembering(self) -> Flow:
        """Answers with the messages of its session, as `sender: text` lines, and what it was told now."""
        prompt = self._prompt("{history}\n{text}", "history")
        flow = chain(self.node("ChatInput"), (prompt, "text"), self.node("ChatOutput"))
        memory = self.node("Memory", template="{sender}: {text}")
        flow["data"]["nodes"].append(memory)
        flow["data"]["edges"].append(_edge(memory, prompt, "history"))
        return flow

    def custom(self, body: str) -> Flow:
        """Chat input → a component with code of its own → chat output; `body` turns `text` into the answer."""
        code = CUSTOM_HEAD + "".join(f"        {line}\n" for line in body.strip().splitlines())
        code += "        return Message(text=str(text))\n"
        template = {
            "_type": "Component",
            "code": {"type": "code", "name": "code", "value": code, "show": True, "advanced": True},
            "input_value": {
                "type": "str",
                "name": "input_value",
                "input_types": ["Message"],
                "value": "",
                "display_name": "Input",
            },
        }
        output = {
            "name": "message",
            "types": ["Message"],
            "method": "answer",
            "selected": "Message",
            "value": "__UNDEFINED__",
        }
        inner = {
            "template": template,
            "display_name": "Own",
            "outputs": [output],
            "base_classes": ["Message"],
        }
        own = {"id": "Own-1", "type": "genericNode", "data": {"id": "Own-1", "type": "Own", "node": inner}}
        return chain(self.node("ChatInput"), own, self.node("ChatOutput"))


def chain(*nodes: Flow | tuple[Flow, str]) -> Flow:
    """Return a flow in which each node feeds the next: its `input_value`, or the field named beside it."""
    placed = [node if isinstance(node, tuple) else (node, "input_value") for node in nodes]
    edges = [_edge(source, target, name) for (source, _), (target, name) in itertools.pairwise(placed)]
    return {"name": "test", "data": {"nodes": [node for node, _ in placed], "edges": edges}}


def _edge(source: Flow, target: Flow, name: str) -> Flow:
    output = source["data"]["node"]["outputs"][0]
    field = target["data"]["node"]["template"][name]
    handles = {
        "sourceHandle": {
            "dataType": source["data"]["type"],
            "id": source["id"],
            "name": output["name"],
            "output_types": output["types"],
        },
        "targetHandle": {
            "fieldName": name,
            "id": target["id"],
            "inputTypes": field.get("input_types") or ["Message"],
            "type": field["type"],
        },
    }
    strings = {key: json.dumps(handle).replace('"', "œ") for key, handle in handles.items()}
    edge_id = f"{source['id']}-{target['id']}"
    return {"id": edge_id, "source": source["id"], "target": target["id"], "data": handles, **strings}


def call(deployment_id: str, text: str = "Hi", session: str = "", **more: Any) -> RunRequest:
    """Return a run request with fresh ids."""
    fresh = uuid.uuid4().hex
    return RunRequest(fresh, deployment_id, text, session or fresh, request_id=f"req-{fresh}", **more)
