"""The gateway under measurement: a database with keys in it, and the gateway's process in front of a stub.

`python -m benchmarks.gateway_ours serve` reads its parameters from BENCH_* and serves until SIGTERM. With an
in-memory meter usage goes into a bounded list; all else is the product.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import deque
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jwt
import msgspec

from agentmart.contracts.grants import Grant, GrantState, Limits
from agentmart.contracts.keys import format_key, hash_key
from agentmart.contracts.usage import CallStarted, Completed
from agentmart.gateway import app as gateway
from agentmart.gateway.settings import GatewaySettings, KeySettings
from agentmart.kit import logs

KEYS = KeySettings(secret="the secret of a benchmark, long enough")
MANY = 1_000_000_000
LIMITS = Limits(
    requests_per_minute=100_000_000,
    concurrent_requests=100_000,
    requests_per_month=MANY,
    max_context_tokens=100_000,
)


class MemoryMeter:
    """Takes usage as the writer does, and keeps the last of it in memory: nothing is durable."""

    healthy = True
    spooled = 0

    def __init__(self) -> None:
        self.rows: deque[CallStarted] = deque(maxlen=1000)
        self.calls: deque[Completed] = deque(maxlen=1000)
        self.closed = 0

    def start(self) -> None:
        """Nothing to do."""

    async def close(self, timeout: float) -> None:
        """Nothing to do."""

    async def started(self, row: CallStarted) -> None:
        """Keep a row."""
        self.rows.append(row)

    async def completed(self, call: Completed) -> None:
        """Keep a call."""
        self.calls.append(call)

    def delivered(self, call_id: UUID) -> None:
        """Count."""
        self.closed += 1


def make_grants(count: int, runtime: str) -> list[tuple[str, Grant]]:
    """Return so many keys, ten to a customer, every limit set and none ever reached."""
    now = datetime.now(UTC)
    customers = [uuid4() for _ in range(-(-count // 10))]
    offering, plan, provider = uuid4(), uuid4(), uuid4()
    found = []
    for number in range(count):
        draft = Grant(
            key_id=uuid4(),
            key_sha256=b"",
            kind="secret",
            environment="live",
            state=GrantState.ACTIVE,
            customer_id=customers[number // 10],
            provider_customer_id=provider,
            project_id=uuid4(),
            resource_id=uuid4(),
            config_id=uuid4(),
            offering_id=offering,
            plan_id=plan,
            flow_version_id=uuid4(),
            runtime=runtime,
            deployment_id=uuid4().hex,
            scopes=frozenset({"agent:invoke", "agent:stream"}),
            expires_at=now + timedelta(days=365),
            limits=LIMITS,
            model="bench-agent",
        )
        claims = {
            "iss": KEYS.issuer,
            "aud": KEYS.audience,
            "sub": str(draft.customer_id),
            "tenant_id": str(draft.customer_id),
            "project_id": str(draft.project_id),
            "config_uuid": draft.config_id.hex,
            "scopes": sorted(draft.scopes),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(days=365)).timestamp()),
            "jti": draft.key_id.hex,
        }
        key = format_key(
            kind="secret", environment="live", jwt=jwt.encode(claims, KEYS.secret, algorithm="HS256")
        )
        found.append((key, replace(draft, key_sha256=hash_key(key))))
    return found


async def publish(url: str, grants: list[Grant]) -> None:
    """Store the Grants."""
    connection = await asyncpg.connect(url)
    try:
        rows = [asdict(grant) for grant in grants]
        table = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'access_grant'::regclass AND attnum > 0"
        )
        names = [name for name in rows[0] if name in {column["attname"] for column in table}]
        for row in rows:
            for name, value in row.items():
                if isinstance(value, dict | list | tuple | frozenset):
                    row[name] = msgspec.json.encode(value).decode()
        await connection.copy_records_to_table(
            "access_grant", records=[tuple(row[name] for name in names) for row in rows], columns=names
        )
        await connection.execute("ANALYZE access_grant")
    finally:
        await connection.close()


def settings() -> GatewaySettings:
    """Return the gateway's settings from BENCH_*."""
    runtime: dict[str, Any] = {"url": os.environ["BENCH_UPSTREAM"], "api_key": "sk-stub", "timeout": 30.0}
    return GatewaySettings(
        database_url=os.environ["BENCH_DATABASE"],
        keys=KEYS,
        runtimes={"langflow": runtime},
        data_dir=Path(os.environ["BENCH_FOLDER"]),
        max_calls=20_000,
    )


def serve(port: int) -> None:
    """Serve until SIGTERM."""
    lines = Path(os.environ.get("BENCH_LOG", os.devnull)).open("w")  # noqa: SIM115  open as long as the process
    logs.configure("gateway", os.environ.get("BENCH_LOG_LEVEL", "INFO"), stream=lines)
    options = settings()
    meter = MemoryMeter() if os.environ["BENCH_METER"] == "memory" else None
    gc.collect()
    gateway.run(options, "127.0.0.1", port, meter=meter)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(os.environ["BENCH_PORT"]))
    elif sys.argv[1] == "publish":  # the database's address, the kind of runtime, how many, where the keys go
        _, _, address, kind, count, keys_file = sys.argv
        made = make_grants(int(count), kind)
        asyncio.run(publish(address, [grant for _, grant in made]))
        Path(keys_file).write_text("".join(f"{key}\n" for key, _ in made))
