"""The runtime's parent: holds deployments, chat memory and the model key, and has sandboxed children run flows."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import resource
import secrets
import signal
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import uvloop

from agentmart.adapters.runtimes.base import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    RuntimeFailure,
    Token,
)
from agentmart.adapters.runtimes.embedded.egress import Egress, Meter
from agentmart.adapters.runtimes.embedded.pools import Nursery, Pool, PoolLimits
from agentmart.adapters.runtimes.embedded.server import Server
from agentmart.adapters.runtimes.embedded.settings import RuntimeSettings
from agentmart.adapters.runtimes.embedded.store import Deployments, Record, Sessions, check_id, wall_clock
from agentmart.adapters.runtimes.embedded.zygote import ZygoteFailed
from agentmart.kit.logs import QuickLines

logger = logging.getLogger("agentmart.runtime")

DEPLOY_SECONDS = 45.0
HOUSEKEEPING_SECONDS = 15.0
DESCRIPTORS = 16_384


class Parent:
    """The runtime behind the socket."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._egress = Egress(settings.model)
        self._deployments = Deployments(settings.state_dir / "deployments")
        self._sessions = Sessions(
            settings.state_dir / "sessions.sqlite3",
            keep=settings.history_messages,
            days=settings.history_days,
        )
        self.nursery = Nursery(settings, self._egress)
        self.shared = Pool(
            self.nursery,
            PoolLimits(settings.children, settings.children, settings.runs_per_child),
            custom=False,
        )
        self.own: dict[str, Pool] = {}  # by key: deployments with code of their own
        self._deploying: dict[str, asyncio.Lock] = {}
        self._lines = QuickLines(logger)

    async def deploy(self, deployment: Deployment) -> None:
        """Prove that the flow can be built, then keep it; an earlier one of the same id stays until then."""
        check_id(deployment.deployment_id)
        lock = self._deploying.setdefault(deployment.deployment_id, asyncio.Lock())
        async with lock:
            old = self._deployments.records.get(deployment.deployment_id)
            record = Record(
                deployment_id=deployment.deployment_id,
                customer_id=deployment.customer_id,
                provider_id=deployment.provider_id,
                trust=deployment.trust,
                generation=secrets.randbits(48),
                uses_memory=True,
            )
            try:
                async with self._pool(record).lease(record.key, time.monotonic() + DEPLOY_SECONDS) as child:
                    memory = await child.load(record.key, record.deployment_id, deployment.flow)
                record = msgspec.structs.replace(record, uses_memory=memory)
                await asyncio.to_thread(self._deployments.put, record, deployment)
            except BaseException:  # whatever ended it: what was not put away must not stay loaded
                self._drop(record)
                raise
            if old is not None:
                self._drop(old)
        facts = {"deployment_id": record.deployment_id, "trust": record.trust}
        logger.info("deployed", extra={**facts, "request_id": deployment.request_id})

    async def remove(self, deployment_id: str) -> None:
        """Forget a deployment, its processes and its sessions."""
        async with self._deploying.setdefault(
            deployment_id, asyncio.Lock()
        ):  # a deployment under way comes first
            record = self._deployments.records.get(deployment_id)
            if record is not None:
                self._deployments.remove(deployment_id)
                self._drop(record)
            await self._sessions.forget(deployment_id)
        self._deploying.pop(deployment_id, None)
        logger.info("removed", extra={"deployment_id": deployment_id})

    def _pool(self, record: Record) -> Pool:
        if not record.custom:
            return self.shared
        pool = self.own.get(record.key)
        if (pool is None or not pool.children) and self._is_full():
            self._make_room()
        if pool is None:
            self.own[record.key] = Pool(
                self.nursery, PoolLimits(0, self._settings.custom_children, 1), custom=True
            )
        return self.own[record.key]

    def _is_full(self) -> bool:
        return sum(len(pool.children) for pool in self.own.values()) >= self._settings.max_custom_children

    def _make_room(self) -> None:
        """End idle children of other deployments' own code; raises RuntimeFailure `busy` if none is idle."""
        before = sum(pool.idle() for pool in self.own.values())
        if not before:
            raise RuntimeFailure(
                "busy", "Too many agents with code of their own are running.", retryable=True, begun=False
            )
        for pool in self.own.values():
            pool.reap(0.0)

    def _drop(self, record: Record) -> None:
        if record.custom:
            if (pool := self.own.pop(record.key, None)) is not None:
                pool.close()
        else:
            self.shared.unload(record.key)

    async def run(self, request: RunRequest, *, stream: bool) -> AsyncGenerator[RunEvent, None]:
        """Run once: tokens if `stream`, then the result; raises RuntimeFailure. Closing it cancels the run."""
        started = time.monotonic()
        limit = min(request.timeout_seconds, self._settings.run_timeout)
        meter = Meter(call_id=request.call_id)
        code = "cancelled"
        try:
            async with contextlib.aclosing(
                self._run(request, started + limit, meter, stream=stream)
            ) as events:
                async for event in events:
                    if isinstance(event, RunResult):
                        code = "ok"
                        yield dataclasses.replace(
                            event,
                            usage=meter.usage(),
                            model_calls=meter.calls,
                            duration_ms=round((time.monotonic() - started) * 1000),
                        )
                    else:
                        yield event
        except RuntimeFailure as failure:
            code = failure.code
            failure.usage = meter.usage()
            raise
        finally:
            facts: dict[str, Any] = {
                "call_id": request.call_id,
                "deployment_id": request.deployment_id,
                "outcome": code,
                "duration_ms": round((time.monotonic() - started) * 1000),
                "model_calls": meter.calls,
            }
            if logger.isEnabledFor(logging.INFO):
                self._lines.add("run", facts, request_id=request.request_id)

    async def _run(
        self, request: RunRequest, deadline: float, meter: Meter, *, stream: bool
    ) -> AsyncGenerator[RunEvent, None]:
        record = self._deployments.get(request.deployment_id)
        async with self._pool(record).lease(record.key, deadline) as child:
            record = self._deployments.get(request.deployment_id)
            session = (record.deployment_id, request.session_id)
            history = await self._sessions.recent(*session) if record.uses_memory else []
            while not child.holds(record.key):  # the loads of others may push it out before its run begins
                flow = await asyncio.to_thread(self._deployments.flow, record)
                await child.load(record.key, record.deployment_id, flow)
            request = dataclasses.replace(request, timeout_seconds=max(0.01, deadline - time.monotonic()))
            events = child.run(record.key, request, history, meter, stream=stream)
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.event == "token":
                        yield Token(event.text)
                        continue
                    if record.uses_memory and event.changes is not None:
                        changes = msgspec.to_builtins(event.changes)
                        await self._sessions.save(*session, changes, now=wall_clock())
                    yield RunResult(text=event.text, usage=None, duration_ms=0)

    def health(self) -> Health:
        """Say whether runs would work now."""
        ready = self.nursery.ready.is_set() and any(child.alive for child in self.shared.children)
        message = "" if ready else self.nursery.problem or "The runtime's flow processes are starting."
        return Health(ok=ready, message=message, deployments=frozenset(self._deployments.records))

    async def housekeeping(self) -> None:
        """End idle children and forget old sessions, for ever."""
        while True:
            await self._sessions.expire(now=wall_clock())
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            for pool in list(self.own.values()):
                pool.reap(self._settings.idle_seconds)

    async def close(self) -> None:
        """End every process and close what is open."""
        for pool in (self.shared, *self.own.values()):
            pool.close(at_once=True)
        await self.nursery.close()
        await self._egress.close()
        self._sessions.close()
        self._lines.flush()


