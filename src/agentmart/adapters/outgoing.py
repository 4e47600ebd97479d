"""Calls of addresses that customers chose: to public hosts only, to the very address that was looked at.

The name is resolved once; every address it has must be public, and the connection goes to one of these, so that a
name whose addresses change (DNS rebinding) leads nowhere else. No redirect is followed, no proxy is used.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentmart.kit.hosts import is_public_address, may_be_public

SECONDS = 15.0
MAX_ANSWER = 16 * 1024
LOWEST_FREE_PORT = 1024
WEB_PORTS = (80, 443)

Resolve = Callable[[str, int], list[str]]


class NotCalled(Exception):
    """The address may not be called; nothing was sent. Trying again is of use only where `lookup` failed."""

    def __init__(self, message: str, *, lookup: bool = False) -> None:
        super().__init__(message)
        self.lookup = lookup


class NoAnswer(Exception):
    """The host could not be reached, or said nothing that is HTTP in time."""


class TooLong(Exception):
    """The host says more than was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host said; of the body no more than the beginning."""

    status: int
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Collection[str] = (),
    seconds: float = SECONDS,
    resolver: Resolve = resolve,
) -> Answer:
    """POST a body to an http(s) address; `allowed` names hosts that may lie inside.

    Raises NotCalled for what is not public, NoAnswer for what cannot be reached within `seconds`.
    """
    return _exchange(
        "POST", url, body, headers, allowed=allowed, seconds=seconds, most=MAX_ANSWER, resolver=resolver
    )


def get(
    url: str,
    headers: Mapping[str, str],
    *,
    most: int,
    allowed: Collection[str] = (),
    seconds: float = SECONDS,
    resolver: Resolve = resolve,
) -> Answer:
    """GET an http(s) address whole; `allowed` names hosts that may lie inside.

    Raises NotCalled and NoAnswer like `post`, TooLong for a body of more than `most` bytes.
    """
    answer = _exchange(
        "GET", url, None, headers, allowed=allowed, seconds=seconds, most=most + 1, resolver=resolver
    )
    if len(answer.body) > most:
        raise TooLong(f"more than {most} bytes")
    return answer


def _exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    allowed: Collection[str],
    seconds: float,
    most: int,
    resolver: Resolve,
) -> Answer:
    """Send one request; return the answer with at most `most` bytes of its body."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise NotCalled("This is no http or https address.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port < LOWEST_FREE_PORT and port not in WEB_PORTS:
        raise NotCalled(f"Port {port} is not called.")
    address = _address_of(host, port, allowed, resolver)
    connection = _Pinned(host, port, address, tls=parts.scheme == "https", seconds=seconds)
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    over = threading.Timer(seconds, connection.cut)  # a timeout of the socket starts anew with every byte
    over.start()
    try:
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        found = Answer(answer.status, answer.read(most))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from None
    finally:
        over.cancel()
        connection.close()
    if connection.was_cut:  # what came by then is no answer
        raise NoAnswer(f"no answer within {seconds:g} seconds")
    return found


def _address_of(host: str, port: int, allowed: Collection[str], resolver: Resolve) -> str:
    """Return the address to connect to; raises NotCalled unless all that the host has are public."""
    if not may_be_public(host, allowed):
        raise NotCalled(f"{host} is not a public host.")
    try:
        found = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise NotCalled(f"{host} has no address: {error}", lookup=True) from None
    if not found:
        raise NotCalled(f"{host} has no address.", lookup=True)
    if host not in allowed and not all(is_public_address(address) for address in found):
        raise NotCalled(f"{host} leads to an address that is not public.")
    return found[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, which is told the host's own name."""

    def __init__(self, host: str, port: int, address: str, *, tls: bool, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._address = address
        self.was_cut = False
        self._socket: socket.socket | None = None
        self._tls = ssl.create_default_context() if tls else None
        if tls:
            self.default_port = 443  # the Host header names a port only where it is another one

    def connect(self) -> None:
        """Connect to the address that was looked at."""
        sock = self._socket = socket.create_connection((self._address, self.port), timeout=self.timeout)
        if self._tls is not None:
            tls = self._tls.wrap_socket(sock, server_hostname=self.host, do_handshake_on_connect=False)
            sock = self._socket = tls
            tls.do_handshake()
        self.sock = sock

    def close(self) -> None:
        """Close it, also where it never came to be one."""
        super().close()
        if self._socket is not None:
            self._socket.close()

    def cut(self) -> None:
        """End it, whatever it waits for."""
        self.was_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
