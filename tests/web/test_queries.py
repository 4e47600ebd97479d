"""Lists cost the same number of queries whatever they hold."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.support.flows import echo_flow
from tests.support.market import AGENTS, CONFIGS, OFFERINGS, ORDERS, RESOURCES, agent, buy, ok, publish
from tests.support.shop import Shop
from tests.support.studio import STUDIOS, stored
from tests.support.world import Api

pytestmark = pytest.mark.django_db

LISTS = [
    "/api/users/",
    "/api/customers/",
    "/api/projects/",
    "/api/marketplace-categories/",
    "/api/marketplace-service-providers/",
    OFFERINGS,
    "/api/marketplace-public-offerings/",
    "/api/marketplace-provider-offerings/",
    "/api/marketplace-plans/",
    "/api/marketplace-plan-components/",
    ORDERS,
    RESOURCES,
    AGENTS,
    STUDIOS,
    CONFIGS,
    "/api/marketplace-component-usages/",
    "/api/marketplace-provider-resources/",
    "/api/marketplace-orders/dashboard-my-orders/",
    "/api/marketplace-screenshots/",
    "/api/marketplace-offering-files/",
    "/api/support-issues/",
    "/api/support-comments/",
    "/api/support-attachments/",
    "/api/support-users/",
]
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
MOST = 8 + 2  # the contract's 8, and the savepoint that the test's own transaction adds (set and released)


@pytest.fixture
def many(shop: Shop) -> Shop:
    """More of everything that a list shows."""
    for person in (shop.world.buyer, shop.world.stranger):
        assert person.customer is not None
        body = {"customer": person.customer.uuid}
        ok(shop.world.operator.api.post("/api/marketplace-service-providers/", body), 201)
    for name in ("Sue", "Sid"):
        helper = {"username": name, "email": f"{name}@desk.test", "is_support": True}
        ok(shop.world.operator.api.post("/api/users/", helper), 201)
    for caller in (shop.world.buyer, shop.world.provider, shop.world.operator):
        open_issue(shop, caller.api)
    for number in range(3):
        stored(shop.world.provider.customer, f"Studio {number}")
        sold = publish(shop.world, agent(shop.world, echo_flow()))
        plan = {"name": "Other", "unit_price": "1", "components": [{"type": "requests", "price": "2"}]}
        ok(
            shop.world.provider.api.post("/api/marketplace-plans/", {**plan, "offering": sold["offering"]}),
            201,
        )
        picture = {
            "offering": sold["offering"],
            "name": f"P{number}",
            "image": base64.b64encode(PNG).decode(),
        }
        ok(shop.world.provider.api.post("/api/marketplace-screenshots/", picture), 201)
        form = {"offering": sold["offering"], "name": "F", "file": SimpleUploadedFile("a.txt", b"text")}
        provider = shop.world.provider.api
        sent = provider._client.post("/api/marketplace-offering-files/", form, headers=provider._headers)
        assert sent.status_code == 201
        for name in ("One", "Two"):
            bought = buy(shop.world, sold, attributes={"name": name})
            report = {"resource": bought["uuid"], "usages": [{"type": "requests", "amount": 5}]}
            ok(shop.world.operator.api.post("/api/marketplace-component-usages/set_usage/", report), 201)
    return shop


def open_issue(shop: Shop, api: Api) -> None:
    """An issue with a comment and a file."""
    body = {"summary": "X", "resource": shop.resource, "first_comment": "Hello"}
    issue = ok(api.post("/api/support-issues/", body), 201)["uuid"]
    form = {"issue": issue, "file": SimpleUploadedFile("a.txt", b"text")}
    assert api._client.post("/api/support-attachments/", form, headers=api._headers).status_code == 201


def queries(api: Any, path: str, size: int) -> tuple[int, int]:
    """The number of queries of a page, and of its rows."""
    with CaptureQueriesContext(
        connection,
    ) as seen:
        rows = ok(api.get(path, page_size=size))
    return len(seen), len(rows)


def test_a_list_s_queries_do_not_grow_with_its_rows(many: Shop) -> None:
    world = many.world
    for path in LISTS:
        most = 0
        for person in (world.operator, world.provider, world.buyer):
            one, few = queries(person.api, path, 1)
            all_of_them, rows = queries(person.api, path, 300)
            assert all_of_them <= MOST, path
            assert all_of_them == one or few == rows, path
            most = max(most, rows)
        assert most >= 3, path


def test_versions_and_keys_and_plans_of_one_thing_do_not_grow_either(many: Shop) -> None:
    for number in range(3):
        ok(many.world.buyer.api.post(f"{many.config}api-keys/", {"name": f"K{number}"}), 201)
    for api, path in (
        (many.world.provider.api, f"{many.agent}versions/"),
        (many.world.buyer.api, f"{many.config}api-keys/"),
        (many.world.buyer.api, f"{OFFERINGS}{many.sold['offering']}/plans/"),
        (many.world.buyer.api, f"{many.resource}plan_periods/"),
    ):
        count, _ = queries(api, path, 300)
        assert count <= MOST


def test_lists_of_statistics_do_not_grow_either(many: Shop) -> None:
    stats = "/api/marketplace-stats/"
    revenue = f"/api/marketplace-service-providers/{many.seller()}/revenue/"
    for path in (f"{stats}component_usages/", f"{stats}component_usages_per_month/", revenue):
        counts = {queries(many.world.operator.api, path, size)[0] for size in (1, 10, 50, 300)}
        assert len(counts) == 1 and counts.pop() <= MOST, path


def test_lists_never_read_a_flow(many: Shop) -> None:
    for path in (AGENTS, f"{many.agent}versions/", "/api/marketplace-provider-offerings/"):
        with CaptureQueriesContext(connection) as seen:
            ok(many.world.provider.api.get(path))
        assert [query["sql"] for query in seen if '"flow"' in query["sql"]] == []
