"""An agent's single calls over REST: found, shown and exported with everything their events say."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.calls import write_call
from tests.support.market import member, ok
from tests.support.shop import Shop

from agentmart.access.models import ApiKey
from agentmart.identity.models import Role
from agentmart.infra import clock, tenancy
from agentmart.metering.api import calls as calls_api
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 3, 20, 8, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: DAY + timedelta(hours=1))


@pytest.fixture
def resource(shop: Shop) -> Resource:
    with tenancy.as_system("test"):
        return Resource.objects.get(pk=shop.resource.rstrip("/").rsplit("/", 1)[-1])


@pytest.fixture
def key(shop: Shop) -> ApiKey:
    with tenancy.as_system("test"):
        return ApiKey.objects.get()


def found(shop: Shop, **query: Any) -> list[str]:
    return [row["request_id"] for row in ok(shop.world.buyer.api.get(f"{shop.config}calls/", **query))]


def test_a_call_shows_all_that_its_event_says(shop: Shop, resource: Resource, key: ApiKey) -> None:
    call = write_call(
        resource,
        DAY,
        key_id=key.id,
        input_tokens=12,
        output_tokens=34,
        source="counted",
        duration_ms=950,
        streamed=True,
        http_status=200,
        queue_ms=7,
        runtime_ms=940,
        first_token_ms=210,
        bytes_in=321,
        bytes_out=654,
        model="gpt-5-mini",
    )
    assert resource.flow_version_id is not None
    expected = {
        "uuid": call.hex,
        "request_id": call.hex,
        "occurred_at": "2026-03-20T08:30:00.000000Z",
        "received_at": "2026-03-20T08:30:00.000000Z",
        "status": "ok",
        "http_status": 200,
        "error_code": "",
        "delivery": "delivered",
        "requests": 1,
        "input_tokens": 12,
        "output_tokens": 34,
        "tokens_from": "tokenizer",
        "duration_ms": 950,
        "latency": {"queue_ms": 7, "runtime_ms": 940, "first_token_ms": 210, "total_ms": 950},
        "bytes_in": 321,
        "bytes_out": 654,
        "model": "gpt-5-mini",
        "streamed": True,
        "version": 1,
        "flow_version_uuid": resource.flow_version_id.hex,
        "key_uuid": key.uuid,
        "key_name": "CI",
        "key_prefix": f"ar_sk_live_…{key.last4}",
        "payload_kept": False,
    }
    assert ok(shop.world.buyer.api.get(f"{shop.config}calls/")) == [expected]
    assert ok(shop.world.buyer.api.get(f"{shop.config}calls/{call.hex}/")) == expected
    assert ok(shop.world.buyer.api.get(f"{shop.config}calls/{call}/")) == expected


def test_an_old_event_says_what_it_knows(shop: Shop, resource: Resource) -> None:
    call = write_call(
        resource, DAY, flow_version_id=None, source="none", status="error", error_code="crashed"
    )
    row = ok(shop.world.buyer.api.get(f"{shop.config}calls/{call.hex}/"))
    assert row["latency"] == {"queue_ms": None, "runtime_ms": None, "first_token_ms": None, "total_ms": 5}
    assert (row["http_status"], row["bytes_in"], row["version"], row["key_uuid"]) == (None, None, None, None)
    assert (row["tokens_from"], row["status"], row["error_code"], row["key_name"]) == (
        "none",
        "error",
        "crashed",
        "",
    )


def test_calls_are_found_by_time_status_key_version_and_id(
    shop: Shop, resource: Resource, key: ApiKey
) -> None:
    first = write_call(resource, DAY - timedelta(days=2), key_id=key.id).hex
    second = write_call(resource, DAY - timedelta(days=1), status="timeout", flow_version_id=None).hex
    third = write_call(resource, DAY, status="cancelled", key_id=uuid4()).hex
    old = write_call(resource, DAY - timedelta(days=60)).hex
    assert found(shop) == [third, second, first]
    assert found(shop, start="2026-03-19", end="2026-03-19") == [second]
    assert found(shop, status=["timeout", "Cancelled"]) == [third, second]
    assert found(shop, key=key.uuid) == found(shop, key=str(key.id)) == [first]
    assert found(shop, version=1) == [third, first]
    assert found(shop, version=2) == []
    assert found(shop, request_id=[old, second]) == [second, old]
    assert found(shop, request_id=old, start="2026-03-01") == []
    assert found(shop, before=third) == [second, first]
    assert found(shop, before=first, start="2026-01-01") == [old]
    assert found(shop, status="ok", key=key.uuid, start="2026-01-01") == [first]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "fine"}, "status"),
        ({"key": "CI"}, "key"),
        ({"version": "latest"}, "version"),
        ({"version": "99999999999"}, "version"),
        ({"version": "-1"}, "version"),
        ({"request_id": "x"}, "request_id"),
        ({"before": "x"}, "before"),
        ({"page_size": "0"}, "page_size"),
        ({"export": "xls"}, "export"),
    ],
)
def test_searches_that_make_no_sense(shop: Shop, query: dict[str, str], field: str) -> None:
    for form in ({}, {"format": "csv"}, {"export": "csv"}):
        answer = shop.world.buyer.api.get(f"{shop.config}calls/", **{**query, **form})
        if form and (field == "page_size" or field in form):
            continue  # a table has no pages
        assert (answer.status_code, list(answer.json())) == (400, [field])


def test_pages_count_by_the_hours_and_by_the_search(shop: Shop, resource: Resource, key: ApiKey) -> None:
    for minutes in range(5):
        write_call(resource, DAY + timedelta(minutes=minutes), key_id=key.id if minutes % 2 else None)
    api, path = shop.world.buyer.api, f"{shop.config}calls/"
    answer = api.get(path, page_size=2, page=3)
    assert (answer["X-Result-Count"], len(ok(answer))) == ("5", 1)
    assert api.get(path, key=key.uuid, page_size=1)["X-Result-Count"] == "2"
    assert api.get(path, page=4, page_size=2).status_code == 404
    assert api.head(path)["X-Result-Count"] == "5"


def test_the_number_of_queries_does_not_depend_on_the_calls(
    shop: Shop, resource: Resource, key: ApiKey
) -> None:
    api, path = shop.world.buyer.api, f"{shop.config}calls/"
    write_call(resource, DAY, key_id=key.id)
    ok(api.get(path))  # the first of an hour notes that the token was used
    counts = set()
    for size in (1, 300):
        with CaptureQueriesContext(connection) as seen:
            ok(api.get(path, page_size=size))
        counts.add(len(seen))
        for minutes in range(30):
            write_call(resource, DAY + timedelta(minutes=minutes), key_id=uuid4())
    assert len(counts) == 1
    assert counts.pop() <= 14 + 2  # two of the test's own savepoint


def test_calls_as_a_table(
    shop: Shop, resource: Resource, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_api, "MOST_IN_CSV", 4)
    monkeypatch.setattr(calls_api, "CSV_BATCH", 2)
    ids = [
        write_call(resource, DAY + timedelta(minutes=n), key_id=key.id, model="=1+1").hex for n in range(5)
    ]
    answer = shop.world.buyer.api.get(f"{shop.config}calls/", format="csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["request_id"] for row in rows] == ids[:0:-1]
    assert (rows[0]["key_name"], rows[0]["version"], rows[0]["model"]) == ("CI", "1", "'=1+1")
    assert (rows[0]["total_ms"], rows[0]["queue_ms"], rows[0]["status"]) == ("5", "", "ok")
    assert f"before={ids[1]}" in answer["Link"]
    rest = shop.world.buyer.api.get(f"{shop.config}calls/", format="csv", before=ids[1])
    assert ids[0] in rest.content.decode() and ids[1] not in rest.content.decode()
    assert "Link" not in rest
    by_export = shop.world.buyer.api.get(f"{shop.config}calls/", export="csv", before=ids[1])
    assert by_export.content == rest.content


def test_a_call_of_another_agent_is_none_of_this_one(shop: Shop, resource: Resource) -> None:
    call = write_call(resource, DAY, resource_id=uuid4())
    answer = shop.world.buyer.api.get(f"{shop.config}calls/{call.hex}/")
    assert answer.status_code == 404
    assert found(shop, request_id=call.hex) == []


def test_who_sees_calls(shop: Shop, resource: Resource) -> None:
    call: UUID = write_call(resource, DAY)
    path = f"{shop.config}calls/{call.hex}/"
    buyer = shop.world.buyer
    assert ok(member(buyer.customer, Role.PROJECT_MEMBER, buyer.project).get(path))["uuid"] == call.hex
    for api in (shop.world.stranger.api, shop.world.provider.api):
        assert api.get(path).status_code == 404
        assert api.get(f"{shop.config}calls/").status_code == 404
    assert shop.world.visitor.get(path).status_code == 401