async def serve(settings: RuntimeSettings, stop: asyncio.Event | None = None) -> None:
    """Serve the socket until `stop` is set, then let runs finish; raises ZygoteFailed if flows cannot run here."""
    stop = stop or asyncio.Event()
    _use_many_descriptors()
    settings.socket_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    parent = Parent(settings)
    keeping = asyncio.create_task(parent.nursery.keep())
    housekeeping = asyncio.create_task(parent.housekeeping())
    server = Server(parent, settings.socket_path)
    stopping = asyncio.create_task(stop.wait())
    try:
        await server.start()
        await asyncio.wait({stopping, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():
            keeping.result()
        await server.drain(settings.drain_seconds)
    finally:
        await server.close()
        await parent.close()
        for task in (keeping, housekeeping, stopping):
            task.cancel()
        await asyncio.gather(keeping, housekeeping, stopping, return_exceptions=True)
        settings.socket_path.unlink(missing_ok=True)


def _use_many_descriptors() -> None:
    """Permit this process as many open descriptors as the system does: every model call of a child needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_parent(settings: RuntimeSettings) -> None:
    """Run the runtime until SIGTERM or SIGINT; exits with status 1 where flows cannot be run.

    Entry point of `agentmart runtime`.
    """

    async def main() -> None:
        stop = asyncio.Event()
        for kind in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(kind, stop.set)
        await serve(settings, stop)

    try:
        uvloop.run(main())
    except ZygoteFailed as error:
        logger.critical("the runtime cannot run flows here", extra={"reason": str(error)})
        sys.exit(1)
