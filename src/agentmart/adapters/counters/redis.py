"""Shared counters on Redis 6 or newer, or Valkey, by its own client library."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from agentmart.adapters.counters.base import CountersAway, ScriptCall


class RedisCounters:
    """Scripts are sent once and then called by their digest; a server that forgot them gets them again."""

    def __init__(self, url: str, scripts: Mapping[str, str], *, timeout: float) -> None:
        self._redis: Any = Redis.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            client_name="agentmart-gateway",
        )
        self._timeout = timeout
        self._scripts = dict(scripts)
        self._digests: dict[str, str] = {}

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """Run the scripts in their order, in one round trip; raises CountersAway."""
        try:
            async with asyncio.timeout(2 * self._timeout):
                if not self._digests:
                    await self._send_scripts()
                found = await self._ask(calls)
                forgotten = [i for i, answer in enumerate(found) if isinstance(answer, NoScriptError)]
                if forgotten:
                    await self._send_scripts()
                    again = await self._ask([calls[i] for i in forgotten])
                    for index, answer in zip(forgotten, again, strict=True):
                        found[index] = answer
        except (RedisError, OSError, TimeoutError) as error:
            raise CountersAway(type(error).__name__) from error
        for answer in found:
            if isinstance(answer, Exception):
                raise CountersAway(f"{type(answer).__name__}: {answer}")
        return found

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _send_scripts(self) -> None:
        self._digests = {
            name: str(await self._redis.script_load(text)) for name, text in self._scripts.items()
        }

    async def _ask(self, calls: Sequence[ScriptCall]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for call in calls:
            pipe.evalsha(self._digests[call.script], len(call.keys), *call.keys, *call.arguments)
        return list(await pipe.execute(raise_on_error=False))
