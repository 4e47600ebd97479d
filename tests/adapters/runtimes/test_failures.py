"""What goes wrong with flow processes costs the calls in hand, says so, and is over with the next call."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.adapters.runtimes.flows import Components, Flow, call
from tests.adapters.runtimes.launch import Running, all_end, launched, well
from tests.adapters.runtimes.model import ANSWER, Model

from agentmart.adapters.runtimes import Deployment, RuntimeFailure, TokenUsage
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime
from agentmart.adapters.runtimes.embedded.process import MAX_FLOWS

pytestmark = pytest.mark.runtime


@pytest.fixture(scope="module")
def where(runtime_python: Path, shared_model: Model, short_folder: Callable[[], Path]) -> Iterator[Running]:
    """A runtime whose processes these tests may kill: one shared child, few of their own, a short queue."""
    settings = {"children": 1, "runs_per_child": 4, "custom_children": 2, "max_waiting": 4, "memory_mb": 256}
    with launched(short_folder(), runtime_python, shared_model.url, **settings) as running:
        yield running


@pytest.fixture
async def runtime(where: Running) -> AsyncIterator[EmbeddedRuntime]:
    """A client of that runtime, once it is well."""
    client = EmbeddedRuntime(where.socket)
    await well(client, where)
    yield client
    await client.close()


async def _deploy(runtime: EmbeddedRuntime, flow: Flow, trust: str) -> str:
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, trust))  # type: ignore[arg-type]
    return deployment_id


async def _failure(
    runtime: EmbeddedRuntime, deployment_id: str, text: str = "x", seconds: float = 20.0
) -> RuntimeFailure:
    with pytest.raises(RuntimeFailure) as caught:
        await runtime.invoke(call(deployment_id, text, timeout_seconds=seconds))
    return caught.value


async def test_a_model_that_does_not_answer_is_a_timeout(
    runtime: EmbeddedRuntime, components: Components, model: Model
) -> None:
    deployment_id = await _deploy(runtime, components.model(), "known")
    model.gate.clear()
    failure = await _failure(runtime, deployment_id, seconds=0.5)
    assert (failure.code, failure.message) == ("timeout", "The flow took longer than it may.")
    assert failure.usage is None
    model.gate.set()
    result = await runtime.invoke(call(deployment_id))
    assert (result.text, result.usage) == (ANSWER, TokenUsage(11, 7))


async def test_a_busy_loop_is_ended_and_the_next_call_works(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    body = "while text == 'loop':\n    pass"
    deployment_id = await _deploy(runtime, components.custom(body), "custom")
    failure = await _failure(runtime, deployment_id, "loop", seconds=0.5)
    assert (failure.code, failure.message) == ("timeout", "The flow took longer than it may.")
    assert (await runtime.invoke(call(deployment_id, "fine"))).text == "fine"


async def test_a_flow_that_eats_memory_fails_alone(runtime: EmbeddedRuntime, components: Components) -> None:
    body = "if text == 'eat':\n    text = len(bytearray(2 * 2**30))"
    deployment_id = await _deploy(runtime, components.custom(body), "custom")
    failure = await _failure(runtime, deployment_id, "eat")
    assert (failure.code, failure.message) == ("crashed", "The flow used more memory than it may.")
    assert (await runtime.invoke(call(deployment_id, "fine"))).text == "fine"


async def test_a_flow_that_ends_its_process_fails_alone(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    body = "import os\nif text == 'exit':\n    os._exit(0)"
    deployment_id = await _deploy(runtime, components.custom(body), "custom")
    failure = await _failure(runtime, deployment_id, "exit")
    assert (failure.code, failure.retryable) == ("crashed", True)
    assert (await runtime.invoke(call(deployment_id, "fine"))).text == "fine"


async def test_killing_a_child_fails_the_calls_in_it_and_no_later_one(
    runtime: EmbeddedRuntime, components: Components, model: Model, where: Running
) -> None:
    deployment_id = await _deploy(runtime, components.model(), "known")
    before = where.flow_processes()
    model.gate.clear()
    calls = [asyncio.create_task(runtime.invoke(call(deployment_id))) for _ in range(3)]
    await _asked(model, 3)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [result.code for result in results if isinstance(result, RuntimeFailure)] == ["crashed"] * 3
    model.gate.set()
    assert (await runtime.invoke(call(deployment_id))).text == ANSWER
    assert not set(before) & set(where.flow_processes())


async def _asked(model: Model, times: int) -> None:
    """Wait until the model holds that many calls."""
    while len(model.calls) < times:
        model.asked.clear()
        if len(model.calls) < times:
            assert await asyncio.to_thread(model.asked.wait, 20)


async def test_killing_the_zygote_fails_the_calls_in_hand_and_another_takes_over(
    runtime: EmbeddedRuntime, components: Components, where: Running
) -> None:
    deployment_id = await _deploy(runtime, components.remembering(), "known")
    await runtime.invoke(call(deployment_id, "my name is Ada", session="s-1"))
    before = where.zygote()
    os.kill(before, signal.SIGKILL)
    while (await runtime.health()).ok:
        os.sched_yield()
    await well(runtime, where)
    assert where.zygote() != before
    assert "my name is Ada" in (await runtime.invoke(call(deployment_id, "and?", session="s-1"))).text


async def test_calls_beyond_the_queue_are_refused_as_busy(
    runtime: EmbeddedRuntime, components: Components, model: Model
) -> None:
    """Four run, four wait, the ninth is refused."""
    deployment_id = await _deploy(runtime, components.model(), "known")
    model.gate.clear()
    running = [asyncio.create_task(runtime.invoke(call(deployment_id))) for _ in range(4)]
    await _asked(model, 4)
    results = await asyncio.gather(
        *(runtime.invoke(call(deployment_id, timeout_seconds=1.0)) for _ in range(5)), return_exceptions=True
    )
    codes = [(result.code, result.message) for result in results if isinstance(result, RuntimeFailure)]
    assert codes.count(("busy", "The runtime has more to do than it may queue.")) == 1
    assert codes.count(("busy", "The runtime had no room in time.")) == 4
    model.gate.set()
    assert [result.text for result in await asyncio.gather(*running)] == [ANSWER] * 4


async def test_own_code_runs_one_call_at_a_time_per_process(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    """Each call counts how many of them were in their process at once."""
    body = (
        "import sys, time\n"
        "sys.inside = getattr(sys, 'inside', 0) + 1\n"
        "time.sleep(0.02)\n"
        "text = sys.inside\n"
        "sys.inside -= 1"
    )
    deployment_id = await _deploy(runtime, components.custom(body), "custom")
    results = await asyncio.gather(*(runtime.invoke(call(deployment_id)) for _ in range(5)))
    assert [result.text for result in results] == ["1"] * 5


async def test_a_restart_keeps_deployments_and_sessions_and_children_are_replaced_in_time(
    runtime_python: Path, shared_model: Model, short_folder: Callable[[], Path], components: Components
) -> None:
    folder = short_folder()
    deployment_id = ""
    for said in ("my name is Ada", "and?"):
        with launched(folder, runtime_python, shared_model.url, children=1, recycle_after=1) as running:
            client = EmbeddedRuntime(running.socket)
            await well(client, running)
            before = running.flow_processes()
            if not deployment_id:
                deployment_id = await _deploy(client, components.remembering(), "known")
            text = (await client.invoke(call(deployment_id, said, session="s-1"))).text
            await client.invoke(call(deployment_id))  # waits for the child's successor
            assert not set(before) & set(running.flow_processes())
            await client.close()
    assert "my name is Ada" in text


async def test_the_end_of_the_parent_ends_everything(
    runtime_python: Path, shared_model: Model, short_folder: Callable[[], Path]
) -> None:
    folder = short_folder()
    with launched(folder, runtime_python, shared_model.url, children=1, killed=True) as running:
        client = EmbeddedRuntime(running.socket)
        await well(client, running)
        await client.close()
        processes = [pid for pid in running.children() if pid != running.process.pid]
        assert len(processes) == 3  # zygote, one child and the process that stands for it
        running.process.kill()
        running.process.wait()
        assert all_end(processes)


async def test_a_run_given_up_before_the_child_sees_it_costs_nobody_else(
    runtime: EmbeddedRuntime, where: Running, components: Components, model: Model
) -> None:
    """The child is busy loading a flow; a run and its end reach it together, while another's run goes on."""
    echo, asking = [await _deploy(runtime, flow, "known") for flow in (components.echo(), components.model())]
    model.gate.clear()
    other = asyncio.create_task(runtime.invoke(call(asking, timeout_seconds=20)))
    assert await asyncio.to_thread(model.asked.wait, 20)
    loading = [asyncio.create_task(_deploy(runtime, components.agent(), "known")) for _ in range(3)]
    while not all(task.done() for task in loading):
        given_up = asyncio.create_task(runtime.invoke(call(echo)))
        await asyncio.sleep(0.002)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    model.gate.set()
    assert (await other).text == ANSWER


