"""Calls of addresses that customers chose: public hosts only, the address that was looked at, bounded in time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.receiver import listening

from agentmart.adapters import outgoing
from agentmart.kit.hosts import is_public_address, may_be_public

HERE = frozenset({"127.0.0.1"})


def leading_to(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server whose one connection is led by `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_message_arrives_as_it_was_given() -> None:
    with listening() as receiver:
        answer = outgoing.post(
            f"{receiver.url}/a/b?c=d", b'{"x":1}', {"Content-Type": "application/json"}, allowed=HERE
        )
        (got,) = receiver.requests
    assert (answer.status, answer.body) == (200, b"{}")
    assert (got.path, got.body) == ("/a/b?c=d", b'{"x":1}')
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_the_name_is_told_and_the_address_that_was_looked_at_is_called() -> None:
    with listening() as receiver:
        outgoing.post(
            f"http://Hooks.Example:{receiver.port}",
            b"",
            {},
            allowed={"hooks.example"},
            resolver=leading_to("127.0.0.1"),
        )
        assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"
        assert receiver.requests[0].path == "/"


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        ("172.16.0.1",),
        ("192.168.1.1",),
        ("169.254.169.254",),
        ("100.64.0.1",),
        ("0.0.0.0",),
        ("224.0.0.1",),
        ("240.0.0.1",),
        ("255.255.255.255",),
        ("::1",),
        ("::",),
        ("fe80::1%eth0",),
        ("fd00::1",),
        ("ff02::1",),
        ("::ffff:127.0.0.1",),
        ("64:ff9b::7f00:1",),
        ("2002:7f00:1::",),
        ("8.8.8.8", "127.0.0.1"),
        ("no address",),
    ],
)
def test_a_name_that_leads_inside_is_not_called(
    addresses: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("connected"))
    with pytest.raises(outgoing.NotCalled, match="not public") as caught:
        outgoing.post("https://hooks.example.com/x", b"", {}, resolver=leading_to(*addresses))
    assert not caught.value.lookup


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost/",
        "http://metadata.internal/",
        "http://printer/",
        "http://user@example.com/",
        "ftp://example.com/",
        "http://",
        "http://example.com:22/",
        "http://example.com:25/",
    ],
)
def test_what_is_no_public_web_address_is_not_called(url: str) -> None:
    def looked_up(host: str, port: int) -> list[str]:
        if host in ("example.com", "0x7f.0.0.1"):
            return ["127.0.0.1"]
        pytest.fail(f"{host} was looked up")

    with pytest.raises(outgoing.NotCalled) as caught:
        outgoing.post(url, b"", {}, resolver=looked_up)
    assert not caught.value.lookup


def test_public_addresses_and_names_are_known_as_such() -> None:
    assert all(is_public_address(text) for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"))
    assert may_be_public("EXAMPLE.com.") and may_be_public("printer", {"printer"})
    assert not may_be_public("printer") and not may_be_public("")


def test_a_name_without_address_may_have_one_later() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("unknown")

    for resolver in (unknown, leading_to()):
        with pytest.raises(outgoing.NotCalled) as caught:
            outgoing.post("http://hooks.example.com/", b"", {}, resolver=resolver)
        assert caught.value.lookup


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with listening() as receiver, listening() as other:
        receiver.statuses, receiver.headers = [307], {"Location": other.url}
        assert outgoing.post(receiver.url, b"", {}, allowed=HERE).status == 307
        assert (len(receiver.requests), other.requests) == (1, [])


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    with listening() as receiver:
        receiver.answer = b"x" * 1_000_000
        assert len(outgoing.post(receiver.url, b"", {}, allowed=HERE).body) == outgoing.MAX_ANSWER


def test_a_get_brings_the_whole_answer_or_none() -> None:
    got: list[bytes] = []

    def answering(body: bytes) -> Callable[[socket.socket], None]:
        def talk(connection: socket.socket) -> None:
            got.append(connection.recv(1000))
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)

        return talk

    for body in (b"", b"x" * 100_000):
        with serving(answering(body)) as host:
            answer = outgoing.get(f"http://{host}/a?b=c", {"X-Key": "k"}, most=100_000, allowed=HERE)
        assert (answer.status, answer.body) == (200, body)
    assert got[0].startswith(b"GET /a?b=c HTTP/1.1\r\n") and b"X-Key: k\r\n" in got[0]
    assert b"Content-Length" not in got[0]
    with serving(answering(b"x" * 101)) as host, pytest.raises(outgoing.TooLong):
        outgoing.get(f"http://{host}/", {}, most=100, allowed=HERE)


def test_a_get_goes_to_public_hosts_only_and_follows_nothing() -> None:
    def leads_on(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
        )

    with serving(leads_on) as host:
        assert outgoing.get(f"http://{host}/", {}, most=10, allowed=HERE).status == 302
    with pytest.raises(outgoing.NotCalled):
        outgoing.get("http://127.0.0.1/", {}, most=10)
    with pytest.raises(outgoing.NotCalled, match="not public"):
        outgoing.get("https://a.example.com/", {}, most=10, resolver=leading_to("10.0.0.1"))


def test_a_host_that_answers_byte_by_byte_is_left_in_time() -> None:
    def drip(connection: socket.socket) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        except OSError:
            return

    with serving(drip) as host:
        began = time.monotonic()
        with pytest.raises(outgoing.NoAnswer):
            outgoing.post(f"http://{host}/", b"", {}, allowed=HERE, seconds=0.3)
        assert time.monotonic() - began < 5


def test_a_host_that_is_silent_or_speaks_something_else_gave_no_answer() -> None:
    def chatter(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"220 mail.example ready\r\n")

    with serving(chatter) as host, pytest.raises(outgoing.NoAnswer):
        outgoing.post(f"http://{host}/", b"", {}, allowed=HERE, seconds=5)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(outgoing.NoAnswer):
        outgoing.post(f"http://127.0.0.1:{port}/", b"", {}, allowed=HERE, seconds=5)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    got = []

    def secure(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                got.append(tls.recv(1000))
        except OSError:
            return

    with serving(secure) as host, pytest.raises(outgoing.NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
        outgoing.post(f"https://{host}/", b"secret", {}, allowed=HERE, seconds=5)
    assert b"secret" not in b"".join(got)
