"""Web pages: which may read our answers (CORS). Exactly those that some living publishable key allows.

A preflight carries no key, so it is answered for origins that any key names; the call itself is then held against
its own key. What is known of an origin is kept for a second, so that a change is in force as soon as a revocation.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from agentmart.contracts.grants import GrantState
from agentmart.contracts.keys import PUBLISHABLE
from agentmart.contracts.places import MAX_ORIGIN
from agentmart.contracts.tables import GRANT
from agentmart.gateway.database import FAILED, Database

KEPT_SECONDS = 1.0
CACHE_SIZE = 2_000
MOST_LOOKS = 100
"""Origins looked up in one second; whatever else asks then is answered as unknown."""
PREFLIGHT_SECONDS = 600
EXPOSED = "X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, Warning"
ALLOWED = "Authorization, X-API-Key, Content-Type, Accept, Idempotency-Key"
NOT_SHARED = (("Vary", "Origin"),)
"""Headers of an answer that the page asking for it may not read."""

Headers = tuple[tuple[str, str], ...]

# ruff: noqa: S608  every name below is a constant of ours
KNOWS = f"""
SELECT 1 FROM {GRANT}
WHERE kind = '{PUBLISHABLE}' AND allowed_origins @> $1::jsonb AND state <> '{GrantState.REVOKED}'
  AND (expires_at IS NULL OR expires_at > $2) AND (accept_until IS NULL OR accept_until > $2)
LIMIT 1
"""


class Origins:
    """Knows the origins of pages that hold a publishable key."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._second = 0.0
        self._looks = 0

    async def headers(self, origin: str, now: datetime) -> Headers:
        """Return what lets a page read the answer, or NOT_SHARED."""
        if not await self._is_known(origin, now):
            return NOT_SHARED
        return (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", EXPOSED),
            ("Vary", "Origin"),
        )

    async def _is_known(self, origin: str, now: datetime) -> bool:
        if len(origin) > MAX_ORIGIN or not origin.startswith(("https://", "http://")) or not origin.isascii():
            return False
        moment = self._clock()
        known = self._known.get(origin)
        if known is not None and moment < known[1]:
            return known[0]
        if not self._may_look(moment):
            return False
        try:
            found = await self._database.row(KNOWS, json.dumps([origin]), now) is not None
        except FAILED:
            return False
        self._known[origin] = (found, moment + KEPT_SECONDS)
        self._known.move_to_end(origin)
        if len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)
        return found

    def _may_look(self, moment: float) -> bool:
        """Count a look into the database; strangers with ever new origins must not keep it busy."""
        if moment >= self._second + 1:
            self._second, self._looks = moment, 0
        self._looks += 1
        return self._looks <= MOST_LOOKS


def preflight(shared: Headers, methods: str) -> Headers:
    """Return the headers that answer a browser's question whether a page may make a call."""
    if shared in ((), NOT_SHARED):
        return shared
    return (
        *((name, value) for name, value in shared if name != "Vary"),
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", ALLOWED),
        ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    )
