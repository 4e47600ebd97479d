"""What a buyer sees of usage: cost by the invoice's own rating, by key and version, against the limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.calls import write_call
from tests.support.market import ok
from tests.support.sale import Sold, config_of, sell, use
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.access.models import ApiKey
from agentmart.billing import costs
from agentmart.catalog import services as catalog
from agentmart.catalog.models import Plan
from agentmart.infra import clock, tenancy
from agentmart.kit.periods import Period
from agentmart.metering import services
from agentmart.metering.models import CallStarted, UsageHour, UsagePart
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)
MARCH = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
APRIL = MARCH.end


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DAY)


@pytest.fixture
def sold(world: World) -> Sold:
    return sell(world.provider, world.buyer, at=START)


def usage(world: World, sold: Sold, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ok(world.buyer.api.get(f"{config_of(sold)}usage/", **query))
    return answer


def invoiced(world: World, month: int) -> D:
    """The net sum of the month's draft."""
    assert world.buyer.customer is not None
    sent = {"customer": world.buyer.customer.uuid, "year": 2026, "month": month}
    made = ok(world.operator.api.post("/api/invoices/", sent), 201)
    return D(str(made["price"]))


# -- cost


def test_a_month_costs_what_its_invoice_charges(world: World, sold: Sold) -> None:
    for output in (700, 3000, 2100):
        use(sold, DAY, output=output)
    # 99 × 1,857,600 s ÷ 2,678,400 s; 1,000 free, 4,000 × 0.002, 800 × 0.00125; 3 × 0.01
    totals = usage(world, sold)["totals"]
    assert (totals["cost"], totals["currency"]) == ("77.69", "USD")
    assert D(totals["cost"]) == invoiced(world, 3)


def test_costs_of_adjoining_ranges_add_up_and_tiers_go_on(world: World, sold: Sold) -> None:
    use(sold, datetime(2026, 3, 15, 5, tzinfo=UTC), output=900)
    use(sold, DAY, output=4900)
    first = usage(world, sold, start="2026-03-01", end="2026-03-15")["totals"]["cost"]
    second = usage(world, sold, start="2026-03-16", end="2026-03-31")["totals"]["cost"]
    # 5.5 of 31 days and a call: 99 × 475,200 s ÷ 2,678,400 s = 17.5645…; its tokens are free
    assert first == "17.57"
    assert D(first) + D(second) == D(usage(world, sold)["totals"]["cost"]) == D("77.68")


def test_reports_plan_changes_and_several_months_count_as_on_the_invoices(world: World, sold: Sold) -> None:
    use(sold, DAY, output=1100)
    report = {"resource": sold.resource.uuid, "component": "requests", "usage": 250, "date": "2026-03-19"}
    ok(world.operator.api.post("/api/marketplace-component-usages/", report), 201)
    whole = D(usage(world, sold, start="2026-03-01", end="2026-03-31")["totals"]["cost"])
    assert whole == invoiced(world, 3)
    before = D(usage(world, sold, start="2026-03-01", end="2026-03-18")["totals"]["cost"])
    assert before == costs_of(sold, MARCH.start, datetime(2026, 3, 19, tzinfo=UTC))
    both = D(usage(world, sold, start="2026-03-01", end="2026-04-30")["totals"]["cost"])
    assert both == whole + 99


def costs_of(sold: Sold, start: datetime, end: datetime) -> D:
    with tenancy.as_system("test"):
        found = costs.of_resource(sold.resource.id, start, end)
        assert found is not None
        return found["USD"]


def test_a_price_counts_from_the_month_it_is_in_force(world: World, sold: Sold) -> None:
    use(sold, DAY)
    use(sold, datetime(2026, 4, 2, tzinfo=UTC))
    with tenancy.as_system("test") as actor:
        catalog.update_prices(sold.plan, {"requests": D("5")}, actor=actor, now=DAY)
    march = usage(world, sold, start="2026-03-01", end="2026-03-31")["totals"]["cost"]
    april = usage(world, sold, start="2026-04-01", end="2026-04-30")["totals"]["cost"]
    assert (march, april) == ("68.67", "104.00")


