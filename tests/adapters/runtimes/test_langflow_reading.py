"""Reading what a Langflow server says: streams cut anywhere, answers of any shape, errors of any form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.adapters.runtimes.langflow_server import (
    TRACEBACK,
    USAGE,
    message,
    outputs,
    run_answer,
    said,
    stream_bytes,
    token,
)

from agentmart.adapters.runtimes import RuntimeFailure, Token, TokenUsage
from agentmart.adapters.runtimes.langflow import answers, events, failures

EVENTS = [
    said("Grüß dich", sender="User"),
    token("Hé"),
    token("llo 🌍"),
    said("Héllo 🌍", state="complete"),
    {"event": "end", "data": {"result": run_answer("Héllo 🌍", usage=USAGE)}},
]
STREAM = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in EVENTS)


def split(*pieces: bytes) -> list[dict[str, Any]]:
    """The objects in the pieces."""
    splitter = events.Splitter()
    found = [item for piece in pieces for item in splitter.feed(piece)] + list(splitter.finish())
    return [plain(item) for item in found]


def plain(item: Any) -> dict[str, Any]:
    """An event as what counts of it: of a token its text and id, of others all that they say."""
    if isinstance(item, events.Said):
        return {"event": "token", "data": {"chunk": item.chunk, "id": item.id}}
    data = item.get("data") or {}
    if item["event"] == "token":
        data = {name: data[name] for name in ("chunk", "id")}
    return {"event": item["event"], "data": data}


WANTED = [plain(event) for event in EVENTS]


def read(*given: Any) -> list[Token | events.End]:
    """What events mean to a caller."""
    reader = events.Reader()
    return [told for event in given if (told := reader.read(event)) is not None]


def test_a_stream_cut_in_two_at_any_byte_is_read_alike() -> None:
    for at in range(len(STREAM) + 1):
        assert split(STREAM[:at], STREAM[at:]) == WANTED, at


def test_a_stream_in_single_bytes_is_read_alike() -> None:
    assert split(*(bytes([byte]) for byte in STREAM)) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        b'{"event": "end"}\n\n{"event": "x"}',
        b'{"event": "end"}\r\n\r\n\r\n{"event": "x"}\r\n\r\n',
        b'{"event": "end"}\n{"event": "x"}\n\n',
        b'{\n "event":\n "end"}\n\n{"event": "x"}\n\n',
        b': ping\n\nid: 1\nevent: end\ndata: {"event": "end"}\n\ndata:{"event": "x"}\n\n',
    ],
    ids=["no end", "crlf", "single newlines", "many lines", "server-sent events"],
)
def test_other_framings_are_read_too(text: bytes) -> None:
    assert split(text) == [{"event": "end", "data": {}}, {"event": "x", "data": {}}]


@pytest.mark.parametrize("text", [b"<html>\n\n", b"[1]\n\n", b'{"event": "to', b"\xff\xfe\n\n"])
def test_what_is_no_object_is_unreadable(text: bytes) -> None:
    with pytest.raises(answers.Unreadable):
        split(text)


def test_an_event_without_end_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT", 100)
    splitter = events.Splitter()
    assert list(splitter.feed(b'"' + b"x" * 60)) == []
    with pytest.raises(answers.Unreadable, match="more than 100 bytes"):
        list(splitter.feed(b"x" * 60))
    lines = events.Splitter()
    assert list(lines.feed(b"x" * 60 + b"\n")) == []
    with pytest.raises(answers.Unreadable, match="more than 100 bytes"):
        list(lines.feed(b"x" * 60 + b"\n"))


def test_events_become_tokens_and_the_end() -> None:
    assert read(*EVENTS) == [Token("Hé"), Token("llo 🌍"), events.End("Héllo 🌍", TokenUsage(11, 7))]


def test_only_the_first_speakers_tokens_are_told() -> None:
    given = [token("a", "m1"), token("x", "m2"), token("", "m1"), token("b", "m1")]
    assert read(*given) == [Token("a"), Token("b")]


def test_an_end_without_outputs_has_the_last_messages_text_and_the_largest_usage() -> None:
    small = {"input_tokens": 1, "output_tokens": 1}
    given = [
        said("first", properties={"usage": USAGE}),
        said("partly", state="partial"),
        said("second", properties={"usage": small}),
        said("me", sender="User"),
        {"event": "end", "data": {"result": outputs()}},
    ]
    assert read(*given) == [events.End("second", TokenUsage(11, 7))]


def test_an_error_in_a_stream_says_nothing_of_the_server_and_keeps_the_usage() -> None:
    reader = events.Reader()
    reader.read(said("half", properties={"usage": USAGE}))
    reader.read(said("KeyError", category="error", content_blocks=[{"traceback": TRACEBACK}]))
    with pytest.raises(RuntimeFailure) as caught:
        reader.read({"event": "error", "data": {"error": TRACEBACK}})
    failure = caught.value
    assert (failure.code, failure.message, failure.retryable) == (
        "flow_error",
        "The agent's flow failed.",
        False,
    )
    assert failure.detail == TRACEBACK
    assert failure.usage == TokenUsage(11, 7)


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        ({"error": "Refused tweak keys ['code']: x"}, "refused", "Refused tweak keys ['code']: x"),
        ({"error": "Flow build blocked: custom"}, "refused", "Flow build blocked: custom"),
        ({"text": "expected '}'"}, "flow_error", "expected '}'"),
        ({"error": {"odd": 1}}, "flow_error", ""),
        (None, "flow_error", ""),
    ],
)
def test_error_events_of_every_form(data: Any, code: str, detail: str) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        events.Reader().read({"event": "error", "data": data})
    assert (caught.value.code, caught.value.detail) == (code, detail)


def test_unknown_events_are_passed_over_and_a_broken_end_is_unreadable() -> None:
    assert read({"event": "new"}, {"odd": 1}, {"event": "token", "data": 5}) == []
    with pytest.raises(answers.Unreadable):
        read({"event": "end", "data": {"result": {"outputs": "none"}}})


def text(answer: Any) -> str:
    """The text read out of an answer."""
    return answers.text_of(answers.decode(json.dumps(answer).encode()))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([{"results": {"message": message("one")}}], "one"),
        ([None, {"results": {}}, {"results": {"a": message("")}}, {"results": {"b": message("two")}}], "two"),
        (
            [{"results": {"data": {"data": {"x": 1}}}}, {"results": {"message": message("a message first")}}],
            "a message first",
        ),
        ([{"results": {"text": "plain"}}], "plain"),
        ([{"results": {"data": {"text_key": "text", "data": {"text": "in data"}}}}], "in data"),
        ([{"results": {"data": {"data": {"x": 1}}}}], '{"x":1}'),
        ([{"results": "bare"}], "bare"),
        ([{"results": {}, "outputs": {"message": {"message": "in short", "type": "text"}}}], "in short"),
        ([{"results": {"message": {"sender": "Machine", "text": 5}}, "outputs": 7}], ""),
        ([], ""),
    ],
)
def test_the_text_is_searched_for(results: list[Any], expected: str) -> None:
    assert text(outputs(*results)) == expected


@pytest.mark.parametrize("answer", [{}, {"outputs": None}, {"outputs": [None, {}, {"outputs": None}]}])
def test_an_answer_without_outputs_has_no_text(answer: Any) -> None:
    assert text(answer) == ""


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"outputs": 5}', b'{"outputs": [5]}', b"[" * 100_000]
)
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(answers.Unreadable):
        answers.decode(body)


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([USAGE], TokenUsage(11, 7)),
        ([USAGE, USAGE], TokenUsage(11, 7)),  # two outputs behind one model both tell of it
        ([USAGE, {"input_tokens": 33, "output_tokens": 21}], TokenUsage(33, 21)),
        ([None, USAGE], TokenUsage(11, 7)),
        ([{"input_tokens": 5, "output_tokens": None}], TokenUsage(5, 0)),
        ([None], None),
        ([{"input_tokens": None, "output_tokens": None}], None),
        ([{"input_tokens": -1, "output_tokens": 7}], None),
        ([{"input_tokens": True, "output_tokens": 7}], None),
        ([{"input_tokens": "11", "output_tokens": 7}], None),
        ([[11, 7]], None),
        ([], None),
    ],
)
def test_usage_is_the_largest_that_an_output_tells(usages: list[Any], expected: TokenUsage | None) -> None:
    answer = outputs(*({"results": {"message": message("x", usage=usage)}} for usage in usages))
    assert answers.usage_of(answers.decode(json.dumps(answer).encode())) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"id": "LM-1", "display_name": "OpenAI", "source": "gpt-4o-mini"}, "gpt-4o-mini"),
        ({"source": "meta-llama/Llama-3.1-8B:free"}, "meta-llama/Llama-3.1-8B:free"),
        ({"id": "Parser-1", "display_name": "Parser", "source": "Parser"}, ""),  # a node without a model
        ({"display_name": "Agent", "source": "[{'name': 'gpt-4o'}]"}, ""),
        ({"display_name": "Agent", "source": 7}, ""),
        ({"display_name": "Agent", "source": "m" * 121}, ""),
        ({"display_name": "Agent"}, ""),
        ("Agent", ""),
        (None, ""),
    ],
)
def test_the_model_is_the_one_that_the_answer_names(source: Any, expected: str) -> None:
    said_so = message("x", usage=USAGE)
    said_so["properties"]["source"] = source
    body = json.dumps(outputs({"results": {"message": said_so}})).encode()
    usages = [answers.usage_of(answers.decode(body))]
    if (found := answers.quick(body)) is not None:
        usages.append(found[1])
    assert [usage and usage.model for usage in usages] == [expected] * len(usages)


def test_without_usage_no_model_was_called() -> None:
    body = json.dumps(outputs({"results": {"message": message("x")}})).encode()
    assert answers.quick(body) == ("x", None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"detail": "Flow not found"}', "Flow not found"),
        (json.dumps({"detail": json.dumps({"message": "broke", "traceback": TRACEBACK})}).encode(), "broke"),
        (b'{"detail": {"code": "TWEAKS_REFUSED", "message": "protected"}}', "protected"),
        (b'{"detail": [{"msg": "Field required"}]}', '{"detail": [{"msg": "Field required"}]}'),
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * failures.MAX_DETAIL),
    ],
)
def test_what_an_error_says(body: bytes, expected: str) -> None:
    assert failures.said(body) == expected


def test_a_stream_is_what_the_stand_in_sends() -> None:
    assert split(stream_bytes(EVENTS)) == WANTED
