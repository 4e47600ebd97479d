"""Which hosts lie in the public internet: what may be called on a customer's word (pure, resolves nothing)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

INNER_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public_address(text: str) -> bool:
    """Return whether an IP address is one of the public internet, also where it wraps another one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def may_be_public(host: str, allowed: Collection[str] = ()) -> bool:
    """Return whether a host's name or address can be one of the public internet, or is in `allowed`.

    Where a name leads is known only when it is called.
    """
    host = host.lower().rstrip(".")
    if host in allowed:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        named = "." in host and not host.endswith(INNER_NAMES)
        return named and not host.rsplit(".", 1)[-1].isdigit()  # 127.1 is an address too
    return is_public_address(host)
