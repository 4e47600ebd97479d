"""`POST /v1/chat/completions`: the agent as a chat model of OpenAI's API. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from agentmart.gateway.messages import Answer, Events, Header, Invocation, check_json, decode, invalid
from agentmart.gateway.openai_common import (
    Message,
    Unsupported,
    conversation,
    created_at,
    data,
    error_of,
    ignored_of,
    refuse_tools,
    session_of,
)
from agentmart.kit.errors import DomainError

DONE = b"data: [DONE]\n\n"


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    session_id: str | None = None
    tweaks: dict[str, dict[str, Any]] | None = None


_READ = frozenset(_Body.__struct_fields__) | {"user", "metadata", "store"}
_body = msgspec.json.Decoder(_Body)


class ChatDialect:
    """Chat completions, whole and streamed."""

    def parse(self, body: bytes, header: Header) -> Invocation:
        """Return the call of a request; raises Invalid (400, names the parameter) or UnsupportedMediaType (415)."""
        check_json(header)
        content = decode(_body, body)
        self._check(content)
        session_id, named = session_of(content.session_id, header)
        return Invocation(
            text=conversation(content.messages, field="messages", remembered=named),
            session_id=session_id,
            stream=bool(content.stream),
            tweaks=content.tweaks or {},
            model=content.model,
            with_usage=content.stream_options is not None and content.stream_options.include_usage,
            ignored=ignored_of(body, _READ),
        )

    def _check(self, content: _Body) -> None:
        if content.n not in (None, 1):
            raise Unsupported("An agent gives one answer; n must be 1.", field="n")
        refuse_tools(content.tools, "tools")
        refuse_tools(content.functions, "functions")
        if content.response_format is not None and content.response_format.get("type") != "text":
            raise Unsupported(
                "The agent's answer is text; no other form can be asked for.", field="response_format"
            )
        if content.modalities is not None and content.modalities != ["text"]:
            raise Unsupported("The agent answers in text only.", field="modalities")
        if content.stream_options is not None and not content.stream:
            raise invalid("stream_options", "This parameter is for streams only.")

    def answer(self, answer: Answer, call: Invocation) -> bytes:
        """Return a chat completion."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.output,
            "refusal": None,
            "annotations": [],
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return msgspec.json.encode(
            {
                "id": f"chatcmpl-{answer.request_id}",
                "object": "chat.completion",
                "created": created_at(answer.request_id),
                "model": call.model,
                "choices": [choice],
                "usage": _usage(answer),
                "session_id": answer.session_id,
            }
        )

    def refusal(self, error: DomainError, request_id: str) -> bytes:
        """Return a refusal's body."""
        return msgspec.json.encode(error_of(error, request_id))

    def events(self, call: Invocation, request_id: str) -> Events:
        """Return what writes the chunks of a stream."""
        return ChatEvents(call, request_id)


class ChatEvents:
    """The chunks of one streamed completion."""

    def __init__(self, call: Invocation, request_id: str) -> None:
        self._request_id = request_id
        self._with_usage = call.with_usage
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": created_at(request_id),
            "model": call.model,
        }
        self._begun = False

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**self._head, "choices": [choice]}
        return data({**chunk, "usage": None} if self._with_usage else chunk)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._chunk({"role": "assistant", "content": ""})

    def token(self, text: str) -> bytes:
        """Return the chunk of one piece; the first says who speaks."""
        return self._begin() + self._chunk({"content": text})

    def failure(self, error: DomainError) -> bytes:
        """Return the event that says the run failed; clients raise it."""
        return data(error_of(error, self._request_id))

    def end(self, answer: Answer | None, *, failed: bool) -> bytes:
        """Return the last chunk, the usage where it was asked for, and the end's mark; a failed stream has none."""
        if failed or answer is None:
            return b""
        parts = [self._begin(), self._chunk({}, "stop")]
        if self._with_usage:
            parts.append(data({**self._head, "choices": [], "usage": _usage(answer)}))
        return b"".join([*parts, DONE])


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
