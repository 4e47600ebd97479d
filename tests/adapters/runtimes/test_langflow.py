"""Flows on a Langflow server: what is stored, what is sent, what is told, and the traps between tenants."""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from contextlib import aclosing
from typing import Any

import pytest
from tests.adapters.runtimes.flows import call
from tests.adapters.runtimes.langflow_server import (
    KEY,
    TRACEBACK,
    USAGE,
    LangflowStub,
    Reply,
    Seen,
    run_answer,
    said,
    stream,
    token,
)

from agentmart.adapters.runtimes import Deployment, RunRequest, RunResult, RuntimeFailure, Token, TokenUsage
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime
from agentmart.adapters.runtimes.langflow.graph import DEFAULT_MODEL

Flow = dict[str, Any]


def flow(template: str = "You said: {text}", kind: str = "Prompt") -> Flow:
    """A flow of the stand-in's: one node with a template."""
    nodes = [{"id": f"{kind}-1", "data": {"type": kind}, "template": template}]
    nodes += [{"id": "ChatInput-1", "data": {"type": "ChatInput"}}]
    return {"name": "Echo", "user_id": "someone", "data": {"nodes": nodes, "edges": []}}


async def deployed(runtime: LangflowRuntime, export: Flow | None = None, customer: str = "buyer") -> str:
    """Deploy under a new id."""
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, customer, "provider", export or flow(), "known"))
    return deployment_id


async def streamed(runtime: LangflowRuntime, request: RunRequest) -> list[Any]:
    """All events of a stream."""
    return [event async for event in runtime.stream(request)]


async def failed(runtime: LangflowRuntime, request: RunRequest, *, stream: bool) -> RuntimeFailure:
    """The failure of a run."""
    with pytest.raises(RuntimeFailure) as caught:
        await (streamed(runtime, request) if stream else runtime.invoke(request))
    return caught.value


def run_path(deployment_id: str) -> str:
    """Where a deployment is run."""
    return f"/api/v1/run/am-{deployment_id}"


# -- deploy and remove


