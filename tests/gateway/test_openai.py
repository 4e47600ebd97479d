"""OpenAI's own client works unchanged: chat completions and responses, whole and streamed, models, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from tests.gateway.support import World, call, get

from agentmart.contracts.grants import Grant, Limits
from agentmart.gateway.openai_common import Message, conversation
from agentmart.gateway.openai_responses import response_id, session_in
from agentmart.kit.errors import Invalid

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
HELLO = [{"role": "user", "content": "hello there"}]


class Caller:
    """A key's own OpenAI client, talking to the gateway in this process."""

    def __init__(self, world: World, key: str, grant: Grant) -> None:
        self.grant = grant
        self.key = key
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(world.app))
        self.client = openai.AsyncOpenAI(
            api_key=key, base_url="http://gateway/v1", http_client=self.http, max_retries=0
        )


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    """A caller whose agent is `helper`."""
    issued = await world.issue(model="helper")
    caller = Caller(world, issued.key, issued.grant)
    yield caller
    await caller.http.aclose()


async def test_a_completion(world: World, caller: Caller) -> None:
    found = await caller.client.chat.completions.create(model="helper", messages=HELLO)  # type: ignore[arg-type]
    assert (found.object, found.model, len(found.choices)) == ("chat.completion", "helper", 1)
    choice = found.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        "hello there",
        "stop",
    )
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (2, 2, 4)
    (event,) = await world.store.events()
    assert found.id == f"chatcmpl-{event['id'].hex}"
    assert found.created == int(event["occurred_at"].timestamp())
    assert (event["input_tokens"], event["output_tokens"], event["status"]) == (2, 2, "ok")


async def test_a_streamed_completion(world: World, caller: Caller) -> None:
    stream = await caller.client.chat.completions.create(
        model="helper",
        messages=HELLO,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert [delta.role for delta in deltas] == ["assistant", None, None, None]
    assert "".join(delta.content or "" for delta in deltas) == "hello there"
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None, None, None, "stop"]
    assert [chunk.usage.total_tokens if chunk.usage else None for chunk in chunks] == [None] * 4 + [4]
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_stream_tells_its_usage_only_where_asked(caller: Caller, world: World) -> None:
    answer = await call(
        world.app, {"model": "helper", "messages": HELLO, "stream": True}, caller.key, path=CHAT
    )
    assert answer.headers["content-type"] == "text/event-stream"
    lines = [line for line in answer.body.decode().split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: {") and "usage" not in line for line in lines[:-1])


async def test_a_conversation_is_told_with_its_speakers(world: World, caller: Caller) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": "Hello Ada."},
        {"role": "user", "content": [{"type": "text", "text": "Who "}, {"type": "text", "text": "am I?"}]},
    ]
    await caller.client.chat.completions.create(model="helper", messages=messages)
    await caller.client.chat.completions.create(
        model="helper", messages=messages, extra_body={"session_id": "mine"}
    )
    await caller.client.chat.completions.create(
        model="helper", messages=messages, extra_headers={"X-Session-Id": "mine"}
    )
    told, remembered, by_header = world.runtime.requests
    assert told.text == "System: Be brief.\n\nUser: I am Ada.\n\nAssistant: Hello Ada.\n\nUser: Who am I?"
    assert remembered.text == by_header.text == "Who am I?"
    assert remembered.session_id == by_header.session_id == f"{caller.grant.config_id.hex}:mine"
    assert told.session_id != remembered.session_id


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "messages"),
        ([Message("assistant", "hi")], "messages"),
        ([Message("user", "  ")], "messages"),
        ([Message("user", "a"), Message("oracle", "b"), Message("user", "c")], "messages.1.role"),
        ([Message("user", [{"type": "image_url", "image_url": {}}])], "messages.0.content.0"),
    ],
)
def test_what_is_no_conversation_is_refused_by_place(messages: list[Message], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        conversation(messages, field="messages", remembered=False)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": "hello"}, "messages"),
        ({"model": None}, "model"),
        ({"tweaks": {"n": {"f": 1}}}, "tweaks.n.f"),
    ],
)
async def test_what_an_agent_cannot_do_is_refused_by_name(
    world: World, caller: Caller, changes: dict[str, Any], param: str
) -> None:
    answer = await call(world.app, {"model": "helper", "messages": HELLO, **changes}, caller.key, path=CHAT)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert answer.headers["x-request-id"] == error["request_id"]
    assert world.runtime.requests == []


async def test_what_has_no_effect_is_told(world: World, caller: Caller) -> None:
    body = {"model": "helper", "messages": HELLO, "temperature": 0, "seed": None, "max_tokens": 5}
    answer = await call(world.app, body, caller.key, path=CHAT)
    assert answer.status == 200
    assert answer.headers["warning"] == '299 agentmart "Ignored: temperature max_tokens"'


