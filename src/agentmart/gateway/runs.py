"""One admitted call on its way: the flow runs to its end and is metered, whether or not its caller stays.

The end comes by itself, by the deadline, or, where the offering says so, by the caller's leaving. What was used until
then is billed in each case.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import monotonic
from uuid import UUID

import msgspec

from agentmart.adapters.runtimes import RunRequest, RunResult, Runtime, RuntimeFailure
from agentmart.contracts.grants import Grant, OnDisconnect
from agentmart.contracts.payloads import KeptPayload
from agentmart.contracts.usage import CallStatus, Completed, UsageEvent
from agentmart.gateway.errors import Internal, Unavailable, UpstreamTimeout, from_runtime
from agentmart.gateway.limit_keeper import Held
from agentmart.gateway.messages import Answer, Invocation
from agentmart.gateway.payloads import keep
from agentmart.gateway.pieces import Pieces
from agentmart.gateway.settings import GatewaySettings
from agentmart.gateway.shedding import Shedder
from agentmart.gateway.upstreams import AGAIN, Upstream, Upstreams
from agentmart.gateway.usage import MAX_INT, Course, Outcome, event_of, started_of
from agentmart.gateway.writer import Meter
from agentmart.kit import tokens
from agentmart.kit.alarms import alarms_of
from agentmart.kit.errors import DomainError
from agentmart.kit.ids import new_id

logger = logging.getLogger("agentmart.gateway")

DEADLINE_GRACE = 2.0
"""A runtime keeps the deadline itself; this much later the gateway no longer waits for it."""
BIG_TEXT = 64 * 1024
"""Texts beyond this many characters are counted in a thread, so that other calls go on."""
PAUSE_BEFORE_AGAIN = 0.05
LEFT = "caller_left"
"""Error code of a run that was stopped because its caller left."""


class _Stopped(Exception):
    """The run was given up, for its caller left."""


@dataclass(slots=True)  # not frozen: made for every call, and freezing trebles its price
class Call:
    """What is known of a call once it was let in."""

    call_id: UUID
    grant: Grant
    invocation: Invocation
    request: RunRequest
    begun: float  # monotonic seconds
    bytes_in: int = 0  # of the request's body
    seal: Callable[[bytes], bytes] | None = None  # under an idempotency key: encrypts the answer, to be kept
    deadline: float = inf  # monotonic seconds; the caller's own


class Run:
    """Runs one call in a task of its own. `caller_left` is set by whoever talks to the caller."""

    __slots__ = (
        "_alarms",
        "_asked",
        "_asking",
        "_began",
        "_done",
        "_error",
        "_failure",
        "_first",
        "_gave_up",
        "_held_up",
        "_lease",
        "_loop",
        "_max_output",
        "_now",
        "_over",
        "_payload_secret",
        "_pieces",
        "_stops",
        "_tokens",
        "_upstreams",
        "_writer",
        "answer",
        "call",
        "caller_left",
        "event",
        "task",
    )

    def __init__(
        self,
        call: Call,
        upstreams: Upstreams,
        writer: Meter,
        lease: Held,
        settings: GatewaySettings,
    ) -> None:
        self.call = call
        self.caller_left = False
        self.event: UsageEvent | None = None  # once the run has ended
        self.answer: Answer | None = None  # once its usage is durable; of a failed run, what there was of it
        self._upstreams = upstreams
        self._writer = writer
        self._lease = lease
        self._now = settings.clock.now
        self._max_output = settings.max_output
        self._payload_secret = settings.payload_secret
        self._pieces: list[str] = []
        self._tokens = Pieces(settings.buffered_output)
        self._failure: DomainError | None = None
        self._asked = monotonic()  # when the runtime was asked, when it was done, when its first piece came
        self._done: float | None = None
        self._first: float | None = None
        self._began = False  # an answer has begun to be streamed
        self._held_up = False  # the reader was slower than the runtime
        self._stops = call.grant.on_disconnect is OnDisconnect.CANCEL
        self._asking = False  # a runtime, which is interrupted by `_give_up`
        self._gave_up = False
        self._error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._alarms = alarms_of(self._loop)
        self._over = self._loop.create_future()
        self.task: asyncio.Task[None] = self._loop.create_task(self._go())

    async def result(self) -> Answer:
        """Return the answer once the usage is durable; raises the DomainError that it ended with. For one waiter.

        Whoever waits may be cancelled: the run goes on.
        """
        await self._over
        error = self._error or self._failure
        if error is not None or self.answer is None:
            raise error or Internal()
        return self.answer

    def leave(self) -> None:
        """Note that nobody waits for the answer any more: by the offering's policy the run goes on or is stopped."""
        self.caller_left = True
        self._tokens.abandon()
        if self._stops and self._asking:
            self._give_up()

    async def tokens(self, idle: float) -> AsyncIterator[str | None]:
        """Yield the answer's pieces until the run's end, and None after every `idle` seconds of silence."""
        while True:
            try:
                if self._tokens.ready:
                    piece = await self._tokens.get()
                else:
                    async with asyncio.timeout(idle):
                        piece = await self._tokens.get()
            except TimeoutError:
                self._began = True
                yield None
                continue
            if piece is None:
                return
            yield piece

    async def _go(self) -> None:
        requests = used = 0
        try:
            outcome = await self._outcome()
            self._done = monotonic()
            event = await self._event(outcome)
            self.event = event
            answer = self._answer(event, outcome.text)
            completed = self._completed(event, answer)
            if self.call.grant.payloads is not None:
                completed = replace(completed, payload=await self._payload(event, outcome.text))
            await self._writer.completed(completed)
            requests, used = event.requests, event.input_tokens + event.output_tokens
            self.answer = answer
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._lease.release(requests, used)
            self._tokens.end()
            if not self._over.done():
                self._over.set_result(None)

    def _completed(self, event: UsageEvent, answer: Answer) -> Completed:
        seal = self.call.seal
        whole = self._failure is None and event.error_code != LEFT
        kept = seal(msgspec.json.encode(answer)) if seal is not None and whole else None
        return Completed(event, seal is not None, kept)

    async def _payload(self, event: UsageEvent, output: str) -> KeptPayload | None:
        text = self.call.invocation.text
        return await keep(self.call.grant, event, text=text, output=output, secret=self._payload_secret)

    def _answer(self, event: UsageEvent, text: str) -> Answer:
        return Answer(
            output=text,
            session_id=self.call.invocation.session_id,
            request_id=self.call.call_id.hex,
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            elapsed_ms=event.duration_ms,
        )

    async def _outcome(self) -> Outcome:
        """Run, and say how it ended; never raises."""
        try:
            result = await self._ask()
        except RuntimeFailure as failure:
            return self._failed(failure)
        except _Stopped:
            return Outcome(CallStatus.CANCELLED, "".join(self._pieces), error_code=LEFT)
        except asyncio.CancelledError:
            return self._failed(RuntimeFailure("stopped", "The gateway was stopped."))
        except Exception:  # outermost for a run: whatever broke, the call must be metered
            logger.exception("run_broke", extra={"request_id": self.call.call_id.hex})
            self._failure = Internal()
            return Outcome(CallStatus.ERROR, "".join(self._pieces), error_code=Internal.code)
        status = CallStatus.CANCELLED if self.caller_left else CallStatus.OK
        return Outcome(status, result.text, result.usage)

    async def _ask(self) -> RunResult:
        """Ask the runtime; where it says that the run cannot have begun, ask once more, then who stands in for it."""
        failure: RuntimeFailure | None = None
        for upstream in self._upstreams.admitted(self.call.grant.runtime):
            try:
                return await self._ask_one(upstream)
            except RuntimeFailure as error:
                failure = error
            if failure.code in AGAIN and not failure.begun and upstream.breaker.admit(monotonic()):
                await asyncio.sleep(PAUSE_BEFORE_AGAIN)
                try:
                    return await self._ask_one(upstream)
                except RuntimeFailure as error:
                    failure = error
            if failure.begun or self._pieces:
                break
        raise failure or RuntimeFailure("unreachable", "No runtime takes the call.", begun=False)

    async def _ask_one(self, upstream: Upstream) -> RunResult:
        """Ask one runtime, which was admitted, and tell its breaker how it went; raises RuntimeFailure, _Stopped."""
        request = self.call.request
        left = min(request.timeout_seconds, self.call.deadline - monotonic())
        told = False
        try:
            if left <= 0:
                raise RuntimeFailure("timeout", "The caller's time was over.", begun=False)
            if self.caller_left and self._stops:
                raise _Stopped
            given = request if left == request.timeout_seconds else replace(request, timeout_seconds=left)
            result = await self._run_within(left + DEADLINE_GRACE, upstream, given)
        except RuntimeFailure as failure:
            told = left > 0 and not (self._held_up and failure.code == "timeout")
            if told:
                upstream.failed(failure, request.deployment_id)
            raise
        except TimeoutError:
            if self.caller_left and self._stops:
                raise _Stopped from None
            told = not self._held_up
            if told:
                upstream.breaker.bad(monotonic())
            raise RuntimeFailure("timeout", "The runtime did not keep the deadline.") from None
        else:
            told = True
            upstream.breaker.good(monotonic())
            return result
        finally:
            if not told:
                upstream.breaker.unknown()

    async def _run_within(self, seconds: float, upstream: Upstream, request: RunRequest) -> RunResult:
        """Run; raises TimeoutError after so many seconds, or once `_give_up` is called."""
        alarm = self._alarms.at(self._loop.time() + seconds, self._give_up)
        self._asking, self._gave_up = True, False
        try:
            return await self._run_at(upstream, request)
        except asyncio.CancelledError:
            if not self._gave_up or self.task.uncancel():  # somebody else ends the task
                raise
            raise TimeoutError from None
        finally:
            self._asking = False
            alarm.cancel()

    def _give_up(self) -> None:
        """Interrupt the runtime that is being asked."""
        if self._asking and not self._gave_up:
            self._gave_up = True
            self.task.cancel()

    async def _run_at(self, upstream: Upstream, request: RunRequest) -> RunResult:
        """Run; in pieces where they are streamed, or where a run that is stopped must be known so far."""
        if self.call.invocation.stream or self._stops:
            return await self._stream(upstream.runtime, request)
        result = await upstream.runtime.invoke(request)
        self._check_size(len(result.text))
        return result

    async def _stream(self, runtime: Runtime, request: RunRequest) -> RunResult:
        size = 0
        async with aclosing(runtime.stream(request)) as events:  # type: ignore[type-var]
            async for piece in events:
                if isinstance(piece, RunResult):
                    self._check_size(len(piece.text))
                    return piece
                size += len(piece.text)
                self._check_size(size)
                if self._first is None:
                    self._first = monotonic()
                self._pieces.append(piece.text)
                if self.call.invocation.stream and not self.caller_left:
                    self._began = True
                    self._tokens.put(piece.text)
                    if self._tokens.full:
                        self._held_up = True
                        await self._tokens.room()
        raise RuntimeFailure("crashed", "The agent's answer broke off.")

    def _check_size(self, size: int) -> None:
        if size > self._max_output:
            raise RuntimeFailure(
                "flow_error", f"The agent's answer is longer than {self._max_output} characters."
            )

    def _failed(self, failure: RuntimeFailure) -> Outcome:
        self._failure = from_runtime(failure)
        logger.warning("run_failed", extra={"request_id": self.call.call_id.hex, "code": failure.code})
        status = CallStatus.TIMEOUT if failure.code == "timeout" else CallStatus.ERROR
        return Outcome(status, "".join(self._pieces), failure.usage, failure.code)

    def _course(self) -> Course:
        """Return how the call went so far."""
        status: int | None = 200
        if self._failure is not None and not self._began:
            status = self._failure.status
        if self.caller_left and not self._began:
            status = None
        asked, done, first = self._asked, self._done, self._first
        return Course(
            http_status=status,
            queue_ms=_ms(asked - self.call.begun),
            runtime_ms=None if done is None else _ms(done - asked),
            first_token_ms=None if first is None else _ms(first - self.call.begun),
            bytes_in=self.call.bytes_in,
        )

    async def _event(self, outcome: Outcome) -> UsageEvent:
        text = self.call.invocation.text
        elapsed = round((monotonic() - self.call.begun) * 1000)
        make = partial(
            event_of,
            self.call.grant,
            self.call.call_id,
            outcome,
            text=text,
            streamed=self.call.invocation.stream,
            duration_ms=elapsed,
            received_at=self._now(),
            course=self._course(),
        )
        if len(text) + len(outcome.text) > BIG_TEXT:
            return await asyncio.to_thread(make)
        if outcome.reported is None and not tokens.is_loaded():
            await asyncio.to_thread(tokens.load)
        return make()


