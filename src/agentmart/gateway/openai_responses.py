"""`POST /v1/responses`: the agent behind OpenAI's Responses API, by translation on every runtime. Pure."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from agentmart.gateway.http import event
from agentmart.gateway.messages import Answer, Events, Header, Invocation, check_json, decode
from agentmart.gateway.openai_common import (
    Message,
    Unsupported,
    conversation,
    created_at,
    error_of,
    ignored_of,
    refuse_tools,
    session_of,
)
from agentmart.kit.errors import DomainError, NotFound

ID_PREFIX = "resp_"
ID_DIGITS = 32


class _Item(msgspec.Struct):
    role: str = ""
    content: str | list[dict[str, Any]] | None = None
    type: str = "message"


class _Body(msgspec.Struct):
    model: str
    input: str | list[_Item]
    instructions: str | None = None
    stream: bool | None = None
    previous_response_id: str | None = None
    tools: list[Any] | None = None
    text: dict[str, Any] | None = None
    background: bool | None = None
    session_id: str | None = None
    tweaks: dict[str, dict[str, Any]] | None = None


_READ = frozenset(_Body.__struct_fields__) | {"user", "metadata", "store"}
_body = msgspec.json.Decoder(_Body)


class ResponseNotFound(NotFound):
    """The response to go on from is none of ours."""

    code = "previous_response_not_found"


class ResponsesDialect:
    """Responses, whole and streamed. A response's id carries its session, so the next one can go on from it."""

    def parse(self, body: bytes, header: Header) -> Invocation:
        """Return the call of a request; raises Invalid, ResponseNotFound or UnsupportedMediaType."""
        check_json(header)
        content = decode(_body, body)
        refuse_tools(content.tools, "tools")
        if content.background:
            raise Unsupported(
                "Calls are answered while the caller waits; background must be false.", field="background"
            )
        if (
            content.text is not None
            and (content.text.get("format") or {"type": "text"}).get("type") != "text"
        ):
            raise Unsupported(
                "The agent's answer is text; no other form can be asked for.", field="text.format"
            )
        named = content.session_id
        if content.previous_response_id is not None:
            named = session_in(content.previous_response_id)
        session_id, remembered = session_of(named, header)
        return Invocation(
            text=self._text(content, remembered=remembered),
            session_id=session_id,
            stream=bool(content.stream),
            tweaks=content.tweaks or {},
            model=content.model,
            with_usage=True,
            ignored=ignored_of(body, _READ),
        )

    def _text(self, content: _Body, *, remembered: bool) -> str:
        if isinstance(content.input, str):
            messages = [Message("user", content.input)]
        else:
            messages = []
            for index, item in enumerate(content.input):
                if item.type != "message":
                    raise Unsupported("Only messages can be sent to this agent.", field=f"input.{index}.type")
                messages.append(Message(item.role, item.content))
        if content.instructions:
            messages.insert(0, Message("system", content.instructions))
        return conversation(messages, field="input", remembered=remembered)

    def answer(self, answer: Answer, call: Invocation) -> bytes:
        """Return a response."""
        return msgspec.json.encode(_response(call, answer.request_id, answer))

    def refusal(self, error: DomainError, request_id: str) -> bytes:
        """Return a refusal's body."""
        return msgspec.json.encode(error_of(error, request_id))

    def events(self, call: Invocation, request_id: str) -> Events:
        """Return what writes the events of a stream."""
        return ResponseEvents(call, request_id)


class ResponseEvents:
    """The numbered events of one streamed response."""

    def __init__(self, call: Invocation, request_id: str) -> None:
        self._call = call
        self._request_id = request_id
        self._place = {"output_index": 0, "item_id": f"msg_{request_id}"}
        self._number = 0
        self._pieces: list[str] = []
        self._begun = False

    def _event(self, name: str, content: dict[str, Any]) -> bytes:
        numbered = {"type": name, "sequence_number": self._number, **content}
        self._number += 1
        return event(name, numbered)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = _response(self._call, self._request_id, None, status="in_progress")
        item = _item(self._request_id, None)
        part = {**self._place, "content_index": 0, "part": _part("")}
        return b"".join(
            [
                self._event("response.created", {"response": response}),
                self._event("response.in_progress", {"response": response}),
                self._event("response.output_item.added", {"output_index": 0, "item": item}),
                self._event("response.content_part.added", part),
            ]
        )

    def token(self, text: str) -> bytes:
        """Return the event of one piece; before the first, those that open the response."""
        self._pieces.append(text)
        delta = {**self._place, "content_index": 0, "delta": text, "logprobs": []}
        return self._begin() + self._event("response.output_text.delta", delta)

    def failure(self, error: DomainError) -> bytes:
        """Return the event that says the run failed."""
        shown = error_of(error, self._request_id)["error"]
        failed = _response(self._call, self._request_id, None, status="failed")
        failed["error"] = {"code": shown["code"], "message": shown["message"]}
        return self._begin() + self._event("response.failed", {"response": failed})

    def end(self, answer: Answer | None, *, failed: bool) -> bytes:
        """Return the events that close the response; a failed one is closed already."""
        if failed or answer is None:
            return b""
        parts = [self._begin()]
        if not self._pieces and answer.output:
            parts.append(self.token(answer.output))
        place = {**self._place, "content_index": 0}
        done = {"output_index": 0, "item": _item(self._request_id, answer.output)}
        return b"".join(
            [
                *parts,
                self._event("response.output_text.done", {**place, "text": answer.output, "logprobs": []}),
                self._event("response.content_part.done", {**place, "part": _part(answer.output)}),
                self._event("response.output_item.done", done),
                self._event(
                    "response.completed", {"response": _response(self._call, self._request_id, answer)}
                ),
            ]
        )


def response_id(request_id: str, session_id: str) -> str:
    """Return the id of a response: the call's own, and its session."""
    return ID_PREFIX + request_id + urlsafe_b64encode(session_id.encode()).decode().rstrip("=")


def session_in(response: str) -> str:
    """Return the session that a response's id carries; raises ResponseNotFound.

    Whoever makes one up only names a session of their own agent: sessions are kept apart by agent.
    """
    coded = response.removeprefix(ID_PREFIX)[ID_DIGITS:]
    try:
        found = urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
    except (binascii.Error, ValueError):
        found = ""
    if not response.startswith(ID_PREFIX) or not found:
        raise ResponseNotFound("There is no such response to go on from.", field="previous_response_id")
    return found


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(request_id: str, text: str | None) -> dict[str, Any]:
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "status": "in_progress" if text is None else "completed",
        "role": "assistant",
        "content": [] if text is None else [_part(text)],
    }


def _response(
    call: Invocation, request_id: str, answer: Answer | None, *, status: str = "completed"
) -> dict[str, Any]:
    usage = None
    if answer is not None:
        usage = {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
    return {
        "id": response_id(request_id, call.session_id),
        "object": "response",
        "created_at": created_at(request_id),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": call.model,
        "output": [] if answer is None else [_item(request_id, answer.output)],
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": usage,
    }
