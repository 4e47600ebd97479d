"""What is ordered of a resource that runs: another plan, other limits, options, its restoration and its end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.support.desk import desk, placed, project_member, running
from tests.support.flows import echo_flow
from tests.support.market import (
    CONFIGS,
    OFFERINGS,
    ORDERS,
    PLAN,
    RESOURCES,
    agent,
    buy,
    ok,
    publish,
    run_order_jobs,
)
from tests.support.refusals import places
from tests.support.runtime import RememberingRuntime
from tests.support.world import World

from agentmart.access.models import GrantRow
from agentmart.infra import clock, tenancy
from agentmart.ordering import services
from agentmart.resources.models import PlanPeriod, Resource

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(world: World, runtime: RememberingRuntime) -> dict[str, str]:
    return desk(world, seat_price="2.50")


@pytest.fixture
def served(world: World, runtime: RememberingRuntime, signing_key: None) -> dict[str, str]:
    """An agent without provider approval, with a second plan."""
    sold = publish(world, agent(world, echo_flow()), approval=False)
    body = {
        **PLAN,
        "name": "Big",
        "unit_price": "199.00",
        "offering": sold["offering"],
        "limits": {"requests_per_minute": 600},
    }
    return {**sold, "big": ok(world.provider.api.post("/api/marketplace-plans/", body), 201)["uuid"]}


def periods(path: str) -> list[tuple[str, dict[str, Any], bool]]:
    """Plan, limits and openness of a resource's plan periods, oldest first."""
    with tenancy.as_system("test"):
        rows = PlanPeriod.objects.filter(resource_id=UUID(path.rstrip("/").rsplit("/", 1)[-1]))
        return [(row.plan.name, row.limits, row.end is None) for row in rows.order_by("start", "-end")]


def order_of(world: World, answer: Any, status: int = 200) -> dict[str, Any]:
    """The order that an answer names."""
    uuid = ok(answer, status)["order_uuid"]
    found: dict[str, Any] = ok(world.buyer.api.get(f"{ORDERS}{uuid}/"))
    return found


# --- plans ---------------------------------------------------------------------------------------


def test_another_plan_is_in_force_when_the_order_is_done(world: World, served: dict[str, str]) -> None:
    resource = buy(world, served)
    config = f"{CONFIGS}{resource['agent_config']}/"
    ok(world.buyer.api.post(f"{config}api-keys/", {"name": "K"}), 201)
    path = f"{RESOURCES}{resource['uuid']}/"
    order = order_of(world, world.buyer.api.post(f"{path}switch_plan/", {"plan": served["big"]}))
    assert (order["type"], order["order_subtype"], order["state"]) == ("Update", "switch_plan", "executing")
    assert (order["old_plan_uuid"], order["new_plan_uuid"]) == (served["plan"], served["big"])
    assert (order["old_plan_name"], order["new_plan_name"]) == ("Professional", "Big")
    assert (order["cost"], order["old_cost_estimate"], order["new_cost_estimate"]) == ("199.00", 99, "199.00")
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["plan_name"], shown["can_terminate"]) == ("Updating", "Professional", False)
    assert shown["order_in_progress"]["uuid"] == order["uuid"]
    with tenancy.as_system("test"):
        assert GrantRow.objects.get().state == "active"  # it goes on answering
    assert run_order_jobs() == 2
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["plan_uuid"], shown["can_terminate"]) == ("OK", served["big"], True)
    assert (shown["order_in_progress"], shown["creation_order"]["type"]) == (None, "Create")
    assert periods(path) == [("Professional", {}, False), ("Big", {}, True)]
    rows = ok(world.buyer.api.get(f"{path}plan_periods/"))
    assert rows[0]["end"] == rows[1]["start"] and rows[1]["end"] is None
    with tenancy.as_system("test"):
        grant = GrantRow.objects.get()
        assert (grant.limits, grant.plan_id) == ({"requests_per_minute": 600}, UUID(served["big"]))


def test_a_plan_that_cannot_be_switched_to_is_refused(world: World, served: dict[str, str]) -> None:
    path = f"{RESOURCES}{buy(world, served)['uuid']}/"
    other = publish(world, agent(world, echo_flow()), approval=False)
    for plan, field in ((served["plan"], "plan"), (other["plan"], "plan"), ("x", "plan"), (None, "plan")):
        answer = world.buyer.api.post(f"{path}switch_plan/", {"plan": plan} if plan else {})
        assert (answer.status_code, list(answer.json())) == (400, [field]), plan
    assert world.provider.api.post(f"{path}switch_plan/", {"plan": served["big"]}).status_code == 403
    assert world.stranger.api.post(f"{path}switch_plan/", {"plan": served["big"]}).status_code == 404
    assert ok(world.buyer.api.get(ORDERS, type="Update")) == []