async def test_a_flow_is_stored_under_the_deployments_id_in_its_customers_project(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    first, second = await deployed(langflow), await deployed(langflow)
    other = await deployed(langflow, customer="other")
    assert sorted(langflow_stub.projects.values()) == ["am-buyer", "am-other"]
    stored = langflow_stub.flows[str(uuid.UUID(first))]
    assert stored["endpoint_name"] == f"am-{first}"
    assert stored["name"] == f"am-{first} Echo"
    assert (stored["access_type"], stored["mcp_enabled"]) == ("PRIVATE", False)
    assert stored["data"] == flow()["data"]
    assert "user_id" not in stored
    folders = [langflow_stub.flows[str(uuid.UUID(item))]["folder_id"] for item in (first, second, other)]
    assert [langflow_stub.projects[folder] for folder in folders] == ["am-buyer", "am-buyer", "am-other"]


async def test_deploying_again_replaces_the_flow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    await langflow.deploy(Deployment(deployment_id, "buyer", "provider", flow("Now: {text}"), "known"))
    assert len(langflow_stub.flows) == 1
    assert (await langflow.invoke(call(deployment_id, "x"))).text == "Now: x"


async def test_another_process_finds_the_same_flow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    other = LangflowRuntime(langflow_stub.url, KEY)
    assert (await other.invoke(call(deployment_id, "x"))).text == "You said: x"
    await other.remove(deployment_id)
    await other.close()
    assert (await failed(langflow, call(deployment_id), stream=False)).code == "not_deployed"


async def test_code_of_its_own_never_reaches_the_server(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await langflow.deploy(Deployment(uuid.uuid4().hex, "buyer", "provider", flow(), "custom"))
    assert (caught.value.code, caught.value.retryable) == ("refused", False)
    assert langflow_stub.seen == []


async def test_a_flow_that_the_server_cannot_build_does_not_stay(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    langflow_stub.blocked = "Foreign"
    with pytest.raises(RuntimeFailure) as caught:
        await deployed(langflow, flow(kind="Foreign"))
    assert caught.value.code == "bad_flow"
    assert (
        caught.value.message == "The Langflow server lacks, or does not allow, these components: Foreign-1."
    )
    assert langflow_stub.flows == {}


async def test_a_replacement_that_cannot_be_built_leaves_the_earlier_flow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.blocked = "Foreign"
    with pytest.raises(RuntimeFailure) as caught:
        await langflow.deploy(Deployment(deployment_id, "buyer", "p", flow(kind="Foreign"), "known"))
    assert caught.value.code == "bad_flow"
    assert (await langflow.invoke(call(deployment_id, "x"))).text == "You said: x"


async def test_a_server_without_the_build_check_takes_the_flow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    langflow_stub.has_build_check = False
    assert (await langflow.invoke(call(await deployed(langflow), "x"))).text == "You said: x"


async def test_a_project_made_twice_at_once_is_one_project(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    async def rival(seen: Seen) -> Reply:
        langflow_stub.projects["p1"] = "am-buyer"  # made between our look and our creation
        return Reply(content=[])

    langflow_stub.scripts.append(("/api/v1/projects/", rival))
    deployment_id = await deployed(langflow)
    assert langflow_stub.projects == {"p1": "am-buyer"}
    assert langflow_stub.flows[str(uuid.UUID(deployment_id))]["folder_id"] == "p1"


async def test_removing_deletes_the_chats_too(langflow: LangflowRuntime, langflow_stub: LangflowStub) -> None:
    gone, stays = await deployed(langflow), await deployed(langflow)
    for deployment_id in (gone, stays):
        for number in range(3):
            await langflow.invoke(call(deployment_id, "secret", f"s{number}"))
    await langflow.remove(gone)
    assert list(langflow_stub.flows) == [str(uuid.UUID(stays))]
    assert {flow_id for rows in langflow_stub.chats.values() for flow_id, _ in rows} == {
        str(uuid.UUID(stays))
    }


@pytest.mark.parametrize("deployment_id", ["", "../health", "a?b=c", "x" * 32])
async def test_an_id_that_is_none_never_becomes_a_path(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, deployment_id: str
) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await langflow.deploy(Deployment(deployment_id, "buyer", "provider", flow(), "known"))
    assert caught.value.code == "bad_flow"
    await langflow.remove(deployment_id)
    assert (await failed(langflow, call(deployment_id), stream=True)).code == "not_deployed"
    assert langflow_stub.seen == []


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        (
            "Flow build blocked: outdated components must be updated before running: Text (T-1)",
            "The Langflow server has other versions of these components and may not use them instead: Text (T-1).",
        ),
        ("Flow build blocked: something new", "The Langflow server cannot build this flow."),
        (f"components are not allowed: {'A, ' * 1000}", None),
    ],
)
async def test_why_a_flow_cannot_be_built(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, detail: str, message: str | None
) -> None:
    langflow_stub.next("/api/v1/build/", Reply(400, {"detail": detail}))
    with pytest.raises(RuntimeFailure) as caught:
        await deployed(langflow)
    assert caught.value.code == "bad_flow"
    assert caught.value.message == message or (message is None and len(caught.value.message) < 400)


# -- what is sent


async def test_a_runs_headers_are_ours_alone_and_the_key_is_in_no_address(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    await langflow.invoke(call(deployment_id, "x", tweaks={"Prompt-1": {"template": "T"}}))
    run = langflow_stub.runs()[0]
    assert set(run.headers) == {"host", "user-agent", "x-api-key", "accept", "content-type", "content-length"}
    assert run.headers["x-api-key"] == KEY
    assert run.target == f"{run_path(deployment_id)}?stream=false"
    assert all(KEY not in seen.target and KEY.encode() not in seen.body for seen in langflow_stub.seen)
    body = run.json()
    assert set(body) == {"input_value", "input_type", "output_type", "session_id", "tweaks"}
    assert (body["input_type"], body["output_type"], body["input_value"]) == ("chat", "any", "x")
    assert body["tweaks"] == {"Prompt-1": {"template": "T"}}


async def test_a_flow_without_a_chat_input_gets_its_text_too(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    export = flow()
    export["data"]["nodes"][1]["data"]["type"] = "TextInput"
    deployment_id = await deployed(langflow, export)
    for _ in range(2):
        assert (await langflow.invoke(call(deployment_id, "x"))).text == "You said: x"
    assert (await streamed(langflow, call(deployment_id, "y")))[-1].text == "You said: y"
    names = [run.path.rpartition("/")[2] for run in langflow_stub.runs()]
    assert names == [f"am-{deployment_id}", *[f"am-{deployment_id}-any"] * 3]
    assert langflow_stub.runs()[-1].json()["input_type"] == "any"
    assert (await langflow.health()).deployments == {deployment_id}
    await langflow.deploy(Deployment(deployment_id, "buyer", "provider", flow("Now: {text}"), "known"))
    assert (await langflow.invoke(call(deployment_id, "x"))).text == "Now: x"


async def test_a_model_is_selected_where_a_flow_has_none(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    chosen = [{"name": "a", "provider": "Anthropic"}]
    fields = [{"type": "model", "value": ""}, {"type": "model", "value": chosen}]
    fields.append({"type": "model", "value": "", "model_type": "embedding"})
    export = flow()
    nodes = [
        {"id": str(at), "data": {"node": {"template": {"model": item}}}} for at, item in enumerate(fields)
    ]
    inside = {"id": "g", "data": {"node": {"flow": {"data": {"nodes": [nodes[0]]}}}}}
    export["data"]["nodes"] += [*copy.deepcopy(nodes), copy.deepcopy(inside)]
    before = copy.deepcopy(export)
    await deployed(langflow, export)
    assert export == before
    [stored] = langflow_stub.flows.values()
    *_, first, second, third, group = [node["data"]["node"] for node in stored["data"]["nodes"][2:]]
    values = [item["template"]["model"]["value"] for item in (first, second, third)]
    assert values == [[DEFAULT_MODEL], chosen, ""]
    [inner] = group["flow"]["data"]["nodes"]
    assert inner["data"]["node"]["template"]["model"]["value"] == [DEFAULT_MODEL]


async def test_a_session_remembers_and_no_other_session_sees_it(langflow: LangflowRuntime) -> None:
    first = await deployed(langflow, flow("{earlier}"))
    second = await deployed(langflow, flow("{earlier}"))
    await langflow.invoke(call(first, "mine", "s"))
    assert (await langflow.invoke(call(first, "x", "s"))).text == "mine"
    assert (await langflow.invoke(call(first, "x", "t"))).text == ""
    assert (await langflow.invoke(call(second, "x", "s"))).text == ""


async def test_callers_without_a_session_share_none(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow, flow("{earlier}"))
    for text in ("mine", "yours"):
        request = RunRequest(uuid.uuid4().hex, deployment_id, text, session_id="")
        assert (await langflow.invoke(request)).text == ""
    sessions = [run.json()["session_id"] for run in langflow_stub.runs()]
    assert len(set(sessions)) == 2
    assert all(session.startswith(f"am-{deployment_id}:") for session in sessions)


# -- what is told


async def test_tokens_come_as_they_are_made(langflow: LangflowRuntime, langflow_stub: LangflowStub) -> None:
    deployment_id = await deployed(langflow)
    told = [token("Hel"), token("lo"), {"event": "end", "data": {"result": run_answer("Hello", usage=USAGE)}}]
    [head, *chunks] = stream(told, piece=len(json.dumps(told[0])) + 2).raw or ()
    langflow_stub.next(run_path(deployment_id), Reply(raw=(head, chunks[0], *chunks[1:]), held=2))
    async with aclosing(langflow.stream(call(deployment_id))) as events:
        assert await anext(events) == Token("Hel")  # nothing after it has been sent yet
        langflow_stub.rest.set()
        assert await anext(events) == Token("lo")
        result = await anext(events)
    assert isinstance(result, RunResult)
    assert (result.text, result.usage, result.model_calls) == ("Hello", TokenUsage(11, 7), 1)
    assert result.usage and result.usage.model == "a-model"


@pytest.mark.parametrize("piece", [1, 2, 7, 1000])
async def test_events_may_span_reads(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, piece: int
) -> None:
    deployment_id = await deployed(langflow)
    told = [token("Hé"), token(" 🌍"), {"event": "end", "data": {"result": run_answer("Hé 🌍")}}]
    langflow_stub.next(run_path(deployment_id), stream(told, piece=piece))
    *told, end = await streamed(langflow, call(deployment_id))
    assert all(isinstance(event, Token) for event in told)
    assert "".join(event.text for event in told) == end.text == "Hé 🌍"


async def test_an_error_under_status_200_is_a_failure_without_the_servers_words(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    told = [
        token("Hel"),
        said("half", properties={"usage": USAGE}),
        said("KeyError", category="error", content_blocks=[{"traceback": TRACEBACK}]),
        {"event": "error", "data": {"error": TRACEBACK}},
    ]
    langflow_stub.next(run_path(deployment_id), stream(told))
    pieces = []
    with pytest.raises(RuntimeFailure) as caught:
        async for event in langflow.stream(call(deployment_id)):
            pieces.append(event)
    assert pieces == [Token("Hel")]
    failure = caught.value
    assert (failure.code, failure.message) == ("flow_error", "The agent's flow failed.")
    assert "Traceback" in failure.detail
    assert failure.usage == TokenUsage(11, 7)


@pytest.mark.parametrize("close", [False, True], ids=["ended", "cut off"])
async def test_a_stream_without_an_end_event_is_no_success(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, close: bool
) -> None:
    deployment_id = await deployed(langflow)
    told = [token("Hello"), said("Hello", properties={"usage": USAGE})]
    langflow_stub.next(run_path(deployment_id), stream(told, close=close))
    failure = await failed(langflow, call(deployment_id), stream=True)
    assert (failure.code, failure.message) == ("crashed", "The agent's answer broke off.")
    assert failure.usage == TokenUsage(11, 7)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "content", "code", "retryable"),
    [
        (400, {"detail": "Flow build blocked: custom components are not allowed: X"}, "refused", False),
        (401, {"detail": "no"}, "unreachable", False),
        (403, {"detail": "Invalid or missing API key"}, "unreachable", False),
        (422, {"detail": {"code": "TWEAKS_REFUSED", "message": TRACEBACK}}, "refused", False),
        (429, {"detail": TRACEBACK}, "busy", True),
        (500, {"detail": json.dumps({"message": TRACEBACK})}, "flow_error", False),
        (502, TRACEBACK, "unreachable", True),
        (503, TRACEBACK, "busy", True),
        (504, TRACEBACK, "timeout", False),
        (507, TRACEBACK, "flow_error", False),
        (302, TRACEBACK, "unreachable", False),
        (201, TRACEBACK, "crashed", False),
    ],
)
async def test_refusals_and_failures(
    langflow: LangflowRuntime,
    langflow_stub: LangflowStub,
    status: int,
    content: Any,
    code: str,
    retryable: bool,
    stream: bool,
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.next(run_path(deployment_id), Reply(status, content))
    failure = await failed(langflow, call(deployment_id), stream=stream)
    assert (failure.code, failure.retryable) == (code, retryable)
    assert failure.detail.startswith(f"{status}: ")
    for word in ("Traceback", "/srv", "custom components", "Invalid"):
        assert word not in failure.message
    assert langflow_stub.count("POST", run_path(deployment_id)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_tweak(langflow: LangflowRuntime, stream: bool) -> None:
    request = call(await deployed(langflow), tweaks={"Prompt-1": {"code": "import os"}})
    failure = await failed(langflow, request, stream=stream)
    assert (failure.code, failure.message) == ("refused", "The Langflow server refuses these settings.")


async def test_a_flow_that_does_not_find_something_is_not_taken_for_a_missing_flow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.next(run_path(deployment_id), Reply(404, {"detail": "File x not found"}))
    failure = await failed(langflow, call(deployment_id), stream=False)
    assert (failure.code, failure.detail) == ("flow_error", "File x not found")
    assert len(langflow_stub.runs()) == 1
    missing = await failed(langflow, call(uuid.uuid4().hex), stream=True)
    assert (missing.code, missing.retryable) == ("not_deployed", True)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_read(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, stream: bool
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.next(run_path(deployment_id), Reply(200, "no answer"))
    failure = await failed(langflow, call(deployment_id), stream=stream)
    assert (failure.code, failure.message) == ("crashed", "The Langflow server's answer cannot be read.")


# -- time, and callers who leave


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_that_takes_too_long_is_hung_up_on(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, stream: bool
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.gate.clear()
    failure = await failed(langflow, call(deployment_id, timeout_seconds=0.05), stream=stream)
    assert (failure.code, failure.retryable) == ("timeout", False)
    await asyncio.wait_for(langflow_stub.left.wait(), 5)
    assert len(langflow_stub.runs()) == 1


async def test_a_cancelled_run_and_a_closed_stream_hang_up(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    deployment_id = await deployed(langflow)
    langflow_stub.gate.clear()
    running = asyncio.create_task(langflow.invoke(call(deployment_id)))
    await langflow_stub.running.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.wait_for(langflow_stub.left.wait(), 5)
    langflow_stub.left.clear()
    langflow_stub.gate.set()
    connections = langflow_stub.connections
    head, chunk = stream([token("a")]).raw[:2]
    langflow_stub.next(run_path(deployment_id), Reply(raw=(head, chunk, chunk), held=2))
    async with aclosing(langflow.stream(call(deployment_id))) as events:
        assert await anext(events) == Token("a")
    assert (await langflow.invoke(call(deployment_id, "x"))).text == "You said: x"
    assert langflow_stub.connections > connections  # what was left half read is not used again


# -- health


async def test_a_server_that_is_too_old_is_named(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    langflow_stub.version = "1.11.3"
    health = await langflow.health()
    assert (health.ok, health.message) == (
        False,
        "The server is Langflow 1.11.3; Langflow 1.12 or newer is needed.",
    )


@pytest.mark.parametrize("version", ["1.12.0", "1.13.0.dev5", "1.100.1", "2.0"])
async def test_newer_servers_will_do(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, version: str
) -> None:
    langflow_stub.version = version
    assert (await langflow.health()).ok


@pytest.mark.parametrize("version", ["0.9", "one", "1"])
async def test_older_and_unknown_versions_will_not(
    langflow: LangflowRuntime, langflow_stub: LangflowStub, version: str
) -> None:
    langflow_stub.version = version
    assert not (await langflow.health()).ok


async def test_a_key_that_is_refused_is_said_so(langflow_stub: LangflowStub) -> None:
    runtime = LangflowRuntime(langflow_stub.url, "sk-another")
    health = await runtime.health()
    assert (health.ok, health.message) == (False, "The Langflow server refuses our API key.")
    with pytest.raises(RuntimeFailure) as caught:
        await deployed(runtime)
    assert (caught.value.code, caught.value.retryable) == ("unreachable", False)
    await runtime.close()


async def test_another_server_is_not_taken_for_langflow(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    langflow_stub.next("/health_check", Reply(404, "nothing here"))
    health = await langflow.health()
    assert (health.ok, health.message) == (False, "There is no Langflow server at this address.")
    langflow_stub.next("/api/v1/version", Reply(200, ["odd"]))
    assert not (await langflow.health()).ok


async def test_the_list_of_flows_is_not_asked_for_at_every_health_check(
    langflow: LangflowRuntime, langflow_stub: LangflowStub
) -> None:
    await deployed(langflow)
    before = langflow_stub.count("GET", "/api/v1/flows/")
    for _ in range(3):
        assert (await langflow.health()).ok
    assert langflow_stub.count("GET", "/api/v1/flows/") == before + 1


# -- building one


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("ftp://host", KEY),
        ("http://", KEY),
        ("http://user:pw@host", KEY),
        ("http://host/?x-api-key=1", KEY),
        ("http://host", ""),
        ("http://host", "sk\r\nx-evil: 1"),
        ("http://host", "schlüssel"),
    ],
)
def test_an_address_or_key_that_cannot_be_used_is_refused_at_once(url: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"address|key") as caught:
        LangflowRuntime(url, key)
    assert KEY not in str(caught.value)
