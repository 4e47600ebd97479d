"""The HTTP client: connections kept and dropped, what is sent twice and what never, bounds, event loops, TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.adapters.runtimes.langflow_server import LangflowStub, Reply, running_langflow

from agentmart.adapters.runtimes.langflow import connection as connections
from agentmart.adapters.runtimes.langflow import http
from agentmart.adapters.runtimes.langflow.connection import Broken
from agentmart.adapters.runtimes.langflow.http import HttpClient, Patience, Request

HEALTH = Request("GET", "/health_check")
PATIENT = Patience(first_byte=10, idle=10, total=10)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
VANISH = Reply(raw=(), close=True)


async def broken(client: HttpClient, request: Request = HEALTH, patience: Patience = PATIENT) -> str:
    """The code of a failed exchange."""
    with pytest.raises(Broken) as caught:
        await client.ask(request, patience)
    return caught.value.code


@pytest.fixture
async def client(langflow_stub: LangflowStub):
    """A client of the stand-in."""
    client = HttpClient(langflow_stub.url, {"x-api-key": "k"})
    yield client
    await client.close()


async def test_calls_one_after_the_other_share_a_connection(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    for _ in range(5):
        assert (await client.ask(HEALTH, PATIENT)).status == 200
    assert langflow_stub.connections == 1
    await asyncio.gather(*(client.ask(HEALTH, PATIENT) for _ in range(5)))
    assert langflow_stub.connections == 5


async def test_a_connection_that_was_silent_for_long_is_not_used_again(
    client: HttpClient, langflow_stub: LangflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.ask(HEALTH, PATIENT)
    monkeypatch.setattr(http, "KEEP_SECONDS", 0.0)
    await client.ask(HEALTH, PATIENT)
    assert langflow_stub.connections == 2


async def test_a_kept_connection_that_had_died_is_replaced_once(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    await client.ask(HEALTH, PATIENT)
    langflow_stub.next("/health_check", VANISH)
    assert (await client.ask(HEALTH, PATIENT)).status == 200
    assert langflow_stub.count("GET", "/health_check") == 3
    langflow_stub.next("/health_check", VANISH)
    langflow_stub.next("/health_check", VANISH)
    assert await broken(client) == "lost"
    assert langflow_stub.count("GET", "/health_check") == 5


async def test_what_could_have_begun_is_never_sent_twice(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    await client.ask(HEALTH, PATIENT)
    langflow_stub.next("/api/v1/run/x", VANISH)
    assert await broken(client, Request("POST", "/api/v1/run/x", b"{}")) == "lost"
    assert len(langflow_stub.runs()) == 1


async def test_a_new_connection_that_dies_is_not_replaced(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    langflow_stub.next("/health_check", VANISH)
    assert await broken(client) == "lost"
    assert langflow_stub.connections == 1


async def test_an_answer_that_had_begun_is_not_asked_for_again(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    await client.ask(HEALTH, PATIENT)
    langflow_stub.next("/health_check", Reply(raw=(b"HTTP/1.1 200",), close=True))
    assert await broken(client) == "lost"
    assert langflow_stub.count("GET", "/health_check") == 2


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "lost"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", "lost"),
        (b"not http at all\r\n\r\n", "protocol"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 101 + b"content-length: 2\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * connections.MAX_HEAD + b"\r\n", "protocol"),
    ],
    ids=[
        "short",
        "no last chunk",
        "junk",
        "upgrade",
        "two lengths",
        "framed twice",
        "gzip",
        "headers",
        "endless head",
    ],
)
async def test_answers_that_are_refused(
    client: HttpClient, langflow_stub: LangflowStub, raw: bytes, code: str
) -> None:
    langflow_stub.next("/health_check", Reply(raw=(raw,), close=True))
    assert await broken(client) == code
    assert (await client.ask(HEALTH, PATIENT)).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        OK + b"junk",
        OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
    ],
    ids=["a second answer", "junk", "connection: close"],
)
async def test_a_connection_that_said_more_than_was_asked_is_not_used_again(
    client: HttpClient, langflow_stub: LangflowStub, raw: bytes
) -> None:
    langflow_stub.next("/health_check", Reply(raw=(raw,)))
    assert (await client.ask(HEALTH, PATIENT)).body == b"{}"
    assert (await client.ask(HEALTH, PATIENT)).body != b"evil"
    assert langflow_stub.connections == 2


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, b"{}"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
    ids=["interim answers", "no length", "no content"],
)
async def test_answers_that_are_read(
    client: HttpClient, langflow_stub: LangflowStub, raw: bytes, body: bytes
) -> None:
    langflow_stub.next("/health_check", Reply(raw=(raw,), close=True))
    assert (await client.ask(HEALTH, PATIENT)).body == body


async def test_a_body_that_is_too_large(
    client: HttpClient, langflow_stub: LangflowStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 10)
    langflow_stub.next("/health_check", Reply(content="x" * 20))
    assert await broken(client) == "too_large"


async def test_a_server_that_sends_faster_than_is_read_is_held_back(
    client: HttpClient, langflow_stub: LangflowStub
) -> None:
    size = 64 * 1024 * 1024
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n".encode()
    langflow_stub.next("/health_check", Reply(raw=(head, *[bytes(size // 64)] * 64)))
    async with client.opened(HEALTH, PATIENT) as answer:
        for _ in range(3000):  # turns enough to receive all of it, many times over
            await asyncio.sleep(0)
        got = len(await answer.part(size))
        assert got < 2 * 1024 * 1024
        while part := await answer.part(size):
            got += len(part)
    assert got == size


async def test_silence_before_the_first_byte_between_bytes_and_in_all(langflow_stub: LangflowStub) -> None:
    langflow_stub.gate.clear()
    client = HttpClient(langflow_stub.url, {"x-api-key": "sk-test-key"})
    run = Request("POST", "/api/v1/run/x", b"{}")
    assert await broken(client, run, Patience(first_byte=0.05, idle=10, total=10)) == "timeout"
    assert await broken(client, run, Patience(first_byte=10, idle=10, total=0.05)) == "timeout"
    half = Reply(raw=(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",))
    for patience in (Patience(10, 0.05, 10), Patience(10, 10, 0.05)):
        langflow_stub.next("/health_check", half)
        assert await broken(client, HEALTH, patience) == "timeout"
    await client.close()


async def test_nobody_listens() -> None:
    assert await broken(HttpClient("http://127.0.0.1:9", {})) == "connect"


async def test_a_path_before_ours_is_kept(langflow_stub: LangflowStub) -> None:
    client = HttpClient(f"{langflow_stub.url}/langflow/", {})
    langflow_stub.next("/langflow/health_check", Reply(content={}))
    assert (await client.ask(HEALTH, PATIENT)).status == 200
    await client.close()


async def test_event_loops_in_other_threads_share_the_client(client: HttpClient) -> None:
    def elsewhere() -> list[int]:
        async def ask() -> int:
            return (await client.ask(HEALTH, PATIENT)).status

        return [asyncio.run(ask()) for _ in range(2)]

    assert (await client.ask(HEALTH, PATIENT)).status == 200
    async with asyncio.timeout(PATIENT.total / 2):
        found = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(3)))
    assert found == [[200, 200]] * 3
    assert (await client.ask(HEALTH, PATIENT)).status == 200


async def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with running_langflow(context) as stub:
        assert await broken(HttpClient(stub.url, {})) == "connect"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = HttpClient(stub.url, {})
        for _ in range(2):
            assert (await client.ask(HEALTH, PATIENT)).status == 200
        assert stub.connections == 1
        assert await broken(HttpClient(stub.url.replace("127.0.0.1", "localhost"), {})) == "connect"
        await client.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return paths
