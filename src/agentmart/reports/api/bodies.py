"""From what the queries found to what is answered: amounts as text, definitions beside them, rows for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, overload

from agentmart.kit.money import decimal_text, money_text
from agentmart.ordering.states import OrderState
from agentmart.reports import definitions
from agentmart.reports.ranges import Range
from agentmart.reports.recurring import Course, Month, Movement, average, yearly
from agentmart.reports.selectors.customers import Customers
from agentmart.reports.selectors.kpis import Kpis
from agentmart.reports.selectors.orders import Orders, Tally
from agentmart.reports.selectors.revenue import Amounts, CurrencyRevenue
from agentmart.reports.selectors.usage import ComponentUse, totals

Body = dict[str, Any]
Rows = Iterator[Sequence[object]]

AMOUNTS = ("total", "fixed", "usage", "one_time", "credits", "estimated")
REVENUE_COLUMNS = ("currency", "key", "name", *AMOUNTS)
USAGE_COLUMNS = (
    "offering_uuid",
    "offering_name",
    "component_type",
    "component_name",
    "measured_unit",
    "key",
    "name",
    "usage",
)
STATES = tuple(str(state) for state in OrderState)
ORDERS_COLUMNS = ("key", "name", "submitted", *STATES, "completion")
ORDER_STATS_COLUMNS = ("date", "currency", "total_cost", "revenue", "total", *STATES)
CUSTOMERS_COLUMNS = ("month", "total", "new", "active", "activated", "churned")
MOVEMENT = ("new", "expansion", "contraction", "churn", "reactivation")
KPIS_COLUMNS = ("currency", "month", "opening", *MOVEMENT, "mrr", "arr", "arpu", "customers", "subscriptions")


def head(asked: Range, definition: str) -> Body:
    """Return what every report says of itself."""
    return {"start": asked.start, "end": asked.end, "definition": definition}


def defined(body: Body, rows: Iterable[Sequence[object]]) -> Rows:
    """Yield a table's rows with one more column: what its figures mean, in the first row."""
    single = body.get("definition")
    told = single or "\n".join(f"{name}: {text}" for name, text in body["definitions"].items())
    for row in rows:
        yield [*row, told]
        told = ""


def ratio_text(value: Decimal | None) -> str | None:
    """Return a ratio as text, None where there is none."""
    return None if value is None else format(value, "f")


# -- revenue


def revenue_body(asked: Range, group_by: str, found: Sequence[CurrencyRevenue]) -> Body:
    """Return the revenue report."""
    return {
        **head(asked, definitions.REVENUE),
        "group_by": group_by,
        "currencies": [
            {
                "currency": part.currency,
                **_amounts(part.amounts, part.currency),
                "items": [
                    {"key": item.key, "name": item.name, **_amounts(item.amounts, part.currency)}
                    for item in part.items
                ],
            }
            for part in found
        ],
    }


def revenue_rows(body: Body) -> Rows:
    """Yield the revenue report as a table."""
    for part in body["currencies"]:
        for item in part["items"]:
            yield [part["currency"], item["key"], item["name"], *(item[name] for name in AMOUNTS)]


def _amounts(amounts: Amounts, currency: str) -> dict[str, str]:
    return {name: money_text(getattr(amounts, name), currency) for name in AMOUNTS}


# -- usage


def usage_body(
    asked: Range, group_by: str, found: Sequence[ComponentUse], shown: Sequence[ComponentUse]
) -> Body:
    """Return the usage report with the components of a page; the totals are those of all that was found."""
    return {
        **head(asked, definitions.USAGE),
        "group_by": group_by,
        "components": [
            {
                "offering_uuid": use.offering_id,
                "offering_name": use.offering_name,
                "type": use.type,
                "name": use.name,
                "measured_unit": use.measured_unit,
                "usage": decimal_text(use.usage),
                "items": [
                    {"key": key, "name": name, "usage": amount}
                    for key, name, amount in zip(use.keys, use.names, use.amounts, strict=True)
                ],
            }
            for use in shown
        ],
        "totals": totals(found),
    }


