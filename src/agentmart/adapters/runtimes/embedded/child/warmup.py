"""Run one small flow of each common kind before the first fork, so that no child's first run pays for imports."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

from . import flows, models

KINDS = ("Prompt Template", "LanguageModelComponent", "Agent", "Memory")
ANSWER = {
    "id": "warm",
    "object": "chat.completion",
    "created": 0,
    "model": models.LANGUAGE_MODEL,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class _Model(http.server.BaseHTTPRequestHandler):
    """Answers every model call with the same word; lives in the zygote's own network, before any flow does."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if request.get("stream"):
            choice = {"index": 0, "delta": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
            chunk = {**ANSWER, "object": "chat.completion.chunk", "choices": [choice]}
            kind, body = "text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        else:
            kind, body = "application/json", json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextlib.contextmanager
def _model() -> Iterator[None]:
    server = http.server.HTTPServer((models.EGRESS_HOST, models.EGRESS_PORT), _Model)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(installed: flows.Installed) -> list[str]:
    """Run them; returns the kinds that did not work, which is no reason not to start."""
    failed = []
    with _model():
        for kind in KINDS:
            try:
                asyncio.run(asyncio.wait_for(_once(kind, installed), 20))
            except Exception:  # noqa: BLE001 - a warm-up must not keep the runtime from starting
                failed.append(kind)
    return failed


async def _once(kind: str, installed: flows.Installed) -> None:
    flow = flows.Flow(flows.NAMESPACE.hex, _payload(kind, installed), trusted=True, installed=installed)
    for on_token in (None, lambda _: None):
        await flow.run(
            "Hello", session_id="warm", history=[], tweaks={}, model_token="none", on_token=on_token
        )


def _payload(kind: str, installed: flows.Installed) -> dict[str, Any]:
    """Return a flow of a chat input, one component and a chat output."""
    nodes = [
        {
            "id": name,
            "type": "genericNode",
            "data": {"id": name, "type": name, "node": installed.components[name]},
        }
        for name in ("ChatInput", kind, "ChatOutput")
    ]
    edges = [_edge(nodes[0], nodes[1]), _edge(nodes[1], nodes[2])]
    return {"data": {"nodes": nodes, "edges": [edge for edge in edges if edge]}}


def _edge(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any] | None:
    field = target["data"]["node"]["template"].get("input_value")
    if field is None:
        return None
    output = source["data"]["node"]["outputs"][0]
    handles = {
        "sourceHandle": {
            "dataType": source["id"],
            "id": source["id"],
            "name": output["name"],
            "output_types": output["types"],
        },
        "targetHandle": {
            "fieldName": "input_value",
            "id": target["id"],
            "inputTypes": field.get("input_types") or ["Message"],
            "type": field.get("type", "str"),
        },
    }
    strings = {name: json.dumps(handle).replace('"', "œ") for name, handle in handles.items()}
    return {"id": target["id"], "source": source["id"], "target": target["id"], "data": handles, **strings}
