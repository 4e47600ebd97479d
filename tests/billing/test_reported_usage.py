"""Usage that providers report, limits, switches and price versions: from the report to the explained line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.clocks import At
from tests.support.market import ok
from tests.support.sale import Sold, end, generate, sell, use
from tests.support.world import World

from agentmart.billing import services
from agentmart.billing.models import BilledMonth, Invoice, InvoiceItem
from agentmart.catalog import services as catalog
from agentmart.catalog.models import PlanComponent, PlanPrice
from agentmart.identity.models import Customer
from agentmart.infra import tenancy
from agentmart.resources.models import PlanPeriod

USAGES = "/api/marketplace-component-usages/"
ACTIVATED = datetime(2026, 3, 1, tzinfo=UTC)
MID_MARCH = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
AFTER_GRACE = datetime(2026, 4, 1, 1, tzinfo=UTC)
COMPONENTS = [
    {"type": "storage", "name": "Storage", "billing_type": "usage", "measured_unit": "GB"},
    {"type": "seats", "name": "Seats", "billing_type": "limit", "measured_unit": "seat"},
    {"type": "change", "name": "Change of plan", "billing_type": "few", "measured_unit": ""},
]
PLAN: dict[str, Any] = {
    "name": "Metered",
    "unit_price": "31.00",
    "components": [
        {"type": "storage", "price": "0.10"},
        {"type": "seats", "price": "3.10"},
        {"type": "change", "price": "15"},
        {"type": "requests", "price": "0.01"},
    ],
}


@pytest.fixture(autouse=True)
def today(at: At) -> None:
    at(MID_MARCH)


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS)


def report(world: World, sold: Sold, usage: Any, component: str = "storage", **more: Any) -> None:
    sent = {"resource": sold.resource.uuid, "component": component, "usage": usage, **more}
    ok(world.operator.api.post(USAGES, sent), 201)


def amounts(invoice: dict[str, Any]) -> dict[str, float]:
    return {
        ("late " if row["late"] else "") + row["component_type"]: row["price"] for row in invoice["items"]
    }


def explain(world: World, invoice: dict[str, Any], component: str) -> dict[str, Any]:
    (uuid,) = [row["uuid"] for row in invoice["items"] if row["component_type"] == component]
    told: dict[str, Any] = ok(world.buyer.api.get(f"/api/invoices/{invoice['uuid']}/items/{uuid}/explain/"))
    return told


def test_reported_usage_is_charged_and_explained_by_its_reports(world: World, sold: Sold, at: At) -> None:
    report(world, sold, "100.25", transaction_id="T-1", date="2026-03-10", description="Backup")
    report(world, sold, "50", transaction_id="T-2", date="2026-03-11")
    at(AFTER_GRACE)
    invoice = generate(world)
    assert amounts(invoice) == {"base": 31.0, "storage": 15.03}  # 150.25 × 0.10 = 15.025
    (line,) = [row for row in invoice["items"] if row["component_type"] == "storage"]
    assert (line["quantity"], line["unit"], line["measured_unit"]) == ("150.25", "quantity", "GB")
    told = explain(world, invoice, "storage")
    assert [(row["quantity"], row["total"], row["transaction_id"]) for row in told["reports"]] == [
        ("100.25", "100.25", "T-1"),
        ("50", "150.25", "T-2"),
    ]
    assert (told["reports"][0]["occurred_at"], told["reports"][0]["description"]) == (
        "2026-03-10T00:00:00.000000Z",
        "Backup",
    )
    assert (told["reports_total"], told["reports_truncated"], told["events"]) == (2, False, [])
    assert told["quantity_from_events"] == told["quantity_from_hours"] == told["quantity_billed"] == "150.25"


def test_corrections_of_metered_usage_are_charged_with_it(world: World, sold: Sold, at: At) -> None:
    for _ in range(3):
        use(sold, MID_MARCH, requests=100)
    usages = [{"type": "requests", "amount": "250"}]
    ok(
        world.operator.api.post(f"{USAGES}set_usage/", {"resource": sold.resource.uuid, "usages": usages}),
        201,
    )
    at(AFTER_GRACE)
    invoice = generate(world)
    assert amounts(invoice) == {"base": 31.0, "requests": 2.5}
    told = explain(world, invoice, "requests")
    assert ([row["quantity"] for row in told["reports"]], told["events_total"]) == (["-50"], 3)
    assert told["quantity_from_events"] == told["quantity_from_hours"] == told["quantity_billed"] == "250"


def test_usage_reported_after_the_close_is_a_late_line(world: World, sold: Sold, at: At) -> None:
    report(world, sold, "100")
    at(AFTER_GRACE)
    first = generate(world)
    assert amounts(first) == {"base": 31.0, "storage": 10.0}
    report(world, sold, "30", date="2026-03-31")
    assert ok(world.buyer.api.get(f"/api/invoices/{first['uuid']}/")) == first
    at(datetime(2026, 5, 1, 1, tzinfo=UTC))
    second = generate(world, month=4)
    assert amounts(second) == {"base": 31.0, "late storage": 3.0}
    usages = [{"type": "storage", "amount": "0"}]
    taken_back = {"resource": sold.resource.uuid, "usages": usages, "date": "2026-03-31"}
    ok(world.operator.api.post(f"{USAGES}set_usage/", taken_back), 201)
    at(datetime(2026, 6, 1, 1, tzinfo=UTC))
    assert amounts(generate(world, month=5)) == {"base": 31.0, "late storage": -13.0}


def test_a_month_of_long_ago_is_corrected_on_the_next_invoice_also_after_the_resource_s_end(
    world: World, sold: Sold, at: At
) -> None:
    report(world, sold, "100")
    end(sold, at=MID_MARCH)
    at(AFTER_GRACE)
    for _ in range(3):  # a month waits once the one before is closed
        services.close_periods(now=datetime(2026, 10, 1, 2, tzinfo=UTC))
    at(datetime(2026, 10, 20, tzinfo=UTC))
    report(world, sold, "7", date="2026-03-20T08:00:00Z", transaction_id="late")
    services.close_periods(now=datetime(2026, 11, 1, 2, tzinfo=UTC))
    with tenancy.as_system("test"):
        (late,) = InvoiceItem.objects.filter(late=True)
        assert (late.price, late.usage_month, late.invoice.month) == (D("0.70"), date(2026, 3, 1), 10)
        before = BilledMonth.objects.count()
    assert services.close_periods(now=datetime(2027, 2, 1, 2, tzinfo=UTC)).failures == []
    with tenancy.as_system("test"):
        assert InvoiceItem.objects.filter(late=True).count() == 1
        assert BilledMonth.objects.count() <= before + 2


def test_imported_history_is_billed_when_somebody_asks(world: World, sold: Sold, at: At) -> None:
    report(world, sold, "1500", date="2024-01-15")
    services.close_periods(now=MID_MARCH)
    with tenancy.as_system("test"):
        assert not Invoice.objects.exists()
    invoice = generate(world, 1, year=2024)
    assert (invoice["state"], amounts(invoice), invoice["number"]) == ("created", {"storage": 150.0}, 1)
    again = generate(world, 1, year=2024, status=200)
    assert again == invoice
    report(world, sold, "10", date="2024-01-16")
    at(AFTER_GRACE)
    assert amounts(generate(world)) == {"base": 31.0, "late storage": 1.0}


def test_prices_are_those_in_force_when_the_month_began(world: World, sold: Sold, at: At) -> None:
    with tenancy.as_system("test"):
        row = PlanComponent.objects.get(plan=sold.plan, component__type="storage")
        for valid_from, price in (
            (date(2026, 4, 1), "0.30"),
            (date(2026, 4, 1), "0.20"),
            (date(2026, 5, 1), "9"),
        ):
            PlanPrice.objects.create(
                plan_component=row,
                offering_id=row.offering_id,
                valid_from=valid_from,
                price={"model": "per_unit", "price": price},
                created=MID_MARCH,
            )
    report(world, sold, "100", date="2026-03-10")
    at(datetime(2026, 5, 1, 1, tzinfo=UTC))
    report(world, sold, "100", date="2026-04-10")
    assert amounts(generate(world))["storage"] == 10.0
    assert amounts(generate(world, month=4))["storage"] == 20.0
    report(world, sold, "10", date="2026-03-11")  # of March, on May's invoice, at March's price
    at(datetime(2026, 6, 1, 1, tzinfo=UTC))
    assert amounts(generate(world, month=5))["late storage"] == 1.0


def change(sold: Sold, at: datetime, *, plan: Any = None, limits: dict[str, Any] | None = None) -> None:
    """A switch of plan, or of limits, as an order carries it out."""
    with tenancy.as_system("test"):
        running = PlanPeriod.objects.get(resource=sold.resource, end=None)
        PlanPeriod.objects.filter(pk=running.pk).update(end=at)
        PlanPeriod.objects.create(
            resource=sold.resource,
            customer_id=running.customer_id,
            provider_customer_id=running.provider_customer_id,
            plan=plan or running.plan,
            limits=running.limits if limits is None else limits,
            start=at,
            created=at,
            modified=at,
        )


def test_limits_are_charged_for_their_time_and_the_fee_is_not_cut(world: World, sold: Sold, at: At) -> None:
    with tenancy.as_system("test"):
        PlanPeriod.objects.filter(resource=sold.resource).update(limits={"seats": 10})
    change(sold, datetime(2026, 3, 21, tzinfo=UTC), limits={"seats": 20, "unknown": 5})
    at(AFTER_GRACE)
    invoice = generate(world)
    lines = [(row["component_type"], row["quantity"], row["price"]) for row in invoice["items"]]
    # 10 × 3.10 × 20 ÷ 31 and 20 × 3.10 × 11 ÷ 31
    assert sorted(lines) == [("base", "1", 31.0), ("seats", "10", 20.0), ("seats", "20", 22.0)]
    seats = [row for row in invoice["items"] if row["component_type"] == "seats"]
    assert [row["start"] for row in seats] == ["2026-03-01T00:00:00.000000Z", "2026-03-21T00:00:00.000000Z"]
    assert {row["unit"] for row in seats} == {"month"}
    assert amounts(generate(world, month=4))["seats"] == 62.0  # a live draft: the whole month


def test_a_switch_is_charged_by_the_plan_it_leads_to(world: World, sold: Sold, at: At) -> None:
    with tenancy.as_system("test") as actor:
        larger = catalog.create_plan(
            sold.resource.offering,
            {"name": "Larger", "unit_price": "62.00", "components": [{"type": "change", "price": "25"}]},
            actor=actor,
            now=ACTIVATED,
        )
    change(sold, datetime(2026, 3, 21, tzinfo=UTC), plan=larger)
    change(sold, datetime(2026, 3, 25, tzinfo=UTC), limits={"seats": 1})  # same plan: no switch
    at(AFTER_GRACE)
    invoice = generate(world)
    lines = sorted(
        (row["details"]["plan_name"], row["component_type"], row["price"]) for row in invoice["items"]
    )
    assert lines == [("Larger", "base", 22.0), ("Larger", "change", 25.0), ("Metered", "base", 20.0)]


def test_tax_is_added_per_line_and_adds_up(world: World, sold: Sold, at: At) -> None:
    report(world, sold, "100.25")
    assert world.buyer.customer is not None
    with tenancy.as_system("test"):
        Customer.objects.filter(pk=world.buyer.customer.pk).update(default_tax_percent=D("19"))
    at(AFTER_GRACE)
    invoice = generate(world)
    # 31.00 → 5.89; 10.03 → 1.9057
    assert sorted((row["price"], row["tax"], row["total"]) for row in invoice["items"]) == [
        (10.03, "1.91", "11.94"),
        (31.0, "5.89", "36.89"),
    ]
    assert (invoice["price"], invoice["tax"], invoice["total"]) == ("41.03", "7.80", "48.83")


def test_a_report_costs_the_same_whatever_is_on_the_invoice(world: World, sold: Sold, at: At) -> None:
    """Nothing is summed up again by a report: the draft is when somebody asks for it, or the month closes."""

    def measured() -> int:
        with CaptureQueriesContext(connection) as queries:
            report(world, sold, "1", transaction_id=f"T{len(counts)}")
        return len(queries)

    counts: list[int] = []
    report(world, sold, "1")
    invoice = generate(world)
    counts.append(measured())
    with tenancy.as_system("test"):
        draft = Invoice.objects.get(pk=invoice["uuid"])
        first = InvoiceItem.objects.filter(invoice=draft).first()
        assert first is not None
        copies = []
        for position in range(10, 310):
            copy = InvoiceItem.objects.get(pk=first.pk)
            copy.pk, copy.position = uuid4(), position
            copies.append(
                InvoiceItem(
                    **{f.attname: getattr(copy, f.attname) for f in copy._meta.fields if f.name != "id"}
                )
            )
        InvoiceItem.objects.bulk_create(copies)
    counts.append(measured())
    assert counts[0] == counts[1] <= 30
    with tenancy.as_system("test"):
        assert InvoiceItem.objects.filter(invoice=draft).count() > 300
    assert ok(world.buyer.api.get(f"/api/invoices/{invoice['uuid']}/"))["total"] == invoice["total"]
    assert amounts(generate(world, status=200))["storage"] == 0.3


def test_lists_of_invoices_with_300_lines_take_the_same_queries(world: World, at: At) -> None:
    for number in range(100):
        sold = sell(
            world.provider, world.buyer, at=ACTIVATED, plan=PLAN, components=COMPONENTS, name=f"H{number}"
        )
        use(sold, MID_MARCH)
        with tenancy.as_system("test"):
            PlanPeriod.objects.filter(resource=sold.resource).update(limits={"seats": 1})
    at(datetime(2026, 6, 1, 1, tzinfo=UTC))
    for month in (3, 4, 5):
        generate(world, month=month)
    world.buyer.api.get("/api/invoices/")
    counts = {}
    for size in (1, 10):
        with CaptureQueriesContext(connection) as queries:
            rows = ok(world.buyer.api.get("/api/invoices/", page_size=size))
        counts[len(rows)] = len(queries)
    assert [len(row["items"]) for row in rows] == [200, 200, 300]
    assert sorted(counts) == [1, 3] and len(set(counts.values())) == 1
    assert counts[3] <= 8


def test_drafts_end_with_their_month(world: World, sold: Sold, at: At) -> None:
    report(world, sold, "5")
    draft = generate(world)
    assert (draft["state"], amounts(draft)["storage"]) == ("pending", 0.5)
    report(world, sold, "9")
    services.close_periods(now=AFTER_GRACE + timedelta(minutes=1))
    assert amounts(ok(world.buyer.api.get(f"/api/invoices/{draft['uuid']}/")))["storage"] == 0.9
