"""Children in pools: one shared by all flows of known components, one for each deployment with own code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from agentmart.adapters.runtimes.base import RuntimeFailure
from agentmart.adapters.runtimes.embedded.egress import Egress
from agentmart.adapters.runtimes.embedded.process import Child
from agentmart.adapters.runtimes.embedded.settings import RuntimeSettings
from agentmart.adapters.runtimes.embedded.zygote import Zygote, ZygoteFailed

logger = logging.getLogger("agentmart.runtime.pools")

RETRY_SECONDS = 0.5
MAX_CHILDREN = 1000  # of all pools; each has a user id of its own


class Nursery:
    """Makes children out of the zygote, starts a new zygote when the old one dies, hands out user ids."""

    def __init__(self, settings: RuntimeSettings, egress: Egress) -> None:
        self.settings = settings
        self.egress = egress
        self.ready = asyncio.Event()
        self.problem = "The runtime is starting."
        self.zygote = Zygote(settings)
        self._slots = set(range(MAX_CHILDREN))
        self._serving: set[asyncio.Task[None]] = set()
        self._closing = False
        self._custom = 0  # children that run code of exports

    async def keep(self) -> None:
        """Keep a zygote running until closed. Raises ZygoteFailed if the first one cannot start."""
        first = True
        while True:
            self.zygote = Zygote(self.settings)
            try:
                await self.zygote.start()
                self.problem, first = "", False
                self.ready.set()
                status = await self.zygote.ended()
                if self._closing:
                    return
                self.problem = "The runtime's flow processes are being restarted."
                logger.error("the zygote died and is started again", extra={"status": status})
            except ZygoteFailed as error:
                self.problem = str(error)
                logger.error("the zygote does not start", extra={"reason": str(error)})
                if first:
                    raise
                await asyncio.sleep(RETRY_SECONDS * 10)
            finally:
                self.ready.clear()
                self.zygote.kill()

    async def make(self, *, custom: bool) -> Child:
        """Return a new child; raises ZygoteFailed."""
        await self.ready.wait()
        if not self._slots or (custom and self._custom >= self.settings.max_custom_children):
            raise ZygoteFailed("there are too many children")
        self._custom += custom
        slot = min(self._slots)
        self._slots.remove(slot)
        settings = self.settings
        try:
            uid = settings.uid + slot
            forked = await self.zygote.fork(uid=uid, memory_mb=settings.memory_mb, custom=custom)
        except BaseException:
            self._slots.add(slot)
            self._custom -= custom
            raise
        child = Child(forked, slot, self.egress, custom=custom, max_answer_bytes=settings.max_answer_bytes)
        await child.open()
        return child

    def serve(self, child: Child, pool: Pool) -> None:
        """Talk to a child in the background until it ends; its pool learns of it."""
        task = asyncio.create_task(self._serve(child, pool))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, child: Child, pool: Pool) -> None:
        try:
            await child.serve()
        finally:
            self._slots.add(child.slot)
            self._custom -= child.custom
            pool.lost(child)

    async def close(self) -> None:
        """Wait for the children, which their pools have ended, and end the zygote."""
        self._closing = True
        await asyncio.gather(*self._serving, return_exceptions=True)
        self.zygote.kill()


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How large a pool may be, and how small it stays."""

    smallest: int
    largest: int
    runs_per_child: int


class Pool:
    """Children that may hold the same flows. Work is leased to them; what finds no room waits, within bounds."""

    def __init__(self, nursery: Nursery, limits: PoolLimits, *, custom: bool) -> None:
        self._nursery = nursery
        self._limits = limits
        self._custom = custom
        self.children: list[Child] = []
        self._growing = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._fill()

    @contextlib.asynccontextmanager
    async def lease(self, key: str, deadline: float) -> AsyncIterator[Child]:
        """Lend a child with room for one run until `deadline` (monotonic); raises RuntimeFailure `busy`."""
        child = await self._acquire(key, deadline)
        child.leases += 1
        if self._waiting and self._pick(key) is not None:
            self._wake()  # there is room for more than one: a new child wakes the first only
        try:
            yield child
        finally:
            child.leases -= 1
            child.idle_since = time.monotonic()
            if child.runs >= self._nursery.settings.recycle_after and not child.retiring:
                self._retire(child)
            if child.retiring and child.leases == 0:
                child.kill()
            self._wake()

    async def _acquire(self, key: str, deadline: float) -> Child:
        loop = asyncio.get_running_loop()
        while (child := self._pick(key)) is None:
            if self._closed:
                raise RuntimeFailure(
                    "not_deployed", "This agent was removed from the runtime.", retryable=True, begun=False
                )
            if len(self._waiting) >= self._nursery.settings.max_waiting:
                raise RuntimeFailure(
                    "busy", "The runtime has more to do than it may queue.", retryable=True, begun=False
                )
            self._grow()
            turn = loop.create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await turn
            except BaseException as error:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                elif turn.done() and not turn.cancelled():
                    self._wake()  # woken, but too late: the turn is somebody else's
                if isinstance(error, TimeoutError):
                    raise RuntimeFailure(
                        "busy", "The runtime had no room in time.", retryable=True, begun=False
                    ) from None
                raise
        return child

    def _pick(self, key: str) -> Child | None:
        """Return a child with room: one that holds the flow, else the least busy."""
        room = [
            child
            for child in self.children
            if child.alive and not child.retiring and child.leases < self._limits.runs_per_child
        ]
        return min(room, key=lambda child: (not child.holds(key), child.leases), default=None)

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _size(self) -> int:
        return sum(1 for child in self.children if child.alive and not child.retiring) + self._growing

    def _fill(self) -> None:
        for _ in range(self._limits.smallest - self._size()):
            self._grow()

    def _grow(self) -> None:
        if not self._closed and self._size() < self._limits.largest:
            self._growing += 1
            task = asyncio.create_task(self._add())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _add(self) -> None:
        try:
            child = await self._nursery.make(custom=self._custom)
        except ZygoteFailed as error:
            logger.error("no child could be made", extra={"reason": str(error)})
            await asyncio.sleep(RETRY_SECONDS)
            self._growing -= 1
            if self._waiting or self._size() < self._limits.smallest:
                self._grow()
            return
        except asyncio.CancelledError:
            self._growing -= 1
            raise
        self._growing -= 1
        self.children.append(child)
        self._nursery.serve(child, self)
        if self._closed:
            child.kill()
        self._wake()

    def lost(self, child: Child) -> None:
        """Take note that a child ended; another takes its place if one is needed."""
        if child in self.children:
            self.children.remove(child)
        if not self._closed:
            self._fill()
            if self._waiting:
                self._grow()

    def _retire(self, child: Child) -> None:
        child.retiring = True
        self._fill()

    def reap(self, idle_seconds: float) -> None:
        """End children without work for that long, down to the smallest size."""
        limit = time.monotonic() - idle_seconds
        for child in list(self.children):
            idle = child.alive and child.leases == 0 and child.idle_since < limit
            if idle and self._size() > self._limits.smallest:
                child.retiring = True
                child.kill()

    def idle(self) -> int:
        """Return how many children have no work."""
        return sum(1 for child in self.children if child.alive and child.leases == 0)

    def unload(self, key: str) -> None:
        """Have every child drop a flow."""
        for child in self.children:
            child.unload(key)

    def close(self, *, at_once: bool = False) -> None:
        """Take no more work; children end when their runs do, or at once."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        for child in self.children:
            child.retiring = True
            if child.leases == 0 or at_once:
                child.kill()
