"""Where a request comes from, behind proxies or not."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

MOST_HOPS = 20
HOST_BITS = 64
"""What of an IPv6 address its holder chooses freely: all of one network count as one."""

Address = IPv4Address | IPv6Address


def address_of(request: HttpRequest) -> str:
    """Return the address that the request came from; what the caller could have written is not believed.

    `X-Forwarded-For` is read backwards for as long as `AGENTMART_TRUSTED_PROXIES` names who wrote it.
    """
    peer = str(request.META.get("REMOTE_ADDR") or "")
    found = _read(peer)
    hops = request.headers.get("X-Forwarded-For", "").split(",")[-MOST_HOPS:]
    while found is not None and hops and _is_trusted(found):
        before = _read(hops.pop())
        if before is None:
            break
        found = before
    return _counted(found) if found is not None else peer


def _read(text: str) -> Address | None:
    """Return an address, with or without port, None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _counted(address: Address) -> str:
    """Return what attempts are counted by: an IPv4 address, or the network of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Address(int(address) >> HOST_BITS << HOST_BITS))
