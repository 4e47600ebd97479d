"""What the description calls read-only cannot be written: each such key of every answer, sent back changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import resolve
from tests.support.market import ok
from tests.support.shop import Shop
from tests.web.test_queries import open_issue

pytestmark = pytest.mark.django_db

MOVES = frozenset({"modified"})
"""Keys that a change of others brings with it."""


def altered(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return "7.77" if value.replace(".", "").isdigit() else f"{value}x"
        case list():
            return [*value, {"name": "x"}]
        case dict():
            return {**value, "x": "y"}
        case _:
            return "x"


def test_a_key_that_is_only_read_stays_as_it_is_and_is_named(shop: Shop) -> None:
    world = shop.world
    open_issue(shop, world.buyer.api)
    uuid = ok(world.operator.api.get("/api/support-issues/"))[0]["uuid"]
    paths = {
        "offering": f"/api/marketplace-offerings/{shop.sold['offering']}/",
        "plan": f"/api/marketplace-plans/{shop.sold['plan']}/",
        "category": shop.category.removeprefix("http://testserver"),
        "customer": shop.customer,
        "project": shop.project,
        "order": shop.order,
        "resource": shop.resource,
        "agent": shop.agent,
        "config": shop.config,
        "issue": f"/api/support-issues/{uuid}/",
        "user": f"/api/users/{world.stranger.user.uuid}/",
    }
    checked = 0
    for name, path in paths.items():
        api = world.buyer.api if name == "config" else world.operator.api
        viewset = resolve(path).func.cls()  # type: ignore[attr-defined]
        body = viewset.declared_body("partial_update")
        assert body is not None, name
        fields = body().fields
        before = ok(api.get(path))
        only_read = [key for key in before if key not in fields or fields[key].read_only]
        answer = api.patch(path, {key: altered(before[key]) for key in only_read})
        assert answer.status_code == 200, (name, answer.content)
        warned = answer["Warning"]
        after = ok(api.get(path))
        for key in only_read:
            assert key in MOVES or after[key] == before[key], (name, key)
        assert warned.count("ignored") == min(len(only_read), 20), name
        checked += len(only_read)
    assert checked > 200
