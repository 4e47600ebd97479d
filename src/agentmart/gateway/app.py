"""The gateway as an ASGI application: its parts, its routes, its start and its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from agentmart.adapters.runtimes import Runtime, build
from agentmart.contracts.grants import Grant
from agentmart.gateway import server
from agentmart.gateway.asgi import AsgiExchange, Receive, Scope, Send
from agentmart.gateway.database import Database, QuickUUID
from agentmart.gateway.door import BROWSER_PATHS, Door
from agentmart.gateway.errors import Internal
from agentmart.gateway.grants import Grants
from agentmart.gateway.http import CallerLeft, Exchange, Reply, json_reply
from agentmart.gateway.keys import check_model
from agentmart.gateway.messages import InvokeDialect
from agentmart.gateway.metrics import Metrics
from agentmart.gateway.openai_chat import ChatDialect
from agentmart.gateway.openai_common import error_of
from agentmart.gateway.openai_responses import ResponsesDialect
from agentmart.gateway.origins import Origins, preflight
from agentmart.gateway.pipeline import Pipeline
from agentmart.gateway.runs import Runs
from agentmart.gateway.sessions import Sessions
from agentmart.gateway.settings import GatewaySettings, settings_from_environment
from agentmart.gateway.spool import Spool
from agentmart.gateway.writer import Meter, UsageWriter
from agentmart.kit.errors import DomainError, NotFound
from agentmart.kit.ids import uuid7_bytes
from agentmart.kit.logs import QuickLines, request_id_var

__all__ = ["Gateway", "create_app", "run", "settings_from_environment"]

logger = logging.getLogger("agentmart.gateway")

PREFIX = BROWSER_PATHS
OPENAI = "/v1/"
MODEL = OPENAI + "models/"
HEALTH_SECONDS = 0.5
"""A health answer is good for so long: it needs no key, so it must cost nothing."""
HEALTH_TIMEOUT = 2.0

Handler = Callable[[Exchange], Awaitable[None]]


class MethodNotAllowed(DomainError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class Gateway:
    """One gateway process. `runtimes` and `meter` replace what the settings would build; for tests and benchmarks."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        runtimes: dict[str, Runtime] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._settings = settings
        self._database = Database(settings.database_url, timeout=settings.database_timeout)
        self._grants = Grants(self._database, ttl=settings.grant_ttl, unknown_ttl=settings.unknown_key_ttl)
        self._writer: Meter = meter or UsageWriter(
            self._database, Spool(settings.spool_dir), wait=settings.usage_wait
        )
        self._runtimes = runtimes or {kind: build(kind, **p) for kind, p in settings.runtimes.items()}
        self._runs = Runs(settings, self._writer, self._runtimes)
        door = Door(settings)
        self._pipeline = Pipeline(settings, self._database, self._grants, self._runs, door)
        self._sessions = Sessions(settings, door, self._grants)
        self._origins = Origins(self._database)
        self._metrics = Metrics(settings.metrics_token)
        self._metrics.watch("calls_running", "Calls under way.", lambda: self._runs.running)
        self._metrics.watch(
            "usage_spooled", "Calls whose usage waits on the disk.", lambda: self._writer.spooled
        )
        self._metrics.watch("calls_waiting", "Calls in turn.", lambda: self._pipeline.places.waiting)
        self._metrics.watch("limits_shared", "Counted with others?", lambda: self._pipeline.limits_shared)
        self._metrics.watch("calls_shed", "Calls refused for load.", lambda: self._runs.shedder.shed)
        for upstream in self._runs.upstreams:
            self._metrics.watch_runtime(
                "runtime_circuit",
                "Circuit breaker of a runtime: 0 closed, 1 half open, 2 open.",
                upstream.name,
                partial(self._runs.upstreams.state, upstream.name),
            )
        self._metrics.watch("usage_store_up", "Whether usage can be written.", lambda: self._writer.healthy)
        self._metrics.watch(
            "grants_heard", "Whether changes of keys are heard.", lambda: self._grants.trusted
        )
        self._serving = False
        self._lines = QuickLines(logger)
        self._health: tuple[float, dict[str, bool]] = (0.0, {})
        self._health_turn = asyncio.Lock()
        invoke, chat, responses = InvokeDialect(), ChatDialect(), ResponsesDialect()
        self._routes: dict[str, dict[str, Handler]] = {
            PREFIX + "invoke": {"POST": partial(self._pipeline.invoke, dialect=invoke)},
            PREFIX + "sessions": {"POST": self._sessions.open},
            PREFIX + "health": {"GET": self._answer_health},
            OPENAI + "chat/completions": {"POST": partial(self._pipeline.invoke, dialect=chat)},
            OPENAI + "responses": {"POST": partial(self._pipeline.invoke, dialect=responses)},
            OPENAI + "models": {"GET": self._answer_models},
            "/health": {"GET": self._answer_alive},
            "/ready": {"GET": self._answer_ready},
            "/metrics": {"GET": self._metrics.answer},
        }
        self._invoke_dialect = invoke

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            exchange = AsgiExchange(
                scope, receive, send, call_id=self.new_call_id(), send_timeout=self.send_timeout
            )
            await self.serve(exchange)

    # -- start and end

    async def startup(self) -> None:
        """Start the parts; the database may still be away, the gateway then answers 503 until it is back."""
        await self._database.open()
        self._grants.start()
        self._writer.start()
        self._serving = True

    async def shutdown(self, grace: float | None = None) -> None:
        """Let calls end within the grace (the settings' own), meter all of them, and close."""
        self._serving = False
        await self._runs.drain(self._settings.shutdown_grace if grace is None else grace)
        await self._writer.close(timeout=self._settings.usage_wait)
        await self._pipeline.close()
        await self._grants.close()
        for runtime in self._runtimes.values():
            await runtime.close()
        await self._database.close()
        self._lines.flush()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shutdown(server.LAST_SECONDS)
        await send({"type": "lifespan.shutdown.complete"})

    # -- one request

    @property
    def send_timeout(self) -> float:
        """Return the seconds after which a caller that takes nothing has left."""
        return self._settings.send_timeout

    def new_call_id(self) -> UUID:
        """Return the id of a request that has come."""
        call_id: UUID = QuickUUID(uuid7_bytes(self._settings.clock.now()))
        return call_id

    async def serve(self, exchange: Exchange) -> None:
        """Answer a request; never raises."""
        request_id_var.set(exchange.request_id)
        try:
            await self._dispatch(exchange)
        except DomainError as error:
            await exchange.refuse(error)
        except CallerLeft:
            exchange.facts["code"] = "caller_left"
        except Exception:  # the outermost handler: every call gets an answer with its request id
            logger.exception("unhandled")
            if not exchange.status:
                await exchange.refuse(Internal())
        finally:
            exchange.close()
            seconds = monotonic() - exchange.begun
            self._metrics.observe(exchange, seconds)
            self._log(exchange, seconds)

    async def _dispatch(self, exchange: Exchange) -> None:
        if exchange.path.startswith(OPENAI):
            exchange.refusal_body = openai_refusal
        origin = exchange.header("origin")
        if origin is not None and exchange.path.startswith(PREFIX):
            exchange.cors_headers = await self._origins.headers(origin, self._settings.clock.now())
        methods = self._route(exchange.path)
        handler = methods.get("GET" if exchange.method == "HEAD" else exchange.method)
        if handler is not None:
            await handler(exchange)
            return
        allowed = ", ".join(sorted({*methods, "OPTIONS", *({"HEAD"} if "GET" in methods else ())}))
        if exchange.method == "OPTIONS":
            if exchange.header("access-control-request-method") is not None:
                exchange.cors_headers = preflight(exchange.cors_headers, allowed)
            await exchange.reply(Reply(204, headers=(("Allow", allowed),)))
            return
        raise MethodNotAllowed(
            f"Method {exchange.method[:20]} is not allowed here.", headers={"Allow": allowed}
        )

    def _route(self, path: str) -> dict[str, Handler]:
        """Return the handlers of a path by method; raises NotFound. The last slash is optional."""
        path = path[:-1] if path.endswith("/") else path
        known = self._routes.get(path)
        if known is not None:
            return known
        if path.startswith(PREFIX) and path.endswith("/invoke"):
            named = path[len(PREFIX) : -len("/invoke")]
            if "/" not in named:
                return {"POST": lambda exchange: self._invoke_named(exchange, named)}
        if path.startswith(MODEL):
            return {"GET": lambda exchange: self._answer_model(exchange, path[len(MODEL) :])}
        raise NotFound("There is nothing at this path.")

    async def _invoke_named(self, exchange: Exchange, named: str) -> None:
        await self._pipeline.invoke(exchange, self._invoke_dialect, agent=named)

    # -- models

    async def _answer_models(self, exchange: Exchange) -> None:
        grant = await self._pipeline.identify(exchange)
        await exchange.reply(json_reply(200, {"object": "list", "data": [_model(grant)]}))

    async def _answer_model(self, exchange: Exchange, named: str) -> None:
        grant = await self._pipeline.identify(exchange)
        check_model(grant, named)
        await exchange.reply(json_reply(200, _model(grant)))

    # -- health

    async def _answer_alive(self, exchange: Exchange) -> None:
        await exchange.reply(json_reply(200, {"status": "ok"}))

    async def _answer_ready(self, exchange: Exchange) -> None:
        checks = await self._checks()
        ready = self._serving and checks["database"] and checks["usage_store"]
        await exchange.reply(json_reply(200 if ready else 503, {"status": "ok" if ready else "unavailable"}))

    async def _answer_health(self, exchange: Exchange) -> None:
        checks = await self._checks()
        healthy = all(checks.values())
        content = {
            "status": "ok" if healthy else "unavailable",
            "checks": {name: "ok" if good else "failed" for name, good in checks.items()},
        }
        await exchange.reply(json_reply(200 if healthy else 503, content))

    async def _checks(self) -> dict[str, bool]:
        """Return whether calls would work now, each part by name; asked of the parts at most twice a second."""
        async with self._health_turn:
            seen, checks = self._health
            if not checks or monotonic() - seen > HEALTH_SECONDS:
                well = await asyncio.gather(*(_is_well(runtime) for runtime in self._runtimes.values()))
                of = dict(zip(self._runtimes, well, strict=True))
                stands_in = self._settings.fallbacks
                checks = {
                    "database": await self._database.works(),
                    "usage_store": self._writer.healthy,
                    "runtime": all(good or of.get(stands_in.get(name, "")) for name, good in of.items()),
                }
                self._health = (monotonic(), checks)
            return checks

    def _log(self, exchange: Exchange, seconds: float) -> None:
        """Write one line per call; health checks are not worth one."""
        if (exchange.method == "GET" and exchange.status == 200) or not logger.isEnabledFor(logging.INFO):
            return
        fields = {
            "status": exchange.status,
            "caller_left": exchange.gone,
            "duration_ms": round(seconds * 1000, 1),
        }
        fields.update(exchange.facts)
        self._lines.add("call", fields, request_id=exchange.request_id)


def openai_refusal(error: DomainError, request_id: str) -> bytes:
    """Return a refusal below /v1 as OpenAI's clients read it."""
    return msgspec.json.encode(error_of(error, request_id))


def _model(grant: Grant) -> dict[str, Any]:
    """Return the key's agent as OpenAI's clients list models."""
    return {
        "id": grant.model,
        "object": "model",
        "created": 0,
        "owned_by": grant.provider_customer_id.hex,
        "config_id": grant.config_id.hex,
    }


async def _is_well(runtime: Runtime) -> bool:
    try:
        async with asyncio.timeout(HEALTH_TIMEOUT):
            return (await runtime.health()).ok
    except TimeoutError:
        return False


def create_app(
    settings: GatewaySettings, *, runtimes: dict[str, Runtime] | None = None, meter: Meter | None = None
) -> Gateway:
    """Return the gateway; it needs `startup`, which an ASGI server's lifespan does too."""
    return Gateway(settings, runtimes=runtimes, meter=meter)


def run(settings: GatewaySettings, host: str, port: int, *, meter: Meter | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then let calls end and meter them."""
    server.serve(create_app(settings, meter=meter), host, port, shutdown_grace=settings.shutdown_grace)
