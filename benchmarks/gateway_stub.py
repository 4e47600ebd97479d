"""What stands behind every gateway that is measured: nginx with fixed answers, or a small server that takes its time.

Run as a module it is the slow one: `python -m benchmarks.gateway_stub PORT`. A run then takes a second; a stream
gives its first token at once and the others one per second.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

TEXT = "Hello from the stub model."
RUN_BYTES = 2295  # of a real answer to 26 characters
STREAM_LINES = 203
STREAM_SECONDS = 10


def completion() -> bytes:
    """A chat completion as model servers give it."""
    return _json(
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "stub",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": TEXT},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }
    )


def completion_stream(lines: int) -> bytes:
    """A streamed chat completion of so many data lines: pieces, stop, usage, [DONE]."""
    words = [word + " " for word in TEXT.split()]
    pieces = [words[number % len(words)] for number in range(lines - 3)]

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        head = {
            "id": "chatcmpl-stub",
            "object": "chat.completion.chunk",
            "created": 1_760_000_000,
            "model": "stub",
        }
        return b"data: " + _json({**head, "choices": choices, **more}) + b"\n\n"

    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    events = [chunk({"content": piece}) for piece in pieces]
    return b"".join([*events, chunk({}, "stop"), chunk({}, usage=usage), b"data: [DONE]\n\n"])


def message(text: str, size: int) -> dict[str, Any]:
    """A message as Langflow writes it, made up to a size by the fields that a caller never sees."""
    value: dict[str, Any] = {
        "text_key": "text",
        "data": {"timestamp": "2026-03-10 12:00:00 UTC", "sender": "Machine", "text": text, "files": []},
        "default_value": "",
        "text": text,
        "sender": "Machine",
        "sender_name": "AI",
        "session_id": "am-bench",
        "properties": {
            "source": {"id": "OpenAIModel-x1y2z", "display_name": "OpenAI", "source": "gpt-4o-mini"},
            "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
            "state": "complete",
        },
        "category": "message",
        "content_blocks": [],
    }
    value["duration"] = "x" * max(0, size - len(_json(value)))
    return value


def run_answer(text: str = TEXT, size: int = RUN_BYTES) -> bytes:
    """The answer of a run, as long as a real one."""

    def answer(padding: int) -> bytes:
        result = {
            "results": {"message": message(text, padding)},
            "artifacts": {"message": text, "sender": "Machine", "type": "object"},
            "outputs": {"message": {"message": text, "type": "text"}},
            "logs": {"message": []},
            "messages": [{"message": text, "sender": "Machine", "component_id": "ChatOutput-a1b2c"}],
            "component_display_name": "Chat Output",
            "component_id": "ChatOutput-a1b2c",
            "used_frozen_result": False,
        }
        return _json(
            {
                "session_id": "am-bench",
                "outputs": [{"inputs": {"input_value": "Hi"}, "outputs": [result]}],
            }
        )

    short = len(answer(0))
    return answer(len(_json(message(text, 0))) + size - short)


def run_stream(tokens: int) -> bytes:
    """A streamed run: bare JSON objects with blank lines between them."""
    return b"".join([*_opening(), *(_token(number) for number in range(tokens)), *_ending()])


def _opening() -> list[bytes]:
    said = {**message("Hi", 0), "sender": "User"}
    return [_json({"event": "add_message", "data": said}) + b"\n\n"]


def _token(number: int) -> bytes:
    word = TEXT.split()[number % 5] + " "
    data = {"chunk": word, "id": "7f6f5d8e-1f2a-4c3b-9d4e-5f6a7b8c9d0e", "timestamp": "2026-03-10 12:00:00"}
    return _json({"event": "token", "data": data}) + b"\n\n"


def _ending() -> list[bytes]:
    result = json.loads(run_answer())
    events = (
        {"event": "add_message", "data": message(TEXT, 0)},
        {"event": "end", "data": {"result": result}},
    )
    return [_json(event) + b"\n\n" for event in events]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def write_stub(folder: Path, port: int) -> Path:
    """Write nginx's configuration and files for the stub; return the configuration's path."""
    (folder / "www").mkdir(parents=True, exist_ok=True)
    files = {
        "short.sse": completion_stream(8),
        "long.sse": completion_stream(STREAM_LINES),
        "run-short.txt": run_stream(5),
        "run-long.txt": run_stream(STREAM_LINES - 3),
    }
    for name, content in files.items():
        (folder / "www" / name).write_bytes(content)
    stream = "default_type text/event-stream; error_page 405 =200 $uri; try_files"
    text = f"""
worker_processes 1; daemon off; pid {folder}/stub.pid; error_log {folder}/stub.log error;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; tcp_nodelay on; sendfile off;
    client_body_temp_path {folder}/body; client_body_buffer_size 64k;
    proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    open_file_cache max=100;
    server {{
        listen 127.0.0.1:{port} backlog=8192; root {folder}/www;
        location /v1/ {{ default_type application/json; return 200 '{completion().decode()}'; }}
        location /s/v1/ {{ rewrite ^ /short.sse last; }}
        location /L/v1/ {{ rewrite ^ /long.sse last; }}
        location /api/v1/run/ {{
            if ($arg_stream = true) {{ rewrite ^ /run-short.txt last; }}
            default_type application/json; return 200 '{run_answer().decode()}';
        }}
        location /L/api/v1/run/ {{ rewrite ^ /run-long.txt last; }}
        location ~ \\.(sse|txt)$ {{ {stream} $uri =404; types {{}} }}
    }}
}}
"""
    path = folder / "stub.conf"
    path.write_text(text)
    return path


def write_proxy(folder: Path, port: int, upstream: int) -> Path:
    """Write nginx's configuration as a contender: a plain proxy with one limit; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"""
worker_processes 1; daemon off; pid {folder}/proxy.pid; error_log {folder}/proxy.log error;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; tcp_nodelay on;
    client_body_temp_path {folder}/body; client_body_buffer_size 64k;
    proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    limit_req_zone $http_authorization zone=keys:10m rate=100000r/s;
    upstream stub {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        location / {{
            limit_req zone=keys burst=100000 nodelay;
            proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
        location ~ ^/[sL]/ {{
            limit_req zone=keys burst=100000 nodelay; proxy_buffering off;
            proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
}}
"""
    path = folder / "proxy.conf"
    path.write_text(text)
    return path


class SlowStub(asyncio.Protocol):
    """Answers a run after a second; a stream tells its first token at once."""

    _answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(run_answer()),
        run_answer(),
    )
    _head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport: Any = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        """Answer once a whole request has come."""
        self._seen += data
        head, end, body = self._seen.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._seen = b""
        loop = asyncio.get_running_loop()
        if b"stream=true" in head.partition(b"\r\n")[0]:
            self._write(self._head + _chunk(_opening()[0] + _token(0)))
            for number in range(1, STREAM_SECONDS):
                loop.call_later(number, self._write, _chunk(_token(number)))
            loop.call_later(STREAM_SECONDS, self._write, _chunk(b"".join(_ending())) + b"0\r\n\r\n")
        else:
            loop.call_later(1.0, self._write, self._answer)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(SlowStub, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