def test_a_plan_sold_out_cannot_be_switched_to(world: World, served: dict[str, str]) -> None:
    body = {"name": "One", "unit_price": "1", "max_amount": 1, "offering": served["offering"]}
    plan = ok(world.provider.api.post("/api/marketplace-plans/", body), 201)["uuid"]
    first = f"{RESOURCES}{buy(world, served)['uuid']}/"
    second = f"{RESOURCES}{buy(world, served, attributes={'name': 'B'})['uuid']}/"
    ok(world.buyer.api.post(f"{first}switch_plan/", {"plan": plan}))
    refused = world.buyer.api.post(f"{second}switch_plan/", {"plan": plan})
    assert (refused.status_code, refused.json()["code"]) == (409, "capacity_reached")


def test_a_member_s_change_waits_for_the_buyer(world: World, served: dict[str, str]) -> None:
    path = f"{RESOURCES}{buy(world, served)['uuid']}/"
    order = order_of(world, project_member(world).post(f"{path}switch_plan/", {"plan": served["big"]}))
    assert order["state"] == "pending-consumer"
    assert ok(world.buyer.api.get(path))["state"] == "OK"
    refused = world.buyer.api.post(f"{path}terminate/")
    assert (refused.status_code, refused.json()["code"]) == (409, "open_order_exists")
    ok(world.buyer.api.post(f"{ORDERS}{order['uuid']}/reject/"))
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["plan_name"]) == ("OK", "Professional")


def test_a_change_withdrawn_while_it_is_carried_out_changes_nothing(
    world: World, served: dict[str, str]
) -> None:
    path = f"{RESOURCES}{buy(world, served)['uuid']}/"
    order = order_of(world, world.buyer.api.post(f"{path}switch_plan/", {"plan": served["big"]}))
    ok(world.buyer.api.post(f"{ORDERS}{order['uuid']}/cancel/"), 202)
    run_order_jobs()
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["plan_name"]) == ("OK", "Professional")
    assert periods(path) == [("Professional", {}, True)]


def test_a_change_that_the_provider_cannot_make_leaves_the_resource_as_it_was(
    world: World, sold: dict[str, str]
) -> None:
    path = running(world, sold)
    order = order_of(world, world.buyer.api.post(f"{path}switch_plan/", {"plan": sold["large"]}))
    here = f"{ORDERS}{order['uuid']}/"
    assert order["state"] == "pending-provider"
    ok(world.provider.api.post(f"{here}approve/"))
    body = {"error_message": "No room", "error_traceback": "Traceback: line 1"}
    assert ok(world.provider.api.post(f"{here}set_state_erred/", body))["state"] == "erred"
    shown = ok(world.buyer.api.get(here))
    assert (shown["error_message"], shown["error_traceback"]) == ("No room", "")
    assert ok(world.operator.api.get(here))["error_traceback"] == "Traceback: line 1"
    assert ok(world.buyer.api.get(path))["state"] == "OK"
    assert ok(world.provider.api.post(f"{here}retry/"))["state"] == "executing"
    assert ok(world.buyer.api.get(path))["state"] == "Updating"
    ok(world.provider.api.post(f"{here}set_state_done/"))
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["plan_uuid"]) == ("OK", sold["large"])


# --- limits --------------------------------------------------------------------------------------


def test_limits_are_ordered_changed_and_their_history_kept(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold, limits={"seats": 4})
    shown = ok(world.buyer.api.get(path))
    assert (shown["limits"], shown["is_limit_based"], shown["is_usage_based"]) == ({"seats": 4}, True, False)
    order = order_of(world, world.buyer.api.post(f"{path}update_limits/", {"limits": {"seats": 10}}))
    assert (order["limits"], order["attributes"]) == ({"seats": 10}, {"old_limits": {"seats": 4}})
    assert (order["old_cost_estimate"], order["new_cost_estimate"]) == (20, "35.00")
    ok(world.provider.api.post(f"{ORDERS}{order['uuid']}/approve/"))
    ok(world.provider.api.post(f"{ORDERS}{order['uuid']}/set_state_done/"))
    assert ok(world.buyer.api.get(path))["limits"] == {"seats": 10}
    assert periods(path) == [("Small", {"seats": 4}, False), ("Small", {"seats": 10}, True)]


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"seats": 0}, "limits.seats"),
        ({"seats": 51}, "limits.seats"),
        ({"setup": 1}, "limits.setup"),
        ({"seats": 4}, "limits"),
        ({}, "limits"),
        ({"seats": -1}, "limits.seats"),
        ({"seats": 1.5}, "limits.seats"),
        ([1], "limits"),
    ],
)
def test_limits_out_of_bounds_are_refused(
    world: World, sold: dict[str, str], limits: Any, field: str
) -> None:
    path = running(world, sold, limits={"seats": 4})
    answer = world.buyer.api.post(f"{path}update_limits/", {"limits": limits})
    assert (answer.status_code, list(places(answer.json()))) == (400, [field])
    assert periods(path) == [("Small", {"seats": 4}, True)]


