"""Waldur's own client reads what we answer about invoices and usage, also where all optional values are empty."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from tests.support.clocks import At
from tests.support.market import ok
from tests.support.sale import generate, sell, use
from tests.support.world import World, make_world
from waldur_api_client.models.component_usage import ComponentUsage
from waldur_api_client.models.invoice import Invoice
from waldur_api_client.models.invoice_growth import InvoiceGrowth
from waldur_api_client.models.invoice_item import InvoiceItem
from waldur_api_client.models.invoice_stats_offering import InvoiceStatsOffering

from agentmart.billing.api.answers import InvoiceItemSerializer

ACTIVATED = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(db: None, at: At) -> World:
    at(LATER)
    world = make_world()
    use(sell(world.provider, world.buyer, at=ACTIVATED), ACTIVATED)
    return world


def test_invoices_are_read(world: World) -> None:
    final, draft = (Invoice.from_dict(generate(world, month)) for month in (3, 4))
    assert (final.number, str(final.state), final.total, final.due_date) == (
        1,
        "created",
        "68.67",
        date(2026, 4, 15),
    )
    assert (str(draft.state), draft.additional_properties["currency"]) == ("pending", "USD")
    path = f"/api/invoices/{final.uuid}/"
    shown = ok(world.buyer.api.get(f"{path}items/"))
    assert {tuple(row) for row in shown} == {tuple(InvoiceItemSerializer().fields)}  # as it is described
    items = [InvoiceItem.from_dict(row) for row in ok(world.buyer.api.get(f"{path}items/"))]
    assert [(item.price, str(item.unit)) for item in items] == [(68.66, "month"), (0.01, "quantity")]
    (stats,) = [InvoiceStatsOffering.from_dict(row) for row in ok(world.buyer.api.get(f"{path}stats/"))]
    assert stats.aggregated_total == 68.67
    growth = InvoiceGrowth.from_dict(ok(world.operator.api.get("/api/invoices/growth/")))
    assert (growth.total_periods[-2:], growth.customer_periods[0].name) == ([68.67, 99.0], "Buyer Ltd")


def test_usages_are_read(world: World) -> None:
    rows = [
        ComponentUsage.from_dict(row) for row in ok(world.buyer.api.get("/api/marketplace-component-usages/"))
    ]
    assert {row.type_: row.usage for row in rows} == {"requests": 1, "input_tokens": 0, "output_tokens": 0}
    assert {(row.billing_period, str(row.missing_usage_policy)) for row in rows} == {
        (date(2026, 3, 1), "none")
    }
