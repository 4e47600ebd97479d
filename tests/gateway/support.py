"""Gateway tests' cast: signed keys and their Grants, a runtime that does as it is told, a client without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import jwt

from agentmart.adapters.runtimes import (
    Deployment,
    Health,
    RunEvent,
    RunRequest,
    RunResult,
    RuntimeFailure,
    Token,
    TokenUsage,
)
from agentmart.config.database import DatabaseUrls
from agentmart.contracts.grants import Grant, GrantState, Limits
from agentmart.contracts.keys import format_key, hash_key
from agentmart.gateway.app import Gateway
from agentmart.gateway.settings import GatewaySettings, KeySettings

KEYS = KeySettings(secret="a secret of tests, long enough for HS256")
PAYLOAD_SECRET = "a payload secret of tests"
NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
INVOKE = "/api/agent-gateway/invoke/"


class StillClock:
    """A clock that moves when told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        """Return the moment set."""
        return self.moment


def make_grant(**changes: Any) -> Grant:
    """Return an active Grant of a new key, customer and resource; its hash does not match any key yet."""
    values: dict[str, Any] = {
        "key_id": uuid4(),
        "key_sha256": b"",
        "kind": "secret",
        "environment": "live",
        "state": GrantState.ACTIVE,
        "customer_id": uuid4(),
        "provider_customer_id": uuid4(),
        "project_id": uuid4(),
        "resource_id": uuid4(),
        "config_id": uuid4(),
        "offering_id": uuid4(),
        "plan_id": uuid4(),
        "flow_version_id": uuid4(),
        "runtime": "scripted",
        "deployment_id": uuid4().hex,
        "scopes": frozenset({"agent:invoke", "agent:stream"}),
        "expires_at": None,
        "limits": Limits(),
    }
    return Grant(**{**values, **changes})


def claims_of(grant: Grant, **changes: Any) -> dict[str, Any]:
    """Return the claims that the issuer would sign for the Grant."""
    claims = {
        "iss": KEYS.issuer,
        "aud": KEYS.audience,
        "sub": str(grant.customer_id),
        "tenant_id": str(grant.customer_id),
        "project_id": str(grant.project_id),
        "config_uuid": grant.config_id.hex,
        "scopes": sorted(grant.scopes),
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(days=365)).timestamp()),
        "jti": grant.key_id.hex,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def sign(claims: dict[str, Any], *, kind: str = "secret", environment: str = "live", **options: Any) -> str:
    """Return a key of these claims."""
    token = jwt.encode(
        claims, options.pop("secret", KEYS.secret), algorithm=options.pop("algorithm", "HS256")
    )
    return format_key(kind=kind, environment=environment, jwt=token)


@dataclass(frozen=True)
class Issued:
    """A key and its Grant."""

    key: str
    grant: Grant


def issue(**changes: Any) -> Issued:
    """Return a key with the Grant that belongs to it."""
    draft = make_grant(**changes)
    key = sign(claims_of(draft), kind=draft.kind, environment=draft.environment)
    return Issued(key, replace(draft, key_sha256=hash_key(key)))


class ScriptedRuntime:
    """Echoes; an input's first word tells it to do something else.

    `hold` waits for `release`; `fail CODE` fails; `break CODE` streams two words, then fails; `count` reports 11/7
    tokens; `hang` never ends; `pause SECONDS` takes its time. A stream yields word by word and waits for
    `release` after the first one of `hold`.
    """

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.release = asyncio.Event()
        self.ended = 0
        self.well = True
        self.before: Callable[[RunRequest], Awaitable[None]] | None = None

    async def deploy(self, deployment: Deployment) -> None:
        """Nothing to do."""

    async def remove(self, deployment_id: str) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def health(self) -> Health:
        """Be as `well` says."""
        return Health(ok=self.well)

    async def invoke(self, request: RunRequest) -> RunResult:
        """Do as the input says."""
        async for event in self.stream(request):
            if isinstance(event, RunResult):
                return event
        raise AssertionError("a stream ends with its result")

    async def stream(self, request: RunRequest) -> AsyncIterator[RunEvent]:
        """Do as the input says, in pieces."""
        self.requests.append(request)
        if self.before is not None:
            await self.before(request)
        try:
            command, _, rest = request.text.partition(" ")
            if command == "fail":
                raise RuntimeFailure(rest.split()[0], "It failed.", detail="secret traceback")
            if command == "bug":
                raise ZeroDivisionError("secret detail")
            if command == "hang":
                await asyncio.Event().wait()
            if command == "pause":
                await asyncio.sleep(float(rest.split()[0]))
            for number, word in enumerate(request.text.split()):
                yield Token(word if number == 0 else f" {word}")
                if command == "hold" and number == 0:
                    await self.release.wait()
                if command == "break" and number == 1:
                    raise RuntimeFailure(rest.split()[0], "It broke off.")
            usage = TokenUsage(11, 7) if command == "count" else None
            yield RunResult(request.text, usage, 1)
        finally:
            self.ended += 1


@dataclass
class Answer:
    """What a client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def events(self) -> list[tuple[str, Any]]:
        """Return the server-sent events, comments left out."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = dict(
                line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":")
            )
            if lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found


