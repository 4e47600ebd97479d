"""Invoices, revenue and figures by Waldur's own client (operator-api §8 A)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.acceptance.waldur import Party
from waldur_api_client.models import InvoiceStateEnum

JANUARY = date(2024, 1, 15)


def two_months_ago() -> date:
    """A day whose month is over, its time for late reports too."""
    return (datetime.now(UTC).date().replace(day=15) - timedelta(days=60)).replace(day=15)


def billed(party: Party, day: date = JANUARY) -> tuple[Any, Any]:
    """A resource that used 1,500 GB at 0.02 in a month, and the invoice of it."""
    resource = party.resource(party.offering())
    used = {"resource": resource.url, "component": "storage", "usage": 1500, "date": day.isoformat()}
    party.staff.ok("POST", "/api/marketplace-component-usages/", used, 201)
    body = {"customer": party.buying.url, "year": day.year, "month": day.month}
    made = party.staff.ok("POST", "/api/invoices/", body, 201)
    return resource, party.staff("invoices_retrieve", UUID(made["uuid"]))


def test_invoices(party: Party) -> None:
    resource, invoice = billed(party)
    assert (invoice.state, invoice.year, invoice.month) == (InvoiceStateEnum.CREATED, 2024, 1)
    assert Decimal(invoice.total) == Decimal(invoice.price) + Decimal(invoice.tax) == Decimal("30.00")
    (item,) = invoice.items
    assert (item.resource_uuid, Decimal(str(item.quantity)), Decimal(str(item.price))) == (
        resource.uuid,
        1500,
        30,
    )
    for person in (party.staff, party.buyer):
        rows = person("invoices_list", customer_uuid=party.buying.uuid)
        assert [row.uuid for row in rows] == [invoice.uuid]
        assert person("invoices_retrieve", invoice.uuid).uuid == invoice.uuid
    assert party.stranger("invoices_list") == []
    assert party.stranger.refused("invoices_retrieve", invoice.uuid) == 404
    assert [
        row.year for row in party.staff("invoices_list", customer_uuid=party.buying.uuid, year=2025)
    ] == []

    number = {"reference_number": f"R-{party.number}"}
    assert party.buyer.refused("invoices_set_reference_number", invoice.uuid, body=number) == 403
    party.staff("invoices_set_reference_number", invoice.uuid, body=number)
    assert party.buyer("invoices_retrieve", invoice.uuid).reference_number == number["reference_number"]
    address = {"email": f"books{party.number}@example.com"}
    party.staff("customers_partial_update", party.buying.uuid, body=address)
    assert party.staff("invoices_send_notification", invoice.uuid).detail
    assert party.buyer.refused("invoices_send_notification", invoice.uuid) == 403

    (line,) = party.staff("invoices_stats_list", invoice.uuid)
    (provider,) = party.staff("marketplace_service_providers_list", customer_uuid=party.selling.uuid)
    assert (line.service_provider_uuid, Decimal(str(line.aggregated_price))) == (provider.uuid, 30)
    assert party.stranger.refused("invoices_stats_list", invoice.uuid) == 404

    paid = {"date": "2024-02-01"}
    assert party.stranger.refused("invoices_paid", invoice.uuid, body=paid) == 404
    assert party.buyer.refused("invoices_paid", invoice.uuid, body=paid) == 403
    assert party.staff.answer("invoices_paid", invoice.uuid, body=paid).status_code == 200
    assert party.buyer("invoices_retrieve", invoice.uuid).state == InvoiceStateEnum.PAID
    assert party.staff.refused("invoices_paid", invoice.uuid, body=paid) == 409


def test_the_growth_of_invoices(party: Party) -> None:
    billed(party)
    growth = party.staff("invoices_growth_retrieve")
    assert len(growth.periods) == len(growth.total_periods) == len(growth.other_periods)
    for row in growth.customer_periods:
        assert len(row.periods) == len(growth.periods)
    seen = party.stranger.answer("invoices_growth_retrieve")
    assert party.buying.name not in seen.content.decode()


def test_a_provider_s_revenue(party: Party) -> None:
    day = two_months_ago()
    billed(party, day)
    (provider,) = party.staff("marketplace_service_providers_list", customer_uuid=party.selling.uuid)
    for person in (party.staff, party.provider):
        rows = person("marketplace_service_providers_revenue_list", provider.uuid)
        earned = {(row.year, row.month): Decimal(str(row.total)) for row in rows}
        assert earned == {(day.year, day.month): Decimal(30)}
    assert party.stranger.refused("marketplace_service_providers_revenue_list", provider.uuid) in (403, 404)


def test_figures(party: Party) -> None:
    resource, _ = billed(party)
    this_month = {"resource": resource.uuid.hex, "usages": [{"type": "storage", "amount": "7"}]}
    party.provider(
        "marketplace_component_usages_set_usage", body=this_month
    )  # the client's calls ask for no other
    today = datetime.now(UTC)
    name = "marketplace_stats_component_usages_list"
    rows = [row for row in party.staff.all(name) if row.offering_uuid == resource.offering_uuid]
    assert [(row.component_type, Decimal(str(row.usage))) for row in rows] == [("storage", 7)]
    assert party.stranger.refused(name) == 403
    name = "marketplace_stats_component_usages_per_month_list"
    rows = [row for row in party.staff.all(name) if row.offering_uuid == resource.offering_uuid]
    assert (today.year, today.month, Decimal(7)) in [
        (row.year, row.month, Decimal(str(row.usage))) for row in rows
    ]
    assert party.stranger.refused(name) == 403
    stats = party.staff("marketplace_stats_order_stats_retrieve")
    assert stats.summary.total >= 1 and stats.summary.done >= 1
    assert sum(day.total for day in stats.daily) == stats.summary.total
    assert party.stranger.refused("marketplace_stats_order_stats_retrieve") == 403
