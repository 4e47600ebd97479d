"""Flows with code of their own that mean harm: it costs them their call, and nobody else anything."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.adapters.runtimes.flows import Components, Flow, call, chain
from tests.adapters.runtimes.launch import Running, all_end, launched, well
from tests.adapters.runtimes.model import Model

from agentmart.adapters.runtimes import Deployment, RuntimeFailure
from agentmart.adapters.runtimes.embedded.client import EmbeddedRuntime

pytestmark = pytest.mark.runtime

# what a flow finds out about its own process: the run under way and the channel to the parent
SAY = r"""
import gc, json, os, socket
[worker] = [thing for thing in gc.get_objects() if type(thing).__name__ == "Worker" and hasattr(thing, "runs")]
channel = socket.socket(fileno=os.dup(worker.writer.get_extra_info("socket").fileno()))
channel.setblocking(True)
run = next(iter(worker.runs))

def frame(content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return len(body).to_bytes(4, "big") + body
"""
HANG = "\nimport threading\nthreading.Event().wait()"


@pytest.fixture(scope="module")
def where(runtime_python: Path, shared_model: Model, short_folder: Callable[[], Path]) -> Iterator[Running]:
    """A runtime with one shared child."""
    with launched(short_folder(), runtime_python, shared_model.url, children=1) as running:
        yield running


@pytest.fixture
async def runtime(where: Running) -> AsyncIterator[EmbeddedRuntime]:
    """A client of that runtime, once it is well."""
    client = EmbeddedRuntime(where.socket)
    await well(client, where)
    yield client
    await client.close()


async def _run(
    runtime: EmbeddedRuntime, flow: Flow, trust: str = "custom", seconds: float = 20.0
) -> str | RuntimeFailure:
    """Deploy, call once, remove; returns the answer or the failure."""
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, trust))  # type: ignore[arg-type]
    try:
        return (await runtime.invoke(call(deployment_id, timeout_seconds=seconds))).text
    except RuntimeFailure as failure:
        return failure
    finally:
        await runtime.remove(deployment_id)


@pytest.mark.parametrize(
    "action",
    [
        "result = os.fork() and 0",
        "result = libc.vfork()",
        "result = os.posix_spawn('/lib/ld.so', ['x'], {})",
        "result = libc.memfd_create(b'x', 0)",
        "result = libc.shmget(0, 4096, 0o1600)",
        "result = libc.prctl(1, 0, 0, 0, 0)",  # not to die with the parent
    ],
)
async def test_what_would_escape_the_limits_is_denied(
    runtime: EmbeddedRuntime, components: Components, action: str
) -> None:
    body = f"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
try:
    {action}
    text = errno.errorcode[ctypes.get_errno()] if result < 0 else "permitted"
except OSError as error:
    text = errno.errorcode[error.errno]
"""
    assert await _run(runtime, components.custom(body)) == "EPERM"


async def test_threads_are_no_processes(runtime: EmbeddedRuntime, components: Components) -> None:
    body = "import threading\nt = threading.Thread(target=lambda: None)\nt.start()\nt.join()\ntext = 'fine'"
    assert await _run(runtime, components.custom(body)) == "fine"


async def test_a_thread_that_goes_on_after_a_timeout_is_ended(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    deployment_id = uuid.uuid4().hex
    body = "while text == 'on': pass"
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", components.custom(body), "custom"))
    own = max(where.flow_processes())
    with pytest.raises(RuntimeFailure, match="longer than it may"):
        await runtime.invoke(call(deployment_id, "on", timeout_seconds=0.5))
    assert all_end([own])
    assert (await runtime.invoke(call(deployment_id, "off"))).text == "off"
    await runtime.remove(deployment_id)


@pytest.mark.parametrize(
    "frames",
    [
        """b'{"event":"token","x":' + b'[' * 200_000""",  # deeper than a parser goes
        "b'\\xff'",
        "b'[]'",
        """b'{"event":"token","kinds":[' + b'"",' * 100 + b'""]}'""",
        "{'event': 'token', 'id': 'x' * 1000}",
    ],
)
async def test_what_is_no_event_ends_the_process_that_says_it(
    runtime: EmbeddedRuntime, components: Components, frames: str
) -> None:
    failure = await _run(runtime, components.custom(f"{SAY}\nchannel.sendall(frame({frames})){HANG}"))
    assert isinstance(failure, RuntimeFailure)
    assert failure.code == "crashed"


@pytest.mark.parametrize("run", ["run", "'somebody else'"])
async def test_a_flood_of_events_ends_the_process(
    runtime: EmbeddedRuntime, components: Components, run: str
) -> None:
    body = (
        SAY
        + f"""
flood = frame({{"event": "token", "id": {run}, "text": ""}}) * 1000
while True:
    channel.sendall(flood)
"""
    )
    failure = await _run(runtime, components.custom(body))
    assert isinstance(failure, RuntimeFailure)
    assert failure.code == "crashed"


async def test_a_large_frame_of_many_small_things_costs_the_parent_little(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    body = (
        SAY
        + """
bomb = b'{"event": "x", "more": [' + b'[],' * 5_000_000 + b'[]]}'
channel.sendall(frame(bomb))
"""
    )
    assert await _run(runtime, components.custom(body)) == "Hi"
    status = Path(f"/proc/{where.process.pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 200_000  # kB, at most, ever; parsed whole it is 400 MB


async def test_a_failure_in_the_childs_words_is_cut_to_ours(
    runtime: EmbeddedRuntime, components: Components
) -> None:
    body = (
        SAY
        + r"""
error = {"event": "error", "id": run, "code": "not_deployed\0", "message": "m\0\n" * 1000, "detail": "d" * 9000}
channel.sendall(frame(error))
"""
    )
    failure = await _run(runtime, components.custom(body + HANG))
    assert isinstance(failure, RuntimeFailure)
    assert (failure.code, failure.retryable, set(failure.message)) == ("flow_error", False, {"m"})
    assert (len(failure.message) <= 500, len(failure.detail)) == (True, 2000)


async def test_a_child_cannot_use_up_the_parents_descriptors(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    body = """
import socket
kept = [socket.create_connection(("127.0.0.2", 8080)) for _ in range(600)]
refused = 0
for connection in kept:
    connection.settimeout(0.01)
    try:
        refused += connection.recv(1) == b""
    except TimeoutError:
        pass
    except ConnectionError:
        refused += 1
text = str(refused)
"""
    before = len(os.listdir(f"/proc/{where.process.pid}/fd"))
    assert await _run(runtime, components.custom(body)) == str(600 - 128)
    assert len(os.listdir(f"/proc/{where.process.pid}/fd")) <= before + 140


async def test_flows_that_share_a_process_leave_no_files_to_each_other(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    save = components.node(
        "SaveToFile", file_name="shared", local_format="txt", storage_location=[{"name": "Local"}]
    )
    flow = chain(components.node("ChatInput"), (save, "input"), components.node("ChatOutput"))
    failure = await _run(runtime, flow, "known")
    assert isinstance(failure, RuntimeFailure)
    assert (failure.code, "Read-only file system" in failure.detail) == ("flow_error", True)


async def test_an_answer_that_is_too_large_fails_alone(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    """Known components can make it too; the calls of others in the same process go on."""
    shared = min(where.flow_processes())  # those of own code came later
    flow = components.echo()
    deployment_id = uuid.uuid4().hex
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, "known"))
    with pytest.raises(RuntimeFailure, match="too large"):
        await runtime.invoke(call(deployment_id, "x" * (4 * 1024 * 1024 + 1)))
    assert (await runtime.invoke(call(deployment_id, "fine"))).text == "You said: fine"
    assert shared in where.flow_processes()
    await runtime.remove(deployment_id)


async def test_a_long_memory_does_not_end_the_process_of_others(
    runtime: EmbeddedRuntime, where: Running, components: Components
) -> None:
    shared = min(where.flow_processes())  # those of own code came later
    deployment_id = uuid.uuid4().hex
    flow = components.remembering()
    await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, "known"))
    long = "\N{GRINNING FACE}" * 190_000  # 760 kB; a hundred are more than a frame holds
    for _ in range(6):
        await runtime.invoke(call(deployment_id, long, session="s"))
    answer = (await runtime.invoke(call(deployment_id, "last", session="s"))).text
    assert answer.endswith("\nlast")
    assert 2 * 190_000 < len(answer) < 3 * 190_000  # as many of them as fit
    assert shared in where.flow_processes()
    await runtime.remove(deployment_id)
