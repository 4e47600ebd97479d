"""Jobs: enqueued by name, committed with the data that asks for them; only this file knows procrastinate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from agentmart.kit.logs import request_id_var

QUEUE = "default"


def job(
    name: str, *, attempts: int = 5, wait_seconds: int = 2
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a job under `module.verb_noun`; it is tried `attempts` times with doubling waits.

    The request id of the request that enqueued it stands in the job's log lines.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*, request_id: str = "", **arguments: Any) -> None:
            token = request_id_var.set(request_id)
            try:
                function(**arguments)
            finally:
                request_id_var.reset(token)

        retry = RetryStrategy(max_attempts=attempts, exponential_wait=wait_seconds)
        app.task(name=name, queue=QUEUE, retry=retry)(run)
        return run

    return register


def periodic(name: str, *, cron: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a job that runs by the machine's clock (`cron` has five fields, or six with seconds)."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def run(timestamp: int) -> None:
            function()

        task = app.task(name=name, queue=QUEUE, queueing_lock=name, pass_context=False)(run)
        app.periodic(cron=cron)(task)
        return function

    return register


def enqueue(name: str, *, lock: str | None = None, **arguments: Any) -> None:
    """Enqueue a job by name in the open transaction: it exists if and only if that transaction commits.

    Arguments are JSON values; `lock` lets only one job of that name run at a time.
    """
    deferrer = app.configure_task(name, queue=QUEUE, lock=lock, allow_unknown=True)
    values = cast(dict[str, Any], {"request_id": request_id_var.get() or "", **arguments})
    deferrer.defer(**values)
