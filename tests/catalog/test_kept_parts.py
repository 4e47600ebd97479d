"""What a process keeps of offerings' components and plans is never older than what the reader's offering says."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from tests.support.market import OFFERINGS, ok
from tests.support.shop import Shop

from agentmart.catalog.api.shown_parts import KeptParts, kept_parts
from agentmart.catalog.models import Offering, OfferingComponent, Plan, PlanComponent
from agentmart.infra import tenancy
from agentmart.infra.addresses import Addresses

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 10)
LISTS = (OFFERINGS, "/api/marketplace-provider-offerings/", "/api/marketplace-public-offerings/")


def offering_of(shop: Shop) -> str:
    """The uuid of the shop's offering."""
    return shop.sold["offering"].rstrip("/").rsplit("/", 1)[-1]


def plan_of(shop: Shop) -> str:
    """The uuid of its plan."""
    return shop.sold["plan"].rstrip("/").rsplit("/", 1)[-1]


def shown(shop: Shop, path: str = OFFERINGS) -> dict[str, Any]:
    """The shop's offering in a list."""
    (row,) = [row for row in ok(shop.world.operator.api.get(path)) if row["uuid"] == offering_of(shop)]
    found: dict[str, Any] = row
    return found


def stamp(shop: Shop) -> int:
    """The stamp of the shop's offering."""
    with tenancy.as_system("test"):
        return Offering.objects.get(pk=UUID(offering_of(shop))).parts_stamp


def reads_of_parts(shop: Shop, path: str) -> int:
    """How many queries of a list read components, plans or prices."""
    with CaptureQueriesContext(
        connection,
    ) as asked:
        ok(shop.world.operator.api.get(path))
    tables = ("catalog_offering_component", "catalog_plan", "catalog_plan_component")
    return sum(any(f'FROM "{table}"' in row["sql"] for table in tables) for row in asked.captured_queries)


@pytest.mark.parametrize("path", LISTS)
def test_parts_are_read_once(shop: Shop, path: str) -> None:
    shown(shop, path)
    before = shown(shop, path)
    assert reads_of_parts(shop, path) == 0
    assert before["plans"] and before["components"]
    assert shown(shop, path) == before
    assert shown(shop, path) == {**ok(shop.world.operator.api.get(f"{path}{offering_of(shop)}/")), **before}


def test_every_change_of_a_part_moves_the_stamp_and_shows(shop: Shop) -> None:
    seen = {stamp(shop)}
    row = shown(shop)
    plan = next(plan for plan in row["plans"] if plan["uuid"] == plan_of(shop))
    provider = shop.world.provider.api

    ok(provider.patch(f"/api/marketplace-plans/{plan_of(shop)}/", {"description": "now"}))
    seen.add(stamp(shop))
    assert next(p for p in shown(shop)["plans"] if p["uuid"] == plan_of(shop))["description"] == "now"

    new = {"name": "Second", "offering": shop.sold["offering"], "unit_price": "3"}
    added = ok(provider.post("/api/marketplace-plans/", new), 201)
    seen.add(stamp(shop))
    assert {p["uuid"] for p in shown(shop)["plans"]} >= {plan["uuid"], added["uuid"]}

    ok(provider.post(f"/api/marketplace-plans/{added['uuid']}/archive/", {}))
    seen.add(stamp(shop))
    assert next(p for p in shown(shop)["plans"] if p["uuid"] == added["uuid"])["archived"] is True

    with tenancy.as_system("test"):
        for rows, change in (
            (OfferingComponent.objects.filter(offering_id=offering_of(shop)), {"description": "measured"}),
            (PlanComponent.objects.filter(plan_id=plan_of(shop)), {"amount": 7}),
            (Plan.objects.filter(pk=plan_of(shop)), {"article_code": "A-1"}),
        ):
            rows.update(**change)
            seen.add(Offering.objects.get(pk=offering_of(shop)).parts_stamp)
        PlanComponent.objects.filter(plan_id=added["uuid"]).delete()
        seen.add(Offering.objects.get(pk=offering_of(shop)).parts_stamp)
    assert len(seen) == 8
    row = shown(shop)
    assert {component["description"] for component in row["components"]} == {"measured"}
    changed = next(p for p in row["plans"] if p["uuid"] == plan_of(shop))
    assert changed["article_code"] == "A-1"
    assert set(changed["quotas"].values()) == {7}


def test_what_is_undone_was_never_shown(shop: Shop) -> None:
    before = shown(shop)
    with pytest.raises(RuntimeError), transaction.atomic():
        with tenancy.as_system("test"):
            Plan.objects.filter(pk=plan_of(shop)).update(description="undone")
        seen = next(p for p in shown(shop)["plans"] if p["uuid"] == plan_of(shop))
        assert seen["description"] == "undone"  # to the transaction itself
        raise RuntimeError
    assert shown(shop) == before


def test_everybody_counts_their_own_resources(shop: Shop) -> None:
    def live(api: Any) -> int:
        rows = ok(api.get(OFFERINGS))
        (row,) = [row for row in rows if row["uuid"] == offering_of(shop)]
        return int(next(p for p in row["plans"] if p["uuid"] == plan_of(shop))["resources_count"])

    world = shop.world
    assert (live(world.operator.api), live(world.stranger.api), live(world.operator.api)) == (2, 0, 2)


def test_the_oldest_make_room(shop: Shop) -> None:
    with tenancy.as_system("test"):
        offering = Offering.objects.get(pk=offering_of(shop))
        addresses = Addresses(None)
        weight = kept_parts.of([offering], addresses, TODAY)[offering.id].weight
        assert weight > 3
        small = KeptParts(most=2 * weight)
        for day in (10, 11, 12):
            small.of([offering], addresses, date(2026, 3, day))
        for day, queries in ((11, 0), (12, 0), (10, 3)):
            with CaptureQueriesContext(connection) as asked:
                small.of([offering], addresses, date(2026, 3, day))
            assert len(asked) == queries, day