async def test_a_new_version_lets_runs_of_the_old_one_begin(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    deployment_id = await _deploy(runtime, components.echo(), "known")
    for _ in range(5):
        runs = [asyncio.create_task(runtime.invoke(call(deployment_id))) for _ in range(4)]
        deployment = Deployment(deployment_id, "buyer", "provider", components.echo(), "known")
        await runtime.deploy(deployment)
        assert {(await run).text for run in runs} == {"You said: Hi"}


async def test_more_flows_than_a_child_keeps_all_answer(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    deployments = [await _deploy(runtime, components.echo(), "known") for _ in range(MAX_FLOWS + 2)]
    for number in range(0, len(deployments), 4):
        few = [*deployments[number : number + 2], *deployments[:2]]  # some rarely, two all the time
        answers = await asyncio.gather(*(runtime.invoke(call(one, str(number))) for one in few))
        assert {answer.text for answer in answers} == {f"You said: {number}"}
    for deployment_id in deployments:
        await runtime.remove(deployment_id)


async def test_a_deployment_that_was_given_up_leaves_nothing_of_it(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    """A later one under the same id runs its own flow, not the one that was loaded for the other."""
    deployment_id = uuid.uuid4().hex
    wrong, right = components.echo(), components.echo()
    wrong["data"]["nodes"][1]["data"]["node"]["template"]["template"]["value"] = "Wrong: {text}"
    for seconds in (0.005, 0.05, 0.2):
        giving_up = asyncio.create_task(
            runtime.deploy(Deployment(deployment_id, "buyer", "provider", wrong, "known"))
        )
        await asyncio.sleep(seconds)
        giving_up.cancel()
        await asyncio.gather(giving_up, return_exceptions=True)
        await runtime.remove(deployment_id)
        await runtime.deploy(Deployment(deployment_id, "buyer", "provider", right, "known"))
        assert (await runtime.invoke(call(deployment_id))).text == "You said: Hi"
