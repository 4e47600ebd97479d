"""Details carry a tag: what the caller holds is not sent again, what has changed is not overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from tests.support.market import ok
from tests.support.shop import Shop

from agentmart.infra import conditional

pytestmark = pytest.mark.django_db


def get(shop: Shop, path: str, **headers: str) -> Any:
    return Client().get(path, headers={**shop.world.operator.api._headers, **headers})


def patch(shop: Shop, body: Any, tag: str, method: str = "patch") -> Any:
    send = getattr(Client(), method)
    headers = {**shop.world.operator.api._headers, "If-Match": tag}
    return send(shop.customer, body, content_type="application/json", headers=headers)


def test_a_detail_carries_its_tag_and_is_not_sent_twice(shop: Shop) -> None:
    first = get(shop, shop.customer)
    assert first["ETag"] == conditional.tag_of(first.content)
    assert first["ETag"].startswith('W/"')
    again = get(shop, shop.customer, **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert again["X-Request-Id"]


@pytest.mark.parametrize("header", ["*", 'W/"0", {tag}', "{strong}"])
def test_all_forms_of_the_header_are_read(shop: Shop, header: str) -> None:
    tag = get(shop, shop.customer)["ETag"]
    told = header.format(tag=tag, strong=tag.removeprefix("W/"))
    assert get(shop, shop.customer, **{"If-None-Match": told}).status_code == 304


def test_a_change_changes_the_tag(shop: Shop) -> None:
    tag = get(shop, shop.customer)["ETag"]
    ok(shop.world.operator.api.patch(shop.customer, {"address": "2 Road"}))
    again = get(shop, shop.customer, **{"If-None-Match": tag})
    assert again.status_code == 200
    assert again["ETag"] != tag


def test_chosen_fields_have_a_tag_of_their_own(shop: Shop) -> None:
    whole, part = get(shop, shop.customer), get(shop, f"{shop.customer}?field=name")
    assert part["ETag"] != whole["ETag"]
    ok(shop.world.operator.api.patch(shop.customer, {"address": "3 Road"}))
    assert get(shop, f"{shop.customer}?field=name", **{"If-None-Match": part["ETag"]}).status_code == 304


def test_a_tag_is_no_way_to_see(shop: Shop) -> None:
    tag = get(shop, shop.customer)["ETag"]
    headers = {**shop.world.stranger.api._headers, "If-None-Match": tag}
    assert Client().get(shop.customer, headers=headers).status_code == 404
    assert Client().get(shop.customer, headers={"If-None-Match": tag}).status_code == 401


def test_lists_and_refusals_carry_none(shop: Shop) -> None:
    assert "ETag" not in get(shop, "/api/customers/")
    assert "ETag" not in get(shop, "/api/customers/00000000000000000000000000000000/")


def test_what_changed_meanwhile_is_not_overwritten(shop: Shop) -> None:
    tag = get(shop, shop.customer)["ETag"]
    assert patch(shop, {"address": "4 Road"}, tag).status_code == 200
    late = patch(shop, {"address": "5 Road"}, tag)
    assert late.status_code == 412
    assert late.json()["code"] == "precondition_failed"
    assert shop.shown()["address"] == "4 Road"
    assert patch(shop, {"address": "6 Road"}, get(shop, shop.customer)["ETag"]).status_code == 200
    assert patch(shop, {"address": "7 Road"}, "*").status_code == 200


def test_put_demands_the_required_keys_and_leaves_no_row_half_changed(shop: Shop) -> None:
    tag = get(shop, shop.customer)["ETag"]
    without = patch(shop, {"address": "8 Road"}, tag, "put")
    assert without.status_code == 400
    assert without.json() == {"name": ["This field is required."]}
    whole = patch(shop, {"name": "Buyer Ltd", "address": "8 Road"}, tag, "put")
    assert whole.status_code == 200
    assert whole.json()["address"] == "8 Road"
    assert patch(shop, {"name": "Late"}, tag, "put").status_code == 412


def test_a_thing_that_cannot_be_changed_has_no_put(shop: Shop) -> None:
    answer = Client().put(
        shop.order.replace("marketplace-orders", "users"),
        {},
        content_type="application/json",
        headers=shop.world.operator.api._headers,
    )
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize(
    ("header", "found"), [('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ('"b"', False), ("", False)]
)
def test_tags_compare(header: str, found: bool) -> None:
    assert conditional.stands(header, 'W/"a"') is found
