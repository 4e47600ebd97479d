"""One child as the parent sees it: what it holds, what it runs, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from agentmart.adapters.runtimes.base import RunRequest, RuntimeFailure
from agentmart.adapters.runtimes.embedded.child import frames
from agentmart.adapters.runtimes.embedded.egress import Egress, Meter
from agentmart.adapters.runtimes.embedded.zygote import Forked

logger = logging.getLogger("agentmart.runtime.process")

GRACE_SECONDS = 1.0  # what a child gets to give up a run by itself
LOAD_SECONDS = 30.0
MAX_FLOWS = 32  # kept in one child
MAX_WAITING = 20_000  # events of one call that nobody has taken up yet
MAX_STRAYS = 10_000  # events of a child that belong to no call; a few come late, more are made up
MAX_REASON, MAX_DETAIL = 500, 2000  # characters of a failure
CODES = frozenset({"flow_error", "timeout", "crashed", "bad_flow", "refused"})
Short = Annotated[str, msgspec.Meta(max_length=200)]
CRASHED = "The process that ran the flow ended; the call can be repeated."
TIMED_OUT = "The flow took longer than it may."


class Event(msgspec.Struct):
    """What a child says; it is not believed beyond its shape. What else a frame holds is skipped unread."""

    event: Short
    id: Short = ""
    text: str = ""
    code: str = "flow_error"
    message: str = "The flow failed while it ran."
    detail: str = ""
    kinds: Annotated[list[Short], msgspec.Meta(max_length=20)] = []
    memory: bool = False
    changes: Changes | None = None


class Message(msgspec.Struct):
    """One message of a session."""

    id: str
    timestamp: str
    text: str
    sender: str
    sender_name: str
    context_id: str


class Changes(msgspec.Struct):
    """What a run stored and removed."""

    put: Annotated[list[Message], msgspec.Meta(max_length=10_000)]
    drop: Annotated[list[Short], msgspec.Meta(max_length=10_000)]


_events = msgspec.json.Decoder(Event)


@dataclass(slots=True, eq=False)
class Call:
    """A request under way in a child: its events, and the meter of its model calls."""

    id: str
    deadline: float
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    size: int = 0
    too_large: bool = False


def _failed(code: str, message: str) -> Event:
    return Event(event="error", code=code, message=message)


class Child:
    """A running child process."""

    def __init__(
        self, forked: Forked, slot: int, egress: Egress, *, custom: bool, max_answer_bytes: int
    ) -> None:
        self.forked = forked
        self.custom = custom
        self.slot = slot
        self.leases = 0
        self.runs = 0
        self.idle_since = time.monotonic()
        self.retiring = False
        self.alive = True
        self._flows: dict[str, bool] = {}  # key → uses memory, least recently used first
        self._loading: dict[str, asyncio.Task[bool]] = {}
        self._calls: dict[str, Call] = {}
        self._tokens: dict[str, Meter] = {}
        self._egress = egress
        self._max_answer = max_answer_bytes
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._models: asyncio.Server
        self._culprit = ""
        self._strays = 0

    async def open(self) -> None:
        """Take up the channel and answer model calls; before anything else."""
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self.forked.channel)
        self._models = await self._egress.listen(self.forked.listener, self._tokens)

    async def serve(self) -> None:
        """Listen to the child until it ends, then fail what it still had in hand."""
        try:
            while (body := await frames.read_body(self._reader, frames.MAX_ANSWER)) is not None:
                self._accept(_events.decode(body))
        except (
            frames.FrameTooLarge,
            ValueError,
            RecursionError,
        ) as error:  # msgspec's errors are ValueErrors
            logger.warning("a child talks nonsense", extra={"pid": self.pid, "error": type(error).__name__})
        finally:
            self.alive = False
            self.forked.kill()
            self._writer.close()
            self._models.close()
            for meter in self._tokens.values():
                meter.close()
            self._fail_all()
            await self.forked.ended()

    @property
    def pid(self) -> int:
        """The id of the process that stands for the child."""
        return self.forked.pid

    def _accept(self, event: Event) -> None:
        call = self._calls.get(event.id)
        if call is None:
            self._strays += 1
            if self._strays > MAX_STRAYS:
                raise ValueError("events of no call")
            return
        if call.events.qsize() > MAX_WAITING:
            raise ValueError("more events than anybody can take up")
        call.size += len(event.text)
        if call.size > self._max_answer:
            self._refuse_more(call)
            return
        call.events.put_nowait(event)

    def _refuse_more(self, call: Call) -> None:
        """Fail a call whose answer is too large; the calls of others in the same process go on."""
        if not call.too_large:
            call.too_large = True
            call.events.put_nowait(_failed("flow_error", "The flow's answer is too large."))
            if self.custom:
                self.kill(call.id)
            else:
                self._send({"op": "cancel", "id": call.id})

    def _fail_all(self) -> None:
        for call in self._calls.values():
            late = call.id == self._culprit or time.monotonic() > call.deadline
            call.events.put_nowait(_failed("timeout", TIMED_OUT) if late else _failed("crashed", CRASHED))

    def kill(self, culprit: str = "") -> None:
        """End the process now; `culprit` is the call that overran, if one did."""
        if self.alive:
            self.alive = False
            self._culprit = culprit
            self.forked.kill()

    def _send(self, message: dict[str, Any]) -> None:
        frame = frames.pack(message)
        if len(frame) > frames.MAX_BYTES:  # the child would end at it, and the calls of others with it
            raise RuntimeFailure("flow_error", "The flow, or the call with its history, is too large.")
        if self.alive:
            self._writer.write(frame)

    def holds(self, key: str) -> bool:
        """Whether that version of a deployment is loaded."""
        return key in self._flows

    async def load(self, key: str, deployment_id: str, flow: dict[str, Any]) -> bool:
        """Load a flow if it is not there; returns whether it uses memory. Raises RuntimeFailure `bad_flow`."""
        if key in self._flows:
            return self._flows[key]
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._load(key, deployment_id, flow))
            self._loading[key].add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(self._loading[key])

    async def _load(self, key: str, deployment_id: str, flow: dict[str, Any]) -> bool:
        while len(self._flows) >= MAX_FLOWS:
            self.unload(next(iter(self._flows)))
        with self._call(time.monotonic() + LOAD_SECONDS) as call:
            self._send(
                {"op": "load", "id": call.id, "key": key, "deployment_id": deployment_id, "flow": flow}
            )
            event = await self._next(call)
        if event.event != "loaded":
            raise _as_failure(event)
        self._flows[key] = event.memory
        return event.memory

    def unload(self, key: str) -> None:
        """Drop a flow; runs of it that are under way finish."""
        if self._flows.pop(key, None) is not None:
            self._send({"op": "unload", "key": key})

    async def run(
        self, key: str, request: RunRequest, history: list[dict[str, Any]], meter: Meter, *, stream: bool
    ) -> AsyncGenerator[Event, None]:
        """Run once: yield tokens, then the result; raises RuntimeFailure. Closing it cancels the run."""
        token = "run-" + secrets.token_urlsafe(24)
        self._tokens[token] = meter
        if key in self._flows:
            self._flows[key] = self._flows.pop(key)  # now the most recently used
        finished = False
        self.runs += 1
        with self._call(time.monotonic() + request.timeout_seconds) as call:
            try:
                self._send(_run_message(call.id, key, request, history, token, stream=stream))
                while True:
                    event = await self._next(call)
                    finished = event.event != "token"
                    if event.event not in ("token", "result"):
                        if event.code == "crashed" or (self.custom and event.code == "timeout"):
                            self.kill()  # out of memory, or a thread goes on: what is left of it is of no use
                        raise _as_failure(event)
                    yield event
                    if finished:
                        return
            finally:
                self._tokens.pop(token).close()
                if not finished:
                    await self._cancel(call)

    async def _cancel(self, call: Call) -> None:
        """Ask the child to stop a run nobody waits for; end the child if it does not, and one with own code at once."""
        if self.custom:  # a thread of its code may go on, whatever it says
            self.kill()
            return
        self._send({"op": "cancel", "id": call.id})
        call.deadline = time.monotonic()
        with contextlib.suppress(RuntimeFailure):
            while (await self._next(call)).event == "token":
                pass

    @contextlib.contextmanager
    def _call(self, deadline: float) -> Iterator[Call]:
        call = Call(secrets.token_hex(8), deadline)
        self._calls[call.id] = call
        if not self.alive:
            call.events.put_nowait(_failed("crashed", CRASHED))
        try:
            yield call
        finally:
            del self._calls[call.id]

    async def _next(self, call: Call) -> Event:
        try:
            async with asyncio.timeout_at(_loop_time(call.deadline + GRACE_SECONDS)):
                return await call.events.get()
        except TimeoutError:
            logger.warning("a child does not stop a run and is ended", extra={"pid": self.pid})
            self.kill(call.id)
            return _failed("timeout", TIMED_OUT)


def _loop_time(deadline: float) -> float:
    return asyncio.get_running_loop().time() + deadline - time.monotonic()


def _as_failure(event: Event) -> RuntimeFailure:
    if event.event != "error":
        return RuntimeFailure("crashed", CRASHED, retryable=True)
    code = event.code if event.code in CODES else "flow_error"
    message = "".join(letter for letter in event.message[:MAX_REASON] if letter.isprintable())
    logger.info("a flow failed", extra={"outcome": code, "kinds": event.kinds})
    return RuntimeFailure(code, message, retryable=code == "crashed", detail=event.detail[:MAX_DETAIL])


def _run_message(
    call_id: str, key: str, request: RunRequest, history: list[dict[str, Any]], token: str, *, stream: bool
) -> dict[str, Any]:
    return {
        "op": "run",
        "id": call_id,
        "key": key,
        "text": request.text,
        "session_id": request.session_id,
        "history": history,
        "tweaks": request.tweaks,
        "model_token": token,
        "stream": stream,
        "timeout": request.timeout_seconds,
    }
