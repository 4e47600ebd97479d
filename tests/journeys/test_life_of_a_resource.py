"""What happens to a resource and its keys between its order and its end."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from tests.support.flows import echo_flow, export, node
from tests.support.market import (
    CONFIGS,
    OFFERINGS,
    ORDERS,
    PLAN,
    RESOURCES,
    agent,
    buy,
    ok,
    order,
    order_body,
    publish,
    run_order_jobs,
)
from tests.support.refusals import places
from tests.support.runtime import RememberingRuntime
from tests.support.world import World

from agentmart.access.models import GrantRow
from agentmart.access.services import grants as grant_rows
from agentmart.infra import tenancy
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.resources.models import AgentConfig, PlanPeriod

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> str:
    found: str = node(export(), "LanguageModelComponent")["id"]
    return found


@pytest.fixture
def sold(world: World, model: str) -> dict[str, str]:
    """An offering that exposes one of the two fields that it could."""
    path = agent(world, export())
    offered = ok(world.provider.api.get(path))["tweakable"]
    assert [(row["node"], row["field"]) for row in offered] == [
        (model, "max_tokens"),
        (model, "temperature"),
    ]
    ok(world.provider.api.patch(path, {"exposed": [{"node": model, "field": "max_tokens"}]}))
    return publish(world, path)


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What gateways are told of changed Grants."""
    seen: list[str] = []
    tell = grant_rows.notify
    monkeypatch.setattr(grant_rows, "notify", lambda payload: (seen.append(payload), tell(payload)))
    return seen


def config_of(resource: dict[str, Any]) -> str:
    return f"{CONFIGS}{resource['agent_config']}/"


def issue(world: World, resource: dict[str, Any], **body: Any) -> dict[str, Any]:
    issued: dict[str, Any] = ok(
        world.buyer.api.post(f"{config_of(resource)}api-keys/", {"name": "CI", **body}), 201
    )
    return issued


def grants() -> dict[str, str]:
    with tenancy.as_system("test"):
        return {row.key_id.hex: row.state for row in GrantRow.objects.all()}


# --- tweaks --------------------------------------------------------------------------------------


def test_only_offered_fields_can_be_exposed(world: World, model: str) -> None:
    for flow, field in (
        (None, "max_tokens"),
        (export(), "code"),
        (export(), "api_key"),
        (export(), "model_name"),
    ):
        path = agent(world, flow)
        answer = world.provider.api.patch(path, {"exposed": [{"node": model, "field": field}]})
        assert answer.status_code == 400
        assert answer.json()["exposed"][0].startswith(f"Field {field} of node {model} cannot be exposed")
        assert ok(world.provider.api.get(path))["exposed"] == []
    early = world.provider.api.post(
        "/api/site-agent/provider-agents/", {"name": "X", "exposed": [{"node": model, "field": "max_tokens"}]}
    )
    assert (early.status_code, list(early.json())) == (400, ["exposed"])


def test_a_buyer_sets_exposed_fields_and_the_gateway_knows(
    world: World, sold: dict[str, str], model: str, notified: list[str]
) -> None:
    resource = buy(world, sold)
    key = issue(world, resource)
    shown = ok(world.buyer.api.get(config_of(resource)))
    assert [(row["node"], row["field"]) for row in shown["tweakable"]] == [(model, "max_tokens")]
    assert shown["limits"] == PLAN["limits"]
    notified.clear()
    tweaks = {model: {"max_tokens": 300}}
    changed = ok(world.buyer.api.patch(config_of(resource), {"tweaks": tweaks, "name": "Ours"}))
    assert (changed["tweaks"], changed["name"]) == (tweaks, "Ours")
    with tenancy.as_system("test"):
        grant = GrantRow.objects.get()
        assert (grant.tweaks, [row["field"] for row in grant.tweakable]) == (tweaks, ["max_tokens"])
        assert (grant.limits, grant.plan_id.hex if grant.plan_id else "") == (PLAN["limits"], sold["plan"])
    assert notified == [key["uuid"]]


