"""Limits of several gateways together: one script on a shared server per call, one round trip for many calls.

The meters of this process follow what the server says, so headers need no question of their own, and where the
server is away and the settings say `open`, each gateway goes on by itself from where they stood.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from time import monotonic, monotonic_ns
from typing import Any

from agentmart.adapters.counters import Counters, CountersAway, ScriptCall, build
from agentmart.contracts.grants import Grant
from agentmart.gateway.buckets import MINUTE_NS, Bucket, Places, Sum, month_number
from agentmart.gateway.database import Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.limit_keeper import Held, LimitKeeper
from agentmart.gateway.limits import (
    REQUESTS_MINUTE,
    TOKENS_MINUTE,
    TOKENS_MONTH,
    Allowance,
    Lease,
    Limiter,
    RateLimited,
    estimate,
    seconds_left,
)
from agentmart.gateway.settings import GatewaySettings
from agentmart.gateway.shared_scripts import SCRIPTS
from agentmart.kit.ids import new_id

logger = logging.getLogger("agentmart.gateway")

PREFIX = "{agentmart}"
"""One hash tag: a cluster keeps all keys of a call, which may be of many owners, in one place."""
AFTER_THE_RUN = 60.0
"""Seconds in which a call that has run gives its place back, or its gateway is dead."""
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 2.0
BATCH = 256
MICRO = 1_000_000
UNIT = 60 * MICRO
_LETTER = {Bucket: "r", Places: "p"}

Answer = asyncio.Future[Any]


def open_limits(settings: GatewaySettings, database: Database) -> LimitKeeper:
    """Return the limits of this process alone, or where a server of counters is set, of all gateways at it."""
    if not settings.limits_url:
        return LimitKeeper(database)
    return SharedLimits(
        database,
        build(settings.limits_url, SCRIPTS, timeout=settings.limits_timeout),
        fail_open=settings.limits_fail_open,
        longest=settings.run_timeout + AFTER_THE_RUN,
    )


class Batches:
    """Gathers what calls ask of the server while it answers others; after a failure nothing waits for it a while."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._waiting: deque[tuple[ScriptCall, Answer | None]] = deque()
        self._work = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._down_until = 0.0
        self._closing = False

    @property
    def up(self) -> bool:
        """Whether it answered when last asked, or may be asked again."""
        return monotonic() >= self._down_until

    def ask(self, call: ScriptCall) -> Answer:
        """Return what will be the script's answer, or CountersAway."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self._put(call, answer)
        return answer

    def post(self, call: ScriptCall) -> None:
        """Have a script run whose answer nobody waits for."""
        self._put(call, None)

    async def close(self) -> None:
        """Send what waits, and close the connection."""
        self._closing = True
        self._work.set()
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=CLOSE_SECONDS)
            self._sender.cancel()
        await self._counters.close()

    def _put(self, call: ScriptCall, answer: Answer | None) -> None:
        self._waiting.append((call, answer))
        self._work.set()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while not self._closing or self._waiting:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                await self._send_one(batch)

    async def _send_one(self, batch: list[tuple[ScriptCall, Answer | None]]) -> None:
        try:
            if not self.up:
                raise CountersAway("waiting for it to come back")
            found = await self._counters.run([call for call, _ in batch])
        except CountersAway as error:
            self._failed(error)
            found = [error] * len(batch)
        except asyncio.CancelledError:
            for _, answer in batch:
                if answer is not None:
                    answer.cancel()
            raise
        for (_, answer), result in zip(batch, found, strict=True):
            if answer is None or answer.done():
                continue
            if isinstance(result, CountersAway):
                answer.set_exception(result)
                answer.exception()  # its caller may have left
            else:
                answer.set_result(result)

    def _failed(self, error: CountersAway) -> None:
        if self.up:
            self._down_until = monotonic() + RETRY_SECONDS
            logger.warning("shared_limits_away", extra={"error": str(error)[:200]})


class SharedLimits(LimitKeeper):
    """The limits of all gateways that count at one server. `open`: without it each counts by itself."""

    def __init__(
        self,
        database: Database,
        counters: Counters,
        *,
        fail_open: bool,
        longest: float,
        clock_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        super().__init__(database, Limiter(clock_ns))
        self._batches = Batches(counters)
        self._open = fail_open
        self._longest = round(longest * MICRO)  # a call is over by then, or its gateway is dead

    @property
    def shared(self) -> bool:
        """Whether the server is thought to answer."""
        return self._batches.up

    async def close(self) -> None:
        """Send what waits, and close the connection."""
        await self._batches.close()

    async def take(self, grant: Grant, now: datetime, text: str) -> Held:
        """Take from every limit of the Grant or from none; raises RateLimited, or Unavailable (503)."""
        allowance = self._limiter.allowance(grant)
        if not allowance.rules:
            return self._limiter.take(grant, now)
        tokens = estimate(text) if allowance.counts_tokens else 0
        if self._batches.up:
            try:
                return await self._take_shared(grant, now, tokens)
            except CountersAway:
                pass
        if not self._open:
            raise Unavailable
        return await super().take(grant, now, text)

    async def _take_shared(self, grant: Grant, now: datetime, tokens: int) -> SharedLease:
        call_id = new_id().hex
        known: dict[int, int] = {}  # sums that the server has to be told, by their place among the rules
        while True:
            allowance = self._limiter.allowance(grant)
            call = script_call("take", allowance, month_number(now), call_id, self._longest, tokens, known)
            answer = self._batches.ask(call)
            try:
                verdict = await asyncio.shield(answer)
            except asyncio.CancelledError:
                answer.add_done_callback(lambda done: self._orphaned(done, grant, now, call_id, tokens))
                raise
            if verdict[0] >= 0:
                break
            index = -verdict[0] - 1
            known[index] = await self.stored(grant, allowance.rules[index], now)
        allowance = self._limiter.allowance(grant)  # what was not used may have been dropped meanwhile
        moment = self._limiter.clock_ns()
        follow(allowance, verdict[2:], moment, month_number(now))
        if verdict[0]:
            raise refusal(allowance, verdict[0] - 1, verdict[1], now)
        allowance.take(moment, tokens)
        lease = Lease(allowance, self._limiter.clock_ns, month_number(now), tokens)
        return SharedLease(lease, self._batches, allowance, call_id, month_number(now), tokens)

    def _orphaned(self, done: Answer, grant: Grant, now: datetime, call_id: str, tokens: int) -> None:
        """Give back what a call took that had left before it was told."""
        if done.cancelled() or done.exception() is not None or done.result()[0] != 0:
            return
        month = month_number(now)
        self._batches.post(settlement(self._limiter.allowance(grant), month, call_id, tokens, None))


class SharedLease:
    """What one call has taken here and at the server."""

    __slots__ = ("_allowance", "_batches", "_call_id", "_lease", "_month", "_tokens")

    def __init__(
        self, lease: Lease, batches: Batches, allowance: Allowance, call_id: str, month: int, tokens: int
    ) -> None:
        self._lease: Lease | None = lease
        self._batches = batches
        self._allowance = allowance
        self._call_id = call_id
        self._month = month
        self._tokens = tokens

    def release(self, requests: int, tokens: int = 0) -> None:
        """Free the place; requests and tokens are what the call's usage event counts."""
        if self._lease is not None:
            self._lease.release(requests, tokens)
            self._settle((requests, tokens))

    def give_back(self) -> None:
        """Undo everything: the call was refused after all."""
        if self._lease is not None:
            self._lease.give_back()
            self._settle(None)

    def _settle(self, used: tuple[int, int] | None) -> None:
        self._lease = None
        call = settlement(self._allowance, self._month, self._call_id, self._tokens, used)
        if call.keys:
            self._batches.post(call)