# --- options -------------------------------------------------------------------------------------

OPTIONS = {"options": {"color": {"type": "select_string", "label": "Color", "choices": ["red", "blue"]}}}


def test_options_are_set_at_once_or_by_an_order(world: World, runtime: RememberingRuntime) -> None:
    at_once = running(world, desk(world, resource_options=OPTIONS))
    assert ok(world.buyer.api.post(f"{at_once}update_options/", {"options": {"color": "red"}})) == {
        "status": "Resource options are updated."
    }
    assert ok(world.buyer.api.get(at_once))["options"] == {"color": "red"}
    for options, field in (({"color": "green"}, "options.color"), ({"size": 1}, "options.size")):
        answer = world.buyer.api.post(f"{at_once}update_options/", {"options": options})
        assert (answer.status_code, list(places(answer.json()))) == (400, [field])
    asking = {"create_orders_on_resource_option_change": True, "require_provider_approval": True}
    ordered = running(world, desk(world, resource_options=OPTIONS, plugin_options=asking))
    order = order_of(
        world, world.buyer.api.post(f"{ordered}update_options/", {"options": {"color": "blue"}}), 201
    )
    assert (order["state"], order["order_subtype"]) == ("pending-provider", "update_options")
    assert ok(world.buyer.api.get(ordered))["options"] == {}
    ok(world.provider.api.post(f"{ORDERS}{order['uuid']}/approve/"))
    ok(world.provider.api.post(f"{ORDERS}{order['uuid']}/set_state_done/"))
    assert ok(world.buyer.api.get(ordered))["options"] == {"color": "blue"}


# --- offerings that are no longer sold -----------------------------------------------------------


@pytest.mark.parametrize(("verb", "status"), [("pause", 200), ("archive", 409)])
def test_a_paused_offering_takes_follow_up_orders_an_archived_one_none(
    world: World, served: dict[str, str], verb: str, status: int
) -> None:
    path = f"{RESOURCES}{buy(world, served)['uuid']}/"
    ok(world.provider.api.post(f"{OFFERINGS}{served['offering']}/{verb}/"))
    answer = world.operator.api.post(f"{path}switch_plan/", {"plan": served["big"]})
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["code"] == "not_orderable"
    else:
        run_order_jobs()
    ok(world.buyer.api.post(f"{path}terminate/"))  # the end is always possible


# --- pause, words, dates -------------------------------------------------------------------------


def test_a_paused_resource_lets_no_calls_in(world: World, served: dict[str, str]) -> None:
    resource = buy(world, served)
    path = f"{RESOURCES}{resource['uuid']}/"
    ok(world.buyer.api.post(f"{CONFIGS}{resource['agent_config']}/api-keys/", {"name": "K"}), 201)

    def grant() -> str:
        with tenancy.as_system("test"):
            return str(GrantRow.objects.get().state)

    for api in (world.buyer.api, world.provider.api):
        assert api.post(f"{path}set_paused/", {"paused": True}).status_code == 403
    assert ok(world.operator.api.post(f"{path}set_paused/", {"paused": True})) == {
        "status": "Resource is paused."
    }
    assert (ok(world.buyer.api.get(path))["paused"], grant()) == (True, "resource_paused")
    assert len(ok(world.buyer.api.get(RESOURCES, paused="true"))) == 1
    assert ok(world.buyer.api.get(RESOURCES, paused="false")) == []
    ok(world.operator.api.post(f"{path}set_paused/", {"paused": False}))
    assert (ok(world.buyer.api.get(path))["paused"], grant()) == (False, "active")
    ok(world.operator.api.post(f"{path}set_downscaled/", {"downscaled": True}))
    assert ok(world.buyer.api.get(path))["downscaled"] is True


