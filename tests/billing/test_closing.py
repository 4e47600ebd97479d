"""Closing months: one customer's trouble is not the others', and late usage finds an invoice."""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import Error as DatabaseError
from tests.support.sale import end, sell, use
from tests.support.world import Person, World

from agentmart.billing import selectors, services
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem
from agentmart.catalog.services import prices
from agentmart.infra import tenancy

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
AFTER_GRACE = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
MAY_CLOSED = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


def totals(person: Person) -> list[D]:
    with tenancy.as_system("test"):
        rows = Invoice.objects.filter(customer=person.customer).order_by("year", "month")
        return list(rows.values_list("total", flat=True))


def metered(price: dict[str, Any]) -> dict[str, Any]:
    return {"name": "Metered", "components": [{"type": "requests", **price}]}


@pytest.mark.parametrize(
    ("price", "requests", "why"),
    [
        ({"rate": "10"}, 1, r"Metered \(.*\) of Helper charges requests by a percentage"),
        ({"rate": "10", "fixed_per_event": "0.10"}, 1, "by a percentage"),
        ({"price": "999999999999"}, 10**9, "is more than an invoice can hold"),
        ({"price": "0.0000000001"}, 10**18, None),
    ],
)
def test_a_price_that_cannot_be_billed_holds_up_nobody_else(
    world: World, price: dict[str, Any], requests: int, why: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        prices, "require_chargeable_price", lambda *_, **__: None
    )  # a plan from before the check
    use(sell(world.provider, world.buyer, at=ACTIVATED, plan=metered(price)), ACTIVATED, requests=requests)
    use(
        sell(world.provider, world.stranger, at=ACTIVATED, plan=metered({"price": "2"}), name="Other"),
        ACTIVATED,
    )
    done = services.close_periods(now=AFTER_GRACE)
    assert totals(world.stranger) == [D(2)]
    if why is None:
        assert (done.finalized, done.failures, totals(world.buyer)) == (2, [], [D(10**8)])
        return
    assert done.finalized == 1
    ((customer_id, first_day, reason),) = done.failures
    assert world.buyer.customer is not None
    assert (customer_id, first_day) == (world.buyer.customer.id, date(2026, 3, 1))
    assert re.search(why, reason)
    assert totals(world.buyer) == []


def test_a_flaw_in_one_month_is_logged_with_its_traceback_and_the_others_are_closed(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for person in (world.buyer, world.stranger):
        use(sell(world.provider, person, at=ACTIVATED, plan=metered({"price": "2"})), ACTIVATED)
    real = selectors.charges

    def charges(customer_id: Any, month: Any) -> Any:
        if world.buyer.customer is not None and customer_id == world.buyer.customer.id:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")  # leaves the transaction broken
        return real(customer_id, month)

    monkeypatch.setattr(selectors, "charges", charges)
    with caplog.at_level(logging.WARNING, "agentmart.billing"):
        done = services.close_periods(now=AFTER_GRACE)
    assert (done.finalized, len(done.failures)) == (1, 1)
    assert done.failures[0][2].startswith("DataError: division by zero")
    (record,) = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)
    monkeypatch.undo()
    assert services.close_periods(now=AFTER_GRACE).failures == []
    assert (totals(world.buyer), totals(world.stranger)) == ([D(2)], [D(2)])


def test_late_usage_of_a_month_that_cost_nothing_is_billed(world: World) -> None:
    """The month closed without a line and nothing has been in force since."""
    sold = sell(world.provider, world.buyer, at=ACTIVATED, plan=metered({"price": "2"}))
    end(sold, at=ACTIVATED + timedelta(days=2))
    services.close_periods(now=AFTER_GRACE)
    assert totals(world.buyer) == []
    use(sold, ACTIVATED + timedelta(days=1), requests=3)
    services.close_periods(now=MAY_CLOSED)
    with tenancy.as_system("test"):
        (line,) = InvoiceItem.objects.all()
        assert (line.late, line.price, line.usage_month) == (True, D(6), date(2026, 3, 1))
        assert (line.invoice.year, line.invoice.month) == (2026, 4)


def test_months_without_anything_are_not_looked_at_for_ever(world: World) -> None:
    sold = sell(world.provider, world.buyer, at=ACTIVATED, plan=metered({"price": "2"}))
    use(sold, ACTIVATED)
    end(sold, at=ACTIVATED + timedelta(days=2))
    for _ in range(4):
        services.close_periods(now=datetime(2027, 3, 1, 1, 0, tzinfo=UTC))
    with tenancy.as_system("test"):
        days = list(BilledMonth.objects.order_by("first_day").values_list("first_day", flat=True))
    assert days == [date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)]


def test_an_invoice_is_never_born_final(world: World) -> None:
    sell(world.provider, world.buyer, at=ACTIVATED)
    services.close_periods(now=AFTER_GRACE)
    copy = (
        "INSERT INTO billing_invoice SELECT (jsonb_populate_record(i, jsonb_build_object("
        "'id', gen_random_uuid(), 'number', 99, 'year', 2025, 'price', 5, 'total', 5))).* FROM billing_invoice i"
    )
    with (
        tenancy.as_system("test"),
        pytest.raises(DatabaseError, match="begins as a draft"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(copy)