def test_what_cannot_be_rated_has_no_cost(world: World, sold: Sold) -> None:
    with tenancy.as_system("test"):
        Plan.objects.filter(pk=sold.plan.pk).update(unit="day")  # of an older release: refused today
    totals = usage(world, sold)["totals"]
    assert (totals["cost"], totals["currency"]) == (None, "USD")


def test_what_is_not_billed_costs_nothing(world: World, sold: Sold) -> None:
    with tenancy.as_system("test"):
        sold.resource.offering.billable = False
        sold.resource.offering.save(update_fields=["billable"])
    use(sold, DAY, output=5000)
    assert usage(world, sold)["totals"]["cost"] == "0.00"


def test_the_number_of_queries_does_not_depend_on_range_calls_or_grouping(world: World, sold: Sold) -> None:
    path = f"{config_of(sold)}usage/"
    ok(world.buyer.api.get(path))  # the first of an hour notes that the token was used
    counts = set()
    for query in (
        {"start": "2026-03-20", "end": "2026-03-20"},
        {"start": "2024-01-01", "end": "2026-12-31", "granularity": "hour"},
    ):
        for _ in range(2):
            with CaptureQueriesContext(connection) as seen:
                ok(world.buyer.api.get(path, **query))
            counts.add(len(seen))
            use(sold, DAY, output=10)
    assert len(counts) == 1
    assert counts.pop() <= 16 + 2  # two of the test's own savepoint


# -- by key and by version


@pytest.fixture
def resource(shop: Shop) -> Resource:
    with tenancy.as_system("test"):
        return Resource.objects.get(pk=shop.resource.rstrip("/").rsplit("/", 1)[-1])


def keys_of(shop: Shop) -> list[ApiKey]:
    ok(shop.world.buyer.api.post(f"{shop.config}api-keys/", {"name": "Web"}), 201)
    with tenancy.as_system("test"):
        return list(ApiKey.objects.order_by("name"))


def parts() -> int:
    with tenancy.as_system("test"):
        return UsagePart.objects.count()


def test_usage_by_key_is_the_same_before_and_after_it_is_summed_up(shop: Shop, resource: Resource) -> None:
    first, second = keys_of(shop)
    write_call(resource, DAY, key_id=first.id, output_tokens=10)
    write_call(resource, DAY, key_id=second.id, output_tokens=5, status="error")
    write_call(resource, DAY - timedelta(hours=3), key_id=second.id, output_tokens=7)
    write_call(resource, DAY + timedelta(days=1), key_id=None, output_tokens=1)
    api, path = shop.world.buyer.api, f"{shop.config}usage/"
    live = ok(api.get(path, group_by="key"))
    assert services.split_hours(now=DAY + timedelta(hours=1), back=timedelta(days=2)) == 2
    assert parts() == 3
    assert services.split_hours(now=DAY + timedelta(hours=1), back=timedelta(days=2)) == 0
    assert ok(api.get(path, group_by="key")) == live
    shown = [
        (
            row["key_name"],
            row["key_uuid"],
            row["events"],
            row["errors"],
            row["requests"],
            row["output_tokens"],
        )
        for row in live["groups"]
    ]
    assert sorted(shown) == sorted(
        [
            ("CI", first.uuid, 1, 0, 1, 10),
            ("Web", second.uuid, 2, 1, 1, 12),
            ("", None, 1, 0, 1, 1),
        ]
    )
    prefixes = {row["key_name"]: row["key_prefix"] for row in live["groups"]}
    assert prefixes["CI"].startswith("ar_sk_live_…") and prefixes[""] == ""
    by_day = [(row["at"][:10], row["key_name"], row["output_tokens"]) for row in live["series"]]
    assert sorted(by_day) == [("2026-03-20", "CI", 10), ("2026-03-20", "Web", 12), ("2026-03-21", "", 1)]
    for name in ("events", "errors", "requests", "output_tokens"):
        assert sum(row[name] for row in live["series"]) == live["totals"][name]
    assert ok(api.get(path))["groups"] == []


