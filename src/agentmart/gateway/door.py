"""The door: whose key or session token a request carries, and whether it may be used from where it comes from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address
from time import monotonic_ns

from agentmart.contracts.grants import Grant
from agentmart.contracts.keys import PUBLISHABLE, SESSION, hash_key, parse_key
from agentmart.contracts.places import Address, client_address
from agentmart.gateway.buckets import SECOND_NS, Bucket
from agentmart.gateway.http import Exchange
from agentmart.gateway.keys import (
    Caller,
    InvalidKey,
    KeyChecker,
    KeyForbidden,
    check_address,
    check_opening,
    check_use,
    key_in,
)
from agentmart.gateway.origins import NOT_SHARED
from agentmart.gateway.session_tokens import SessionTokens
from agentmart.gateway.settings import GatewaySettings
from agentmart.kit.errors import DomainError

BROWSER_PATHS = "/api/agent-gateway/"
"""What web pages may call; session tokens work nowhere else."""
HOST_BITS = 64
"""What of an IPv6 address its holder chooses freely: all of one network count as one."""
TABLE_SIZE = 20_000


class TooManyCalls(DomainError):
    """A session or an address calls too often."""

    code = "rate_limited"
    status = 429

    def __init__(self, scope: str, value: int, retry_after: int) -> None:
        who = "This chat session" if scope == "session" else "This network address"
        super().__init__(
            f"{who} may make {value} calls a minute.",
            extra={
                "limit": "requests_per_minute",
                "scope": scope,
                "value": value,
                "retry_after": retry_after,
            },
            headers={"Retry-After": str(retry_after)},
        )


class Throttle:
    """Calls a minute of what nobody has a contract for: never more than so many entries, the least used goes first."""

    def __init__(
        self, scope: str, limit: int, *, size: int = TABLE_SIZE, clock_ns: Callable[[], int] = monotonic_ns
    ) -> None:
        self._scope = scope
        self._limit = limit
        self._size = size
        self._clock_ns = clock_ns
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str) -> None:
        """Count a call; raises TooManyCalls."""
        now = self._clock_ns()
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Bucket(self._limit)
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(who)
        wait = bucket.wait(now, 1)
        if wait:
            raise TooManyCalls(self._scope, self._limit, -(-wait // SECOND_NS))
        bucket.take(now, 1)


class Door:
    """Knows callers by their keys, and who stands where."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._keys = KeyChecker(settings.keys)
        self._proxies = settings.trusted_proxies
        self._of_session = Throttle("session", settings.sessions.calls_per_minute)
        self._of_address = Throttle("address", settings.sessions.address_calls_per_minute)
        self.tokens = SessionTokens(settings.sessions, settings.keys.audience)

    def identify(self, exchange: Exchange, now: datetime) -> Caller:
        """Return whose key or token the request carries; raises InvalidKey or ExpiredKey."""
        key = key_in(exchange.header)
        sha256 = hash_key(key)
        known = self._keys.known(sha256, now)
        if known is not None:
            return known
        parsed = parse_key(key)
        if parsed is None:
            raise InvalidKey
        checker = self.tokens if parsed.kind == SESSION else self._keys
        return checker.check_parsed(parsed, sha256, now)

    def admit(self, exchange: Exchange, caller: Caller, grant: Grant) -> None:
        """Let the caller make a call; raises KeyForbidden (403) or TooManyCalls (429)."""
        self.check(exchange, caller, grant)
        if caller.session is not None:
            self._of_session.take(caller.session.id)
            self.count(exchange)

    def check(self, exchange: Exchange, caller: Caller, grant: Grant) -> None:
        """Raise KeyForbidden (403) unless this caller may make calls from there, counting nothing."""
        _share(exchange, grant)
        check_use(caller, grant, exchange.header("origin"))
        check_address(grant, lambda: self.address_of(exchange))
        if caller.session is not None and not exchange.path.startswith(BROWSER_PATHS):
            message = f"A chat session's token works below {BROWSER_PATHS} only."
            raise KeyForbidden(message, code="scope_missing")

    def admit_page(self, exchange: Exchange, caller: Caller, grant: Grant) -> None:
        """Let a web page open a chat session; raises KeyForbidden (403)."""
        _share(exchange, grant)
        check_opening(caller, grant, exchange.header("origin"))
        check_address(grant, lambda: self.address_of(exchange))

    def count(self, exchange: Exchange) -> None:
        """Count a call of a web page against its network address; raises TooManyCalls."""
        self._of_address.take(_counted(self.address_of(exchange)))

    def address_of(self, exchange: Exchange) -> Address | None:
        """Return where the request comes from, None where that is not known."""
        return client_address(exchange.client, exchange.headers("x-forwarded-for"), self._proxies)


def _share(exchange: Exchange, grant: Grant) -> None:
    """Let only the key's own pages read the answer, now that the key is known."""
    origin = exchange.header("origin")
    if origin is not None and grant.kind == PUBLISHABLE and origin not in grant.allowed_origins:
        exchange.cors_headers = NOT_SHARED


def _counted(address: Address | None) -> str:
    """Return what calls are counted by: an IPv4 address, or the network of an IPv6 address."""
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> HOST_BITS << HOST_BITS))
    return str(address)
