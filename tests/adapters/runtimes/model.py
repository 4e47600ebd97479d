"""A small OpenAI-compatible model: fixed text, usage 11/7, a list of what it was asked, a gate to hold answers."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

ANSWER = "Hello from the stub"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
PATIENCE = 30.0


class Model:
    """What the stub saw and how it behaves."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []  # path, Authorization, body
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.url = ""


@contextlib.contextmanager
def running_model() -> Iterator[Model]:
    """Serve on loopback until left."""
    model = Model()

    class Handler(_Handler):
        state = model

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield model
    finally:
        model.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Model

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.state.calls.append((self.path, self.headers.get("authorization", ""), body))
        self.state.asked.set()
        self.state.gate.wait(PATIENCE)
        # an answer that nobody waits for any more breaks the connection
        with contextlib.suppress(ConnectionError):
            self._stream(body) if body.get("stream") else self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
        text = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        self._send("application/json", json.dumps({**text, "choices": [choice], "usage": USAGE}))

    def _stream(self, body: dict[str, Any]) -> None:
        words = [word if not number else f" {word}" for number, word in enumerate(ANSWER.split(" "))]
        base = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        chunks: list[dict[str, Any]] = [
            {**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": word}}]}
            for word in words
        ]
        chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**base, "choices": [], "usage": USAGE})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._send("text/event-stream", "".join([*lines, "data: [DONE]\n\n"]))

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""
