"""The contract of a runtime: the same tests for the fake, the embedded one, and a Langflow server."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from tests.adapters.runtimes import real_langflow
from tests.adapters.runtimes.flows import Components, Flow, call
from tests.support.flows import echo_flow

from agentmart.adapters.runtimes import Deployment, Runtime, RuntimeFailure, Token, build
from agentmart.adapters.runtimes.fake import FakeRuntime

FLOW: Flow = {"data": {"nodes": [{"id": "in"}]}}
ECHO: Flow = {
    "data": {"nodes": [{"id": "in"}, {"id": "prompt", "template": "You said: {text}"}], "edges": []}
}


@dataclass(slots=True)
class Subject:
    """A runtime under test, and how to deploy in it a flow that answers "You said: " and the text."""

    runtime: Runtime
    echo: Callable[[], Awaitable[str]]


KINDS = [
    "fake",
    "langflow",
    pytest.param("embedded", marks=pytest.mark.runtime),
    pytest.param("langflow-server", marks=[pytest.mark.langflow, real_langflow.needed]),
]


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each runtime in turn."""
    if request.param == "fake":
        return _fake()
    if request.param == "langflow":
        return _deploying(request.getfixturevalue("langflow"), ECHO)
    if request.param == "langflow-server":
        return _deploying(request.getfixturevalue("real_langflow"), echo_flow())
    components: Components = request.getfixturevalue("components")
    deploy = request.getfixturevalue("deploy")
    return Subject(request.getfixturevalue("embedded"), lambda: deploy(components.echo()))


def _fake() -> Subject:
    fake = FakeRuntime()

    async def echo() -> str:
        deployment_id = uuid.uuid4().hex
        fake.script(deployment_id).answer = "You said: {text}"
        await fake.deploy(Deployment(deployment_id, "buyer", "provider", FLOW, "known"))
        return deployment_id

    return Subject(fake, echo)


def _deploying(runtime: Runtime, flow: Flow) -> Subject:
    async def echo() -> str:
        deployment_id = uuid.uuid4().hex
        await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, "known"))
        return deployment_id

    return Subject(runtime, echo)


async def test_a_deployed_flow_answers(subject: Subject) -> None:
    result = await subject.runtime.invoke(call(await subject.echo(), "good morning"))
    assert result.text == "You said: good morning"
    assert result.usage is None
    assert result.model_calls == 0


async def test_a_stream_ends_with_the_whole_text(subject: Subject) -> None:
    events = [event async for event in subject.runtime.stream(call(await subject.echo(), "good morning"))]
    tokens = [event.text for event in events[:-1] if isinstance(event, Token)]
    assert len(tokens) == len(events) - 1
    assert not isinstance(events[-1], Token)
    assert events[-1].text == "You said: good morning"
    assert "".join(tokens) in ("", events[-1].text)


async def test_health_lists_what_is_deployed(subject: Subject) -> None:
    deployment_id = await subject.echo()
    health = await subject.runtime.health()
    assert health.ok
    assert deployment_id in health.deployments


async def test_an_unknown_deployment_is_not_deployed(subject: Subject) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await subject.runtime.invoke(call(uuid.uuid4().hex))
    assert (caught.value.code, caught.value.retryable) == ("not_deployed", True)


async def test_a_removed_deployment_is_gone_and_removing_it_again_is_no_error(subject: Subject) -> None:
    deployment_id = await subject.echo()
    await subject.runtime.remove(deployment_id)
    await subject.runtime.remove(deployment_id)
    with pytest.raises(RuntimeFailure) as caught:
        await subject.runtime.invoke(call(deployment_id))
    assert caught.value.code == "not_deployed"
    assert deployment_id not in (await subject.runtime.health()).deployments


async def test_a_flow_without_nodes_is_refused(subject: Subject) -> None:
    empty = Deployment(uuid.uuid4().hex, "buyer", "provider", {"data": {"nodes": []}}, "known")
    with pytest.raises(RuntimeFailure) as caught:
        await subject.runtime.deploy(empty)
    assert (caught.value.code, caught.value.message) == ("bad_flow", "The flow has no nodes.")


async def test_closing_a_stream_early_leaves_the_runtime_working(subject: Subject) -> None:
    deployment_id = await subject.echo()
    async with contextlib.aclosing(subject.runtime.stream(call(deployment_id))) as events:  # type: ignore[type-var]
        await anext(events)
    assert (await subject.runtime.invoke(call(deployment_id, "again"))).text == "You said: again"


async def test_many_calls_at_once_get_their_own_answers(subject: Subject) -> None:
    first, second = await subject.echo(), await subject.echo()
    calls = [call(first if number % 2 else second, f"number {number}") for number in range(20)]
    results = await asyncio.gather(*(subject.runtime.invoke(item) for item in calls))
    assert [result.text for result in results] == [f"You said: number {number}" for number in range(20)]


async def test_a_runtime_is_built_from_its_kind() -> None:
    assert isinstance(build("fake"), FakeRuntime)
    nowhere = build("embedded", socket_path="/nonexistent/runtime.sock")
    health = await nowhere.health()
    assert (health.ok, health.message) == (False, "The runtime is not running.")
    with pytest.raises(RuntimeFailure) as caught:
        await nowhere.invoke(call(uuid.uuid4().hex))
    assert (caught.value.code, caught.value.retryable) == ("unreachable", True)
    await nowhere.close()


async def test_a_langflow_server_that_is_not_there_says_so() -> None:
    nowhere = build("langflow", url="http://127.0.0.1:9", api_key="sk-x")
    health = await nowhere.health()
    assert (health.ok, health.message) == (False, "The Langflow server is not reachable.")
    with pytest.raises(RuntimeFailure) as caught:
        await nowhere.invoke(call(uuid.uuid4().hex))
    assert (caught.value.code, caught.value.retryable) == ("unreachable", True)
    await nowhere.close()
