"""Runs of real flows in the embedded runtime: answers, models, memory, tweaks, streams, concurrency."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.runtimes.flows import Components, call
from tests.adapters.runtimes.launch import MODEL_KEY, SECRET, Running
from tests.adapters.runtimes.model import ANSWER, Model

from agentmart.adapters.runtimes import RunResult, RuntimeFailure, Token, TokenUsage
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime

pytestmark = pytest.mark.runtime
Deploy = Callable[..., Any]


async def test_a_model_is_called_with_the_real_key_and_its_tokens_are_counted(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, model: Model
) -> None:
    result = await embedded.invoke(call(await deploy(components.model()), "What is up?"))
    assert (result.text, result.usage, result.model_calls) == (ANSWER, TokenUsage(11, 7), 1)
    [(path, authorization, body)] = model.calls
    assert (path, authorization) == ("/v1/chat/completions", f"Bearer {MODEL_KEY}")
    assert body["model"] == "gpt-4o-mini"
    assert body["messages"][-1] == {"role": "user", "content": "What is up?"}


async def test_the_model_named_in_the_flow_is_used_whoever_provided_it(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, model: Model
) -> None:
    chosen = [{"name": "claude-x", "provider": "Anthropic", "metadata": {"model_class": "ChatAnthropic"}}]
    await embedded.invoke(call(await deploy(components.model(model=chosen))))
    assert [body["model"] for _, _, body in model.calls] == ["claude-x"]


async def test_a_model_streams_token_by_token(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, model: Model
) -> None:
    events = [event async for event in embedded.stream(call(await deploy(components.model())))]
    assert [event.text for event in events if isinstance(event, Token)] == ["Hello", " from", " the", " stub"]
    assert isinstance(events[-1], RunResult)
    assert (events[-1].text, events[-1].usage) == (ANSWER, TokenUsage(11, 7))


async def test_closing_a_stream_ends_the_model_call(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, model: Model, shared_runtime: Running
) -> None:
    deployment_id = await deploy(components.model())
    request = call(deployment_id)
    model.gate.clear()

    async def listen() -> None:
        async with contextlib.aclosing(embedded.stream(request)) as events:
            await anext(events)

    listening = asyncio.create_task(listen())
    await asyncio.to_thread(model.asked.wait, 20)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    while f"'call_id': '{request.call_id}', 'deployment_id'" not in shared_runtime.log.read_text():
        await embedded.health()  # a round trip
    [line] = [
        line for line in shared_runtime.log.read_text().splitlines() if f"'{request.call_id}', 'depl" in line
    ]
    assert "'outcome': 'cancelled'" in line
    model.gate.set()
    assert (await embedded.invoke(call(deployment_id))).text == ANSWER


async def test_a_session_is_remembered_and_no_other_sees_it(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    first, second = await deploy(components.remembering()), await deploy(components.remembering())
    await embedded.invoke(call(first, "my name is Ada", session="s-1"))
    again = await embedded.invoke(call(first, "who am I?", session="s-1"))
    assert "User: my name is Ada" in again.text
    other_session = await embedded.invoke(call(first, "who am I?", session="s-2"))
    other_deployment = await embedded.invoke(call(second, "who am I?", session="s-1"))
    assert "Ada" not in other_session.text
    assert "Ada" not in other_deployment.text


async def test_removing_a_deployment_forgets_its_sessions(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    deployment_id = await deploy(components.remembering())
    await embedded.invoke(call(deployment_id, "my name is Ada", session="s-1"))
    await embedded.remove(deployment_id)
    await deploy(components.remembering(), deployment_id=deployment_id)
    assert "Ada" not in (await embedded.invoke(call(deployment_id, "who am I?", session="s-1"))).text


async def test_an_agent_gets_the_history_of_its_session(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, model: Model
) -> None:
    agent = components.agent()
    deployment_id = await deploy(agent)
    await embedded.invoke(call(deployment_id, "my name is Ada", session="s-1"))
    await embedded.invoke(call(deployment_id, "who am I?", session="s-1"))
    said = [message["content"] for message in model.calls[-1][2]["messages"] if message["role"] != "system"]
    assert said == ["my name is Ada", ANSWER, "who am I?"]


async def test_tweaks_hold_for_one_run(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    deployment_id = await deploy(components.echo())
    tweaked = await embedded.invoke(
        call(deployment_id, "hi", tweaks={"Prompt-1": {"template": "Heard: {text}"}})
    )
    plain = await embedded.invoke(call(deployment_id, "hi"))
    assert (tweaked.text, plain.text) == ("Heard: hi", "You said: hi")


@pytest.mark.parametrize(
    ("tweaks", "message"),
    [
        ({"nobody": {"template": "x"}}, "The flow has no node nobody."),
        ({"Prompt-1": {"nothing": "x"}}, "Node Prompt-1 has no field nothing that may be set."),
        ({"Prompt-1": {"code": "import os"}}, "Node Prompt-1 has no field code that may be set."),
    ],
)
async def test_a_tweak_of_what_is_not_there_or_is_code_is_refused(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, tweaks: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await embedded.invoke(call(await deploy(components.echo()), tweaks=tweaks))
    assert (caught.value.code, caught.value.message) == ("refused", message)


async def test_a_hundred_calls_at_once_do_not_see_each_other(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    echoes = [await deploy(components.echo()) for _ in range(2)]
    memory = await deploy(components.remembering())
    calls = [
        call(
            echoes[number % 2], f"secret-{number}", tweaks={"Prompt-1": {"template": f"T{number}: {{text}}"}}
        )
        for number in range(50)
    ]
    remembered = [call(memory, f"secret-{number}", session=f"session-{number}") for number in range(50, 100)]
    results = await asyncio.gather(*(embedded.invoke(item) for item in [*calls, *remembered]))
    assert [result.text for result in results[:50]] == [f"T{number}: secret-{number}" for number in range(50)]
    again = await asyncio.gather(
        *(embedded.invoke(call(memory, "and?", session=f"session-{number}")) for number in range(50, 100))
    )
    for number, result in enumerate(again, 50):
        assert {word for word in result.text.split() if word.startswith("secret-")} == {f"secret-{number}"}


async def test_the_code_of_the_export_is_not_what_runs(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    flow = components.echo()
    code = flow["data"]["nodes"][1]["data"]["node"]["template"]["code"]
    code["value"] = code["value"].replace(
        "class PromptComponent(", "raise SystemExit('tampered')\nclass PromptComponent("
    )
    assert "tampered" in code["value"]
    code["value"] = "this is not even Python"
    assert (await embedded.invoke(call(await deploy(flow), "hi"))).text == "You said: hi"


async def test_a_component_this_runtime_lacks_is_named(deploy: Deploy, components: Components) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await deploy(components.custom("pass"))
    assert caught.value.code == "bad_flow"
    assert caught.value.message == "Component Own of node Own-1 is not available in this runtime."


async def test_a_flow_that_fails_tells_the_caller_nothing_of_its_inside(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    deployment_id = await deploy(components.custom("raise KeyError('inside ' + text)"), trust="custom")
    with pytest.raises(RuntimeFailure) as caught:
        await embedded.invoke(call(deployment_id, "the prompt"))
    assert (caught.value.code, caught.value.message) == ("flow_error", "The flow failed while it ran.")
    assert "inside the prompt" in caught.value.detail


async def test_a_new_version_replaces_the_old_and_a_broken_one_does_not(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components
) -> None:
    deployment_id = await deploy(components.echo())
    with pytest.raises(RuntimeFailure):
        await deploy(components.custom("pass"), deployment_id=deployment_id)
    assert (await embedded.invoke(call(deployment_id, "hi"))).text == "You said: hi"
    changed = components.echo()
    changed["data"]["nodes"][1]["data"]["node"]["template"]["template"]["value"] = "Now: {text}"
    await deploy(changed, deployment_id=deployment_id)
    assert (await embedded.invoke(call(deployment_id, "hi"))).text == "Now: hi"


async def test_logs_and_files_hold_no_prompt_no_key_and_no_secret(
    embedded: EmbeddedRuntime, deploy: Deploy, components: Components, shared_runtime: Running, model: Model
) -> None:
    prompt = f"prompt-{uuid.uuid4().hex}"
    await embedded.invoke(call(await deploy(components.model()), prompt))
    broken = await deploy(components.custom("raise KeyError(text)"), trust="custom")
    with pytest.raises(RuntimeFailure):
        await embedded.invoke(call(broken, prompt))
    log = shared_runtime.log.read_text()
    assert "'outcome': 'flow_error'" in log
    for secret in (prompt, MODEL_KEY, SECRET):
        assert secret not in log
    for path in _files(shared_runtime.state):
        assert path.stat().st_mode & 0o077 == 0, path
        assert MODEL_KEY.encode() not in path.read_bytes()
    assert shared_runtime.socket.stat().st_mode & 0o777 == 0o600
    assert shared_runtime.socket.parent.stat().st_mode & 0o777 == 0o700


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_client_without_a_lasting_loop_works_too(
    shared_runtime: Running, deploy: Deploy, components: Components
) -> None:
    deployment_id = await deploy(components.echo())

    def elsewhere() -> list[str]:
        runtime = EmbeddedRuntime(shared_runtime.socket, persistent=False)
        return [asyncio.run(runtime.invoke(call(deployment_id, text))).text for text in ("one", "two")]

    assert await asyncio.to_thread(elsewhere) == ["You said: one", "You said: two"]