@pytest.mark.parametrize(
    ("node_id", "field", "value", "path"),
    [
        ("MODEL", "temperature", 0.5, "tweaks.MODEL.temperature"),
        ("MODEL", "code", "x", "tweaks.MODEL.code"),
        ("Nobody", "max_tokens", 1, "tweaks.Nobody.max_tokens"),
        ("MODEL", "max_tokens", "many", "tweaks.MODEL.max_tokens"),
        ("MODEL", "max_tokens", True, "tweaks.MODEL.max_tokens"),
        ("MODEL", "max_tokens", 0, "tweaks.MODEL.max_tokens"),
        ("MODEL", "max_tokens", 128_001, "tweaks.MODEL.max_tokens"),
    ],
)
def test_other_tweaks_are_refused_by_name_and_change_nothing(
    world: World, sold: dict[str, str], model: str, node_id: str, field: str, value: Any, path: str
) -> None:
    resource = buy(world, sold)
    name = node_id.replace("MODEL", model)
    answer = world.buyer.api.patch(config_of(resource), {"name": "Ours", "tweaks": {name: {field: value}}})
    assert answer.status_code == 400
    assert list(places(answer.json())) == [path.replace("MODEL", model)]
    unchanged = ok(world.buyer.api.get(config_of(resource)))
    assert (unchanged["tweaks"], unchanged["name"]) == ({}, "Our helper")


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_listed_without_itself(world: World, sold: dict[str, str]) -> None:
    resource = buy(world, sold)
    issued = issue(world, resource, scopes=["agent:invoke"], environment="test")
    assert issued["key"].startswith("ar_sk_test_")
    (listed,) = ok(world.buyer.api.get(f"{config_of(resource)}api-keys/"))
    assert listed == {name: value for name, value in issued.items() if name != "key"}
    assert (listed["last4"], listed["prefix"], listed["state"]) == (
        issued["key"][-4:],
        "ar_sk_test_",
        "active",
    )
    for row in (listed, ok(world.operator.api.get(f"{config_of(resource)}api-keys/"))[0]):
        assert issued["key"] not in str(row)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "k", "scopes": []}, "scopes"),
        ({"name": "k", "scopes": ["admin"]}, "scopes"),
        ({"name": "k", "scopes": "agent:invoke"}, "scopes"),
        ({"name": "k", "kind": "publishable"}, "allowed_origins"),
        ({"name": "k", "environment": "prod"}, "environment"),
        ({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "k", "expires_at": "soon"}, "expires_at"),
    ],
)
def test_wrong_keys_are_refused(world: World, sold: dict[str, str], body: dict[str, Any], field: str) -> None:
    resource = buy(world, sold)
    answer = world.buyer.api.post(f"{config_of(resource)}api-keys/", body)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert grants() == {}


def test_blocking_a_customer_flips_its_keys_and_unblocking_flips_them_back(
    world: World, sold: dict[str, str], notified: list[str]
) -> None:
    assert world.buyer.customer is not None
    resource = buy(world, sold)
    live, dead = issue(world, resource)["uuid"], issue(world, resource)["uuid"]
    assert world.buyer.api.delete(f"{config_of(resource)}api-keys/{dead}/").status_code == 204
    notified.clear()
    path = f"/api/customers/{world.buyer.customer.uuid}/"
    ok(world.operator.api.post(f"{path}block/", {"reason": "unpaid"}))
    assert grants() == {live: "customer_blocked", dead: "revoked"}
    assert notified == [live]
    refused = world.buyer.api.post(f"{config_of(resource)}api-keys/", {"name": "New"})
    assert (refused.status_code, refused.json()["code"]) == (409, "customer_blocked")
    ok(world.operator.api.post(f"{path}block/"))
    ok(world.operator.api.post(f"{path}unblock/"))
    assert grants() == {live: "active", dead: "revoked"}
    assert notified == [live, live]


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["buyer", "provider", "operator"])
def test_termination_ends_calls_at_once_and_then_the_flow(
    world: World, sold: dict[str, str], runtime: RememberingRuntime, who: str
) -> None:
    resource = buy(world, sold)
    key = issue(world, resource)["uuid"]
    path = f"{RESOURCES}{resource['uuid']}/"
    ended = ok(getattr(world, who).api.post(f"{path}terminate/"))["order_uuid"]
    assert grants() == {key: "terminated"}
    assert ok(world.buyer.api.get(path))["state"] == "Terminating"
    (period,) = ok(world.buyer.api.get(f"{path}plan_periods/"))
    assert period["end"] is not None and period["plan_uuid"] == sold["plan"]
    assert list(runtime.deployments) == [resource["uuid"]]
    run_order_jobs()
    assert list(runtime.deployments) == []
    done = ok(world.buyer.api.get(f"{ORDERS}{ended}/"))
    assert (done["type"], done["state"]) == ("Terminate", "done")
    gone = ok(world.buyer.api.get(path))
    assert (gone["state"], gone["terminated_at"] is not None) == ("Terminated", True)
    again = world.buyer.api.post(f"{path}terminate/")
    assert again.status_code == 409
    assert again.json() == {
        "detail": "Valid states for operation: OK, Erred.",
        "code": "wrong_state",
        "extra": {"state": "Terminated"},
    }
    assert world.buyer.api.post(f"{config_of(resource)}api-keys/", {"name": "New"}).status_code == 409
    buy(world, sold)  # the same name is free again