def test_a_call_written_late_is_seen_at_once_and_summed_up_later(shop: Shop, resource: Resource) -> None:
    key = uuid4()
    write_call(resource, DAY, key_id=key)
    assert services.split_hours(now=DAY + timedelta(hours=1), back=timedelta(days=2)) == 1
    write_call(resource, DAY, key_id=key)
    answer = ok(shop.world.buyer.api.get(f"{shop.config}usage/", group_by="key"))
    assert [row["requests"] for row in answer["groups"]] == [2]
    assert services.split_hours(now=DAY + timedelta(hours=1), back=timedelta(days=2)) == 1
    with tenancy.as_system("test"):
        assert UsagePart.objects.get().requests == 2


def test_an_hour_that_is_not_over_is_left_for_later(shop: Shop, resource: Resource) -> None:
    write_call(resource, DAY)
    assert services.split_hours(now=DAY + timedelta(minutes=20), back=timedelta(days=2)) == 0
    assert parts() == 0


def test_usage_by_version(shop: Shop, resource: Resource) -> None:
    write_call(resource, DAY, input_tokens=3)
    write_call(resource, DAY, input_tokens=4, flow_version_id=None)
    answer = ok(shop.world.buyer.api.get(f"{shop.config}usage/", group_by="version", granularity="month"))
    assert resource.flow_version_id is not None
    shown = {(row["version"], row["flow_version_uuid"], row["input_tokens"]) for row in answer["series"]}
    assert shown == {(1, resource.flow_version_id.hex, 3), (None, None, 4)}
    assert {row["at"] for row in answer["series"]} == {"2026-03-01T00:00:00Z"}


def test_a_group_that_does_not_exist(shop: Shop) -> None:
    answer = shop.world.buyer.api.get(f"{shop.config}usage/", group_by="weather")
    assert (answer.status_code, list(answer.json())) == (400, ["group_by"])


# -- limits


def test_limits_in_force_and_what_of_them_is_used(shop: Shop, resource: Resource) -> None:
    limits = {
        "requests_per_minute": 60,
        "requests_per_month": 1000,
        "concurrent_requests": 5,
        "max_context_tokens": 8000,
        "streaming": True,
    }
    ok(shop.world.provider.api.patch(f"/api/marketplace-plans/{shop.sold['plan']}/", {"limits": limits}))
    latest = DAY - timedelta(seconds=20)
    write_call(resource, latest)
    write_call(resource, DAY - timedelta(seconds=50))
    write_call(resource, DAY - timedelta(seconds=70))
    write_call(resource, DAY - timedelta(days=30))
    with tenancy.as_system("test"):
        ids = {"gateway_id": uuid4(), "customer_id": resource.customer_id, "key_id": uuid4()}
        for minutes in (1, 90):
            CallStarted.objects.create(
                call_id=uuid4(),
                provider_customer_id=resource.provider_customer_id,
                resource_id=resource.id,
                started_at=DAY - timedelta(minutes=minutes),
                **ids,
            )
    shown = ok(shop.world.buyer.api.get(f"{shop.config}usage/"))["limits"]
    assert shown == [
        {"name": "concurrent_requests", "used": 1, "limit": 5, "resets_at": None},
        {"name": "max_context_tokens", "used": None, "limit": 8000, "resets_at": None},
        {"name": "requests_per_minute", "used": 2, "limit": 60, "resets_at": "2026-03-20T08:30:40Z"},
        {"name": "requests_per_month", "used": 3, "limit": 1000, "resets_at": "2026-04-01T00:00:00Z"},
    ]


def test_a_budget_is_a_limit_of_what_the_month_costs(world: World, sold: Sold) -> None:
    use(sold, DAY)
    ok(world.buyer.api.patch(config_of(sold), {"budget": {"monthly": "120", "currency": "USD"}}))
    (budget,) = usage(world, sold, start="2026-01-01", end="2026-01-31")["limits"]
    assert budget == {
        "name": "budget",
        "used": "68.67",
        "limit": "120.00",
        "resets_at": "2026-04-01T00:00:00Z",
    }


def test_hours_of_no_plan_are_used_but_cost_nothing(world: World, sold: Sold) -> None:
    write_call(sold.resource, DAY, plan_id=None, output_tokens=10_000)
    totals = usage(world, sold)["totals"]
    assert (totals["output_tokens"], totals["cost"]) == (10_000, "68.66")
    with tenancy.as_system("test"):
        assert UsageHour.objects.count() == 1
