"""Placing, pricing, editing and withdrawing orders, and what refuses them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from tests.support.desk import ask, customer_member, desk, placed, project_member, running
from tests.support.flows import echo_flow
from tests.support.market import (
    OFFERINGS,
    ORDERS,
    RESOURCES,
    agent,
    ok,
    order,
    publish,
    run_order_jobs,
)
from tests.support.refusals import places
from tests.support.runtime import RememberingRuntime
from tests.support.world import World
from waldur_api_client.models.order_details import OrderDetails
from waldur_api_client.models.order_details_o_enum import OrderDetailsOEnum
from waldur_api_client.models.resource import Resource as ClientResource
from waldur_api_client.models.resource_o_enum import ResourceOEnum
from waldur_api_client.models.resource_plan_period import ResourcePlanPeriod

from agentmart.identity.models import Quota, Role
from agentmart.identity.quotas import RESOURCES as RESOURCE_QUOTA
from agentmart.infra import clock, tenancy
from agentmart.infra.jobs import is_alive
from agentmart.ordering import services, tasks
from agentmart.ordering.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(world: World, runtime: RememberingRuntime) -> dict[str, str]:
    return desk(world, seat_price="2.50")


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def quota(world: World, limit: int) -> None:
    with tenancy.as_system("test"):
        Quota.objects.filter(customer=world.buyer.customer, name="nc_resource_count").update(limit=limit)


# --- what an order says --------------------------------------------------------------------------


def test_cost_is_the_full_first_period_and_what_is_due_once(world: World, sold: dict[str, str]) -> None:
    shown = ok(world.buyer.api.get(placed(world, sold, limits={"seats": 4})))
    assert (shown["cost"], shown["fixed_price"], shown["activation_price"]) == ("25.00", 10.0, 5.0)
    assert (shown["new_cost_estimate"], shown["old_cost_estimate"], shown["currency"]) == (
        "20.00",
        0.0,
        "USD",
    )
    large = ok(world.buyer.api.get(placed(world, sold, plan=sold["large"], attributes={"name": "L"})))
    assert (large["cost"], large["activation_price"]) == ("30.00", 0.0)


def test_an_order_says_all_that_clients_read(world: World, sold: dict[str, str]) -> None:
    path = placed(
        world, sold, slug="front", request_comment="Soon, please", callback_url="https://example.com/x"
    )
    shown = ok(world.buyer.api.get(path))
    assert {
        name: shown[name]
        for name in (
            "offering_name",
            "offering_type",
            "provider_name",
            "category_title",
            "plan_name",
            "plan_unit",
            "project_name",
            "customer_name",
            "resource_name",
            "slug",
            "request_comment",
            "callback_url",
            "created_by_username",
            "order_subtype",
            "can_terminate",
        )
    } == {
        "offering_name": "Desk",
        "offering_type": "Marketplace.Basic",
        "provider_name": "Provider GmbH",
        "category_title": "AI",
        "plan_name": "Small",
        "plan_unit": "month",
        "project_name": "Buyer Ltd project",
        "customer_name": "Buyer Ltd",
        "resource_name": "Front desk",
        "slug": "front",
        "request_comment": "Soon, please",
        "callback_url": "https://example.com/x",
        "created_by_username": "boris",
        "order_subtype": None,
        "can_terminate": True,
    }
    assert ok(world.provider.api.get(path))["can_terminate"] is False
    parsed = OrderDetails.from_dict(shown)
    assert (parsed.state, parsed.type_) == ("pending-provider", "Create")


def test_the_client_reads_orders_and_resources_with_everything_left_out(
    world: World, sold: dict[str, str]
) -> None:
    path = running(world, sold)
    for row in ok(world.operator.api.get(ORDERS)):
        OrderDetails.from_dict(row)
    for row in [*ok(world.operator.api.get(RESOURCES)), ok(world.buyer.api.get(path))]:
        parsed = ClientResource.from_dict(row)
        assert (parsed.state, parsed.usage_limit_restriction) == ("OK", "")
    for row in ok(world.buyer.api.get(f"{path}plan_periods/")):
        assert ResourcePlanPeriod.from_dict(row).components == []


def test_lists_sort_by_every_value_that_clients_know(world: World, sold: dict[str, str]) -> None:
    placed(world, sold)
    for value in OrderDetailsOEnum:
        assert len(ok(world.buyer.api.get(ORDERS, o=value.value))) == 1
    for known in ResourceOEnum:
        assert len(ok(world.buyer.api.get(RESOURCES, o=known.value))) == 1


FILTERS = {
    "state": ("pending provider", "done"),
    "type": ("create", "Terminate"),
    "offering_type": ("Marketplace.Basic", "GSVAgents.Agent"),
    "resource_name": ("front", "back"),
    "query": ("BUYER LTD", "nobody"),
    "created": ("2020-01-01", "2999-01-01"),
    "created_before": ("2999-01-01", "2020-01-01"),
    "modified": ("2020-01-01T00:00:00Z", "2999-01-01"),
    "modified_before": ("2999-01-01", "2020-01-01"),
    "was_auto_approved": ("false", "true"),
    "slug": ("front", "back"),
}


def test_orders_are_found_by_each_filter(world: World, sold: dict[str, str]) -> None:
    shown = ok(world.buyer.api.get(placed(world, sold, slug="front")))
    nobody = uuid4().hex
    uuids = {
        "offering": shown["offering"],
        "offering_uuid": shown["offering_uuid"],
        "project_uuid": shown["project_uuid"],
        "customer_uuid": shown["customer_uuid"],
        "provider_uuid": shown["provider_uuid"],
        "category_uuid": shown["category_uuid"],
        "resource": f"/api/marketplace-resources/{shown['resource_uuid']}/",
        "resource_uuid": shown["resource_uuid"],
    }
    for name, (hit, miss) in {**FILTERS, **{name: (value, nobody) for name, value in uuids.items()}}.items():
        assert len(ok(world.buyer.api.get(ORDERS, **{name: hit}))) == 1, name
        assert ok(world.buyer.api.get(ORDERS, **{name: miss})) == [], name
    for name in ("state", "type", "offering_uuid", "created", "was_auto_approved"):
        answer = world.buyer.api.get(ORDERS, **{name: "!"})
        assert (answer.status_code, list(answer.json())) == (400, [name])


@pytest.mark.parametrize(
    ("alias", "states"),
    [
        ("pending approval", ["pending-provider"]),
        ("PENDING_PROVIDER", ["pending-provider"]),
        ("failed", []),
        ("cancelled", ["canceled"]),
        ("draft", []),
    ],
)
def test_states_have_the_guide_s_names_too(
    world: World, sold: dict[str, str], alias: str, states: list[str]
) -> None:
    gone = placed(world, sold, attributes={"name": "Gone"})
    ok(world.buyer.api.post(f"{gone}cancel/"), 202)
    placed(world, sold)
    assert [row["state"] for row in ok(world.buyer.api.get(ORDERS, state=alias))] == states


# --- what an order must say ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limits": {"seats": 51}}, "limits.seats"),
        ({"limits": {"seats": 0}}, "limits.seats"),
        ({"limits": {"tables": 1}}, "limits.tables"),
        ({"limits": {"seats": "many"}}, "limits.seats"),
        ({"limits": {"seats": 10**400}}, "limits.seats"),
        ({"plan": None}, "plan"),
        ({"plan": uuid4().hex}, "plan"),
        ({"offering": uuid4().hex}, "offering"),
        ({"project": uuid4().hex}, "project"),
        ({"start_date": "tomorrow"}, "start_date"),
        ({"start_date": "9999-12-31"}, "start_date"),
        ({"slug": "no blanks"}, "slug"),
        ({"request_comment": "x" * 2001}, "request_comment"),
        ({"callback_url": "javascript:alert(1)"}, "callback_url"),
        ({"callback_url": "ftp://example.com/"}, "callback_url"),
        ({"callback_url": "http://localhost/x"}, "callback_url"),
        ({"callback_url": "http://127.0.0.1/x"}, "callback_url"),
        ({"callback_url": "http://[::1]/"}, "callback_url"),
        ({"callback_url": "http://169.254.169.254/latest"}, "callback_url"),
        ({"callback_url": "http://10.0.0.8/"}, "callback_url"),
        ({"callback_url": "http://db.internal/"}, "callback_url"),
        ({"callback_url": "http://user:secret@example.com/"}, "callback_url"),
    ],
)
def test_what_an_order_may_not_say(
    world: World, sold: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    answer = ask(world, sold, **changes)
    assert (answer.status_code, list(places(answer.json()))) == (400, [field])
    assert ok(world.buyer.api.get(ORDERS)) == ok(world.buyer.api.get(RESOURCES)) == []


def test_terms_are_accepted_where_the_offering_demands_it(world: World, runtime: Any) -> None:
    sold = desk(world, plugin_options={"require_terms_of_service": True})
    refused = ask(world, sold)
    assert (refused.status_code, list(refused.json())) == (400, ["accepting_terms_of_service"])
    assert ask(world, sold, accepting_terms_of_service=False).status_code == 400
    ok(ask(world, sold, accepting_terms_of_service=True), 201)


def test_options_of_the_offering_are_checked_and_completed(world: World, runtime: Any) -> None:
    options = {
        "options": {
            "size": {"type": "select_string", "label": "Size", "choices": ["S", "L"], "required": True},
            "note": {"type": "string", "label": "Note", "default": "none"},
        }
    }
    sold = desk(world, options=options)
    for attributes in ({"name": "D"}, {"name": "D", "size": "M"}):
        refused = ask(world, sold, attributes=attributes)
        assert (refused.status_code, list(places(refused.json()))) == (400, ["attributes.size"])
    shown = ok(ask(world, sold, attributes={"name": "D", "size": "L"}), 201)
    assert shown["attributes"] == {"name": "D", "size": "L", "note": "none"}


# --- 409 -----------------------------------------------------------------------------------------


def test_a_blocked_customer_orders_nothing(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.customer is not None
    ok(world.operator.api.post(f"/api/customers/{world.buyer.customer.uuid}/block/"))
    assert refusal(ask(world, sold)) == (409, "customer_blocked")


def test_the_quota_counts_what_lives(world: World, sold: dict[str, str]) -> None:
    quota(world, 1)
    path = placed(world, sold)
    refused = ask(world, sold, attributes={"name": "B"})
    assert refused.json()["extra"] == {"quota": "nc_resource_count", "limit": 1, "usage": 1}
    assert refusal(refused) == (409, "quota_exceeded")
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    second = running(world, sold, attributes={"name": "B"})
    assert refusal(ask(world, sold, attributes={"name": "C"})) == (409, "quota_exceeded")
    ended = ok(world.buyer.api.post(f"{second}terminate/"))["order_uuid"]
    assert refusal(ask(world, sold, attributes={"name": "C"})) == (409, "quota_exceeded")  # not ended yet
    ok(world.provider.api.post(f"{ORDERS}{ended}/set_state_done/"))
    placed(world, sold, attributes={"name": "C"})


def test_what_is_not_sold_cannot_be_ordered(world: World, sold: dict[str, str]) -> None:
    running(world, sold)  # holders see it still
    ok(world.provider.api.post(f"{OFFERINGS}{sold['offering']}/pause/"))
    assert refusal(ask(world, sold, attributes={"name": "B"})) == (409, "not_orderable")


def test_an_order_for_what_is_no_longer_carried_out_is_not_approved(
    world: World, sold: dict[str, str]
) -> None:
    path = placed(world, sold)
    ok(world.provider.api.post(f"{OFFERINGS}{sold['offering']}/archive/"))
    assert refusal(world.provider.api.post(f"{path}approve/")) == (409, "not_orderable")
    assert ok(world.buyer.api.get(path))["state"] == "pending-provider"
    ok(world.provider.api.post(f"{path}reject/"))


def test_the_same_name_is_ordered_once(world: World, sold: dict[str, str]) -> None:
    placed(world, sold)
    assert refusal(ask(world, sold)) == (409, "open_order_exists")
    assert len(ok(world.buyer.api.get(RESOURCES))) == 1


# --- editing, deleting, withdrawing --------------------------------------------------------------


def test_a_pending_order_is_edited_and_priced_again(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold, limits={"seats": 4})
    start = (clock.now().date() + timedelta(days=5)).isoformat()
    changes = {"limits": {"seats": 6}, "attributes": {"name": "Front desk", "note": "x"}, "start_date": start}
    shown = ok(world.buyer.api.patch(path, changes))
    assert {name: shown[name] for name in changes} == changes
    assert (shown["cost"], shown["state"]) == ("30.00", "pending-start-date")
    resource = ok(world.buyer.api.get(f"{RESOURCES}{shown['marketplace_resource_uuid']}/"))
    assert (resource["limits"], resource["attributes"]) == ({"seats": 6}, changes["attributes"])
    bad = world.buyer.api.patch(path, {"limits": {"seats": 99}})
    assert (bad.status_code, list(places(bad.json()))) == (400, ["limits.seats"])
    for api in (world.provider.api, project_member(world), customer_member(world, Role.CUSTOMER_SUPPORT)):
        assert api.patch(path, {"limits": {"seats": 7}}).status_code == 403
    assert world.stranger.api.patch(path, {}).status_code == 404


def test_who_may_not_approve_cannot_change_what_was_approved(world: World, sold: dict[str, str]) -> None:
    member = project_member(world)
    path = placed(world, sold, member, limits={"seats": 1})
    ok(world.buyer.api.post(f"{path}approve/"))
    shown = ok(member.patch(path, {"limits": {"seats": 50}}))
    assert (shown["state"], shown["consumer_reviewed_by"], shown["cost"]) == (
        "pending-consumer",
        "",
        "140.00",
    )
    assert world.provider.api.post(f"{path}approve_by_provider/").status_code == 409


def test_an_order_that_is_executing_is_not_edited_or_deleted(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    ok(world.provider.api.post(f"{path}approve/"))
    assert refusal(world.buyer.api.patch(path, {"limits": {"seats": 2}})) == (409, "wrong_state")
    assert refusal(world.buyer.api.delete(path)) == (409, "wrong_state")


def test_a_change_that_waits_is_edited_as_what_it_is(world: World, sold: dict[str, str]) -> None:
    path = running(world, sold, limits={"seats": 4})
    uuid = ok(world.buyer.api.post(f"{path}update_limits/", {"limits": {"seats": 6}}))["order_uuid"]
    shown = ok(world.buyer.api.patch(f"{ORDERS}{uuid}/", {"limits": {"seats": 8}}))
    assert (shown["limits"], shown["cost"], shown["activation_price"]) == ({"seats": 8}, "30.00", 0.0)
    assert ok(world.buyer.api.get(path))["limits"] == {"seats": 4}
    ok(world.buyer.api.post(f"{ORDERS}{uuid}/cancel/"), 202)
    uuid = ok(world.buyer.api.post(f"{path}switch_plan/", {"plan": sold["large"]}))["order_uuid"]
    refused = world.buyer.api.patch(f"{ORDERS}{uuid}/", {"limits": {"seats": 8}})
    assert (refused.status_code, refused.json()) == (400, {"limits": ["This order is not about limits."]})


def test_a_pending_order_is_deleted(world: World, sold: dict[str, str]) -> None:
    member = project_member(world)
    path = placed(world, sold, member)
    uuid = ok(member.get(path))["marketplace_resource_uuid"]
    assert world.provider.api.delete(path).status_code == 403
    assert world.stranger.api.delete(path).status_code == 404
    assert member.delete(path).status_code == 204
    assert member.get(path).status_code == 404
    assert ok(member.get(f"{RESOURCES}{uuid}/"))["state"] == "Terminated"
    placed(world, sold)  # the name is free again


def test_an_order_withdrawn_while_it_is_deployed_leaves_nothing(
    world: World, runtime: RememberingRuntime, signing_key: None
) -> None:
    sold = publish(world, agent(world, echo_flow()), approval=False)
    path = order(world, sold)
    uuid = ok(world.buyer.api.get(path))["marketplace_resource_uuid"]
    with tenancy.as_system("test"):
        deployment = tasks.deployment_of(Order.objects.get().resource)
    tasks.runtime.deploy("embedded", deployment)  # the job was that far when the buyer withdrew
    assert ok(world.buyer.api.post(f"{path}cancel/"), 202)["state"] == "canceled"
    run_order_jobs()
    assert ok(world.buyer.api.get(path))["state"] == "canceled"
    assert list(runtime.deployments) == [uuid]
    tasks.clean_up(order_id=path.rstrip("/").rsplit("/", 1)[-1])
    assert list(runtime.deployments) == []
    assert ok(world.buyer.api.get(f"{RESOURCES}{uuid}/"))["state"] == "Terminated"


# --- who carries it out --------------------------------------------------------------------------


def test_what_the_installation_deploys_the_provider_does_not_call_done(
    world: World, runtime: RememberingRuntime, signing_key: None
) -> None:
    path = order(world, publish(world, agent(world, echo_flow())))
    assert ok(world.provider.api.post(f"{path}set_state_executing/"))["state"] == "executing"
    assert refusal(world.provider.api.post(f"{path}set_state_done/")) == (409, "carried_out_here")
    run_order_jobs()
    assert ok(world.buyer.api.get(path))["state"] == "done"


def test_an_erred_order_is_begun_again(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    assert refusal(world.provider.api.post(f"{path}set_state_erred/")) == (409, "wrong_state")
    ok(world.provider.api.post(f"{path}set_state_executing/"))
    for action in ("set_state_erred", "set_state_done", "set_backend_id", "set_provider_info", "retry"):
        assert world.buyer.api.post(f"{path}{action}/").status_code == 403
        assert world.stranger.api.post(f"{path}{action}/").status_code == 404
    ok(world.provider.api.post(f"{path}set_backend_id/", {"backend_id": "half-made"}))
    ok(world.provider.api.post(f"{path}set_state_erred/"))
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["error_message"]) == ("erred", "The provider could not carry it out.")
    resource = f"{RESOURCES}{shown['marketplace_resource_uuid']}/"
    assert ok(world.buyer.api.get(resource))["state"] == "Erred"
    assert ok(world.provider.api.post(f"{path}set_state_executing/"))["state"] == "executing"
    ok(world.provider.api.post(f"{path}set_state_done/"))
    assert ok(world.buyer.api.get(path))["state"] == "done"


def test_a_creation_of_which_nothing_stands_ends_its_resource(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    ok(world.provider.api.post(f"{path}approve/"))
    ok(world.provider.api.post(f"{path}set_state_erred/", {"error_message": "No machine left"}))
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["error_message"]) == ("erred", "No machine left")
    resource = ok(world.buyer.api.get(f"{RESOURCES}{shown['marketplace_resource_uuid']}/"))
    assert (resource["state"], resource["error_message"]) == ("Terminated", "No machine left")
    with tenancy.as_system("test"):
        quota = Quota.objects.get(customer=world.buyer.customer, name=RESOURCE_QUOTA)
        assert quota.usage == 0
    assert refusal(world.provider.api.post(f"{path}retry/")) == (409, "wrong_state")
    assert ok(world.buyer.api.get(path))["state"] == "erred"
    placed(world, sold)  # the same name is free again


def test_a_retry_that_meets_an_open_order_of_the_same_name_is_refused(
    world: World, sold: dict[str, str]
) -> None:
    path = placed(world, sold)
    ok(world.provider.api.post(f"{path}approve/"))
    ok(world.provider.api.post(f"{path}set_backend_id/", {"backend_id": "half-made"}))
    ok(world.provider.api.post(f"{path}set_state_erred/"))
    placed(world, sold)
    assert refusal(world.provider.api.post(f"{path}retry/")) == (409, "open_order_exists")
    assert ok(world.buyer.api.get(path))["state"] == "erred"


def test_both_sides_leave_word(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    assert ok(world.buyer.api.post(f"{path}set_consumer_info/", {"consumer_message": "Ring twice"})) == {
        "detail": "Consumer info has been set."
    }
    body = {"provider_message": "At nine", "provider_message_url": "https://example.com/map"}
    ok(world.provider.api.post(f"{path}set_provider_info/", body))
    shown = ok(world.buyer.api.get(path))
    assert (shown["consumer_message"], shown["provider_message"]) == ("Ring twice", "At nine")
    assert world.provider.api.post(f"{path}set_consumer_info/", {}).status_code == 403
    bad = world.provider.api.post(f"{path}set_provider_info/", {"provider_message_url": "ftp://example.com"})
    assert (bad.status_code, list(bad.json())) == (400, ["provider_message_url"])


def test_both_sides_comment(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    assert ok(world.buyer.api.post(f"{path}comments/", {"text": "When?"}), 201)["side"] == "consumer"
    assert ok(world.provider.api.post(f"{path}comments/", {"text": "Today"}), 201)["side"] == "provider"
    ok(world.operator.api.post(f"{path}comments/", {"text": "Noted"}), 201)
    for api in (world.buyer.api, world.provider.api, world.operator.api):
        rows = ok(api.get(f"{path}comments/"))
        assert [(row["side"], row["author_name"], row["text"]) for row in rows] == [
            ("consumer", "boris", "When?"),
            ("provider", "petra", "Today"),
            ("operator", "olga", "Noted"),
        ]
    assert world.buyer.api.post(f"{path}comments/", {"text": ""}).status_code == 400
    assert world.stranger.api.get(f"{path}comments/").status_code == 404


# --- jobs ----------------------------------------------------------------------------------------


def test_an_order_without_a_job_is_found_and_gets_one(
    world: World, runtime: RememberingRuntime, signing_key: None, caplog: pytest.LogCaptureFixture
) -> None:
    path = order(world, publish(world, agent(world, echo_flow()), approval=False))
    uuid = ok(world.buyer.api.get(path))["uuid"]
    later = clock.now() + timedelta(minutes=11)
    with tenancy.as_system("test") as actor:
        order_id = str(Order.objects.get().id)
        assert services.find_stuck(actor=actor, now=later) == []  # its job waits
        assert is_alive(tasks.JOB, order_id=order_id)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'failed'")
        assert services.find_stuck(actor=actor, now=clock.now()) == []
        (stuck,) = services.find_stuck(actor=actor, now=later)
        assert stuck.uuid == uuid
        assert is_alive(tasks.JOB, order_id=order_id)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "order without a job"
    ]


def test_what_people_fulfil_is_never_stuck(world: World, sold: dict[str, str]) -> None:
    ok(world.provider.api.post(f"{placed(world, sold)}approve/"))
    with tenancy.as_system("test") as actor:
        assert services.find_stuck(actor=actor, now=clock.now() + timedelta(days=9)) == []
