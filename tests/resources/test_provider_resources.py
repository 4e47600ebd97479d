"""Resources as their provider works on them, over the paths of Waldur's client."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.desk import customer_member, desk, placed, project_member, running
from tests.support.flows import echo_flow
from tests.support.market import (
    CONFIGS,
    ORDERS,
    RESOURCES,
    agent,
    buy,
    member,
    ok,
    operator,
    publish,
)
from tests.support.runtime import RememberingRuntime
from tests.support.world import NOW, World
from waldur_api_client.models import OrderDetails, PublicOfferingDetails
from waldur_api_client.models import Resource as ClientResource

from agentmart.access.models import GrantRow
from agentmart.identity.models import Role
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.resources.models import PlanPeriod

pytestmark = pytest.mark.django_db

PROVIDED = "/api/marketplace-provider-resources/"


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def sold(world: World, runtime: RememberingRuntime) -> dict[str, str]:
    return desk(world, seat_price="2.50")


@pytest.fixture
def here(world: World, sold: dict[str, str]) -> str:
    """The provider's path of a running resource with five seats."""
    return f"{PROVIDED}{running(world, sold, limits={'seats': 5}).rstrip('/').rsplit('/', 1)[-1]}/"


def bought(here: str) -> str:
    """The buyer's path of the same resource."""
    return here.replace(PROVIDED, RESOURCES)


def test_the_list_holds_what_one_sells(world: World, here: str) -> None:
    (row,) = ok(world.provider.api.get(PROVIDED))
    assert row == ok(world.provider.api.get(RESOURCES))[0]
    assert ClientResource.from_dict(row).uuid.hex == row["uuid"]
    assert world.provider.api.head(PROVIDED)["X-Result-Count"] == "1"
    assert ok(world.provider.api.get(PROVIDED, state="Erred")) == []
    assert ok(member(world.provider.customer, Role.OFFERING_MANAGER).get(PROVIDED)) == [row]
    assert len(ok(world.operator.api.get(PROVIDED))) == 1
    for other in (world.buyer.api, world.stranger.api):
        assert ok(other.get(PROVIDED)) == []
        assert other.get(here).status_code == 404


def test_what_the_provider_notes_is_shown_to_both_sides(
    world: World, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ok(world.buyer.api.get(bought(here)))
    assert (before["backend_metadata"], before["endpoints"], before["report"]) == ({}, [], [])
    assert before["last_sync"] == before["created"]
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    endpoints = [{"name": "Console", "url": "https://console.example.com/"}]
    report = [{"header": "Health", "body": "All is well."}]
    for action, body in (
        ("set_backend_id", {"backend_id": "vm-7"}),
        ("set_backend_metadata", {"backend_metadata": {"cpu": 4}}),
        ("set_endpoints", {"endpoints": endpoints}),
        ("submit_report", {"report": report}),
        ("refresh_last_sync", None),
        ("set_end_date_by_provider", {"end_date": "2026-12-31"}),
    ):
        assert list(ok(world.provider.api.post(f"{here}{action}/", body))) == ["status"]
    shown = ok(world.buyer.api.get(bought(here)))
    expected = {
        "backend_id": "vm-7",
        "backend_metadata": {"cpu": 4},
        "endpoints": endpoints,
        "report": report,
        "last_sync": "2026-03-11T12:00:00.000000Z",
        "end_date": "2026-12-31",
        "end_date_requested_by": "petra",
    }
    assert {name: shown[name] for name in expected} == expected
    assert ok(world.provider.api.post(f"{here}set_end_date/", {"end_date": None}))
    assert ok(world.buyer.api.get(bought(here)))["end_date"] is None
    with tenancy.as_system("test"):
        noted = AuditEntry.objects.filter(action="resource.backend_id_set").get()
    assert (noted.before, noted.after) == ({"backend_id": ""}, {"backend_id": "vm-7"})


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("set_backend_id", {}, "backend_id"),
        ("set_backend_metadata", {"backend_metadata": []}, "backend_metadata"),
        ("set_backend_metadata", {"backend_metadata": {"x": "y" * 20_000}}, "backend_metadata"),
        ("set_endpoints", {}, "endpoints"),
        ("set_endpoints", {"endpoints": [{"name": "X", "url": "javascript:alert(1)"}]}, "endpoints"),
        ("set_endpoints", {"endpoints": [{"name": "X", "url": "https://a.example/"}] * 51}, "endpoints"),
        ("submit_report", {"report": [{"header": "X"}]}, "report"),
        ("set_end_date_by_provider", {"end_date": "2026-03-09"}, "end_date"),
        ("set_end_date_by_provider", {"end_date": "never"}, "end_date"),
        ("set_limits", {}, "limits"),
        ("set_limits", {"limits": {"seats": 6}}, "limits"),
        ("set_limits", {"limits": {"seats": 0}}, "limits"),
        ("set_limits", {"limits": {"cpus": 1}}, "limits"),
    ],
)
def test_bodies_that_cannot_be_meant(world: World, here: str, action: str, body: Any, field: str) -> None:
    before = ok(world.buyer.api.get(bought(here)))
    refused = world.provider.api.post(f"{here}{action}/", body)
    assert (refused.status_code, [name.partition(".")[0] for name in refused.json()]) == (400, [field])
    assert ok(world.buyer.api.get(bought(here))) == before


