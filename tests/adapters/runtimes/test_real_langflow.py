"""What only a real Langflow server can show; `make test-langflow` starts one. The contract suite runs on it too."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.runtimes import real_langflow as real
from tests.adapters.runtimes.flows import Components, Flow, call, chain

from agentmart.adapters.runtimes import Deployment, RunResult, RuntimeFailure, Token
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime
from agentmart.adapters.runtimes.langflow.http import HttpClient, Patience, Request

pytestmark = [pytest.mark.langflow, real.needed]

SAID = "I am the Agentmart development model; I repeat and do not think. You said: 'good morning'."


@pytest.fixture(scope="session")
def installed() -> Components:
    """The components of the server's own lfx."""
    return Components(Path(os.environ["LANGFLOW_TEST_PYTHON"]))


def with_model(components: Components) -> Flow:
    """Chat input → language model → chat output; no model is selected, the key is a variable of the server's."""
    return components.model()


async def deployed(runtime: LangflowRuntime, flow: Flow) -> str:
    """Deploy under a new id."""
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, "known"))
    return deployment_id


@pytest.fixture
async def sessions() -> AsyncIterator[HttpClient]:
    """A client that looks into the server's chats."""
    client = HttpClient(real.URL, {"x-api-key": real.KEY})
    yield client
    await client.close()


async def test_a_models_answer_and_usage(real_langflow: LangflowRuntime, installed: Components) -> None:
    result = await real_langflow.invoke(
        call(await deployed(real_langflow, with_model(installed)), "good morning")
    )
    assert result.text == SAID
    assert result.usage is not None
    assert (result.usage.input_tokens > 0, result.usage.output_tokens > 0) == (True, True)


async def test_a_models_tokens_are_streamed(real_langflow: LangflowRuntime, installed: Components) -> None:
    deployment_id = await deployed(real_langflow, with_model(installed))
    request = call(deployment_id, "good morning")
    *tokens, result = [event async for event in real_langflow.stream(request)]
    assert len(tokens) > 5
    assert "".join(token.text for token in tokens if isinstance(token, Token)) == SAID
    assert isinstance(result, RunResult)
    whole = await real_langflow.invoke(call(deployment_id, "good morning"))
    assert (result.text, result.usage) == (SAID, whole.usage)


async def test_a_flow_without_a_chat_input_gets_its_text_too(
    real_langflow: LangflowRuntime, installed: Components
) -> None:
    flow = chain(installed.node("TextInput"), installed.node("ChatOutput"))
    deployment_id = await deployed(real_langflow, flow)
    assert (await real_langflow.invoke(call(deployment_id, "good morning"))).text == "good morning"
    *_, result = [event async for event in real_langflow.stream(call(deployment_id, "good evening"))]
    assert isinstance(result, RunResult)
    assert result.text == "good evening"


async def test_sessions_remember_and_are_apart(real_langflow: LangflowRuntime, installed: Components) -> None:
    first = await deployed(real_langflow, installed.remembering())
    second = await deployed(real_langflow, installed.remembering())
    await real_langflow.invoke(call(first, "my secret", "s"))
    assert "my secret" in (await real_langflow.invoke(call(first, "again", "s"))).text
    for deployment_id, session in ((first, "t"), (second, "s"), (first, "")):
        assert "my secret" not in (await real_langflow.invoke(call(deployment_id, "again", session))).text


async def test_removing_erases_the_chats(
    real_langflow: LangflowRuntime, installed: Components, sessions: HttpClient
) -> None:
    deployment_id = await deployed(real_langflow, installed.remembering())
    await real_langflow.invoke(call(deployment_id, "my secret", "s"))
    listing = Request("GET", f"/api/v1/monitor/messages?session_id=am-{deployment_id}:s")
    patience = Patience(30, 30, 30)
    assert b"my secret" in (await sessions.ask(listing, patience)).body
    await real_langflow.remove(deployment_id)
    assert (await sessions.ask(listing, patience)).body == b"[]"


async def test_code_of_its_own_is_refused_by_the_server_too(
    real_langflow: LangflowRuntime, installed: Components
) -> None:
    with pytest.raises(RuntimeFailure) as caught:
        await deployed(real_langflow, installed.custom("text = 'ran'"))
    assert caught.value.code == "bad_flow"
    assert "Own-1" in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
async def test_a_flow_that_fails_says_nothing_of_the_server(
    real_langflow: LangflowRuntime, installed: Components, stream: bool
) -> None:
    flow = installed.echo()
    flow["data"]["nodes"][1]["data"]["node"]["template"]["template"]["value"] = "{text} {unclosed"
    request = call(await deployed(real_langflow, flow), "x", timeout_seconds=100)
    with pytest.raises(RuntimeFailure) as caught:
        if stream:
            _ = [event async for event in real_langflow.stream(request)]
        else:
            await real_langflow.invoke(request)
    assert (caught.value.code, caught.value.message) == ("flow_error", "The agent's flow failed.")
    assert "expected '}'" in caught.value.detail


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tweak_of_code_is_refused(
    real_langflow: LangflowRuntime, installed: Components, stream: bool
) -> None:
    deployment_id = await deployed(real_langflow, installed.echo())
    request = call(deployment_id, "x", tweaks={"Prompt-1": {"code": "import os"}})
    with pytest.raises(RuntimeFailure) as caught:
        if stream:
            _ = [event async for event in real_langflow.stream(request)]
        else:
            await real_langflow.invoke(request)
    assert caught.value.code == "refused"


async def test_a_bearer_token_is_no_key(sessions: HttpClient) -> None:
    client = HttpClient(real.URL, {"authorization": f"Bearer {real.KEY}"})
    refused = await client.ask(Request("POST", f"/api/v1/run/{uuid.uuid4()}", b"{}"), Patience(30, 30, 30))
    await client.close()
    assert refused.status == 403
