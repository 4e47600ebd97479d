"""The model egress on its own: who may pass, what is replaced, what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from tests.adapters.runtimes.model import ANSWER, Model, running_model

from agentmart.adapters.runtimes import TokenUsage
from agentmart.adapters.runtimes.embedded import egress as egress_module
from agentmart.adapters.runtimes.embedded.egress import Egress, Meter
from agentmart.adapters.runtimes.embedded.settings import ModelEndpoint
from agentmart.adapters.runtimes.embedded.usage import UsageReader

KEY = "sk-real"
CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": []}


@dataclass(slots=True)
class Gate:
    """An egress with one listener, and the tokens that are good there."""

    port: int
    runs: dict[str, Meter]

    async def ask(
        self, path: str = CHAT, *, token: str = "run-1", method: str = "POST", **body: object
    ) -> tuple[int, str]:
        """Call it from a thread, as a child would; returns status and body."""

        def work() -> tuple[int, str]:
            headers = {"authorization": f"Bearer {token}", "x-organization": "mine"} if token else {}
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            with contextlib.closing(connection):
                connection.request(method, path, json.dumps({**BODY, **body}), headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

        return await asyncio.to_thread(work)


@pytest.fixture
def model() -> Iterator[Model]:
    """A stub model of this test."""
    with running_model() as running:
        yield running


@pytest.fixture
async def gate(model: Model) -> AsyncIterator[Gate]:
    """An egress to that model, in front of it a listener for which `run-1` is good."""
    egress = Egress(ModelEndpoint(model.url, KEY))
    listener = socket.create_server(("127.0.0.1", 0))
    runs = {"run-1": Meter()}
    server = await egress.listen(listener, runs)
    yield Gate(listener.getsockname()[1], runs)
    server.close()
    await egress.close()


async def test_the_key_is_replaced_and_the_usage_counted(gate: Gate, model: Model) -> None:
    for _ in range(3):
        status, body = await gate.ask()
        assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, ANSWER)
    assert [authorization for _, authorization, _ in model.calls] == [f"Bearer {KEY}"] * 3
    assert (gate.runs["run-1"].calls, gate.runs["run-1"].usage()) == (3, TokenUsage(33, 21))


async def test_a_stream_passes_and_its_usage_is_counted(gate: Gate) -> None:
    status, body = await gate.ask(stream=True, stream_options={"include_usage": True})
    assert (status, body.count("data: "), body.endswith("data: [DONE]\n\n")) == (200, 7, True)
    assert gate.runs["run-1"].usage() == TokenUsage(11, 7)


async def test_a_stream_without_usage_is_counted_as_a_call_only(gate: Gate) -> None:
    await gate.ask(stream=True)
    meter = gate.runs["run-1"]
    assert (meter.calls, meter.usage()) == (1, None)


@pytest.mark.parametrize("token", ["", "run-2", "run-", KEY])
async def test_without_the_token_of_a_run_nothing_passes(gate: Gate, model: Model, token: str) -> None:
    assert (await gate.ask(token=token))[0] == 401
    assert model.calls == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/files"),
        ("GET", CHAT),
        ("POST", "/v1/chat/completions/../files"),
        ("POST", "/admin"),
        ("PUT", CHAT),
    ],
)
async def test_no_other_path_is_reachable(gate: Gate, model: Model, method: str, path: str) -> None:
    assert (await gate.ask(path, method=method))[0] == 403
    assert model.calls == []


async def test_a_token_is_worth_nothing_once_its_run_is_over(gate: Gate, model: Model) -> None:
    model.gate.clear()
    asking = asyncio.create_task(gate.ask())
    assert await asyncio.to_thread(model.asked.wait, 20)
    gate.runs.pop("run-1").close()
    with pytest.raises(http.client.RemoteDisconnected):
        await asking
    assert (await gate.ask())[0] == 401


async def test_a_model_that_cannot_be_reached_is_a_bad_gateway() -> None:
    unused = socket.create_server(("127.0.0.1", 0))
    egress = Egress(ModelEndpoint(f"http://127.0.0.1:{unused.getsockname()[1]}/v1", KEY))
    unused.close()
    listener = socket.create_server(("127.0.0.1", 0))
    meter = Meter()
    server = await egress.listen(listener, {"run-1": meter})
    status, body = await Gate(listener.getsockname()[1], {}).ask()
    assert (status, json.loads(body)["error"]["message"]) == (502, "The model cannot be reached.")
    assert (meter.calls, meter.usage()) == (1, None)
    server.close()


@contextlib.asynccontextmanager
async def _before(answer: bytes, *, key: str = KEY, last: bool = True) -> AsyncIterator[Gate]:
    """An egress before a model that gives one answer to everything, and does not hang up unless it is the last."""
    over = asyncio.Event()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if not last:
            await over.wait()
        writer.close()
        await writer.wait_closed()

    model = await asyncio.start_server(answered, "127.0.0.1", 0)
    egress = Egress(ModelEndpoint(f"http://127.0.0.1:{model.sockets[0].getsockname()[1]}/v1", key))
    listener = socket.create_server(("127.0.0.1", 0))
    runs = {"run-1": Meter()}
    server = await egress.listen(listener, runs)
    yield Gate(listener.getsockname()[1], runs)
    over.set()
    runs["run-1"].close()
    server.close()
    model.close()
    await egress.close()
    for _ in range(5):  # for the transports to close
        await asyncio.sleep(0)


async def test_a_model_that_repeats_the_key_in_an_error_does_not_tell_the_flow() -> None:
    key = "the-models-real-key"
    text = f'{{"error": "bad request with Authorization: Bearer {key}"}}'.encode()
    answer = b"HTTP/1.1 400 Bad\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)
    async with _before(answer, key=key) as gate:
        status, body = await gate.ask()
    assert (status, json.loads(body)["error"]) == (400, "bad request with Authorization: Bearer [removed]")


async def test_usage_counts_once_the_flow_has_it_not_when_the_connection_ends() -> None:
    chunk = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    async with _before(head + b"%x\r\n%b\r\n" % (len(chunk), chunk), last=False) as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer run-1\r\n")
        writer.write(b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"[DONE]")
        meter = gate.runs["run-1"]
        assert (meter.calls, meter.usage()) == (1, TokenUsage(3, 4))
        writer.close()
        await writer.wait_closed()


async def test_a_body_nobody_may_send_is_not_kept(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_module, "MAX_HELD", 1000)
    large = "x" * 2000
    assert (await gate.ask(token="run-2", more=large))[0] == 401  # read to its end, and thrown away
    with pytest.raises(http.client.RemoteDisconnected):
        await gate.ask(more=large)
    assert (await gate.ask())[0] == 200


async def test_a_connection_without_a_request_is_closed_in_time(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress_module, "REQUEST_SECONDS", 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("url", ["ftp://host/v1", "host/v1", "https://", ""])
def test_a_model_address_must_be_http(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Egress(ModelEndpoint(url, KEY))


def test_an_endpoint_does_not_print_its_key() -> None:
    assert KEY not in repr(ModelEndpoint("http://host/v1", KEY))


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        ('{"model": "gpt-5-mini", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}', "gpt-5-mini"),
        ('data: {"model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}\n\n', "m"),
        ('{"model": 7, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}', ""),
        (f'{{"model": "{"m" * 500}", "usage": {{"prompt_tokens": 3, "completion_tokens": 4}}}}', "m" * 120),
    ],
)
def test_the_model_is_read_beside_the_usage(answer: str, model: str) -> None:
    reader = UsageReader()
    reader.feed(answer.encode())
    found = reader.result()
    assert found == TokenUsage(3, 4)
    assert found is not None and found.model == model


CHUNK = '{"choices":[{"delta":{"content":"a \\"usage\\" here"}}]}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}', TokenUsage(3, 4)),
        ('{"usage": {"prompt_tokens": 5, "total_tokens": 5}}', TokenUsage(5, 0)),
        ('{"usage": {"input_tokens": 3, "output_tokens": 4}}', TokenUsage(3, 4)),
        ('{"usage": null}', None),
        ('{"usage": {"prompt_tokens": -3, "completion_tokens": 4}}', None),
        (f'{{"usage": {{"prompt_tokens": {10**30}, "completion_tokens": 4}}}}', None),
        ("", None),
        ("<html>usage</html>", None),
        (
            f'data: {CHUNK}\n\ndata: {{"usage":{{"prompt_tokens":1,"completion_tokens":2}}}}\n\ndata: [DONE]\n\n',
            TokenUsage(1, 2),
        ),
        (
            'data: {"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n'
            'data: {"usage":{"prompt_tokens":1,"completion_tokens":5}}\n\n',
            TokenUsage(1, 5),
        ),
        (
            "event: response.completed\n"
            'data: {"response": {"usage": {"input_tokens": 8, "output_tokens": 9}}}',
            TokenUsage(8, 9),
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_usage_is_read_from_pieces_of_any_size(answer: str, expected: TokenUsage | None, size: int) -> None:
    reader = UsageReader()
    data = answer.encode()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    assert reader.result() == expected