def test_name_description_and_last_day_are_the_buyer_s(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold)
    today = clock.now().date()
    body = {"name": "Ours", "description": "At the door", "end_date": today.isoformat()}
    shown = ok(world.buyer.api.patch(path, body))
    assert {name: shown[name] for name in body} == body
    assert (shown["end_date_requested_by"], shown["end_date_updated_at"] is not None) == ("boris", True)
    assert ok(world.buyer.api.get(RESOURCES, query="at the DOOR"))[0]["name"] == "Ours"
    past = world.buyer.api.patch(path, {"end_date": (today - timedelta(days=1)).isoformat()})
    assert (past.status_code, list(past.json())) == (400, ["end_date"])
    for name in ("", "x" * 151, None):
        assert world.buyer.api.patch(path, {"name": name}).status_code == 400
    assert world.provider.api.patch(path, {"name": "Mine"}).status_code == 403
    assert project_member(world).patch(path, {"name": "Mine"}).status_code == 403
    assert ok(world.buyer.api.patch(path, {"end_date": None}))["end_date"] is None
    for verb in ("post", "delete"):
        at = RESOURCES if verb == "post" else path
        assert getattr(world.buyer.api, verb)(at).status_code == 405


def test_after_its_last_day_a_resource_is_ended(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold)
    now = clock.now()
    ok(world.buyer.api.patch(path, {"end_date": now.date().isoformat()}))
    assert services.order_ends_that_are_due("test", now=now) == 0
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=1)) == 1
    (order,) = ok(world.buyer.api.get(ORDERS, type="Terminate"))
    assert (order["state"], order["termination_comment"]) == ("executing", "The end date has passed.")
    assert ok(world.buyer.api.get(path))["state"] == "Terminating"
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=1)) == 0


def test_an_end_that_meets_an_open_order_is_tried_again(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold)
    now = clock.now()
    ok(world.buyer.api.patch(path, {"end_date": now.date().isoformat()}))
    order = order_of(world, world.buyer.api.post(f"{path}switch_plan/", {"plan": sold["large"]}))
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=1)) == 0
    ok(world.buyer.api.post(f"{ORDERS}{order['uuid']}/cancel/"), 202)
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=1)) == 1


# --- restoration and the end ---------------------------------------------------------------------


def test_an_erred_resource_is_restored(
    world: World, served: dict[str, str], runtime: RememberingRuntime
) -> None:
    resource = buy(world, served)
    path = f"{RESOURCES}{resource['uuid']}/"
    refused = world.provider.api.post(f"{path}restore/")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    ok(world.buyer.api.post(f"{path}terminate/"))
    runtime.fail_next("refused", "The runtime does not let go.")
    run_order_jobs()
    assert ok(world.buyer.api.get(path))["state"] == "Erred"
    assert world.buyer.api.post(f"{path}restore/").status_code == 403
    order = order_of(world, world.provider.api.post(f"{path}restore/"))
    assert (order["type"], order["state"]) == ("Restore", "executing")
    run_order_jobs()
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["agent_config"]) == ("OK", resource["agent_config"])
    assert periods(path) == [("Professional", {}, False), ("Professional", {}, True)]
    assert list(runtime.deployments) == [resource["uuid"]]


def test_an_end_that_people_carry_out(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold)
    body = {"attributes": {"termination_comment": "Moved out"}}
    order = order_of(world, world.buyer.api.post(f"{path}terminate/", body))
    assert (order["state"], order["termination_comment"], order["cost"]) == ("executing", "Moved out", "0.00")
    here = f"{ORDERS}{order['uuid']}/"
    refused = world.buyer.api.post(f"{here}cancel/")
    assert refused.status_code == 409
    assert periods(path) == [("Small", {}, False)]
    ok(world.provider.api.post(f"{here}set_state_done/"))
    assert ok(world.buyer.api.get(path))["state"] == "Terminated"


def test_a_block_stops_what_is_ordered_and_not_the_end(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.customer is not None
    path = running(world, sold)
    waiting = placed(world, sold, attributes={"name": "Second"})
    ok(world.operator.api.post(f"/api/customers/{world.buyer.customer.uuid}/block/"))
    for call in (
        lambda: world.provider.api.post(f"{waiting}approve/"),
        lambda: world.buyer.api.post(f"{path}switch_plan/", {"plan": sold["large"]}),
        lambda: world.buyer.api.post(f"{path}update_limits/", {"limits": {"seats": 2}}),
        lambda: world.buyer.api.post(f"{path}update_options/", {"options": {}}),
    ):
        answer = call()
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_blocked")
    assert ok(world.buyer.api.get(waiting))["state"] == "pending-provider"
    ok(world.buyer.api.post(f"{waiting}cancel/"), 202)
    ok(world.buyer.api.post(f"{path}terminate/"))


def test_money_is_exact(world: World, sold: dict[str, str]) -> None:
    order = ok(world.buyer.api.get(placed(world, sold, limits={"seats": 3})))
    assert (order["fixed_price"], order["activation_price"], order["cost"]) == (10.0, 5.0, "22.50")
    with tenancy.as_system("test"):
        assert Resource.objects.get().orders.get().cost == Decimal("22.5")
