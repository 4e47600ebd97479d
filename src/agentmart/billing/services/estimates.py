"""Writes: what months not finally invoiced will come to, and what offerings have brought in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from agentmart.billing import selectors
from agentmart.billing.invoicing import tax_of
from agentmart.billing.models import BilledMonth, CostEstimate
from agentmart.billing.states import MonthState
from agentmart.identity.models import Customer
from agentmart.infra import tenancy
from agentmart.kit.errors import DomainError
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import Period, add_months, month, month_of

logger = logging.getLogger("agentmart.billing")

CUSTOMERS = """
SELECT customer_id FROM resources_plan_period WHERE "end" IS NULL OR "end" > %(since)s
UNION SELECT customer_id FROM metering_usage_hour WHERE hour >= %(since)s
UNION SELECT customer_id FROM metering_component_usage WHERE month >= %(day)s
UNION SELECT customer_id FROM billing_cost_estimate
"""
FIGURES = """
WITH sold AS (
    SELECT offering.id, offering.customer_id,
        (SELECT plan.currency FROM catalog_plan plan WHERE plan.offering_id = offering.id
         ORDER BY plan.created, plan.id LIMIT 1) AS currency
    FROM catalog_offering offering
), final AS (
    SELECT item.offering_id, item.currency, sum(item.price) AS price
    FROM billing_invoice_item item JOIN billing_invoice invoice ON invoice.id = item.invoice_id
    WHERE invoice.state IN ('created', 'paid') GROUP BY 1, 2
), open AS (
    SELECT offering_id, currency, sum(price) AS price FROM billing_cost_estimate GROUP BY 1, 2
)
INSERT INTO billing_offering_figures AS known
    (offering_id, customer_id, currency, total_cost, total_cost_estimated, as_of)
SELECT sold.id, sold.customer_id, sold.currency, coalesce(final.price, 0), coalesce(open.price, 0), %(now)s
FROM sold
LEFT JOIN final ON final.offering_id = sold.id AND final.currency = sold.currency
LEFT JOIN open ON open.offering_id = sold.id AND open.currency = sold.currency
WHERE sold.currency IS NOT NULL
ON CONFLICT (offering_id) DO UPDATE SET customer_id = excluded.customer_id, currency = excluded.currency,
    total_cost = excluded.total_cost, total_cost_estimated = excluded.total_cost_estimated, as_of = excluded.as_of
"""


@dataclass(slots=True)
class Sums:
    """Net and tax of some lines; `provider_id` is whose offering they are about."""

    provider_id: UUID
    price: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)


def estimate_costs(*, now: datetime) -> int:
    """Estimate the open months of every customer, then sum up by offering; returns of how many customers.

    A transaction per customer. A month that cannot be rated has no estimate; the customer's others do.
    """
    first_day = add_months(month_of(now).start.date(), -1)
    since = month(first_day.year, first_day.month).start
    with tenancy.as_system("billing.estimate_costs"), connection.cursor() as cursor:
        cursor.execute(CUSTOMERS, {"since": since, "day": first_day})
        customers = [row[0] for row in cursor.fetchall()]
    for customer_id in customers:
        with tenancy.as_system("billing.estimate_costs"):
            _estimate(customer_id, now=now)
    with tenancy.as_system("billing.estimate_costs"), connection.cursor() as cursor:
        cursor.execute(FIGURES, {"now": now})
    return len(customers)


def _estimate(customer_id: UUID, *, now: datetime) -> None:
    """Replace a customer's estimates by those of its open months: this one, and the last one until it is closed."""
    customer = Customer.objects.filter(pk=customer_id).first()
    CostEstimate.objects.filter(customer_id=customer_id).delete()
    if customer is None:
        return
    this = month_of(now)
    last_day = add_months(this.start.date(), -1)
    closed = BilledMonth.objects.filter(customer_id=customer_id, first_day=last_day, state=MonthState.CLOSED)
    months = [this] if closed.exists() else [month(last_day.year, last_day.month), this]
    rows: list[CostEstimate] = []
    for period in months:
        try:
            rows += _rows(customer, period, now=now)
        except DomainError as refusal:
            facts = {"customer_id": customer_id.hex, "month": f"{period.start:%Y-%m}", "code": refusal.code}
            logger.warning("month cannot be estimated", extra=facts)
    CostEstimate.objects.bulk_create(rows)


def _rows(customer: Customer, period: Period, *, now: datetime) -> list[CostEstimate]:
    sums: dict[tuple[UUID, UUID, str], Sums] = {}
    for line in selectors.charges(customer.id, period):
        resource, currency = line.resource, line.plan.currency
        key = (resource.project_id, resource.offering_id, currency)
        known = sums.setdefault(key, Sums(resource.provider_customer_id))
        known.price = CONTEXT.add(known.price, line.amount)
        known.tax = CONTEXT.add(known.tax, tax_of(line.amount, customer.default_tax_percent, currency))
    return [
        CostEstimate(
            customer=customer,
            project_id=project_id,
            offering_id=offering_id,
            provider_customer_id=found.provider_id,
            first_day=period.start.date(),
            currency=currency,
            price=found.price,
            tax=found.tax,
            as_of=now,
        )
        for (project_id, offering_id, currency), found in sums.items()
    ]
