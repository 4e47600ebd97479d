"""The development model server, called by the official client over a real socket."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from agentmart.devtools.dev_model import DevModel
from agentmart.devtools.dev_model_text import embed, quote
from agentmart.kit.tokens import count_chat_tokens, count_tokens

HELLO = "I am the Agentmart development model; I repeat and do not think. You said: 'Hello there'."
SECOND = (
    "I am the Agentmart development model; I repeat and do not think. You said: 'And now?'. "
    "Before that I saw 1 message of yours; earlier in this chat you said: 'My name is Ada.'."
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running server on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(DevModel(), log_level="warning", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert server.started
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client:
        yield client


def test_health_says_what_it_is(url: str) -> None:
    answer = httpx.get(f"{url}/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "service": "agentmart-dev-model", "development_only": True}


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["agentmart-dev", "agentmart-dev-embedding"]
    assert client.models.retrieve("agentmart-dev").owned_by == "agentmart-dev"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("gpt-4o")


def test_a_chat_answers_with_its_own_text_and_real_token_counts(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello there"}]
    )
    assert said.model == "gpt-4o-mini"
    assert said.system_fingerprint == "agentmart-dev-model"
    assert said.choices[0].message.content == HELLO
    assert said.choices[0].finish_reason == "stop"
    assert said.usage is not None
    assert said.usage.prompt_tokens == 3 + 1 + 2 + 3 == count_chat_tokens([("user", "Hello there")])
    assert said.usage.completion_tokens == 22 == count_tokens(HELLO)
    assert said.usage.total_tokens == 31


def test_the_same_chat_gets_the_same_answer_and_id(client: openai.OpenAI) -> None:
    first, second = (
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Again"}])
        for _ in range(2)
    )
    assert (first.id, first.choices) == (second.id, second.choices)


def test_earlier_turns_are_mentioned_so_that_memory_can_be_seen(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model="m",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "My name is Ada."},
            {"role": "assistant", "content": "Noted."},
            {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
        ],
    )
    assert said.choices[0].message.content == SECOND


def test_a_stream_is_the_same_text_in_pieces_with_usage_last(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "Hello there"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(deltas) == HELLO
    assert len([delta for delta in deltas if delta]) == len(HELLO.split())
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    last = chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (9, 22)


def test_a_stream_without_the_option_carries_no_usage(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer x"})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "usage" not in answer.text


def test_max_tokens_cuts_the_answer(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello there"}], max_tokens=5
    )
    assert said.choices[0].message.content == "I am the Agentmart"
    assert said.choices[0].finish_reason == "length"
    assert said.usage is not None
    assert said.usage.completion_tokens == 5


def test_tools_are_declined_politely(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "Look it up"}],
        tools=[{"type": "function", "function": {"name": "search", "parameters": {}}}],
    )
    assert said.choices[0].message.tool_calls is None
    assert str(said.choices[0].message.content).endswith("I was offered 1 tool and call none.")


def test_responses(client: openai.OpenAI) -> None:
    said = client.responses.create(model="m", input="Hello there", instructions="Be brief.")
    assert said.output_text == HELLO
    assert said.status == "completed"
    assert said.usage is not None
    assert said.usage.input_tokens == count_chat_tokens([("system", "Be brief."), ("user", "Hello there")])
    assert said.usage.output_tokens == 22
    turns: Any = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Noted."}]},
        {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
    ]
    assert client.responses.create(model="m", input=turns).output_text == SECOND


def test_a_streamed_response(client: openai.OpenAI) -> None:
    events: list[Any] = list(client.responses.create(model="m", input="Hello there", stream=True))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == HELLO
    assert [event.type for event in events if "delta" not in event.type] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.usage.total_tokens == 31


def test_embeddings_are_unit_vectors_closer_for_common_words(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(
        model="text-embedding-3-small",
        input=["the red house", "the red houses roof", "quarterly invoice totals"],
    )
    house, roof, invoice = (row.embedding for row in answer.data)
    assert [row.index for row in answer.data] == [0, 1, 2]
    assert {len(house), len(roof), len(invoice)} == {1536}
    for vector in (house, roof, invoice):
        assert math.isclose(sum(value * value for value in vector), 1.0, abs_tol=1e-6)
    assert _cosine(house, roof) > 0.4 > 0.2 > abs(_cosine(house, invoice))
    assert answer.usage.prompt_tokens == sum(
        map(count_tokens, ["the red house", "the red houses roof", "quarterly invoice totals"])
    )
    floats = client.embeddings.create(model="m", input="the red house", encoding_format="float", dimensions=8)
    assert floats.data[0].embedding == embed("the red house", 8)


def _cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_a_text_without_words_still_has_a_unit_vector() -> None:
    assert math.isclose(sum(value * value for value in embed("?!", 3)), 1.0)
    assert embed("?!", 64) != embed("!?", 64)


def test_a_long_message_is_quoted_short() -> None:
    assert quote("x" * 200) == "x" * 200
    assert quote("x" * 201) == "x" * 200 + "…"
    assert quote("two\n\nlines ") == "two lines"


AUTH = {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "param", "part"),
    [
        ("POST", "/v1/chat/completions", {"model": "m"}, {}, 401, None, "API key"),
        ("GET", "/v1/models", None, {"Authorization": "Bearer"}, 401, None, "API key"),
        ("GET", "/v1/files", None, AUTH, 404, None, "Unknown path: GET /v1/files."),
        ("GET", "/v1/chat/completions", None, AUTH, 405, None, "GET is not allowed"),
        ("POST", "/v1/chat/completions", b"{", AUTH, 400, None, "parse"),
        ("POST", "/v1/chat/completions", [], AUTH, 400, None, "JSON object"),
        ("POST", "/v1/chat/completions", {"messages": []}, AUTH, 400, "model", "model parameter"),
        (
            "POST",
            "/v1/chat/completions",
            {"model": "m", "messages": []},
            AUTH,
            400,
            "messages",
            "one message",
        ),
        (
            "POST",
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": 3}]},
            AUTH,
            400,
            "messages[0].content",
            "list of parts",
        ),
        (
            "POST",
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": ""}], "max_tokens": 0},
            AUTH,
            400,
            "max_tokens",
            "between 1 and",
        ),
        (
            "POST",
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": ""}], "n": 2},
            AUTH,
            400,
            "n",
            "one choice",
        ),
        ("POST", "/v1/embeddings", {"model": "m", "input": ""}, AUTH, 400, "input", "none empty"),
        ("POST", "/v1/embeddings", {"model": "m", "input": []}, AUTH, 400, "input", "1 to 2048"),
        (
            "POST",
            "/v1/responses",
            {"model": "m", "input": "x", "previous_response_id": "resp_1"},
            AUTH,
            400,
            "previous_response_id",
            "keeps no responses",
        ),
    ],
)
def test_errors_have_the_shape_of_openai(
    url: str,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    param: str | None,
    part: str,
) -> None:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = httpx.request(method, url + path, headers=headers, **({} if body is None else content))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert part in error["message"]


def test_a_body_of_more_than_20_mb_is_refused(url: str) -> None:
    body = b'{"model": "' + b"x" * (20 * 1024 * 1024) + b'"}'
    answer = httpx.post(f"{url}/v1/embeddings", content=body, headers=AUTH)
    assert answer.status_code == 413


async def test_a_chunk_delay_spreads_the_stream() -> None:
    """Driven without a socket: the application pauses before every piece."""
    moments: list[float] = []

    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}'

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message.get("more_body"):
            moments.append(time.monotonic())

    headers = [(b"authorization", b"Bearer x")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    await DevModel(chunk_delay=0.002)(scope, receive, send)
    assert len(moments) == 1 + 15 + 2  # the role, 15 words, the finish and [DONE]
    assert all(later - earlier >= 0.002 for earlier, later in list(pairwise(moments))[:15])
