"""Jobs: enqueued by name, committed with the data that asks for them; only this file knows procrastinate."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.db import close_old_connections
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from agentmart.kit.logs import request_id_var

logger = logging.getLogger("agentmart.jobs")

QUEUE = "default"


def job(
    name: str,
    *,
    attempts: int = 5,
    wait_seconds: int = 2,
    give_up: Callable[..., None] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a job under `module.verb_noun`; it is tried `attempts` times with doubling waits.

    After the last failed try `give_up(error=…, **arguments)` records the failure where people see it. The
    request id of the request that enqueued the job stands in its log lines.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(context: JobContext, *, request_id: str = "", **arguments: Any) -> None:
            token = request_id_var.set(request_id)
            began = time.monotonic()
            outcome = "done"
            try:
                function(**arguments)
            except Exception as error:
                # The worker's loop records the failure; here it only becomes visible to people.
                outcome = "failed"
                if give_up is not None and context.job.attempts + 1 >= attempts:
                    give_up(error=error, **arguments)
                raise
            finally:
                facts = {"job": name, "outcome": outcome, "attempt": context.job.attempts + 1}
                duration = round((time.monotonic() - began) * 1000, 1)
                logger.info("job", extra={**facts, **arguments, "duration_ms": duration})
                close_old_connections()
                request_id_var.reset(token)

        retry = RetryStrategy(max_attempts=attempts - 1, exponential_wait=wait_seconds)
        app.task(name=name, queue=QUEUE, retry=retry, pass_context=True)(cast(Any, run))
        return function

    return register


def periodic(name: str, *, cron: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a job that runs by the machine's clock (`cron` has five fields, or six with the seconds last)."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def run(timestamp: int) -> None:
            try:
                function()
            finally:
                close_old_connections()

        task = app.task(name=name, queue=QUEUE, queueing_lock=name)(run)
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


def is_alive(name: str, **arguments: Any) -> bool:
    """Return whether a job of that name and arguments waits or runs."""
    rows = ProcrastinateJob.objects.filter(task_name=name, status__in=("todo", "doing"))
    return rows.filter(args__contains=arguments).exists()


def rescue_stalled(*, seconds: float) -> int:
    """Requeue jobs whose worker sent no heartbeat for `seconds`; returns how many."""
    manager = app.job_manager
    stalled = async_to_sync(manager.get_stalled_jobs)(seconds_since_heartbeat=seconds)
    rescued = 0
    for stalled_job in stalled:
        async_to_sync(manager.retry_job)(stalled_job)
        rescued += 1
    return rescued
