"""What all lists share: counts without rows, chosen fields, hints about what was ignored, strict callers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.support.shop import Shop

from agentmart.web.urls import router

pytestmark = pytest.mark.django_db


LISTS = {
    f"/api{simplify_regex(str(pattern.pattern))}": pattern.callback.cls
    for pattern in router.urls
    if "list" in pattern.callback.actions.values()
}
"""Every list of the router, and what serves it."""


def get(shop: Shop, path: str, method: str = "get", **headers: str) -> Any:
    return getattr(Client(), method)(path, headers={**shop.world.operator.api._headers, **headers})


def test_head_of_every_list_counts_and_reads_no_row(shop: Shop) -> None:
    assert len(LISTS) >= 13
    for path in LISTS:
        listed = get(shop, path)
        with CaptureQueriesContext(connection) as seen:
            head = get(shop, path, "head")
        assert (listed.status_code, head.status_code, head.content) == (200, 200, b""), path
        assert int(head["X-Result-Count"]) == int(listed["X-Result-Count"]), path
        assert head["Link"] == listed["Link"], path
        told = [query["sql"] for query in seen if "LIMIT" in query["sql"] and "LIMIT 1" not in query["sql"]]
        assert told == [], path


def test_a_page_out_of_range_is_404_for_both(shop: Shop) -> None:
    for method in ("get", "head"):
        assert get(shop, "/api/customers/?page=99", method).status_code == 404
    assert get(shop, "/api/customers/?page=99").json()["detail"] == "Invalid page."


@pytest.mark.slow
@pytest.mark.walk
@pytest.mark.parametrize("path", LISTS)
def test_every_list_takes_its_orders_and_filters_by_name_and_refuses_no_known_one(
    shop: Shop, path: str
) -> None:
    """`o` in both directions; a filter with nothing wrong is a 200 or a 400 that names it, never a 500."""
    viewset = LISTS[path]
    for name in viewset.orderings:
        for sign in ("", "-"):
            assert get(shop, f"{path}?o={sign}{name}").status_code == 200, name
    assert get(shop, f"{path}?o=nonsense").status_code == 400
    for name in viewset.filters:
        answer = get(shop, f"{path}?{name}=x%00")
        assert (answer.status_code, list(answer.json())) == (400, [name]), name
        for value in ("x", "", "1", "true", "2026-01-01", "%F0%9F%98%80", "9" * 400, "-1", "[", "{}"):
            answer = get(shop, f"{path}?{name}={value}")
            assert answer.status_code == 200 or list(answer.json()) == [name], (name, value)


def test_fields_are_chosen_in_lists_and_details(shop: Shop) -> None:
    rows = get(shop, "/api/customers/?field=uuid&field=name").json()
    assert {tuple(sorted(row)) for row in rows} == {("name", "uuid")}
    assert set(get(shop, f"{shop.customer}?field=email").json()) == {"email"}


def test_an_unknown_field_is_ignored_with_a_hint(shop: Shop) -> None:
    for path in ("/api/customers/", shop.customer):
        answer = get(shop, f"{path}?field=uuid&field=colour")
        assert answer.status_code == 200
        assert answer["Warning"] == '299 agentmart "Unknown field ignored: colour"'
    nothing_found = get(shop, "/api/customers/?name=nobody-of-this-name&field=colour")
    assert nothing_found["Warning"] == '299 agentmart "Unknown field ignored: colour"'


def test_strict_callers_are_told_instead(shop: Shop) -> None:
    strict = {"Prefer": 'return=minimal; handling="strict"'}
    cases = {"?colour=red": "colour", "?field=colour": "field"}
    for query, name in cases.items():
        lenient = get(shop, f"/api/customers/{query}")
        assert lenient.status_code == 200
        assert "Preference-Applied" not in lenient
        answer = get(shop, f"/api/customers/{query}", **strict)
        assert (answer.status_code, list(answer.json())) == (400, [name])
    good = get(shop, "/api/customers/?field=name", **strict)
    assert (good.status_code, good["Preference-Applied"]) == (200, "handling=strict")
    body = {"address": "1 Road", "colour": "red", "uuid": "x"}
    headers = shop.world.operator.api._headers
    answer = Client().patch(
        shop.customer, body, content_type="application/json", headers={**headers, **strict}
    )
    assert (answer.status_code, sorted(answer.json())) == (400, ["colour", "uuid"])
    assert shop.shown()["address"] != "1 Road"


def test_a_chosen_field_saves_the_work_of_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    viewset = next(
        pattern.callback.cls for pattern in router.urls if str(pattern.pattern).startswith("^customers/$")
    )

    def fail(self: object, customer: object) -> bool:
        raise AssertionError("not asked for")

    monkeypatch.setattr(viewset.serializer_class, "get_is_active", fail, raising=False)
    assert get(shop, "/api/customers/?field=name").status_code == 200
