"""Group commit: one task writes whatever is waiting, as soon as the batch before it is done.

Nothing lingers for company: under load the queue fills while a batch is being written, and without load a call
has a batch of its own. A failed batch is tried again until the database takes it; ids make that safe.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
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

Done = asyncio.Future[None]


class BadRecord(Exception):
    """The database refuses this one record for good."""


@dataclass(slots=True)
class Batch:
    """What one statement writes, and who waits for it."""

    started: list[tuple[CallStarted, Done]] = field(default_factory=list)
    ended: list[tuple[Completed, Done]] = field(default_factory=list)
    delivered: list[UUID] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.started) + len(self.ended) + len(self.delivered)

    def singles(self) -> list[Batch]:
        """Return the same as batches of one record, so that a bad record does not hold the others."""
        parts = [Batch(started=[row]) for row in self.started]
        parts += [Batch(ended=[row]) for row in self.ended]
        return [*parts, *(Batch(delivered=[call_id]) for call_id in self.delivered)]

    def settle(self, error: Exception | None = None) -> None:
        """Tell everyone who waits."""
        for _, done in (*self.started, *self.ended):
            if not done.done():
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)


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

    @property
    def spooled(self) -> int:
        """Return how many calls wait in a spool file for the database."""
        return len(self._spooled)

    def start(self) -> None:
        """Begin to write, first of all what earlier gateways had to spool."""
        calls, self._adopted = self._spool.adopt()
        for call in calls:
            self._spooled.add(call.event.id)
            self._put(call).add_done_callback(_stored)
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
            for call, _ in batch.ended:
                if call.event.id not in self._spooled:
                    with suppress(
                        OSError
                    ):  # said loudly where it is raised; the others still have their chance
                        await self._to_spool(call)
        self._give_up_connection()
        self._spool.close()

    async def started(self, row: CallStarted) -> None:
        """Return once the row is committed; raises Unavailable where that takes too long."""
        done = self._done()
        self._room().started.append((row, done))
        committed = False
        try:
            committed = await self._committed(done)
        finally:  # also when the wait itself was cancelled
            if not committed:
                self._withdraw(row)
        if not committed:
            raise Unavailable

    async def completed(self, call: Completed) -> None:
        """Return once the usage is durable: in the database, or in the spool while that is away; raises Unavailable."""
        done = self._put(call)
        if await self._committed(done):
            return
        if done.done():  # refused for good: no later attempt would change that
            raise Unavailable(NOT_RECORDED)
        try:
            await self._to_spool(call)
        except OSError as error:
            raise Unavailable(NOT_RECORDED) from error
        if _stored(done):  # the database came back meanwhile
            await self._unspool([call])

    def delivered(self, call_id: UUID) -> None:
        """Note that the call is closed; its started row goes with the next batch."""
        self._room().delivered.append(call_id)
        self._wake.set()

    def _withdraw(self, row: CallStarted) -> None:
        """Take back a started row: out of the batch that is still open, else by a deletion after it was written."""
        waiting = len(self._open.started)
        self._open.started = [entry for entry in self._open.started if entry[0] is not row]
        if len(self._open.started) == waiting:
            self.delivered(row.call_id)

    def _put(self, call: Completed) -> Done:
        done = self._done()
        self._room().ended.append((call, done))
        return done

    def _done(self) -> Done:
        return asyncio.get_running_loop().create_future()

    def _room(self) -> Batch:
        if len(self._open) >= MAX_BATCH:
            self._full.append(self._open)
            self._open = Batch()
        return self._open

    async def _committed(self, done: Done) -> bool:
        """Wait within bounds; a record that the database refuses for good counts as not committed."""
        self._wake.set()
        await asyncio.wait({done}, timeout=self._wait)
        return _stored(done)

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
        batch.settle()
        if self._spooled:
            await self._unspool([call for call, _ in batch.ended])

    async def _refused(self, batch: Batch, error: Exception) -> None:
        """Give up a record: whoever waits is told, what was spooled is set aside."""
        ids = [call.event.id.hex for call, _ in batch.ended] + [row.call_id.hex for row, _ in batch.started]
        logger.critical("usage_refused_by_database", extra={"error": str(error), "records": ids})
        batch.settle(BadRecord(str(error)))
        calls = [call for call, _ in batch.ended if call.event.id in self._spooled]
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
        started = [row for row, _ in batch.started]
        ended = [call for call, _ in batch.ended]
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


def _stored(done: Done) -> bool:
    return done.done() and done.exception() is None
