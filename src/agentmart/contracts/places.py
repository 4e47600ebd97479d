"""Where calls may come from: origins of web pages and networks, in the one form in which they are compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_ORIGIN = 300
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\Z")
_ORIGIN = re.compile(r"\A(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,253})(?::([0-9]{1,5}))?\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def read_origin(text: str) -> str:
    """Return an origin as browsers send it: lower case, without the scheme's own port; raises ValueError."""
    match = _ORIGIN.match(text.strip().lower().removesuffix("/"))
    if match is None:
        raise ValueError("Give an origin like https://www.example.com, without a path or *.")
    scheme, host, port = match.groups()
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            raise ValueError(f"{host} is no IPv6 address.") from None
    elif not _HOST.match(host):
        raise ValueError(f"{host} is no host name.")
    if port is None or int(port) == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"{port} is no port.")
    return f"{scheme}://{host}:{int(port)}"


def read_network(text: str) -> str:
    """Return an address or network (IPv4 or IPv6, `address/bits`) in its shortest form; raises ValueError."""
    given = text.strip()
    try:
        exact, slash, _ = given.partition("/")
        if "%" in given:
            raise ValueError
        if not slash:
            return str(read_address(exact) or ip_address(exact))
        network = ip_network(given, strict=False)
    except ValueError:
        raise ValueError("Give an address or a network, like 203.0.113.7 or 2001:db8::/32.") from None
    if ip_address(exact) != network.network_address:
        raise ValueError(f"{given} names one host of a network; give {network} or {exact}.")
    return str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)


def read_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a comma separated list; raises ValueError."""
    return tuple(ip_network(read_network(part)) for part in text.split(",") if part.strip())


def read_address(text: str) -> Address | None:
    """Return an address as it came over the wire (an IPv4 one in IPv6's clothes is itself), None where it is none."""
    try:
        address = ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(maxsize=4096)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


def is_within(address: Address | None, networks: tuple[str, ...]) -> bool:
    """Return whether an address lies in one of these networks; an unknown one lies in none."""
    return address is not None and any(address in network for network in _networks(networks))


def client_address(peer: str, forwarded: Sequence[str], trusted: Iterable[Network]) -> Address | None:
    """Return where a request comes from, None where that is not known.

    `forwarded` are the values of X-Forwarded-For in the order they came. They are read from the end, each entry
    for as long as a trusted proxy has written it: what a client writes there itself is never believed.
    """
    known = tuple(trusted)
    address = read_address(peer)
    if not known:
        return address
    entries = [entry for value in forwarded for entry in value.split(",")]
    while address is not None and entries and any(address in network for network in known):
        address = read_address(_host_of(entries.pop()))
    return address


def _host_of(entry: str) -> str:
    """Return an entry without its port (`1.2.3.4:80`, `[::1]:80`)."""
    entry = entry.strip()
    if entry.startswith("["):
        return entry.partition("]")[0][1:]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
