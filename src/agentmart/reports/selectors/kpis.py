"""Key figures: recurring revenue and its movement, churn and order completion."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentmart.billing.rating import rate_line
from agentmart.catalog.models import PlanPrice
from agentmart.catalog.price_json import price_from_json
from agentmart.catalog.pricing import Fixed, Percentage, Price
from agentmart.kit.errors import DomainError
from agentmart.kit.money import CONTEXT
from agentmart.kit.periods import day_start
from agentmart.reports.ranges import Range
from agentmart.reports.recurring import Change, Course, Stretch, Version, courses, monthly, ratio, stretches
from agentmart.reports.selectors.scope import Scope, rows

ONE, ZERO = Decimal(1), Decimal(0)
CHURN_WINDOW = timedelta(days=30)
_INSTANT = timedelta(microseconds=1)
NO_LIMITS = "{}"

LIMITS = """
SELECT DISTINCT plan_id, limits::text AS limits FROM resources_plan_period WHERE plan_id = ANY(%(limited)s::uuid[])
"""

# What a customer's plans came to, as what began and ended in which stretch of time (0: before the first bound).
CHANGES = """
WITH priced AS (
    SELECT * FROM unnest(%(plans)s::uuid[], %(limits)s::jsonb[], %(currencies)s::text[], %(amounts)s::numeric[],
        %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
        AS v(plan_id, limits, currency, amount, since, until)
), spans AS (
    SELECT p.customer_id, v.currency, v.amount,
        greatest(p.start, v.since) AS since, least(p."end", v.until) AS until
    FROM resources_plan_period p
    JOIN priced v ON v.plan_id = p.plan_id
        AND v.limits = CASE WHEN p.plan_id = ANY(%(limited)s::uuid[]) THEN p.limits ELSE '{}'::jsonb END
    WHERE p.start < %(last)s
      AND (%(customer)s::uuid[] IS NULL OR p.customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR p.provider_customer_id = ANY(%(provider)s::uuid[]))
), edges AS (
    SELECT currency, customer_id, width_bucket(since, %(bounds)s::timestamptz[]) AS stretch,
        amount AS up, 0::numeric AS down, 1 AS subscriptions
    FROM spans WHERE since < %(last)s AND (until IS NULL OR until > since)
    UNION ALL
    SELECT currency, customer_id, width_bucket(until, %(bounds)s::timestamptz[]), 0, amount, -1
    FROM spans WHERE until < %(last)s AND until > since
)
SELECT currency, customer_id, stretch, sum(up) AS up, sum(down) AS down, sum(subscriptions)::int AS subscriptions
FROM edges GROUP BY currency, customer_id, stretch ORDER BY currency, customer_id, stretch
"""

CHURN = """
WITH lives AS (
    SELECT p.resource_id,
        bool_or(p.start < %(since)s AND (p."end" IS NULL OR p."end" >= %(since)s)) AS active,
        CASE WHEN bool_and(p."end" IS NOT NULL) THEN max(p."end") END AS ended
    FROM resources_plan_period p JOIN catalog_plan l ON l.id = p.plan_id
    WHERE (%(customer)s::uuid[] IS NULL OR p.customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR p.provider_customer_id = ANY(%(provider)s::uuid[]))
      AND (%(offering)s::uuid[] IS NULL OR l.offering_id = ANY(%(offering)s::uuid[]))
      AND (%(plan)s::uuid[] IS NULL OR l.id = ANY(%(plan)s::uuid[]))
      AND (%(currency)s::text[] IS NULL OR l.currency = ANY(%(currency)s::text[]))
    GROUP BY p.resource_id
), asked AS (
    SELECT resource_id, min(created) AS at FROM ordering_order
    WHERE type = 'Terminate' AND state NOT IN ('rejected', 'canceled') GROUP BY resource_id
)
SELECT count(*) FILTER (WHERE active) AS active,
    count(*) FILTER (WHERE COALESCE(asked.at, ended) >= %(since)s AND COALESCE(asked.at, ended) < %(until)s)
        AS cancelled
FROM lives LEFT JOIN asked USING (resource_id)
"""

ORDERS = """
SELECT count(*) AS submitted, count(*) FILTER (WHERE o.state = 'done') AS done
FROM ordering_order o
WHERE o.created >= %(since)s AND o.created < %(until)s
  AND (%(customer)s::uuid[] IS NULL OR o.customer_id = ANY(%(customer)s::uuid[]))
  AND (%(provider)s::uuid[] IS NULL OR o.provider_customer_id = ANY(%(provider)s::uuid[]))
  AND (%(offering)s::uuid[] IS NULL OR o.offering_id = ANY(%(offering)s::uuid[]))
  AND (%(plan)s::uuid[] IS NULL OR o.plan_id = ANY(%(plan)s::uuid[]))
  AND (%(currency)s::text[] IS NULL OR o.currency = ANY(%(currency)s::text[]))
"""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, with what both are."""

    part: int
    whole: int

    @property
    def rate(self) -> Decimal | None:
        """The part ÷ the whole, None without any."""
        return ratio(self.part, self.whole)


@dataclass(frozen=True, slots=True)
class Kpis:
    """The key figures of a range, as they stood at `as_of` (its end, or now)."""

    as_of: datetime
    months: tuple[Range, ...]
    courses: tuple[Course, ...]
    churn: Share
    orders: Share


def kpis(asked: Range, scope: Scope, *, now: datetime) -> Kpis:
    """Return the key figures of a range; of its months only those that have begun."""
    as_of = min(asked.until, now)
    months = tuple(part for part in asked.months() if part.since <= now)
    values = scope.values()
    window = {"since": as_of - CHURN_WINDOW, "until": as_of + _INSTANT if as_of == now else as_of}
    (churn,) = rows(CHURN, {**values, **window})
    (orders,) = rows(ORDERS, {**values, "since": asked.since, "until": asked.until})
    return Kpis(
        as_of=as_of,
        months=months,
        courses=tuple(_courses(months, scope, values, last=window["until"])),
        churn=Share(churn["cancelled"], churn["active"]),
        orders=Share(orders["done"], orders["submitted"]),
    )


def _courses(
    months: Sequence[Range], scope: Scope, values: Mapping[str, Any], *, last: datetime
) -> list[Course]:
    """Return the recurring revenue by currency and month, up to before `last`."""
    plans = _plans(scope)
    limited = [plan.id for plan in plans.values() if plan.limited]
    orders = rows(LIMITS, {"limited": limited}) if limited else []
    priced = [
        (plan.id, limits, plan.currency, stretch)
        for plan in plans.values()
        for limits in _limits_of(plan, orders)
        for stretch in plan.stretches(json.loads(limits, parse_float=Decimal))
        if stretch.amount
    ]
    found = rows(
        CHANGES,
        {
            "customer": values["customer"],
            "provider": values["provider"],
            "limited": limited,
            "last": last,
            "bounds": [month.since for month in months] or [last],
            "plans": [plan_id for plan_id, _, _, _ in priced],
            "limits": [limits for _, limits, _, _ in priced],
            "currencies": [currency for _, _, currency, _ in priced],
            "amounts": [stretch.amount for _, _, _, stretch in priced],
            "sinces": [stretch.since for _, _, _, stretch in priced],
            "untils": [stretch.until for _, _, _, stretch in priced],
        },
    )
    return courses((Change(**row) for row in found), len(months))


def _limits_of(plan: _Plan, orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the limits a plan was bought with, as JSON; none where it has no price by limit."""
    if not plan.limited:
        return [NO_LIMITS]
    return [row["limits"] for row in orders if row["plan_id"] == plan.id]


@dataclass(slots=True)
class _Plan:
    """A plan's recurring components: versions of prices by component type, and which of them go by limit."""

    id: UUID
    unit: str
    interval_count: int
    currency: str
    fixed: dict[str, list[tuple[datetime, Price]]]
    by_limit: dict[str, list[tuple[datetime, Price]]]

    @property
    def limited(self) -> bool:
        """Return whether what is ordered by limit is part of the price."""
        return bool(self.by_limit)

    def stretches(self, limits: Mapping[str, Any]) -> list[Stretch]:
        """Return what a subscription with these limits is worth a month, cut where that changes."""
        components = [self._rated(versions, None) for versions in self.fixed.values()]
        for kind, versions in self.by_limit.items():
            ordered = limits.get(kind, 0)
            if isinstance(ordered, int | Decimal) and not isinstance(ordered, bool) and ordered > 0:
                components.append(self._rated(versions, Decimal(ordered)))
        return [
            Stretch(
                part.since, part.until, monthly(part.amount, self.unit, self.interval_count, self.currency)
            )
            for part in stretches(components)
        ]

    def _rated(self, versions: Sequence[tuple[datetime, Price]], units: Decimal | None) -> list[Version]:
        return [Version(since, self._amount(price, units)) for since, price in versions]

    def _amount(self, price: Price, units: Decimal | None) -> Decimal:
        """Return the exact amount of a billing period; nothing for a price that no invoice could charge either."""
        if isinstance(price.model, Percentage):
            return ZERO
        if units is None:
            units = price.model.amount if isinstance(price.model, Fixed) else ONE
        try:
            return CONTEXT.plus(rate_line(price, units, self.currency).exact)
        except DomainError:
            return ZERO


def _plans(scope: Scope) -> dict[UUID, _Plan]:
    """Return the plans that recur, of offerings that are billed, with all versions of their prices."""
    versions = PlanPrice.objects.filter(
        offering__billable=True, plan_component__component__billing_type__in=("fixed", "limit")
    ).exclude(plan_component__component__limit_period="total")
    if scope.offering is not None:
        versions = versions.filter(offering_id__in=scope.offering)
    if scope.plan is not None:
        versions = versions.filter(plan_component__plan_id__in=scope.plan)
    if scope.currency is not None:
        versions = versions.filter(plan_component__plan__currency__in=scope.currency)
    columns = ("plan_id", "plan__unit", "plan__interval_count", "plan__currency")
    kind = ("component__type", "component__billing_type")
    found: dict[UUID, _Plan] = {}
    for plan_id, unit, count, currency, type_, billing_type, day, price in versions.order_by(
        "plan_component_id", "valid_from", "id"
    ).values_list(*(f"plan_component__{name}" for name in (*columns, *kind)), "valid_from", "price"):
        plan = found.setdefault(
            plan_id, _Plan(plan_id, unit, count, currency, defaultdict(list), defaultdict(list))
        )
        prices = plan.by_limit if billing_type == "limit" else plan.fixed
        model = price_from_json(price, fixed=billing_type == "fixed")
        prices[type_].append((day_start(day), model))
    return found
