"""A gateway process that is killed, or told to stop, in the middle of calls."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.gateway.support import INVOKE, Issued, Store, eventually, issue
from tests.gateway.test_metering import check_sums

from agentmart.config.database import DatabaseUrls

CALLERS = 16


class Process:
    """A gateway process and what its callers got."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.gateway.process", url, str(folder)]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        self.base = f"http://127.0.0.1:{int(self.popen.stdout.readline())}"
        self.answered: list[str] = []
        self.lost = 0

    async def call_on_and_on(self, key: str, stream: bool) -> None:
        """Make one call after the other until the gateway is gone."""
        body = {"input": "count to three", "stream": stream}
        async with httpx.AsyncClient(base_url=self.base, headers={"X-API-Key": key}) as client:
            while True:
                try:
                    answer = await client.post(INVOKE, json=body)
                except httpx.ConnectError:
                    return
                except httpx.HTTPError:
                    self.lost += 1
                    return
                assert answer.status_code == 200
                assert not stream or b"event: usage" in answer.content
                self.answered.append(answer.headers["x-request-id"])

    async def under_load(self, issued: Issued, enough: int) -> list[asyncio.Task[None]]:
        """Begin calls and return once so many are answered."""

        async def up() -> bool:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.base}/ready")).status_code == 200

        await eventually(up, within=20)
        callers = [asyncio.create_task(self.call_on_and_on(issued.key, n % 2 == 0)) for n in range(CALLERS)]

        async def warm() -> bool:
            return len(self.answered) >= enough

        await eventually(warm, within=20)
        return callers


@pytest.fixture
async def process(fresh_database: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Process]:
    """A running gateway process."""
    process = await asyncio.to_thread(Process, fresh_database.gateway, tmp_path)
    yield process
    process.popen.kill()
    process.popen.communicate()


async def test_a_killed_gateway_loses_no_answered_call(process: Process, store: Store) -> None:
    issued = issue()
    await store.publish(issued.grant)
    callers = await process.under_load(issued, 100)
    process.popen.send_signal(signal.SIGKILL)
    await asyncio.gather(*callers)
    await asyncio.to_thread(process.popen.wait)
    metered = {event["id"].hex for event in await store.events()}
    answered = set(process.answered)
    assert len(answered) == len(process.answered) >= 100
    assert answered <= metered
    assert len(metered - answered) <= CALLERS
    # Whatever was metered and not answered is still open, so the sweeper will flag it.
    assert metered - answered <= {row.hex for row in await store.open_calls()}
    await check_sums(store)


async def test_a_gateway_told_to_stop_answers_and_closes_every_call(process: Process, store: Store) -> None:
    issued = issue()
    await store.publish(issued.grant)
    callers = await process.under_load(issued, 100)
    process.popen.send_signal(signal.SIGTERM)
    await asyncio.gather(*callers)
    assert await asyncio.to_thread(process.popen.wait) in (0, -signal.SIGTERM)
    metered = sorted(event["id"].hex for event in await store.events())
    assert metered == sorted(process.answered)
    assert await store.open_calls() == []
