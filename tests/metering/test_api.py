"""What an agent used, over REST: sums, single calls, ranges of every wrong kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from tests.support.market import CONFIGS, ok
from tests.support.sale import EVENT, HOUR
from tests.support.shop import Shop

from agentmart.infra import clock, tenancy
from agentmart.kit.ids import uuid7
from agentmart.metering import services
from agentmart.metering.models import CallFlag, CallStarted
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DAY)


def meter(shop: Shop, at: datetime, *, input: int, output: int) -> Any:
    """Write one call as the gateway does; returns its id."""
    with tenancy.as_system("test"), connection.cursor() as cursor:
        resource = Resource.objects.get(pk=shop.resource.rstrip("/").rsplit("/", 1)[-1])
        values = {
            "id": uuid7(at),
            "customer": resource.customer_id,
            "provider": resource.provider_customer_id,
            "project": resource.project_id,
            "resource": resource.id,
            "offering": resource.offering_id,
            "plan": resource.plan_id,
            "at": at,
            "requests": 1,
            "input": input,
            "output": output,
        }
        cursor.execute(EVENT, values)
        cursor.execute(HOUR, values)
        CallStarted.objects.create(
            call_id=values["id"],
            gateway_id=values["id"],
            customer_id=resource.customer_id,
            provider_customer_id=resource.provider_customer_id,
            resource_id=resource.id,
            key_id=values["id"],
            started_at=at,
        )
    return values["id"]


def test_sums_and_series_of_this_month(shop: Shop) -> None:
    meter(shop, DAY, input=10, output=100)
    meter(shop, DAY + timedelta(hours=1), input=5, output=50)
    meter(shop, DAY + timedelta(days=1), input=1, output=1)
    meter(shop, DAY - timedelta(days=40), input=1000, output=1000)
    answer = ok(shop.world.buyer.api.get(f"{shop.config}usage/"))
    assert (answer["start"], answer["end"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert answer["totals"] == {
        "events": 3,
        "errors": 0,
        "requests": 3,
        "input_tokens": 16,
        "output_tokens": 151,
        "cost": "0.13",
        "currency": "USD",
    }
    assert [(row["at"], row["output_tokens"]) for row in answer["series"]] == [
        ("2026-03-20T00:00:00Z", 150),
        ("2026-03-21T00:00:00Z", 1),
    ]
    hourly = ok(shop.world.buyer.api.get(f"{shop.config}usage/", granularity="hour", end="2026-03-20"))
    assert [row["output_tokens"] for row in hourly["series"]] == [100, 50]
    nothing = ok(shop.world.buyer.api.get(f"{shop.config}usage/", start="2025-01-01", end="2025-01-31"))
    assert (nothing["totals"]["requests"], nothing["series"]) == (0, [])


def test_single_calls_with_what_is_in_doubt(shop: Shop) -> None:
    first = meter(shop, DAY, input=10, output=100)
    second = meter(shop, DAY + timedelta(minutes=10), input=5, output=50)
    swept = services.sweep_calls(now=DAY + timedelta(minutes=20), older_than=timedelta(minutes=15))
    assert swept == 1
    answer = shop.world.buyer.api.get(f"{shop.config}calls/")
    shown = [(row["uuid"], row["output_tokens"], row["delivery"]) for row in ok(answer)]
    assert shown == [(second.hex, 50, "delivered"), (first.hex, 100, "undelivered")]
    assert answer["X-Result-Count"] == "2"
    with tenancy.as_system("test"):
        assert CallFlag.objects.get().outcome == "undelivered"


def test_a_call_that_died_before_it_was_metered_is_abandoned(shop: Shop) -> None:
    with tenancy.as_system("test"):
        resource = Resource.objects.get(pk=shop.resource.rstrip("/").rsplit("/", 1)[-1])
        call = uuid7(DAY)
        values = {"customer_id": resource.customer_id, "provider_customer_id": resource.provider_customer_id}
        CallStarted.objects.create(
            call_id=call, gateway_id=call, key_id=call, resource_id=resource.id, started_at=DAY, **values
        )
    later = DAY + timedelta(minutes=16)
    assert services.sweep_calls(now=later, older_than=timedelta(minutes=15)) == 1
    assert services.sweep_calls(now=later, older_than=timedelta(minutes=15)) == 0
    with tenancy.as_system("test"):
        assert (CallFlag.objects.get().outcome, CallStarted.objects.count()) == ("abandoned", 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "2026-13-01"}, "start"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-04-01", "end": "2026-03-01"}, "start"),
        ({"start": "2020-01-01"}, "start"),
        ({"start": "0001-01-01", "end": "0001-01-02"}, "start"),
        ({"start": "1960-01-01", "end": "1960-01-02"}, "start"),
        ({"end": "9999-12-31"}, "end"),
        ({"start": "9999-12-31", "end": "9999-12-31"}, "start"),
        ({"granularity": "week"}, "granularity"),
        ({"start": "\0"}, "start"),
    ],
)
@pytest.mark.parametrize("what", ["usage", "calls"])
def test_ranges_that_make_no_sense(shop: Shop, what: str, query: dict[str, str], field: str) -> None:
    answer = shop.world.buyer.api.get(f"{shop.config}{what}/", **query)
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_the_provider_and_strangers_see_no_settings(shop: Shop) -> None:
    for api in (shop.world.provider.api, shop.world.stranger.api):
        assert ok(api.get(CONFIGS)) == []
        for path in ("", "usage/", "calls/", "api-keys/"):
            assert api.get(f"{shop.config}{path}").status_code == 404
        assert api.patch(shop.config, {"name": "Stolen"}).status_code == 404
        assert api.post(f"{shop.config}api-keys/", {"name": "Stolen"}).status_code == 404
        assert api.delete(shop.key).status_code == 404
    (seen,) = ok(shop.world.provider.api.get("/api/marketplace-resources/", state="OK"))
    assert seen["agent_config"] is None
    for path in ("/api/marketplace-resources/", "/api/marketplace-orders/"):
        assert ok(shop.world.stranger.api.get(path)) == []
    for path in (shop.resource, shop.order, f"{shop.resource}plan_periods/"):
        assert shop.world.stranger.api.get(path).status_code == 404
    for path in (f"{shop.resource}terminate/", f"{shop.order}approve/", f"{shop.order}cancel/"):
        assert shop.world.stranger.api.post(path).status_code == 404
    assert ok(shop.world.buyer.api.get(shop.resource))["state"] == "OK"
    assert ok(shop.world.buyer.api.get(shop.order))["state"] == "pending-provider"
    assert ok(shop.world.buyer.api.get(f"{shop.config}api-keys/"))[0]["state"] == "active"
