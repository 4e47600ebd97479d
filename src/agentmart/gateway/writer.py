"""Group commit: one task writes whatever is waiting, as soon as the batch before it is done.

Nothing lingers for company: under load the queue fills while a batch is being written, and without load a call
has a batch of its own. A failed batch is tried again until the database takes it; ids make that safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg

from agentmart.contracts.usage import CallStarted, Completed
from agentmart.gateway.database import BAD_VALUE, FAILED, Database
from agentmart.gateway.errors import Unavailable
from agentmart.gateway.spool import Spool
from agentmart.gateway.usage import WRITE_BATCH, batch_values

logger = logging.getLogger("agentmart.gateway")

MAX_BATCH = 1000
NOT_RECORDED = "The call ran, but its usage could not be recorded."
RETRY_SECONDS = (0.05, 0.2, 0.5)

Record = TypeVar("Record")


class Fate(Enum):
    """What became of a record."""

    OPEN = 0  # waits, or is being written
    STORED = 1
    REFUSED = 2  # by the database, for good


class Entry(Generic[Record]):
    """A record on its way, and who waits for it: until its fate is known, or for so long."""

    __slots__ = ("fate", "record", "waiter")

    def __init__(self, record: Record, waiter: asyncio.Future[None]) -> None:
        self.record = record
        self.waiter = waiter
        self.fate = Fate.OPEN

    def settle(self, fate: Fate) -> None:
        """Tell who waits."""
        self.fate = fate
        self.let_go()

    def let_go(self) -> None:
        """Let who waits go on, whatever is known."""
        if not self.waiter.done():
            self.waiter.set_result(None)


@dataclass(slots=True)
class Batch:
    """What one statement writes, and who waits for it."""

    started: list[Entry[CallStarted]] = field(default_factory=list)
    ended: list[Entry[Completed]] = field(default_factory=list)
    delivered: list[UUID] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.started) + len(self.ended) + len(self.delivered)

    def singles(self) -> list[Batch]:
        """Return the same as batches of one record, so that a bad record does not hold the others."""
        parts = [Batch(started=[entry]) for entry in self.started]
        parts += [Batch(ended=[entry]) for entry in self.ended]
        return [*parts, *(Batch(delivered=[call_id]) for call_id in self.delivered)]

    def settle(self, fate: Fate) -> None:
        """Tell everyone who waits."""
        for entry in self.started:
            entry.settle(fate)
        for ended in self.ended:
            ended.settle(fate)


class Meter(Protocol):
    """Who records calls; each method as UsageWriter has it."""

    @property
    def healthy(self) -> bool:
        """Whether usage can be recorded now."""

    @property
    def spooled(self) -> int:
        """How many calls wait on the disk."""

    def start(self) -> None:
        """Begin to record."""

    async def close(self, timeout: float) -> None:
        """Record what is waiting and stop."""

    async def started(self, row: CallStarted) -> None:
        """Return once the row is committed; raises Unavailable where that takes too long."""

    async def completed(self, call: Completed) -> None:
        """Return once the usage is durable; raises Unavailable."""

    def delivered(self, call_id: UUID) -> None:
        """Note that the call is closed."""


class UsageWriter:
    """Writes started rows, usage events and deliveries; `healthy` while the database takes them."""

    def __init__(self, database: Database, spool: Spool, *, wait: float) -> None:
        self._database = database
        self._spool = spool
        self._wait = wait
        self._open = Batch()
        self._full: list[Batch] = []
        self._writing = Batch()
        self._wake = asyncio.Event()
        self._closing = False
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._spooled: set[UUID] = set()  # in a spool file, not yet in the database
        self._adopted: list[Path] = []
        self.healthy = False
        self._due: deque[tuple[float, Entry[Any]]] = deque()  # who waits, and until when
        self._timer: asyncio.TimerHandle | None = None

    @property
    def spooled(self) -> int:
        """Return how many calls wait in a spool file for the database."""
        return len(self._spooled)

    def start(self) -> None:
        """Begin to write, first of all what earlier gateways had to spool."""
        calls, self._adopted = self._spool.adopt()
        for call in calls:
            self._spooled.add(call.event.id)
            self._put(call)
        if calls:
            logger.info("usage_spool_adopted", extra={"events": len(calls)})
        self._task = asyncio.create_task(self._work())

    async def close(self, timeout: float) -> None:
        """Write what is waiting and stop; what the database does not take in time goes to the spool."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=timeout)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for batch in (self._writing, *self._full, self._open):
            for entry in batch.ended:
                if entry.record.event.id not in self._spooled:
                    with suppress(
                        OSError
                    ):  # said loudly where it is raised; the others still have their chance
                        await self._to_spool(entry.record)
        if self._timer is not None:
            self._timer.cancel()
        self._give_up_connection()
        self._spool.close()

    async def started(self, row: CallStarted) -> None:
        """Return once the row is committed; raises Unavailable where that takes too long."""
        entry = Entry(row, asyncio.get_running_loop().create_future())
        self._room().started.append(entry)
        try:
            await self._wait_for(entry)
        finally:  # also when the wait itself was cancelled
            if entry.fate is not Fate.STORED:
                self._withdraw(entry)
        if entry.fate is not Fate.STORED:
            raise Unavailable

    async def completed(self, call: Completed) -> None:
        """Return once the usage is durable: in the database, or in the spool while that is away; raises Unavailable."""
        entry = self._put(call)
        await self._wait_for(entry)
        if entry.fate is Fate.STORED:
            return
        if entry.fate is Fate.REFUSED:  # no later attempt would change that
            raise Unavailable(NOT_RECORDED)
        try:
            await self._to_spool(call)
        except OSError as error:
            raise Unavailable(NOT_RECORDED) from error
        if _stored(entry):  # the database came back meanwhile
            await self._unspool([call])

    def delivered(self, call_id: UUID) -> None:
        """Note that the call is closed; its started row goes with the next batch."""
        self._room().delivered.append(call_id)
        self._wake.set()

    def _withdraw(self, entry: Entry[CallStarted]) -> None:
        """Take back a started row: out of the batch that is still open, else by a deletion after it was written."""
        if entry in self._open.started:
            self._open.started.remove(entry)
        else:
            self.delivered(entry.record.call_id)

    def _put(self, call: Completed) -> Entry[Completed]:
        entry = Entry(call, asyncio.get_running_loop().create_future())
        self._room().ended.append(entry)
        return entry

    def _room(self) -> Batch:
        if len(self._open) >= MAX_BATCH:
            self._full.append(self._open)
            self._open = Batch()
        return self._open

    async def _wait_for(self, entry: Entry[Any]) -> None:
        """Return once the record's fate is known, or after the longest wait."""
        loop = asyncio.get_running_loop()
        self._wake.set()
        self._due.append((loop.time() + self._wait, entry))
        if self._timer is None:
            self._timer = loop.call_later(self._wait, self._end_waits)
        await entry.waiter

    def _end_waits(self) -> None:
        """Let those go on who have waited long enough; one timer serves all, for all wait equally long."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._due and (self._due[0][0] <= now or self._due[0][1].waiter.done()):
            self._due.popleft()[1].let_go()
        if self._due:
            self._timer = loop.call_at(self._due[0][0], self._end_waits)

    async def _work(self) -> None:
        await self._write(Batch())  # connects, and proves that the statement is allowed
        while True:
            self._writing = self._full.pop(0) if self._full else self._open
            if self._writing is self._open:
                self._open = Batch()
            if len(self._writing):
                await self._write(self._writing)
            elif self._closing:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _write(self, batch: Batch) -> None:
        """Write until the database takes it, however long that is."""
        attempt = 0
        while True:
            try:
                await self._store(batch)
                break
            except BAD_VALUE as error:
                if len(batch) > 1:
                    for single in batch.singles():
                        await self._write(single)
                else:
                    await self._refused(batch, error)
                return
            except FAILED as error:
                logger.warning(
                    "usage_not_written", extra={"error": type(error).__name__, "records": len(batch)}
                )
                self._give_up_connection()
            except Exception:  # the worker's outermost: whatever broke, it must go on, or no call could end
                logger.exception("usage_writer_broke")
                self._give_up_connection()
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1
        self.healthy = True
        batch.settle(Fate.STORED)
        while self._due and self._due[0][1].waiter.done():
            self._due.popleft()
        if self._spooled:
            await self._unspool([entry.record for entry in batch.ended])

    async def _refused(self, batch: Batch, error: Exception) -> None:
        """Give up a record: whoever waits is told, what was spooled is set aside."""
        ids = [entry.record.event.id.hex for entry in batch.ended]
        ids += [entry.record.call_id.hex for entry in batch.started]
        logger.critical("usage_refused_by_database", extra={"error": str(error), "records": ids})
        batch.settle(Fate.REFUSED)
        calls = [entry.record for entry in batch.ended if entry.record.event.id in self._spooled]
        try:
            for call in calls:
                await self._spool.set_aside(call)
        except OSError as failure:
            logger.critical("usage_not_set_aside", extra={"error": str(failure)})
            return  # it stays in the spool
        if calls:
            await self._unspool(calls)

    async def _store(self, batch: Batch) -> None:
        if self._connection is None:
            self._connection = await self._database.connect("usage")
        started = [entry.record for entry in batch.started]
        ended = [entry.record for entry in batch.ended]
        await self._connection.fetchval(WRITE_BATCH, *batch_values(started, ended, batch.delivered))

    def _give_up_connection(self) -> None:
        self.healthy = False
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _to_spool(self, call: Completed) -> None:
        call_id = call.event.id
        self._spooled.add(call_id)
        try:
            await self._spool.append(call)
        except OSError as error:
            self._spooled.discard(call_id)
            logger.critical("usage_not_durable", extra={"call_id": call_id.hex, "error": str(error)})
            raise
        logger.warning("usage_spooled", extra={"call_id": call_id.hex})

    async def _unspool(self, written: list[Completed]) -> None:
        """Forget the spool once all that is in it has reached the database."""
        self._spooled.difference_update(call.event.id for call in written)
        if self._spooled:
            return
        try:
            await self._spool.clear()
            for path in self._adopted:
                path.unlink(missing_ok=True)
        except OSError as error:  # its events are written: replaying them later does no harm
            logger.error("usage_spool_not_cleared", extra={"error": str(error)})
        self._adopted.clear()


def _stored(entry: Entry[Any]) -> bool:
    return entry.fate is Fate.STORED
