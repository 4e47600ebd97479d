"""The gateway's connections to PostgreSQL: made when first needed, every wait bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from asyncpg.pgproto.pgproto import UUID as QuickUUID

__all__ = [
    "BAD_VALUE",
    "FAILED",
    "Database",
    "QuickUUID",
]  # the last: a UUID in C, which asyncpg writes at once

FAILED = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresError,
    asyncpg.InternalClientError,  # raised by a statement on a connection whose server side was just ended
)
"""All that a statement or connection fails with: the database is away, going away, too slow, or refuses."""

BAD_VALUE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)
"""The database refuses a value; trying again changes nothing (asyncpg's own check of arguments is a ValueError)."""

POOL_SIZE = 4


class Database:
    """A small pool for reads, and single connections for those who keep one."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Prepare the pool; nothing is connected yet, so the gateway starts while the database is away."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=POOL_SIZE,
            timeout=self._timeout,
            command_timeout=self._timeout,
            server_settings={"application_name": "agentmart-gateway"},
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            self._pool.terminate()

    async def row(self, statement: str, *values: Any) -> asyncpg.Record | None:
        """Return the first row of a read; raises one of FAILED."""
        assert self._pool is not None, "the database was not opened"
        async with asyncio.timeout(2 * self._timeout), self._pool.acquire() as connection:
            return await connection.fetchrow(statement, *values)

    async def connect(self, name: str) -> asyncpg.Connection:
        """Return a connection of its own; raises one of FAILED."""
        return await asyncpg.connect(
            self._url,
            timeout=self._timeout,
            command_timeout=self._timeout,
            server_settings={
                "application_name": f"agentmart-gateway-{name}",
                "plan_cache_mode": "force_generic_plan",  # few statements, run all the time: plan them once
                "jit": "off",
            },
        )

    async def works(self) -> bool:
        """Return whether a read works now."""
        try:
            return await self.row("SELECT 1") is not None
        except FAILED:
            return False