def test_a_termination_that_fails_can_be_retried_and_lets_no_calls_in(
    world: World, sold: dict[str, str], runtime: RememberingRuntime
) -> None:
    assert world.buyer.customer is not None
    resource = buy(world, sold)
    key = issue(world, resource)["uuid"]
    path = f"{RESOURCES}{resource['uuid']}/"
    ended = ok(world.buyer.api.post(f"{path}terminate/"))["order_uuid"]
    runtime.fail_next("refused", "The runtime does not let go.")
    run_order_jobs()
    failed = ok(world.buyer.api.get(f"{ORDERS}{ended}/"))
    assert (failed["state"], failed["error_message"]) == ("erred", "The runtime does not let go.")
    assert ok(world.buyer.api.get(path))["state"] == "Erred"
    customer = f"/api/customers/{world.buyer.customer.uuid}/"
    ok(world.operator.api.post(f"{customer}block/"))
    ok(world.operator.api.post(f"{customer}unblock/"))
    assert grants() == {key: "terminated"}
    assert ok(world.provider.api.post(f"{ORDERS}{ended}/retry/"))["state"] == "executing"
    assert ok(world.buyer.api.get(path))["state"] == "Terminating"
    run_order_jobs()
    assert ok(world.buyer.api.get(f"{ORDERS}{ended}/"))["state"] == "done"
    assert ok(world.buyer.api.get(path))["state"] == "Terminated"


def test_a_creation_that_failed_can_be_ended_instead_of_retried(
    world: World, sold: dict[str, str], runtime: RememberingRuntime
) -> None:
    path = order(world, sold)
    ok(world.provider.api.post(f"{path}approve/"))
    runtime.fail_next("timeout", "It took too long.")
    run_order_jobs()
    resource = f"{RESOURCES}{ok(world.buyer.api.get(path))['marketplace_resource_uuid']}/"
    assert ok(world.buyer.api.get(resource))["state"] == "Erred"
    ok(world.buyer.api.post(f"{resource}terminate/"))
    refused = world.provider.api.post(f"{path}retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "open_order_exists")
    run_order_jobs()
    assert ok(world.buyer.api.get(resource))["state"] == "Terminated"
    refused = world.provider.api.post(f"{path}retry/")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert ok(world.buyer.api.get(path))["state"] == "erred"
    with tenancy.as_system("test"):
        assert (PlanPeriod.objects.count(), AgentConfig.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("who", "verb", "status", "state"),
    [("provider", "reject", 200, "rejected"), ("buyer", "cancel", 202, "canceled")],
)
def test_an_order_that_is_not_carried_out_drops_its_resource(
    world: World, sold: dict[str, str], who: str, verb: str, status: int, state: str
) -> None:
    path = order(world, sold)
    body = {"comment": "Not now"} if verb == "reject" else None
    answer = ok(getattr(world, who).api.post(f"{path}{verb}/", body), status)
    assert answer["state"] == state
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["provider_rejection_comment"]) == (
        state,
        "Not now" if verb == "reject" else "",
    )
    resource = f"{RESOURCES}{shown['marketplace_resource_uuid']}/"
    assert ok(world.buyer.api.get(resource))["state"] == "Terminated"
    assert run_order_jobs() == 0
    order(world, sold)  # the same name is free again


