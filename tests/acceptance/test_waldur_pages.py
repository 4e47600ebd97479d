"""Waldur's client reads lists of more than two of its pages whole: every row once, none left out."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.acceptance.test_waldur_client import count_of
from tests.acceptance.waldur import Party, Waldur

ROWS = 250  # the client's pages hold 100
THREADS = 4


def make(person: Waldur, path: str, bodies: Iterable[dict[str, Any]]) -> list[Any]:
    """What a person makes by many POSTs."""
    headers = {"Authorization": f"Token {person.token}"}
    with (
        httpx.Client(base_url=person.url, headers=headers, timeout=60) as client,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        answers = list(threads.map(lambda body: client.post(path, json=body), bodies))
    assert {answer.status_code for answer in answers} == {201}, answers[0].text
    return [answer.json() for answer in answers]


def check(person: Waldur, name: str, wanted: set[str], **filters: Any) -> None:
    """All pages hold the wanted rows, each once; so do the count and one page of 300."""
    rows = person.all(name, **filters)
    assert len(rows) == len(wanted)
    assert {row.uuid.hex for row in rows} == wanted
    assert person(count_of(name), **filters) == len(wanted)
    assert len(person(name, page_size=300, **filters)) == len(wanted)
    third = person(name, page=3, page_size=100, **filters)
    assert [row.uuid for row in third] == [row.uuid for row in rows[200:]]


@pytest.mark.parametrize("kind", ["customers", "users", "projects"])
def test_all_pages_of_people_and_places(party: Party, kind: str) -> None:
    word = f"page{party.number}x"
    bodies: dict[str, tuple[str, str, dict[str, Any]]] = {
        "customers": ("name", "query", {}),
        "users": ("username", "username", {"email": "a@b.example"}),
        "projects": ("name", "query", {"customer": party.buying.url}),
    }
    key, found_by, more = bodies[kind]
    made = make(party.staff, f"/api/{kind}/", ({**more, key: f"{word}{number}"} for number in range(ROWS)))
    check(party.staff, f"{kind}_list", {row["uuid"] for row in made}, **{found_by: word})
    if kind == "projects":
        mine = {row["uuid"] for row in made} | {party.project.uuid.hex}
        check(party.buyer, "projects_list", mine, customer=[party.buying.uuid])
    assert party.stranger.all(f"{kind}_list", **{found_by: word}) == []


def test_all_pages_of_offerings(party: Party) -> None:
    body = {"type": "Marketplace.Basic", "category": party.category.url, "customer": party.selling.url}
    plans = [{"name": "Plan", "unit_price": "1.00"}]
    path = "/api/marketplace-provider-offerings/"
    bodies = (
        {**body, "name": f"Offering {number}", "plans": plans, "state": "Active"} for number in range(ROWS)
    )
    wanted = {row["uuid"] for row in make(party.staff, path, bodies)}
    of_seller = {"customer_uuid": party.selling.uuid}
    check(party.staff, "marketplace_provider_offerings_list", wanted, **of_seller)
    check(party.provider, "marketplace_provider_offerings_list", wanted, **of_seller)
    check(party.stranger, "marketplace_public_offerings_list", wanted, **of_seller)


def test_all_pages_of_orders_and_resources(party: Party) -> None:
    offering = party.offering()
    body = {
        "offering": offering.url,
        "project": party.project.url,
        "plan": party.plan_of(offering).url,
        "limits": {"seats": 1},
        "accepting_terms_of_service": True,
    }
    bodies = ({**body, "attributes": {"name": f"Copy {number}"}} for number in range(ROWS))
    made = make(party.buyer, "/api/marketplace-orders/", bodies)
    orders = {row["uuid"] for row in made}
    resources = {row["marketplace_resource_uuid"] for row in made}
    for person in (party.staff, party.provider, party.buyer):
        check(person, "marketplace_orders_list", orders, offering_uuid=offering.uuid)
        check(person, "marketplace_resources_list", resources, offering_uuid=[offering.uuid])
    assert party.stranger.all("marketplace_orders_list", offering_uuid=offering.uuid) == []
    assert party.stranger.all("marketplace_resources_list", offering_uuid=[offering.uuid]) == []
