"""The development model server: OpenAI-compatible, local, deterministic, and honest about being no model.

It answers any model name with any bearer token, so that a flow with a language model runs without a key. Token
counts are real (o200k_base over role and content, plus 3 per message and 3 for the answer).
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from hashlib import blake2b
from typing import Any

import uvicorn

from agentmart.devtools.dev_model_text import Answer, BadRequest, Message, answer, embed, read_messages
from agentmart.kit import tokens

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Body = dict[str, Any]

CHAT_MODEL = "agentmart-dev"
EMBEDDING_MODEL = "agentmart-dev-embedding"
FINGERPRINT = "agentmart-dev-model"
MAX_BODY = 20 * 1024 * 1024
MAX_INPUTS = 2048
DEFAULT_DIMENSIONS = 1536
MAX_DIMENSIONS = 4096

_HEADERS = [(b"x-agentmart-dev-model", b"1"), (b"cache-control", b"no-store")]
_POSTS = frozenset({"/v1/chat/completions", "/v1/responses", "/v1/embeddings"})


class _Refused(Exception):
    """An error answer in OpenAI's shape."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        kind = "authentication_error" if status == 401 else "invalid_request_error"
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Caller:
    """The connection of one request: JSON answers and event streams."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def answer(self, status: int, body: Any) -> None:
        """Send one JSON answer."""
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = [
            *_HEADERS,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(data)),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": data})

    async def stream(self, events: AsyncIterator[str]) -> None:
        """Send server-sent events as they come."""
        headers = [*_HEADERS, (b"content-type", b"text/event-stream; charset=utf-8")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in events:
            data = event.encode("utf-8", "replace")
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


class DevModel:
    """The ASGI application; `chunk_delay` seconds pass between the pieces of a stream (0 = none)."""

    def __init__(self, chunk_delay: float = 0.0) -> None:
        self._delay = chunk_delay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection: HTTP, and the lifespan messages."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        caller = _Caller(send)
        try:
            await self._route(scope, receive, caller)
        except _Refused as refusal:
            await caller.answer(refusal.status, refusal.body)
        except BadRequest as bad:
            await caller.answer(400, _Refused(400, bad.message, param=bad.param, code=bad.code).body)
        except OSError:
            return  # the caller left in the middle of a stream

    async def _route(self, scope: Scope, receive: Receive, caller: _Caller) -> None:
        path, method = scope["path"].rstrip("/") or "/", scope["method"]
        if path == "/health" and method in ("GET", "HEAD"):
            await caller.answer(200, {"status": "ok", "service": FINGERPRINT, "development_only": True})
            return
        is_model = path == "/v1/models" or path.startswith("/v1/models/")
        if path not in _POSTS and not is_model:
            raise _Refused(404, f"Unknown path: {method} {scope['path']}.", code="unknown_url")
        _require_bearer(scope)
        if method != ("GET" if is_model else "POST"):
            raise _Refused(405, f"{method} is not allowed on {path}.", code="method_not_allowed")
        if is_model:
            await caller.answer(200, _models(path.removeprefix("/v1/models").lstrip("/")))
            return
        body = await _read_body(receive)
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise BadRequest("You must provide a model parameter.", "model")
        if path == "/v1/embeddings":
            await caller.answer(200, _embeddings(body, model))
        elif path == "/v1/responses":
            await self._responses(body, model, caller)
        else:
            await self._chat(body, model, caller)

    async def _chat(self, body: Body, model: str, caller: _Caller) -> None:
        messages = read_messages(body.get("messages"), "messages")
        if body.get("n") not in (None, 1):
            raise BadRequest("The development model gives one choice: n must be 1.", "n")
        limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
        said = answer(messages, tools=_tool_count(body), max_tokens=_whole(body, limit, 1, 1_000_000))
        base = {"id": _id("chatcmpl", body), "created": int(time.time()), "model": model}
        base |= {"system_fingerprint": FINGERPRINT}
        if not _flag(body, "stream"):
            await caller.answer(200, _completion(base, said))
            return
        options = body.get("stream_options") or {}
        if not isinstance(options, dict):
            raise BadRequest("'stream_options' must be an object.", "stream_options")
        await caller.stream(self._chunks(base, said, _flag(options, "include_usage")))

    async def _chunks(self, base: Body, said: Answer, with_usage: bool) -> AsyncIterator[str]:
        """Yield the events of a streamed chat completion."""
        head: Body = {**base, "object": "chat.completion.chunk"}
        if with_usage:
            head["usage"] = None

        def chunk(delta: Body, finish: str | None = None) -> str:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _data({**head, "choices": [choice]})

        yield chunk({"role": "assistant", "content": ""})
        for piece in said.pieces:
            await self._pause()
            yield chunk({"content": piece})
        yield chunk({}, said.finish_reason)
        if with_usage:
            yield _data({**head, "choices": [], "usage": _chat_usage(said)})
        yield "data: [DONE]\n\n"

    async def _responses(self, body: Body, model: str, caller: _Caller) -> None:
        if body.get("previous_response_id"):
            raise BadRequest(
                "The development model keeps no responses; send the whole conversation as input.",
                "previous_response_id",
                "previous_response_not_found",
            )
        said = answer(
            _response_input(body),
            tools=_tool_count(body),
            max_tokens=_whole(body, "max_output_tokens", 1, 1_000_000),
        )
        whole = _response(body, model, said)
        if _flag(body, "stream"):
            await caller.stream(self._response_events(whole, said))
        else:
            await caller.answer(200, whole)

    async def _response_events(self, whole: Body, said: Answer) -> AsyncIterator[str]:
        """Yield the events of a streamed response, in OpenAI's order."""
        item = whole["output"][0]
        part = item["content"][0]
        numbers = iter(range(1_000_000))

        def event(kind: str, **fields: Any) -> str:
            return f"event: {kind}\n" + _data({"type": kind, "sequence_number": next(numbers), **fields})

        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        started = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
        yield event("response.created", response=started)
        yield event("response.in_progress", response=started)
        empty_item = {**item, "status": "in_progress", "content": []}
        yield event("response.output_item.added", output_index=0, item=empty_item)
        yield event("response.content_part.added", **place, part={**part, "text": ""})
        for piece in said.pieces:
            await self._pause()
            yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
        yield event("response.output_text.done", **place, text=said.text, logprobs=[])
        yield event("response.content_part.done", **place, part=part)
        yield event("response.output_item.done", output_index=0, item=item)
        yield event(f"response.{whole['status']}", response=whole)

    async def _pause(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)


