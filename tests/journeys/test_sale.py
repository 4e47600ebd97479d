"""The sale over REST, each step by the person who does it; the runtime is the fake."""

from __future__ import annotations

import json
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.flows import export
from tests.support.world import World, make_world

from agentmart.access.models import GrantRow
from agentmart.agents.models import FlowVersion
from agentmart.contracts.keys import hash_key
from agentmart.ordering import tasks
from agentmart.ordering.models import Order
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db

PLAN = {
    "name": "Professional",
    "unit_price": "99.00",
    "unit": "month",
    "components": [
        {"type": "requests", "price": "0.01"},
        {
            "type": "output_tokens",
            "tier_mode": "graduated",
            "tiers": [
                {"up_to": 100, "unit_price": "0"},
                {"up_to": 500, "unit_price": "0.002"},
                {"up_to": None, "unit_price": "0.001"},
            ],
        },
    ],
    "limits": {"requests_per_minute": 60, "concurrent_requests": 5, "streaming": True},
}


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def echo_flow() -> dict[str, Any]:
    return export("Basic Prompting")


def run_order_jobs() -> int:
    """Carry out the queued orders as the worker would; returns how many."""
    queued = ProcrastinateJob.objects.filter(task_name=tasks.JOB).order_by("id")
    done = 0
    for row in queued:
        tasks.execute_order(order_id=row.args["order_id"])
        done += 1
    return done