def test_limits_are_lowered_by_the_provider_and_raised_by_staff_alone(
    world: World, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=1))
    ok(world.provider.api.post(f"{here}set_limits/", {"limits": {"seats": 3}}))
    ok(world.operator.api.post(f"{here}set_limits/", {"limits": {"seats": 4}}))
    assert ok(world.buyer.api.get(bought(here)))["limits"] == {"seats": 4}
    with tenancy.as_system("test"):
        periods = PlanPeriod.objects.order_by("created", "-end").values_list("limits", flat=True)
        assert list(periods) == [{"seats": 5}, {"seats": 4}]  # the third was in force for no time at all


def test_a_resource_fails_and_runs_again_on_its_provider_s_word(world: World, here: str) -> None:
    post = world.provider.api.post
    wrong = post(f"{here}set_as_ok/")
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_state")
    ok(post(f"{here}set_as_erred/", {"error_message": "The disk is full."}))
    shown = ok(world.buyer.api.get(bought(here)))
    assert (shown["state"], shown["error_message"]) == ("Erred", "The disk is full.")
    assert post(f"{here}set_as_erred/").status_code == 409
    assert post(f"{here}set_limits/", {"limits": {"seats": 1}}).status_code == 409
    ok(post(f"{here}set_state_ok/"))
    shown = ok(world.buyer.api.get(bought(here)))
    assert (shown["state"], shown["error_message"]) == ("OK", "")
    with tenancy.as_system("test"):
        assert PlanPeriod.objects.get().end is None  # one period: it was charged all the time


def test_an_open_order_comes_first(world: World, here: str) -> None:
    ok(world.buyer.api.post(f"{bought(here)}terminate/"))
    for action, body in (
        ("set_as_erred", None),
        ("set_as_ok", None),
        ("set_limits", {"limits": {"seats": 1}}),
    ):
        refused = world.provider.api.post(f"{here}{action}/", body)
        assert (refused.status_code, refused.json()["code"]) == (409, "open_order_exists")


def test_what_the_installation_runs_is_restored_not_called_ok(
    world: World, runtime: RememberingRuntime, signing_key: None
) -> None:
    resource = buy(world, publish(world, agent(world, echo_flow()), approval=False))
    here = f"{PROVIDED}{resource['uuid']}/"
    ok(world.buyer.api.post(f"{CONFIGS}{resource['agent_config']}/api-keys/", {"name": "K"}), 201)

    def grants() -> set[str]:
        with tenancy.as_system("test"):
            return {row.state for row in GrantRow.objects.all()}

    running_grants = grants()
    ok(world.provider.api.post(f"{here}set_as_erred/"))
    assert grants() != running_grants
    refused = world.provider.api.post(f"{here}set_as_ok/")
    assert (refused.status_code, refused.json()["code"]) == (409, "carried_out_here")
    ok(world.operator.api.post(f"{here}set_as_ok/"))
    assert grants() == running_grants


