"""Jobs: answers that are only kept for a day; counters of quotas set right."""

from __future__ import annotations

import logging

from agentmart.access import services, tenants
from agentmart.identity.models import Customer
from agentmart.infra import clock, jobs, tenancy

logger = logging.getLogger("agentmart.access")


@jobs.periodic("access.sweep_idempotent_calls", cron="41 * * * *")
def sweep_idempotent_calls() -> None:
    """Delete answers kept under idempotency keys once their day is over."""
    services.sweep_idempotent_calls(now=clock.now())


@jobs.periodic("access.recount_quotas", cron="29 3 * * *")
def recount_quotas() -> None:
    """Count every customer's projects, resources, people, keys and agents anew, one transaction per customer."""
    with tenancy.as_system("access.recount_quotas"):
        customers = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    for customer_id in customers:
        with tenancy.as_system("access.recount_quotas"):
            wrong = tenants.recount(customer_id, now=clock.now())
        if wrong:
            logger.warning(
                "quota counters were wrong", extra={"customer": customer_id.hex, "counters": wrong}
            )