def publish(world: World, flow: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Take an agent from nothing to an active offering; returns its uuids."""
    provider, operator = world.provider.api, world.operator.api
    category = operator.post("/api/marketplace-categories/", {"title": "AI Services"}).json()
    agent = provider.post("/api/site-agent/provider-agents/", {"name": "Helper"}).json()
    path = f"/api/site-agent/provider-agents/{agent['uuid']}/"
    imported = provider.post(f"{path}import_flow/", {"flow": flow})
    assert imported.status_code == 201, imported.content
    published = provider.post(
        f"{path}publish/",
        {
            "category": category["url"],
            "plans": [PLAN],
            "plugin_options": {"require_provider_approval": True},
            **options,
        },
    )
    assert published.status_code == 200, published.content
    offering = published.json()["offering_uuid"]
    activated = operator.post(f"/api/marketplace-provider-offerings/{offering}/activate/")
    assert activated.status_code == 200, activated.content
    shown = world.buyer.api.get(f"/api/marketplace-public-offerings/{offering}/").json()
    return {"agent": agent["uuid"], "offering": offering, "plan": shown["plans"][0]["uuid"]}


def order(world: World, sold: dict[str, Any]) -> Any:
    assert world.buyer.project is not None
    return world.buyer.api.post(
        "/api/marketplace-orders/",
        {
            "offering": f"/api/marketplace-public-offerings/{sold['offering']}/",
            "project": f"/api/projects/{world.buyer.project.uuid}/",
            "plan": sold["plan"],
            "attributes": {"name": "Our helper"},
        },
    )


def test_from_flow_to_key(world: World, echo_flow: dict[str, Any], fake: Any) -> None:
    sold = publish(world, echo_flow)
    placed = order(world, sold)
    assert placed.status_code == 201, placed.content
    assert placed.json()["state"] == "pending-provider"
    waiting = world.provider.api.get("/api/marketplace-orders/", state="pending provider").json()
    assert [row["uuid"] for row in waiting] == [placed.json()["uuid"]]
    approved = world.provider.api.post(f"/api/marketplace-orders/{placed.json()['uuid']}/approve/")
    assert (approved.status_code, approved.json()["state"]) == (200, "executing")
    assert run_order_jobs() == 1
    done = world.buyer.api.get(f"/api/marketplace-orders/{placed.json()['uuid']}/").json()
    assert done["state"] == "done"
    resource = world.buyer.api.get(f"/api/marketplace-resources/{done['marketplace_resource_uuid']}/").json()
    assert resource["state"] == "OK"
    assert list(fake.deployments) == [resource["uuid"]]
    keys = f"/api/site-agent/customer-agent-configs/{resource['agent_config']}/api-keys/"
    issued = world.buyer.api.post(keys, {"name": "CI"})
    assert issued.status_code == 201
    key = issued.json()["key"]
    assert key.startswith("ar_sk_live_")
    assert "key" not in world.buyer.api.get(keys).json()[0]
    grant = GrantRow.objects.get()
    assert bytes(grant.key_sha256) == hash_key(key)
    assert grant.limits == PLAN["limits"]
    assert grant.state == "active"
    assert world.buyer.api.delete(f"{keys}{issued.json()['uuid']}/").status_code == 204
    assert GrantRow.objects.get().state == "revoked"


def test_second_approval_and_late_rejection_are_refused(
    world: World, echo_flow: dict[str, Any], fake: Any
) -> None:
    placed = order(world, publish(world, echo_flow)).json()
    path = f"/api/marketplace-orders/{placed['uuid']}/"
    assert world.provider.api.post(f"{path}approve/").status_code == 200
    again = world.provider.api.post(f"{path}approve/")
    assert again.status_code == 409
    assert again.json() == {
        "detail": "Valid states for operation: pending-consumer, pending-provider.",
        "code": "wrong_state",
        "extra": {"state": "executing"},
    }
    assert world.provider.api.post(f"{path}reject/").status_code == 409


def test_only_the_provider_approves(world: World, echo_flow: dict[str, Any]) -> None:
    placed = order(world, publish(world, echo_flow)).json()
    path = f"/api/marketplace-orders/{placed['uuid']}/approve/"
    assert world.stranger.api.post(path).status_code == 404
    assert world.buyer.api.post(path).status_code == 403
    assert Order.objects.get().state == "pending-provider"


def test_refused_orders_change_nothing(world: World, echo_flow: dict[str, Any]) -> None:
    sold = publish(world, echo_flow)
    assert world.buyer.project is not None and world.buyer.customer is not None
    other = world.operator.api.post(
        "/api/marketplace-offerings/",
        {
            "name": "Other",
            "type": "Marketplace.Basic",
            "category": world.operator.api.get("/api/marketplace-categories/").json()[0]["url"],
            "state": "Active",
            "plans": [{"name": "Basic", "unit_price": "1.00"}],
        },
    ).json()
    body = {"offering": sold["offering"], "project": world.buyer.project.uuid}
    wrong_plan = world.buyer.api.post("/api/marketplace-orders/", {**body, "plan": other["plans"][0]["uuid"]})
    assert (wrong_plan.status_code, wrong_plan.json()) == (
        400,
        {"plan": ["Plan Basic belongs to another offering."]},
    )
    foreign = world.stranger.api.post("/api/marketplace-orders/", body)
    assert (foreign.status_code, foreign.json()) == (
        400,
        {"project": ["Invalid hyperlink - Object does not exist."]},
    )
    assert order(world, sold).status_code == 201
    second = order(world, sold)
    assert (second.status_code, second.json()["code"]) == (409, "open_order_exists")
    blocked = world.operator.api.post(f"/api/customers/{world.buyer.customer.uuid}/block/")
    assert blocked.status_code == 200
    refused = world.buyer.api.post("/api/marketplace-orders/", {**body, "attributes": {"name": "Two"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "customer_blocked")
    assert Order.objects.count() == 1
    assert Resource.objects.count() == 1


def test_a_broken_flow_is_refused_with_node_and_reason(world: World, echo_flow: dict[str, Any]) -> None:
    provider = world.provider.api
    agent = provider.post("/api/site-agent/provider-agents/", {"name": "Helper"}).json()
    path = f"/api/site-agent/provider-agents/{agent['uuid']}/"
    broken = json.loads(json.dumps(echo_flow))
    gone = broken["data"]["nodes"].pop(0)["id"]
    answer = provider.post(f"{path}import_flow/", {"flow": broken})
    assert answer.status_code == 400
    assert any(gone in error["message"] for error in answer.json()["errors"])
    for bad, status in (("{", 400), ("[]", 400), ('"' + "x" * (5 * 1024 * 1024) + '"', 413)):
        assert provider.post(f"{path}import_flow/", {"flow": bad}).status_code == status
    huge = provider.post(f"{path}import_flow/", {"flow": {"x": "y" * (20 * 1024 * 1024)}})
    assert huge.status_code == 413
    assert FlowVersion.objects.count() == 0
    check = provider.post(f"{path}validate_flow/", {"flow": broken})
    assert (check.status_code, check.json()["valid"]) == (200, False)
    assert world.stranger.api.post(f"{path}import_flow/", {"flow": echo_flow}).status_code == 404


def test_the_same_flow_again_is_the_same_version(world: World, echo_flow: dict[str, Any]) -> None:
    provider = world.provider.api
    agent = provider.post("/api/site-agent/provider-agents/", {"name": "Helper"}).json()
    path = f"/api/site-agent/provider-agents/{agent['uuid']}/import_flow/"
    first = provider.post(path, {"flow": echo_flow})
    again = provider.post(path, {"flow": json.dumps(echo_flow, indent=2)})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["uuid"] == again.json()["uuid"]


def test_a_failing_runtime_gives_an_erred_order_with_a_sentence(
    world: World, echo_flow: dict[str, Any], fake: Any
) -> None:
    placed = order(world, publish(world, echo_flow)).json()
    fake.fail_next("bad_flow", "Component X of node Y is not available in this runtime.")
    world.provider.api.post(f"/api/marketplace-orders/{placed['uuid']}/approve/")
    run_order_jobs()
    shown = world.buyer.api.get(f"/api/marketplace-orders/{placed['uuid']}/").json()
    assert (shown["state"], shown["error_message"]) == (
        "erred",
        "Component X of node Y is not available in this runtime.",
    )
    resource = f"/api/marketplace-resources/{shown['marketplace_resource_uuid']}/"
    assert world.buyer.api.get(resource).json()["state"] == "Terminated"
    assert world.provider.api.post(f"/api/marketplace-orders/{placed['uuid']}/retry/").status_code == 409


def test_an_order_that_the_runtime_may_have_carried_out_is_retried(
    world: World, echo_flow: dict[str, Any], fake: Any
) -> None:
    placed = order(world, publish(world, echo_flow)).json()
    path = f"/api/marketplace-orders/{placed['uuid']}/"
    fake.fail_next("timeout", "The runtime did not answer in time.")
    world.provider.api.post(f"{path}approve/")
    run_order_jobs()
    shown = world.buyer.api.get(path).json()
    resource = f"/api/marketplace-resources/{shown['marketplace_resource_uuid']}/"
    assert (shown["state"], world.buyer.api.get(resource).json()["state"]) == ("erred", "Erred")
    assert world.provider.api.post(f"{path}retry/").status_code == 200
    run_order_jobs()
    assert world.buyer.api.get(path).json()["state"] == "done"
    assert world.buyer.api.get(resource).json()["state"] == "OK"
