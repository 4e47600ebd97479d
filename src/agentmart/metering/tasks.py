"""Jobs: the sweeper of calls whose end is unclear."""

from __future__ import annotations

from datetime import timedelta

from agentmart.infra import clock, jobs
from agentmart.metering import services

LONGEST_CALL = timedelta(minutes=15)


@jobs.periodic("metering.sweep_calls", cron="* * * * * */10")
def sweep_calls() -> None:
    """Flag calls that began longer ago than any call may take."""
    services.sweep_calls(now=clock.now(), older_than=LONGEST_CALL)
