"""Jobs that keep the foundation itself healthy: the job queue, and what is only kept for a while."""

from __future__ import annotations

from agentmart.infra import clock, idempotency, jobs, tenancy, throttle


@jobs.periodic("infra.rescue_stalled_jobs", cron="* * * * * */10")
def rescue_stalled_jobs() -> None:
    """Give jobs of workers that died (no heartbeat for 30 s) back to the queue."""
    jobs.rescue_stalled(seconds=30)


@jobs.periodic("infra.sweep_idempotent_answers", cron="17 * * * *")
def sweep_idempotent_answers() -> None:
    """Delete kept answers whose day is over."""
    with tenancy.as_system("infra.sweep_idempotent_answers"):
        idempotency.sweep(now=clock.now())


@jobs.periodic("infra.sweep_login_attempts", cron="27 * * * *")
def sweep_login_attempts() -> None:
    """Delete counted attempts to log in once they matter no more."""
    with tenancy.as_system("infra.sweep_login_attempts"):
        throttle.sweep(now=clock.now())
