"""Grants, read from the database and kept in memory only while their changes are heard.

`NOTIFY agentmart_grant` names the key that changed (or `*`). A heartbeat on the listening connection proves that
nothing was missed: whatever is cached is used only for `TRUST_SECONDS` after the last one. Without the
connection every call reads the row, so a revocation is in force within a second whatever breaks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from agentmart.contracts.grants import Budget, Grant, GrantState, Limits, OnDisconnect, Tweakable
from agentmart.contracts.payloads import PayloadPolicy, rules_from_json
from agentmart.contracts.tables import GRANT, GRANT_CHANNEL, PAYLOAD_SETTING
from agentmart.gateway.database import FAILED, Database
from agentmart.gateway.errors import Unavailable

logger = logging.getLogger("agentmart.gateway")

TRUST_SECONDS = 1.0
HEARTBEAT_SECONDS = 0.25
RECONNECT_SECONDS = 0.5
CACHE_SIZE = 20_000

SELECT_GRANT = f"""
SELECT key_id, key_sha256, kind, environment, state, customer_id, provider_customer_id, project_id, resource_id,
       config_id, offering_id, plan_id, flow_version_id, runtime, deployment_id, scopes, expires_at, accept_until,
       limits, tweakable, tweaks, version, model, key_limits, budget, allowed_origins, allowed_ips,
       on_disconnect,
       (SELECT json_build_object('retention_days', retention_days, 'redact', redact) FROM {PAYLOAD_SETTING} setting
        WHERE setting.config_id = {GRANT}.config_id AND enabled) AS payloads