def test_a_blocked_buyer_s_resource_is_not_charged_again(world: World, here: str) -> None:
    assert world.buyer.customer is not None
    ok(world.provider.api.post(f"{here}set_as_erred/"))
    ok(world.operator.api.post(f"/api/customers/{world.buyer.customer.uuid}/block/"))
    refused = world.provider.api.post(f"{here}set_as_ok/")
    assert (refused.status_code, refused.json()["code"]) == (409, "customer_blocked")


def test_who_may_say_so(world: World, here: str) -> None:
    bodies: dict[str, Any] = {
        "set_as_erred": {},
        "set_as_ok": {},
        "set_backend_id": {"backend_id": "X"},
        "set_backend_metadata": {"backend_metadata": {}},
        "set_endpoints": {"endpoints": []},
        "submit_report": {"report": []},
        "refresh_last_sync": {},
        "set_limits": {"limits": {"seats": 1}},
        "set_end_date_by_provider": {"end_date": None},
    }
    before = ok(world.buyer.api.get(bought(here)))
    finance, catalog = operator("is_finance"), operator("is_catalog_manager")
    for action, body in bodies.items():
        for api in (
            (operator("is_support"), finance, catalog) if action == "set_as_erred" else (finance, catalog)
        ):
            assert api.post(f"{here}{action}/", body).status_code == 403, action
        for api in (world.buyer.api, world.stranger.api):
            assert api.post(f"{here}{action}/", body).status_code == 404, action
    assert world.provider.api.post(f"{here}set_end_date_by_staff/", {"end_date": None}).status_code == 403
    assert ok(world.buyer.api.get(bought(here))) == before


def test_the_buyer_sets_the_last_day(world: World, here: str) -> None:
    path = bought(here)
    day = {"end_date": "2026-06-30"}
    for api in (customer_member(world, Role.CUSTOMER_SUPPORT), project_member(world)):
        assert api.post(f"{path}set_end_date/", day).status_code == 403
    ok(world.buyer.api.post(f"{path}set_end_date/", day))
    assert ok(world.buyer.api.get(path))["end_date"] == "2026-06-30"
    assert world.buyer.api.post(f"{path}set_end_date_by_staff/", day).status_code == 403
    ok(world.operator.api.post(f"{path}set_end_date_by_staff/", {"end_date": "2026-07-31"}))
    assert ok(world.buyer.api.get(path))["end_date"] == "2026-07-31"
    ok(world.buyer.api.post(f"{path}terminate/"))
    late = world.buyer.api.post(f"{path}set_end_date/", day)
    assert (late.status_code, late.json()["code"]) == (409, "wrong_state")


def test_orders_and_resources_lead_to_what_they_are_about(
    world: World, sold: dict[str, str], here: str
) -> None:
    order = ok(world.buyer.api.get(ORDERS))[0]
    path = f"{ORDERS}{order['uuid']}/"
    offering = ok(world.buyer.api.get(f"/api/marketplace-offerings/{sold['offering']}/"))
    for address in (f"{path}offering/", f"{bought(here)}offering/"):
        assert ok(world.buyer.api.get(address)) == offering
        assert PublicOfferingDetails.from_dict(offering).uuid.hex == sold["offering"]
        assert ok(world.buyer.api.get(address, field="name")) == {"name": "Desk"}
        assert world.stranger.api.get(address).status_code == 404
    assert ok(world.provider.api.get(f"{here}offering/"))["uuid"] == sold["offering"]
    assert ok(world.buyer.api.get(f"{path}resource/")) == ok(world.buyer.api.get(bought(here)))


def test_the_orders_one_placed_oneself(world: World, sold: dict[str, str], here: str) -> None:
    mine = f"{ORDERS}dashboard-my-orders/"
    somebody = project_member(world)
    path = placed(world, sold, somebody, attributes={"name": "Another"})
    (row,) = ok(somebody.get(mine))
    assert f"{ORDERS}{row['uuid']}/" == path
    assert OrderDetails.from_dict(row).uuid.hex == row["uuid"]
    assert [found["resource_name"] for found in ok(world.buyer.api.get(mine))] == ["Front desk"]
    assert somebody.head(mine)["X-Result-Count"] == "1"
    assert ok(world.provider.api.get(mine)) == []