def _ms(seconds: float) -> int:
    """Return a duration in whole milliseconds, as the column holds it."""
    found = round(seconds * 1000)
    return found if 0 <= found <= MAX_INT else min(max(found, 0), MAX_INT)


class Runs:
    """All runs under way in this process."""

    def __init__(self, settings: GatewaySettings, writer: Meter, runtimes: Mapping[str, Runtime]) -> None:
        self._settings = settings
        self._writer = writer
        self.upstreams = Upstreams(runtimes, settings.fallbacks)
        self.shedder = Shedder(settings.longest_wait)
        self._gateway_id = new_id()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Return how many calls are under way."""
        return len(self._tasks)

    def check_room(self, runtime: str) -> None:
        """Raise Unavailable for a runtime this gateway does not have, or that does not answer; or while it has
        all the calls it can hold, or more than it can begin in time."""
        self.upstreams.check(runtime)
        if len(self._tasks) >= self._settings.max_calls:
            raise Unavailable
        self.shedder.check(monotonic())

    async def start(self, call: Call, lease: Held) -> Run:
        """Begin a run once its started row is committed; a call that cannot begin gives back what it took.

        Raises Unavailable, and UpstreamTimeout where the caller's deadline has passed: nothing is owed then.
        """
        now = monotonic()
        try:
            if call.deadline <= now:
                raise UpstreamTimeout("The time given for the call was over before it could begin.")
            await self._begin(call, now)
        except BaseException:
            lease.give_back()
            raise
        run = Run(call, self.upstreams, self._writer, lease, self._settings)
        self._tasks.add(run.task)
        run.task.add_done_callback(self._ended)
        return run

    async def _begin(self, call: Call, now: float) -> None:
        self.shedder.enter(call.call_id, now)
        try:
            await self._writer.started(started_of(call.grant, call.call_id, self._gateway_id))
        finally:
            self.shedder.leave(call.call_id, monotonic())

    def close(self, run: Run, *, arrived: bool) -> None:
        """Close a call that was metered. One whose answer may not have arrived stays open, for the sweeper to flag."""
        if (
            run.answer is not None
            and run.event is not None
            and (arrived or run.event.status is not CallStatus.OK)
        ):
            self._writer.delivered(run.call.call_id)

    async def drain(self, grace: float) -> None:
        """Wait for the calls under way; those that outlive the grace are stopped, and metered as they are."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * self._settings.usage_wait)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, if there still is one