FROM {GRANT} WHERE key_id = $1
"""  # noqa: S608  the table's name is a constant

_PLAIN = (
    "key_id",
    "kind",
    "environment",
    "customer_id",
    "provider_customer_id",
    "project_id",
    "resource_id",
    "config_id",
    "offering_id",
    "plan_id",
    "flow_version_id",
    "runtime",
    "deployment_id",
    "expires_at",
    "accept_until",
    "version",
    "model",
)
_scopes = msgspec.json.Decoder(list[str])
_texts = msgspec.json.Decoder(tuple[str, ...])
_key_limits = msgspec.json.Decoder(Limits | None)
_budget = msgspec.json.Decoder(Budget | None)
_limits = msgspec.json.Decoder(Limits)
_tweakable = msgspec.json.Decoder(tuple[Tweakable, ...])
_tweaks = msgspec.json.Decoder(dict[str, dict[str, Any]])


class _StoredPolicy(msgspec.Struct):
    retention_days: int
    redact: list[str | dict[str, str]]


_payloads = msgspec.json.Decoder(_StoredPolicy)


def grant_from_row(row: Any) -> Grant:
    """Return the Grant of a row of `access_grant`; raises ValueError for one that is broken."""
    plain = {name: row[name] for name in _PLAIN}
    return Grant(
        **plain,
        key_sha256=bytes(row["key_sha256"]),
        state=GrantState(row["state"]),
        on_disconnect=OnDisconnect(row["on_disconnect"]),
        scopes=frozenset(_scopes.decode(row["scopes"])),
        limits=_limits.decode(row["limits"]),
        tweakable=_tweakable.decode(row["tweakable"]),
        tweaks=_tweaks.decode(row["tweaks"]),
        payloads=_policy(row["payloads"]),
        key_limits=_key_limits.decode(row["key_limits"] or "null"),
        budget=_budget.decode(row["budget"] or "null"),
        allowed_origins=_texts.decode(row["allowed_origins"]),
        allowed_ips=_texts.decode(row["allowed_ips"]),
    )


def _policy(stored: str | None) -> PayloadPolicy | None:
    """Return what the buyer of an agent has kept of its calls."""
    if stored is None:
        return None
    policy = _payloads.decode(stored)
    return PayloadPolicy(policy.retention_days, rules_from_json(policy.redact))


class Grants:
    """Finds the Grant of a key id."""

    def __init__(
        self, database: Database, *, ttl: float, unknown_ttl: float, cache_size: int = CACHE_SIZE
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._unknown_ttl = unknown_ttl
        self._cache_size = cache_size
        self._cache: OrderedDict[UUID, tuple[Grant | None, float]] = OrderedDict()
        self._reads: dict[UUID, tuple[float, asyncio.Task[Grant | None]]] = {}  # with when each began
        self._trusted_until = 0.0
        self._changes = 0
        self._listener: asyncio.Task[None] | None = None

    @property
    def trusted(self) -> bool:
        """Whether changes are being heard, so that the cache may be used."""
        return monotonic() < self._trusted_until

    def start(self) -> None:
        """Begin to listen for changes."""
        self._listener = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def find(self, key_id: UUID) -> Grant | None:
        """Return the Grant, or None where there is none; raises Unavailable while the database is away."""
        now = monotonic()
        if now < self._trusted_until:
            known = self._cache.get(key_id)
            if known is not None and now < known[1]:
                self._cache.move_to_end(key_id)
                return known[0]
        began, read = self._reads.get(key_id, (0.0, None))
        # Unheard changes do not end a read under way: a long one tells what was, so it is not joined.
        if read is None or (not self.trusted and now - began > HEARTBEAT_SECONDS):
            read = asyncio.create_task(self._read(key_id))
            self._reads[key_id] = (now, read)
            read.add_done_callback(lambda done: self._forget_read(key_id, done))
        return await asyncio.shield(read)

    async def _read(self, key_id: UUID) -> Grant | None:
        changes = self._changes
        try:
            row = await self._database.row(SELECT_GRANT, key_id)
        except FAILED as error:
            logger.warning("grant_not_read", extra={"key_id": key_id.hex, "error": type(error).__name__})
            raise Unavailable from None
        grant = None if row is None else grant_from_row(row)
        if (
            self.trusted and changes == self._changes
        ):  # else a change came while we read: use it once, keep nothing
            self._cache[key_id] = (grant, monotonic() + (self._unknown_ttl if grant is None else self._ttl))
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return grant

    def _forget_read(self, key_id: UUID, read: asyncio.Task[Grant | None]) -> None:
        if self._reads.get(key_id, (0.0, None))[1] is read:
            del self._reads[key_id]
        if not read.cancelled():
            read.exception()  # every waiter may have left; the failure was logged

    def _changed(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._changes += 1
        try:
            key_id = UUID(str(payload))
        except ValueError:  # `*`, or something new: forget everything
            self._forget_all()
            return
        self._cache.pop(key_id, None)
        self._reads.pop(key_id, None)  # a read under way may have begun before the change

    def _forget_all(self) -> None:
        self._changes += 1
        self._cache.clear()
        self._reads.clear()

    def _distrust(self) -> None:
        self._trusted_until = 0.0
        self._forget_all()

    async def _listen(self) -> None:
        while True:
            connection = None
            try:
                connection = await self._database.connect("listen")
                connection.add_termination_listener(lambda _connection: self._distrust())
                await connection.add_listener(GRANT_CHANNEL, self._changed)
                self._forget_all()
                await self._beat(connection)
            except FAILED as error:
                logger.warning("grant_changes_not_heard", extra={"error": type(error).__name__})
            except Exception:  # the worker's outermost: it must go on listening
                logger.exception("grant_listener_broke")
            finally:
                self._distrust()
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _beat(self, connection: asyncpg.Connection) -> None:
        """Prove again and again that the connection lives; PostgreSQL delivers what it holds before it answers."""
        while True:
            asked = monotonic()
            await connection.execute("SELECT 1", timeout=TRUST_SECONDS)
            self._trusted_until = asked + TRUST_SECONDS
            await asyncio.sleep(HEARTBEAT_SECONDS)
