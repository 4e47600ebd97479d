"""Read the answer of a run: its text and usage, wherever in it they are. Pure.

A run of 26 characters is answered with 2 KB: outputs in outputs, each with its results by name. Flows differ in how
many there are and of which kinds, so text and usage are searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from agentmart.adapters.runtimes.base import TokenUsage

_MODEL = re.compile(r"[\w.:/@+-]{1,120}")
"""What is no such word is the text of some object, not a model's name."""


class Unreadable(ValueError):
    """The bytes are not what a run answers."""


class _Result(msgspec.Struct):
    results: Any = None
    outputs: Any = None


class _Output(msgspec.Struct):
    outputs: list[_Result | None] | None = None


class RunAnswer(msgspec.Struct):
    """The parts of a run's answer that are read; the rest is skipped, not kept."""

    outputs: list[_Output | None] | None = None


_answers = msgspec.json.Decoder(RunAnswer)


class _Usage(msgspec.Struct):
    input_tokens: Annotated[int, msgspec.Meta(ge=0)]
    output_tokens: Annotated[int, msgspec.Meta(ge=0)]


class _Source(msgspec.Struct):
    source: str | None = None
    display_name: str | None = None


class _Properties(msgspec.Struct):
    usage: _Usage | None = None
    source: _Source | None = None


class _Message(msgspec.Struct):
    text: Annotated[str, msgspec.Meta(min_length=1)]
    sender: Any
    properties: _Properties | None = None


class _OneMessage(msgspec.Struct, forbid_unknown_fields=True):
    message: _Message


class _OneResult(msgspec.Struct):
    results: _OneMessage


class _OneOutput(msgspec.Struct):
    outputs: Annotated[list[_OneResult], msgspec.Meta(min_length=1, max_length=1)]


class _UsualAnswer(msgspec.Struct):
    outputs: Annotated[list[_OneOutput], msgspec.Meta(min_length=1, max_length=1)]


_usual = msgspec.json.Decoder(_UsualAnswer)


def quick(body: bytes) -> tuple[str, TokenUsage | None] | None:
    """Return text and usage of the answer that nearly every flow gives, one output with one message; else None.

    Only the few fields that count are read, so it takes a quarter of the time of `decode`, which reads any answer.
    """
    try:
        message = _usual.decode(body).outputs[0].outputs[0].results.message
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    properties = message.properties
    if properties is None or properties.usage is None:
        return message.text, None
    usage, source = properties.usage, properties.source
    model = _model(source.source, source.display_name) if source is not None else ""
    return message.text, TokenUsage(usage.input_tokens, usage.output_tokens, model)


def decode(body: bytes) -> RunAnswer:
    """Return the answer; raises Unreadable."""
    try:
        return _answers.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def text_of(answer: RunAnswer) -> str:
    """Return the text of the first output that has one, messages first; nothing where none has."""
    values = [value for result in _results(answer) for value in _values(result)]
    texts = [_message_text(value) for value in values] + [_plain_text(value) for value in values]
    texts += [_artifact_text(result.outputs) for result in _results(answer)]
    return next((text for text in texts if text), "")


def usage_of(answer: RunAnswer) -> TokenUsage | None:
    """Return the tokens of the run, None where no message has any.

    Each output's usage is everything upstream of it, so outputs that share a model repeat it: the largest is taken,
    which is never more than was used.
    """
    found = [
        usage for result in _results(answer) for value in _values(result) if (usage := message_usage(value))
    ]
    return max(found, key=lambda usage: usage.input_tokens + usage.output_tokens, default=None)


def message_usage(message: object) -> TokenUsage | None:
    """Return the usage a message carries, with the model where it names one."""
    properties = message.get("properties") if isinstance(message, dict) else None
    usage = properties.get("usage") if isinstance(properties, dict) else None
    if not isinstance(usage, dict):
        return None
    counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    given = [count for count in counts if type(count) is int and count >= 0]
    if not given or any(count is not None and count not in given for count in counts):
        return None
    source = properties.get("source") if isinstance(properties, dict) else None
    model = _model(source.get("source"), source.get("display_name")) if isinstance(source, dict) else ""
    return TokenUsage(counts[0] or 0, counts[1] or 0, model)


def _model(source: object, component: object) -> str:
    """Return the model that the node before the output names. One that has none gives its own name instead."""
    return source if isinstance(source, str) and source != component and _MODEL.fullmatch(source) else ""


def _results(answer: RunAnswer) -> Iterator[_Result]:
    for output in answer.outputs or []:
        for result in (output.outputs if output else None) or []:
            if result is not None:
                yield result


def _values(result: _Result) -> list[Any]:
    return list(result.results.values()) if isinstance(result.results, dict) else [result.results]


def _message_text(value: Any) -> str:
    """Return a message's text; other results that hold a text have no sender."""
    if isinstance(value, dict) and "sender" in value and isinstance(value.get("text"), str):
        return str(value["text"])
    return ""


def _plain_text(value: Any) -> str:
    """Return what an output that is no message shows: a text, or its data as JSON."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or "sender" in value:
        return ""
    for name in ("text", "data"):
        inner = value.get(name)
        if isinstance(inner, str) and inner:
            return inner
    data = value.get("data")
    if isinstance(data, dict) and isinstance(data.get("text"), str) and data["text"]:
        return str(data["text"])
    return msgspec.json.encode(data).decode() if data else ""


def _artifact_text(outputs: Any) -> str:
    """Return the text of `outputs`, where results are kept once more in short."""
    for value in outputs.values() if isinstance(outputs, dict) else ():
        message = value.get("message") if isinstance(value, dict) else None
        if isinstance(message, str) and message:
            return message
    return ""