async def test_errors_are_the_client_s_own(world: World, caller: Caller) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await caller.client.chat.completions.create(model="gpt-9", messages=HELLO)  # type: ignore[arg-type]
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError) as bad_key:
        await caller.client.with_options(api_key="ar_sk_live_x").models.list()
    assert bad_key.value.code == "invalid_api_key"
    with pytest.raises(openai.InternalServerError) as failed:
        await caller.client.chat.completions.create(
            model="helper",
            messages=[{"role": "user", "content": "fail flow_error"}],
        )
    assert (failed.value.status_code, failed.value.code, failed.value.type) == (
        502,
        "upstream_error",
        "server_error",
    )
    assert "secret" not in str(failed.value)
    limited = await world.issue(model="helper", limits=Limits(requests_per_minute=1))
    client = caller.client.with_options(api_key=limited.key)
    await client.responses.create(model="helper", input="hi")
    with pytest.raises(openai.RateLimitError) as refused:
        await client.responses.create(model="helper", input="hi")
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after"]) >= 1


async def test_a_stream_that_breaks_is_raised_and_metered(world: World, caller: Caller) -> None:
    stream = await caller.client.chat.completions.create(
        model="helper",
        messages=[{"role": "user", "content": "break flow_error and more"}],
        stream=True,
    )
    said = ""
    with pytest.raises(openai.APIError) as broke:
        async for chunk in stream:
            said += chunk.choices[0].delta.content or ""
    assert (said, broke.value.code) == ("break flow_error", "upstream_error")
    (event,) = await world.store.events()
    assert (event["status"], event["requests"]) == ("error", 0)


async def test_the_models_of_a_key(world: World, caller: Caller) -> None:
    page = await caller.client.models.list()
    assert [(model.id, model.object) for model in page.data] == [("helper", "model")]
    assert (await caller.client.models.retrieve("helper")).id == "helper"
    assert (await caller.client.models.retrieve(str(caller.grant.config_id))).id == "helper"
    with pytest.raises(openai.NotFoundError):
        await caller.client.models.retrieve("other")
    assert (await get(world.app, "/v1/models")).json()["error"]["code"] == "invalid_api_key"


async def test_the_agent_goes_by_its_uuids_too(caller: Caller) -> None:
    for name in (str(caller.grant.config_id), caller.grant.offering_id.hex):
        found = await caller.client.chat.completions.create(model=name, messages=HELLO)  # type: ignore[arg-type]
        assert found.model == name


async def test_a_response_and_one_that_goes_on_from_it(world: World, caller: Caller) -> None:
    first = await caller.client.responses.create(
        model="helper", input="hello there", instructions="Be brief."
    )
    assert (first.status, first.output_text) == ("completed", "System: Be brief.\n\nUser: hello there")
    assert first.usage is not None
    assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
    second = await caller.client.responses.create(
        model="helper",
        previous_response_id=first.id,
        input=[{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "and now?"}],
    )
    assert second.output_text == "and now?"
    sessions = [request.session_id for request in world.runtime.requests]
    assert sessions[0] == sessions[1]
    with pytest.raises(openai.NotFoundError) as unknown:
        await caller.client.responses.create(model="helper", input="x", previous_response_id="resp_1")
    assert unknown.value.code == "previous_response_not_found"


async def test_a_streamed_response(caller: Caller) -> None:
    async with caller.client.responses.stream(model="helper", input="hello there") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert (final.output_text, final.status) == ("hello there", "completed")
    assert final.usage is not None and final.usage.total_tokens == 4


async def test_a_streamed_response_that_breaks(world: World, caller: Caller) -> None:
    body = {"model": "helper", "input": "break flow_error and more", "stream": True}
    answer = await call(world.app, body, caller.key, path=RESPONSES)
    events = answer.events()
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    name, last = events[-1]
    assert name == "response.failed"
    assert (last["response"]["status"], last["response"]["error"]["code"]) == ("failed", "upstream_error")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": [{"type": "function_call_output", "output": "1"}]}, "input.0.type"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"background": True}, "background"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"input": 1}, "input"),
    ],
)
async def test_what_a_response_cannot_be(
    world: World, caller: Caller, changes: dict[str, Any], param: str
) -> None:
    answer = await call(world.app, {"model": "helper", "input": "hi", **changes}, caller.key, path=RESPONSES)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


def test_a_response_s_id_carries_its_session() -> None:
    for session in ("a", "söme séssion 🙂", "x" * 128):
        assert session_in(response_id("0" * 32, session)) == session


async def test_paths_and_methods_below_v1_are_refused_in_the_same_form(world: World) -> None:
    for path, method, status, code in (
        ("/v1/nothing", "GET", 404, "not_found"),
        (CHAT, "GET", 405, "method_not_allowed"),
    ):
        answer = await call(world.app, b"", method=method, path=path)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code)