def key_of(allowance: Allowance, index: int, month: int) -> str:
    """Return the name under which a meter is kept at the server."""
    kind, scope, owner, _ = allowance.rules[index]
    owners = "+".join(str(part) for part in owner) if isinstance(owner, tuple) else str(owner)
    name = f"{PREFIX}:{kind}:{scope}:{owners}"
    return f"{name}:{month}" if isinstance(allowance.meters[index], Sum) else name


def script_call(
    script: str,
    allowance: Allowance,
    month: int,
    call_id: str,
    longest: int,
    tokens: int,
    known: dict[int, int],
) -> ScriptCall:
    """Return the question whether a call may be let in."""
    keys: list[str] = []
    arguments: list[str | int] = [call_id, longest]
    for index, (rule, meter) in enumerate(zip(allowance.rules, allowance.meters, strict=True)):
        keys.append(key_of(allowance, index, month))
        units = tokens if rule.kind in (TOKENS_MINUTE, TOKENS_MONTH) else 1
        arguments += (_LETTER.get(type(meter), "s"), rule.limit, units, known.get(index, "?"))
    return ScriptCall(script, keys, arguments)


def settlement(
    allowance: Allowance, month: int, call_id: str, held: int, used: tuple[int, int] | None
) -> ScriptCall:
    """Return what is told at a call's end: what it used of requests and tokens, or None where nothing was run."""
    keys: list[str] = []
    arguments: list[str | int] = [call_id, 0]
    requests, tokens = used or (0, 0)
    for index, (rule, meter) in enumerate(zip(allowance.rules, allowance.meters, strict=True)):
        if rule.kind in (TOKENS_MINUTE, TOKENS_MONTH):
            units = tokens - held
        elif rule.kind == REQUESTS_MINUTE:
            units = 0 if used is not None else -1
        else:
            units = requests - 1
        if units or isinstance(meter, Places):
            keys.append(key_of(allowance, index, month))
            arguments += (_LETTER.get(type(meter), "s"), rule.limit, units, "?")
    return ScriptCall("settle", keys, arguments)


def follow(allowance: Allowance, states: list[int], moment: int, month: int) -> None:
    """Set this process's meters to how the server's stood before the call. Places stay: they are our own calls."""
    for meter, state in zip(allowance.meters, states, strict=True):
        if isinstance(meter, Bucket):
            meter.full_at = moment * meter.limit + state * (MINUTE_NS // UNIT)
        elif isinstance(meter, Sum):
            meter.load(month, state)
            meter.used = state


def refusal(allowance: Allowance, index: int, wait: int, now: datetime) -> RateLimited:
    """Return the refusal by the limit at that place among the rules; `wait` in microseconds."""
    rule, meter = allowance.rules[index], allowance.meters[index]
    if isinstance(meter, Bucket | Places):
        return RateLimited(rule, max(1, -(-wait // MICRO)))
    return RateLimited(rule, seconds_left(now))