def usage_rows(body: Body) -> Rows:
    """Yield the usage report as a table."""
    for use in body["components"]:
        columns = [
            use["offering_uuid"],
            use["offering_name"],
            use["type"],
            use["name"],
            use["measured_unit"],
        ]
        for part in use["items"]:
            yield [*columns, part["key"], part["name"], part["usage"]]


class ComponentUsageRows(Sequence[Body]):
    """Usage as the lists that Waldur's client reads: one row per component, or per component and month.

    There may be very many; a row is written when it is read.
    """

    def __init__(self, found: Sequence[ComponentUse], *, by_month: bool) -> None:
        self._by_month = by_month
        self._places = [(use, n) for use in found for n in (range(len(use.keys)) if by_month else (0,))]

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Body: ...

    @overload
    def __getitem__(self, index: slice) -> list[Body]: ...

    def __getitem__(self, index: int | slice) -> Body | list[Body]:
        if isinstance(index, slice):
            return [self._row(*place) for place in self._places[index]]
        return self._row(*self._places[index])

    def _row(self, use: ComponentUse, number: int) -> Body:
        row = {
            "offering_uuid": use.offering_id,
            "offering_name": use.offering_name,
            "component_type": use.type,
            "offering_country": use.country,
            "organization_group_name": "",
            "organization_group_uuid": "",
        }
        if not self._by_month:
            return {**row, "usage": decimal_text(use.usage)}
        year, month = map(int, use.keys[number].split("-"))
        return {**row, "usage": use.amounts[number], "year": year, "month": month}


# -- orders


def orders_body(asked: Range, group_by: str, found: Orders) -> Body:
    """Return the report of orders."""
    return {
        **head(asked, definitions.ORDERS),
        "group_by": group_by,
        **_tally(found.total),
        "median_seconds_to_approve": _seconds(found.to_approve),
        "median_seconds_to_provision": _seconds(found.to_provision),
        "items": [{"key": item.key, "name": item.name, **_tally(item)} for item in found.items],
    }


def orders_rows(body: Body) -> Rows:
    """Yield the report of orders as a table."""
    for item in body["items"]:
        states = [item["by_state"].get(state, 0) for state in STATES]
        yield [item["key"], item["name"], item["submitted"], *states, item["completion"]]


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _tally(tally: Tally) -> Body:
    return {
        "submitted": tally.submitted,
        "done": tally.done,
        "completion": ratio_text(tally.completion),
        **_counts(tally),
    }


def _counts(tally: Tally) -> Body:
    return {"by_state": dict(tally.by_state), "by_type": dict(tally.by_type)}


def order_stats_body(asked: Range, found: Orders) -> Body:
    """Return the report of orders as Waldur's client reads it."""
    total = found.total
    states = (OrderState.EXECUTING, OrderState.DONE, OrderState.ERRED, OrderState.CANCELED)
    return {
        **head(asked, definitions.ORDER_STATS),
        "summary": {
            "total": total.submitted,
            "total_cost": _only(total.cost),
            "total_revenue": _only(total.revenue),
            "pending": total.pending,
            **{str(state): total.by_state[state] for state in (*states, OrderState.REJECTED)},
        },
        **_counts(total),
        "daily": [
            {
                "date": day.key,
                "total": day.submitted,
                "total_cost": _only(day.cost),
                "revenue": _only(day.revenue),
                **_counts(day),
            }
            for day in found.items
        ],
        "costs": [
            {
                "currency": currency,
                "total_cost": money_text(cost, currency),
                "total_revenue": money_text(total.revenue.get(currency, Decimal(0)), currency),
            }
            for currency, cost in sorted(total.cost.items())
        ],
    }


