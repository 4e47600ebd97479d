"""Revenue: what invoice lines come to, by currency and by one more thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from agentmart.infra import tenancy
from agentmart.kit.money import CONTEXT
from agentmart.reports.ranges import Range
from agentmart.reports.selectors.scope import Scope, names, rows

ZERO = Decimal(0)
GROUPS = ("month", "day", "customer", "provider", "offering", "plan", "project", "resource")
BY_TIME = ("month", "day")

# By group: what lines are grouped by, and how that is shown; texts are made of the groups' keys, not of every line's.
KEYS = {
    "month": ("date_trunc('month', day::timestamp)::date", "to_char(grouped, 'YYYY-MM')"),
    "day": ("day", "to_char(grouped, 'YYYY-MM-DD')"),
    "provider": ("provider_customer_id", "replace(grouped::text, '-', '')"),
} | {
    kind: (f"{kind}_id", "replace(grouped::text, '-', '')")
    for kind in ("customer", "offering", "plan", "project", "resource")
}

# A line belongs to its own invoice's month, so the invoices' months narrow what is read of the lines.
REVENUE = """
WITH lines AS (
    SELECT i.currency, i.billing_type, i.price, v.state IN ('created', 'paid') AS final,
        CASE WHEN i.late THEN make_date(v.year, v.month, 1) ELSE (i.start AT TIME ZONE 'UTC')::date END AS day,
        i.customer_id, i.provider_customer_id, i.offering_id, i.plan_id, i.project_id, i.resource_id
    FROM billing_invoice v JOIN billing_invoice_item i ON i.invoice_id = v.id
    WHERE (v.year, v.month) >= (%(first_year)s, %(first_month)s)
      AND (v.year, v.month) <= (%(last_year)s, %(last_month)s)
      AND v.state IN ('created', 'paid', 'pending', 'pending_finalization')
      AND (%(customer)s::uuid[] IS NULL OR i.customer_id = ANY(%(customer)s::uuid[]))
      AND (%(provider)s::uuid[] IS NULL OR i.provider_customer_id = ANY(%(provider)s::uuid[]))
      AND (%(offering)s::uuid[] IS NULL OR i.offering_id = ANY(%(offering)s::uuid[]))
      AND (%(plan)s::uuid[] IS NULL OR i.plan_id = ANY(%(plan)s::uuid[]))
      AND (%(project)s::uuid[] IS NULL OR i.project_id = ANY(%(project)s::uuid[]))
      AND (%(resource)s::uuid[] IS NULL OR i.resource_id = ANY(%(resource)s::uuid[]))
      AND (%(currency)s::text[] IS NULL OR i.currency = ANY(%(currency)s::text[]))
), keyed AS (
    SELECT lines.*, {key} AS grouped FROM lines WHERE day BETWEEN %(start)s AND %(end)s
)
SELECT currency, {shown} AS key,
    COALESCE(sum(price) FILTER (WHERE final), 0) AS total,
    COALESCE(sum(price) FILTER (
        WHERE final AND price >= 0 AND billing_type NOT IN ('usage', 'one', 'few')), 0) AS fixed,
    COALESCE(sum(price) FILTER (WHERE final AND price >= 0 AND billing_type = 'usage'), 0) AS usage,
    COALESCE(sum(price) FILTER (WHERE final AND price >= 0 AND billing_type IN ('one', 'few')), 0) AS one_time,
    COALESCE(sum(price) FILTER (WHERE final AND price < 0), 0) AS credits,
    COALESCE(sum(price) FILTER (WHERE NOT final), 0) AS estimated
FROM keyed GROUP BY currency, grouped ORDER BY currency, grouped
"""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Net sums of lines: total = fixed + usage + one_time + credits; estimated are drafts, beside it."""

    total: Decimal = ZERO
    fixed: Decimal = ZERO
    usage: Decimal = ZERO
    one_time: Decimal = ZERO
    credits: Decimal = ZERO
    estimated: Decimal = ZERO

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            *(CONTEXT.add(getattr(self, part.name), getattr(other, part.name)) for part in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Item:
    """The amounts of one month, day, customer …; `key` is that, `name` what people call it."""

    key: str
    name: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class CurrencyRevenue:
    """The revenue in one currency."""

    currency: str
    amounts: Amounts
    items: tuple[Item, ...]


def revenue(asked: Range, scope: Scope, *, group_by: str) -> list[CurrencyRevenue]:
    """Return the revenue of a range by currency; what has a name is ordered by its total, greatest first."""
    key, shown = KEYS[group_by]
    found = rows(REVENUE.format(key=key, shown=shown), {**scope.values(), **_span(asked)})
    known = names(group_by, {row["key"] for row in found})
    return [
        _currency(currency, list(part), known, by_time=group_by in BY_TIME)
        for currency, part in groupby(found, lambda row: row["currency"])
    ]


def _currency(
    currency: str, found: Sequence[dict[str, Any]], known: dict[str, str], *, by_time: bool
) -> CurrencyRevenue:
    items = [Item(row["key"], known.get(row["key"], row["key"]), _amounts(row)) for row in found]
    if not by_time:
        items.sort(key=lambda item: (-item.amounts.total, item.name, item.key))
    return CurrencyRevenue(currency, total(item.amounts for item in items), tuple(items))


def total(parts: Iterable[Amounts]) -> Amounts:
    """Return the sum of amounts of one currency."""
    found = Amounts()
    for part in parts:
        found += part
    return found


def _amounts(row: dict[str, Any]) -> Amounts:
    return Amounts(**{part.name: row[part.name] for part in fields(Amounts)})


def _span(asked: Range) -> dict[str, Any]:
    return {
        "start": asked.start,
        "end": asked.end,
        "first_year": asked.start.year,
        "first_month": asked.start.month,
        "last_year": asked.end.year,
        "last_month": asked.end.month,
    }


PROVIDER_REVENUE = """
SELECT v.year, v.month, i.currency,
    COALESCE(sum(i.price) FILTER (WHERE v.state IN ('created', 'paid')), 0) AS total,
    COALESCE(sum(i.price) FILTER (WHERE v.state IN ('pending', 'pending_finalization')), 0) AS estimated
FROM billing_invoice v JOIN billing_invoice_item i ON i.invoice_id = v.id
WHERE i.provider_customer_id = %(provider)s
  AND v.state IN ('created', 'paid', 'pending', 'pending_finalization')
  AND (v.year, v.month) >= (%(first_year)s, %(first_month)s)
  AND (v.year, v.month) <= (%(last_year)s, %(last_month)s)
GROUP BY v.year, v.month, i.currency ORDER BY v.year, v.month, i.currency
"""


@dataclass(frozen=True, slots=True)
class ProviderMonth:
    """What a provider's offerings brought in one month and currency."""

    year: int
    month: int
    currency: str
    total: Decimal
    estimated: Decimal


def provider_revenue(customer_id: UUID, asked: Range) -> list[ProviderMonth]:
    """Return what the offerings of a provider's customer brought, by month of the invoice, oldest first.

    Invoices are the buyers': their state is read across tenants, for the provider's own lines only.
    """
    with tenancy.elevated():
        found = rows(PROVIDER_REVENUE, {**_span(asked), "provider": customer_id})
    return [ProviderMonth(**row) for row in found]
