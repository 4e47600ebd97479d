"""Jobs: months are prepared when they end and finalized when their grace has passed."""

from __future__ import annotations

from agentmart.billing import services
from agentmart.infra import clock, jobs


@jobs.periodic("billing.close_periods", cron="* * * * *")
def close_periods() -> None:
    """Bill every month that is due; what fails is tried again a minute later."""
    services.close_periods(now=clock.now())