def order_stats_rows(found: Orders) -> Rows:
    """Yield the orders by day as a table; a day with several currencies has a line for each, counted in the first."""
    for day in found.items:
        states = [day.by_state.get(state, 0) for state in STATES]
        for place, currency in enumerate(sorted(day.cost) or [""]):
            cost = money_text(day.cost[currency], currency) if currency else None
            revenue = money_text(day.revenue.get(currency, Decimal(0)), currency) if currency else None
            counts = [0] * (len(STATES) + 1) if place else [day.submitted, *states]
            yield [day.key, currency, cost, revenue, *counts]


def _only(amounts: dict[str, Decimal]) -> str | None:
    """Return the amount where there is one currency: amounts of several are not added."""
    if len(amounts) != 1:
        return None
    ((currency, amount),) = amounts.items()
    return money_text(amount, currency)


# -- customers


def customers_body(asked: Range, found: Customers) -> Body:
    """Return the report of customers."""
    return {
        **head(asked, definitions.CUSTOMERS),
        "as_of": found.as_of,
        "total_at_start": found.total_at_start,
        "total_at_end": found.total_at_end,
        "active_at_start": found.active_at_start,
        "active_at_end": found.active_at_end,
        "new": sum(month.new for month in found.months),
        "activated": sum(month.activated for month in found.months),
        "churned": sum(month.churned for month in found.months),
        "blocked": found.blocked,
        "growth": ratio_text(found.growth),
        "months": [{name: getattr(month, name) for name in CUSTOMERS_COLUMNS} for month in found.months],
    }


def customers_rows(body: Body) -> Rows:
    """Yield the report of customers as a table."""
    for month in body["months"]:
        yield [month[name] for name in CUSTOMERS_COLUMNS]


# -- key figures


def kpis_body(asked: Range, found: Kpis, main: Course) -> Body:
    """Return the key figures; those at the top are `main`'s."""
    top = _course(found, main)
    return {
        "start": asked.start,
        "end": asked.end,
        "as_of": found.as_of,
        "definitions": definitions.KPIS,
        **{name: top[name] for name in ("currency", "mrr", "arr", "arpu", "movement")},
        "churn_rate": ratio_text(found.churn.rate),
        "cancelled_subscriptions": found.churn.part,
        "subscriptions_before": found.churn.whole,
        "order_completion": ratio_text(found.orders.rate),
        "orders_submitted": found.orders.whole,
        "orders_done": found.orders.part,
        "currencies": [_course(found, course) for course in found.courses],
    }


def kpis_rows(body: Body) -> Rows:
    """Yield the recurring revenue by currency and month as a table."""
    for course in body["currencies"]:
        for month in course["months"]:
            moved = [month["movement"][name] for name in MOVEMENT]
            worth = [month[name] for name in ("mrr", "arr", "arpu", "customers", "subscriptions")]
            yield [course["currency"], month["month"], month["opening"], *moved, *worth]


def _course(found: Kpis, course: Course) -> Body:
    currency = course.currency
    return {
        "currency": currency,
        "opening": money_text(course.opening.closing, currency),
        **_worth(course.last, currency),
        "movement": _movement(course.moved, currency),
        "months": [
            {
                "month": f"{part.start:%Y-%m}",
                "opening": money_text(month.opening, currency),
                **_worth(month, currency),
                "movement": _movement(month.moved, currency),
            }
            for part, month in zip(found.months, course.months, strict=True)
        ],
    }


def _worth(month: Month, currency: str) -> Body:
    return {
        "mrr": money_text(month.closing, currency),
        "arr": money_text(yearly(month.closing), currency),
        "arpu": money_text(average(month.closing, month.customers, currency), currency),
        "customers": month.customers,
        "subscriptions": month.subscriptions,
    }


def _movement(moved: Movement, currency: str) -> dict[str, str]:
    return {name: money_text(getattr(moved, name), currency) for name in (*MOVEMENT, "change")}
