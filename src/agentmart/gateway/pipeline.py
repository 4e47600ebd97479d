"""The way of one call: authenticate → grant → limits → run → stream → meter."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from agentmart.adapters.runtimes import RunRequest
from agentmart.contracts.grants import Grant
from agentmart.contracts.tweaks import check_tweaks
from agentmart.gateway.database import Database
from agentmart.gateway.door import Door
from agentmart.gateway.fairness import FairPlaces
from agentmart.gateway.grants import Grants
from agentmart.gateway.http import KEEP_ALIVE, Exchange, Reply
from agentmart.gateway.idempotency import Idempotency
from agentmart.gateway.keys import Caller, check_agent, check_grant, check_model, check_scope
from agentmart.gateway.limit_keeper import Held
from agentmart.gateway.limits import check_context
from agentmart.gateway.messages import Answer, Dialect, Invocation, agent_id, asked_seconds, scoped_session
from agentmart.gateway.runs import Call, Run, Runs
from agentmart.gateway.session_tokens import within
from agentmart.gateway.settings import GatewaySettings
from agentmart.gateway.shared_limits import open_limits
from agentmart.kit.errors import DomainError
from agentmart.kit.tokens import count_tokens

AFTER_THE_RUN = 60.0
"""Seconds in which a call that has run is certainly recorded, or its gateway is dead."""


class Pipeline:
    """Takes calls from the door to the meter."""

    def __init__(
        self, settings: GatewaySettings, database: Database, grants: Grants, runs: Runs, door: Door
    ) -> None:
        self._settings = settings
        self._database = database
        self._door = door
        self._grants = grants
        self._limits = open_limits(settings, database)
        self.places = FairPlaces(settings)
        self._runs = runs
        self._idempotency = Idempotency(
            database, secret=settings.keys.secret, longest=settings.run_timeout + AFTER_THE_RUN
        )

    async def invoke(self, exchange: Exchange, dialect: Dialect, agent: str | None = None) -> None:
        """Serve one call; `agent` is the config the path names. Raises DomainError for every refusal."""
        exchange.refusal_body = dialect.refusal
        arrived = exchange.arrived
        now = self._settings.clock.now()
        caller, grant = await self._authenticate(exchange, now)
        if agent is not None:
            check_agent(grant, agent_id(agent))
        self._door.admit(exchange, caller, grant)
        body = await exchange.read_body(self._settings.max_body_bytes, self._settings.body_timeout)
        if not arrived:  # once more: the key may have been revoked while the body came
            now = self._settings.clock.now()
            grant = await self._grant(caller, now)
            self._door.check(exchange, caller, grant)
        invocation = within(caller.session, dialect.parse(body, exchange.header))
        deadline = exchange.begun + asked_seconds(exchange.header)
        request = self._check(exchange, caller, grant, invocation)
        key = exchange.header("idempotency-key")
        if key is not None:
            key = caller.own_key(key)
            claim = await self._idempotency.claim(
                grant, key, path=exchange.path, body=body, call_id=exchange.call_id, now=now
            )
            if claim.answer is not None:
                await self._repeat(exchange, dialect, invocation, claim.answer)
                return
        try:
            lease = await self._take(exchange, grant, now, invocation.text)
            lease = await self.places.take(grant, lease, deadline)
            seal = self._idempotency.sealer(key, exchange.call_id) if key is not None else None
            call = Call(
                exchange.call_id, grant, invocation, request, exchange.begun, len(body), seal, deadline
            )
            run = await self._runs.start(call, lease)
        except BaseException:  # whatever kept the call from starting: its key may be used again
            if key is not None:
                await self._idempotency.release(exchange.call_id)
            raise
        exchange.watch(run.leave)
        await (self._stream if invocation.stream else self._answer)(exchange, dialect, run)

    async def identify(self, exchange: Exchange) -> Grant:
        """Return the Grant of the caller, who only asks for what it may use; raises DomainError."""
        caller, grant = await self._authenticate(exchange, self._settings.clock.now())
        self._door.admit(exchange, caller, grant)
        return grant

    @property
    def limits_shared(self) -> bool:
        """Whether limits are counted with other gateways now."""
        return self._limits.shared

    async def close(self) -> None:
        """Close what the limits use."""
        await self._limits.close()

    # -- authenticate → grant

    async def _authenticate(self, exchange: Exchange, now: datetime) -> tuple[Caller, Grant]:
        caller = self._door.identify(exchange, now)
        exchange.facts["key_id"] = caller.claims.key_id.hex
        grant = await self._grant(caller, now)
        exchange.facts["config_id"] = grant.config_id.hex
        exchange.show_limits = partial(self._limits.headers, grant, now)
        return caller, grant

    async def _grant(self, caller: Caller, now: datetime) -> Grant:
        return check_grant(caller, await self._grants.find(caller.claims.key_id), now)

    def _check(self, exchange: Exchange, caller: Caller, grant: Grant, invocation: Invocation) -> RunRequest:
        """Return what the runtime is asked, once the Grant allows all of it."""
        exchange.facts["stream"] = invocation.stream
        exchange.ignored = invocation.ignored
        check_agent(grant, invocation.agent)
        check_model(grant, invocation.model)
        check_scope(caller, grant, stream=invocation.stream)
        given = check_tweaks(invocation.tweaks, grant.tweakable) if invocation.tweaks else {}
        check_context(grant, invocation.text, count_tokens)
        self._runs.check_room(grant.runtime)
        return RunRequest(
            call_id=exchange.request_id,
            deployment_id=grant.deployment_id,
            text=invocation.text,
            session_id=scoped_session(grant.config_id, invocation.session_id),
            tweaks=merged(grant.tweaks, given),
            timeout_seconds=self._settings.run_timeout,
            request_id=exchange.request_id,
        )

    # -- limits

    async def _take(self, exchange: Exchange, grant: Grant, now: datetime, text: str) -> Held:
        held = await self._limits.take(grant, now, text)
        exchange.limit_headers = self._limits.headers(grant, now)
        return held

    # -- stream (or answer) → meter: whoever has waited for the run finds its usage durable

    async def _answer(self, exchange: Exchange, dialect: Dialect, run: Run) -> None:
        try:
            answer = await run.result()
        except DomainError as error:
            await exchange.refuse(error)
        else:
            await exchange.reply(Reply(200, dialect.answer(answer, run.call.invocation)))
        self._end(exchange, run)

    async def _repeat(
        self, exchange: Exchange, dialect: Dialect, invocation: Invocation, answer: Answer
    ) -> None:
        """Give the answer of the call before once more, in the form that was asked for."""
        exchange.repeated = True
        if not invocation.stream:
            await exchange.reply(Reply(200, dialect.answer(answer, invocation)))
            return
        events = dialect.events(invocation, answer.request_id)
        await exchange.stream(
            (events.token(answer.output) if answer.output else b"") + events.end(answer, failed=False),
            last=True,
        )

    async def _stream(self, exchange: Exchange, dialect: Dialect, run: Run) -> None:
        events = dialect.events(run.call.invocation, exchange.request_id)
        failed = False
        async for piece in run.tokens(self._settings.keep_alive):
            await exchange.stream(KEEP_ALIVE if piece is None else events.token(piece))
            if exchange.gone:
                run.leave()
                break
        try:
            await run.result()
        except DomainError as error:
            failed = True
            if not exchange.streaming:
                await exchange.refuse(error)
            else:
                await exchange.stream(events.failure(error))
        if not exchange.status or exchange.streaming:
            await exchange.stream(events.end(run.answer, failed=failed), last=True)
        self._end(exchange, run)

    def _end(self, exchange: Exchange, run: Run) -> None:
        self._runs.close(run, arrived=not exchange.gone)
        if run.event is not None:
            exchange.facts.update(
                outcome=str(run.event.status),
                input_tokens=run.event.input_tokens,
                output_tokens=run.event.output_tokens,
                run_ms=run.event.duration_ms,
            )


Tweaks = dict[str, dict[str, Any]]


def merged(own: Tweaks, given: Tweaks) -> Tweaks:
    """Return the buyer's settings of nodes with those of a call on top."""
    if not own or not given:
        return own or given
    return {node: {**own.get(node, {}), **given.get(node, {})} for node in own.keys() | given.keys()}
