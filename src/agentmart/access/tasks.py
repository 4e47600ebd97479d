"""Jobs: answers that are only kept for a day."""

from __future__ import annotations

from agentmart.access import services
from agentmart.infra import clock, jobs


@jobs.periodic("access.sweep_idempotent_calls", cron="41 * * * *")
def sweep_idempotent_calls() -> None:
    """Delete answers kept under idempotency keys once their day is over."""
    services.sweep_idempotent_calls(now=clock.now())
