"""Writes: usage that goes on from month to month until somebody reports another."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import connection

from agentmart.catalog.models import OfferingComponent
from agentmart.infra import tenancy
from agentmart.kit.errors import Invalid
from agentmart.kit.periods import add_months, month_of
from agentmart.metering import selectors
from agentmart.metering.dates import ReportDate
from agentmart.metering.models import ComponentUsage
from agentmart.metering.services.booking import Entry, book, lock, monthly

logger = logging.getLogger("agentmart.metering")

REUSED = """
SELECT u.id FROM metering_component_usage u
JOIN resources_plan_period p ON p.resource_id = u.resource_id AND p.plan_id = u.plan_id AND p."end" IS NULL
WHERE u.month = %(before)s AND u.missing_usage_policy = 'reuse' AND NOT u.metered
AND NOT EXISTS (
    SELECT 1 FROM metering_component_usage n WHERE n.resource_id = u.resource_id AND n.plan_id = u.plan_id
    AND n.component_type = u.component_type AND n.month = %(month)s
)
ORDER BY u.resource_id, u.id
"""


def carry_over(*, now: datetime) -> int:
    """Book last month's usage again where its report said so (`reuse`) and this month has none; returns how many."""
    start = month_of(now).start
    month, when = start.date(), ReportDate(start, whole_day=True)
    before = add_months(month, -1)
    with tenancy.as_system("metering.carry_over") as actor, connection.cursor() as cursor:
        cursor.execute(REUSED, {"before": before, "month": month})
        ids = [row[0] for row in cursor.fetchall()]
        for last in (
            ComponentUsage.objects.filter(pk__in=ids).select_related("resource").order_by("resource_id", "id")
        ):
            lock(last.resource)
            component = OfferingComponent.objects.filter(
                offering_id=last.offering_id, type=last.component_type
            ).first()
            if component is None:
                continue
            usage = monthly(last.resource, component, last.plan_id, month, now=now)
            entry = Entry("reuse", last.amount, when, last.description, "reuse")
            if usage.reported_for:
                continue
            try:
                book(usage, component, selectors.total_of(usage), entry, actor=actor, now=now, field="usage")
            except Invalid as refusal:  # a limit of a longer period is reached; nothing was written
                logger.warning(
                    "usage not carried over", extra={"usage": usage.uuid, "reason": refusal.message}
                )
    return len(ids)