class Exchange:
    """One request under way, over ASGI without a socket; `leave` closes the connection from the client's side."""

    def __init__(
        self, app: Any, method: str, path: str, headers: dict[str, str], body: bytes, *, client: str = ""
    ) -> None:
        self.answer = Answer()
        self.progress = asyncio.Event()
        self.before_send: Callable[[Any], Awaitable[None]] | None = None  # to be set before the first await
        self.gone_seen = False  # the application has been told that the client left
        self._left = asyncio.Event()
        self._body: bytes | None = body
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": (client, 40000) if client else None,
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def until(self, condition: Callable[[Answer], bool]) -> None:
        """Wait until the answer so far fulfils the condition."""
        async with asyncio.timeout(5):
            while not condition(self.answer):
                self.progress.clear()
                await self.progress.wait()

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self.answer.complete:
            await self._left.wait()
        self.gone_seen = True
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self.before_send is not None:
            await self.before_send(message)
        if self._left.is_set():
            return
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            self.answer.body += message["body"]
            self.answer.complete = not message["more_body"]
        self.progress.set()


def send(
    app: Any, content: Any, key: str = "", *, method: str = "POST", path: str = INVOKE, **headers: str
) -> Exchange:
    """Begin a request; `content` is JSON-encoded unless it is bytes. Header names: `x_y=` becomes `x-y`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent.setdefault("authorization", f"Bearer {key}")
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Exchange(app, method, path, sent, body)


async def call(app: Any, content: Any, key: str = "", **options: Any) -> Answer:
    """Make a request and return its whole answer."""
    exchange = send(app, content, key, **options)
    async with asyncio.timeout(20):
        await exchange.task
    return exchange.answer


async def get(app: Any, path: str, **options: Any) -> Answer:
    """Make a GET request."""
    return await call(app, b"", method="GET", path=path, **options)


async def eventually(condition: Callable[[], Awaitable[bool]], *, within: float = 5.0) -> None:
    """Return as soon as the condition holds; fails after `within` seconds."""
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.005)


_JSON = (
    "scopes",
    "limits",
    "key_limits",
    "budget",
    "allowed_origins",
    "allowed_ips",
    "tweakable",
    "tweaks",
)


class Store:
    """The test's own hand in the database, as a superuser."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self._urls = urls
        self.name = urlsplit(urls.owner).path.lstrip("/")
        parts = urlsplit(urls.admin)
        self._url = urlunsplit(parts._replace(path=f"/{self.name}"))

    async def run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run one statement and return its rows."""
        connection = await asyncpg.connect(self._url)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    async def one(self, statement: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        rows = await self.run(statement, *values)
        return next(iter(rows[0].values()))

    async def publish(self, *grants: Grant, notify: bool = True) -> None:
        """Store Grants as the access module does, and say so."""
        for grant in grants:
            row = asdict(grant)
            row["scopes"] = sorted(grant.scopes)
            row["state"] = str(grant.state)
            row.pop("payloads")  # stands in a table of its own
            values = [json.dumps(v, default=str) if n in _JSON else v for n, v in row.items()]
            slots = ", ".join(f"${i}" for i in range(1, len(row) + 1))
            updates = ", ".join(f"{name} = excluded.{name}" for name in row)
            await self.run(
                f"INSERT INTO access_grant ({', '.join(row)}) VALUES ({slots}) "
                f"ON CONFLICT (key_id) DO UPDATE SET {updates}",
                *values,
            )
            if notify:
                await self.run("SELECT pg_notify('agentmart_grant', $1)", grant.key_id.hex)

    async def events(self) -> list[dict[str, Any]]:
        """Return all usage events."""
        return await self.run("SELECT * FROM metering_usage_event ORDER BY id")

    async def hours(self) -> list[dict[str, Any]]:
        """Return all hourly sums."""
        return await self.run("SELECT * FROM metering_usage_hour ORDER BY resource_id, hour, plan_key")

    async def open_calls(self) -> list[UUID]:
        """Return the ids of calls that are not closed."""
        return [
            row["call_id"] for row in await self.run("SELECT call_id FROM metering_call_started ORDER BY 1")
        ]

    async def cut_off(self) -> None:
        """Take the database away: nobody gets in, and who is in is thrown out."""
        await self._outside(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS false')
        await self._outside(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    async def give_back(self) -> None:
        """Let everyone in again."""
        await self._outside(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS true')

    async def _outside(self, statement: str) -> None:
        connection = await asyncpg.connect(self._urls.admin)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def settings_for(urls: DatabaseUrls, folder: Path, **changes: Any) -> GatewaySettings:
    """Return settings with short waits."""
    values: dict[str, Any] = {
        "database_url": urls.gateway,
        "keys": KEYS,
        "runtimes": {},
        "data_dir": folder,
        "clock": StillClock(),
        "run_timeout": 10.0,
        "shutdown_grace": 5.0,
        "payload_secret": PAYLOAD_SECRET,
    }
    return GatewaySettings(**{**values, **changes})


@dataclass
class World:
    """A running gateway, its runtime, its clock and the database behind it."""

    app: Gateway
    runtime: ScriptedRuntime
    store: Store
    clock: StillClock
    settings: GatewaySettings

    async def issue(self, **changes: Any) -> Issued:
        """Issue a key and publish its Grant."""
        issued = issue(**changes)
        await self.store.publish(issued.grant)
        return issued

    async def settled(self) -> None:
        """Wait until every delivered call is closed."""

        async def closed() -> bool:
            return not await self.store.open_calls()

        await eventually(closed)