def test_without_approval_an_order_is_carried_out_at_once(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()), approval=False)
    assert ok(world.buyer.api.get(order(world, sold)))["state"] == "executing"
    assert run_order_jobs() == 1
    (resource,) = ok(world.buyer.api.get(RESOURCES))
    assert (resource["state"], resource["plan_uuid"]) == ("OK", sold["plan"])


def test_a_job_that_runs_twice_changes_nothing_more(world: World, sold: dict[str, str]) -> None:
    buy(world, sold)
    before = ok(world.buyer.api.get(RESOURCES)), ok(world.buyer.api.get(ORDERS))
    run_order_jobs()
    assert (ok(world.buyer.api.get(RESOURCES)), ok(world.buyer.api.get(ORDERS))) == before


# --- an offering that is no longer sold ----------------------------------------------------------


@pytest.mark.parametrize("verb", ["pause", "archive"])
def test_who_has_a_resource_keeps_it_when_the_offering_is_no_longer_sold(
    world: World, sold: dict[str, str], verb: str
) -> None:
    resource = buy(world, sold)
    key = issue(world, resource)["uuid"]
    offering = f"{OFFERINGS}{sold['offering']}/"
    ok(world.provider.api.post(f"{offering}{verb}/"))
    shown = ok(world.buyer.api.get(f"{RESOURCES}{resource['uuid']}/"))
    assert (shown["offering_name"], shown["plan_name"]) == ("Helper", "Professional")
    assert grants() == {key: "active"}
    seen = {name: person.get(offering).status_code for name, person in _people(world).items()}
    assert seen == {
        "operator": 200,
        "provider": 200,
        "buyer": 200 if verb == "pause" else 404,
        "stranger": 404,
        "visitor": 404,
    }
    for api in (world.stranger.api, world.visitor):
        assert ok(api.get(OFFERINGS)) == []
        assert api.get(f"{offering}plans/").status_code == 404
    again = world.buyer.api.post(ORDERS, order_body(world, sold, attributes={"name": "More"}))
    expected = (409, "not_orderable") if verb == "pause" else (400, None)
    assert (again.status_code, again.json().get("code")) == expected
    ok(world.buyer.api.post(f"{RESOURCES}{resource['uuid']}/terminate/"))
    run_order_jobs()
    assert ok(world.buyer.api.get(f"{RESOURCES}{resource['uuid']}/"))["state"] == "Terminated"


def _people(world: World) -> dict[str, Any]:
    return {
        "operator": world.operator.api,
        "provider": world.provider.api,
        "buyer": world.buyer.api,
        "stranger": world.stranger.api,
        "visitor": world.visitor,
    }


def test_parts_of_a_public_offering_are_written_by_its_owner_alone(
    world: World, sold: dict[str, str]
) -> None:
    """Below the application's checks, in the database: reading a public offering is not owning its prices."""
    assert world.buyer.customer is not None and world.provider.customer is not None
    statements = (
        "UPDATE catalog_plan SET name = 'Free'",
        "UPDATE catalog_plan_component SET price = '{}'",
        "UPDATE catalog_offering_component SET name = 'x'",
        "DELETE FROM catalog_plan_component",
        "UPDATE catalog_offering SET name = 'x'",
    )
    for owner, changed in ((world.buyer.customer, False), (world.provider.customer, True)):
        tenancy.enter(Actor(grants=(RoleGrant(owner.id, "CUSTOMER.OWNER"),)))
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM catalog_plan")
            assert cursor.fetchone() == (1,)
            for statement in statements:
                with transaction.atomic():
                    cursor.execute(statement)
                    assert bool(cursor.rowcount) is changed, statement
                    transaction.set_rollback(True)