app = DevModel()


def serve(host: str = "127.0.0.1", port: int = 8099, *, chunk_delay: float = 0.0) -> None:
    """Run the server until it is told to stop; loopback only by default."""
    uvicorn.run(DevModel(chunk_delay), host=host, port=port, log_level="warning", access_log=False)


def _completion(base: Body, said: Answer) -> Body:
    message: Body = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": _chat_usage(said)}


def _chat_usage(said: Answer) -> Body:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
    }


def _response_input(body: Body) -> list[Message]:
    """Return the turns of a Responses request: `instructions`, then `input` as text or items."""
    given = body.get("input")
    messages = [Message("user", given)] if isinstance(given, str) else read_messages(given, "input")
    instructions = body.get("instructions")
    if instructions is None:
        return messages
    if not isinstance(instructions, str):
        raise BadRequest("'instructions' must be text.", "instructions")
    return [Message("system", instructions), *messages]


def _response(body: Body, model: str, said: Answer) -> Body:
    complete = said.finish_reason == "stop"
    status = "completed" if complete else "incomplete"
    part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    item = {
        "id": _id("msg", body),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }
    return {
        "id": _id("resp", body),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None if complete else {"reason": "max_output_tokens"},
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": model,
        "output": [item],
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "temperature": None,
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": {
            "input_tokens": said.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.input_tokens + said.output_tokens,
        },
    }


def _embeddings(body: Body, model: str) -> Body:
    texts = _embedding_inputs(body.get("input"))
    dimensions = _whole(body, "dimensions", 1, MAX_DIMENSIONS) or DEFAULT_DIMENSIONS
    encoding = body.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise BadRequest("'encoding_format' must be float or base64.", "encoding_format")
    rows = []
    for index, text in enumerate(texts):
        vector: Any = embed(text, dimensions)
        if encoding == "base64":
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    used = sum(tokens.count_tokens(text) for text in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return {"object": "list", "data": rows, "model": model, "usage": usage}


def _embedding_inputs(given: Any) -> list[str]:
    """Return the texts to embed: one text, several, or token ids (embedded by their numbers)."""
    several = given if isinstance(given, list) else [given]
    if several and all(isinstance(item, int) for item in several):
        several = [several]
    texts = [" ".join(map(str, item)) if isinstance(item, list) else item for item in several]
    if not 1 <= len(texts) <= MAX_INPUTS or not all(isinstance(text, str) and text for text in texts):
        raise BadRequest(f"'input' must be a text or a list of 1 to {MAX_INPUTS} texts, none empty.", "input")
    return texts


def _models(name: str) -> Body:
    rows = [
        {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "agentmart-dev"}
        for model in (CHAT_MODEL, EMBEDDING_MODEL)
    ]
    if not name:
        return {"object": "list", "data": rows}
    for row in rows:
        if row["id"] == name:
            return row
    raise _Refused(404, f"The model '{name}' does not exist.", param="model", code="model_not_found")


def _require_bearer(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer " and value[7:].strip():
            return
    raise _Refused(
        401,
        "You didn't provide an API key. Any will do here: Authorization: Bearer ANYTHING.",
        code="missing_api_key",
    )


async def _read_body(receive: Receive) -> Body:
    """Return the JSON object of the request; raises _Refused (400, 413)."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise OSError("the caller left")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise _Refused(413, f"The body is larger than {MAX_BODY} bytes.", code="body_too_large")
        parts.append(part)
        if not message.get("more_body"):
            break
    try:
        body = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        raise _Refused(400, "We could not parse the JSON body of your request.", code="bad_json") from None
    if not isinstance(body, dict):
        raise _Refused(400, "The body must be a JSON object.", code="bad_json")
    return body


def _whole(body: Body, key: str, low: int, high: int) -> int | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadRequest(f"'{key}' must be a whole number between {low} and {high}.", key)
    return value


def _flag(body: Body, key: str) -> bool:
    value = body.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"'{key}' must be true or false.", key)
    return bool(value)


def _tool_count(body: Body) -> int:
    tools = body.get("tools")
    return len(tools) if isinstance(tools, list) else 0


def _id(prefix: str, body: Body) -> str:
    """Return an id that is the same for the same request."""
    data = json.dumps(body, sort_keys=True).encode()
    return f"{prefix}-dev-{blake2b(data, digest_size=12).hexdigest()}"


def _data(body: Body) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            tokens.load()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
