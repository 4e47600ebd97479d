"""Jobs that keep the job queue itself healthy."""

from __future__ import annotations

from agentmart.infra import jobs


@jobs.periodic("infra.rescue_stalled_jobs", cron="* * * * * */10")
def rescue_stalled_jobs() -> None:
    """Give jobs of workers that died (no heartbeat for 30 s) back to the queue."""
    jobs.rescue_stalled(seconds=30)
