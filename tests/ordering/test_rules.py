"""Rules by which a side approves orders beforehand."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.desk import ask, customer_member, desk, project_member
from tests.support.market import ok
from tests.support.world import World
from waldur_api_client.models.project_order_auto_approval import ProjectOrderAutoApproval

from agentmart.identity.models import Role

pytestmark = pytest.mark.django_db
RULES = "/api/marketplace-order-approval-rules/"
PROJECT_RULES = "/api/marketplace-project-order-auto-approvals/"


@pytest.fixture
def sold(world: World, runtime: Any) -> dict[str, str]:
    return desk(world)  # the small plan costs 15 in the first month


def consumer_rule(world: World, **conditions: Any) -> Any:
    assert world.buyer.customer is not None
    body = {"side": "consumer", "customer": world.buyer.customer.uuid, "cost_limit": "15.00", **conditions}
    return world.buyer.api.post(RULES, body)


def provider_rule(world: World, **conditions: Any) -> Any:
    assert world.provider.customer is not None
    return world.provider.api.post(
        RULES, {"side": "provider", "customer": world.provider.customer.uuid, **conditions}
    )


def test_a_buyer_s_rule_approves_up_to_its_cost(world: World, sold: dict[str, str]) -> None:
    rule = ok(consumer_rule(world, offering=sold["offering"], role="PROJECT.MEMBER"), 201)
    member = project_member(world)
    cheap = ok(ask(world, sold, member), 201)
    assert (cheap["state"], cheap["auto_approved"], cheap["auto_approved_by_rule_uuid"]) == (
        "pending-provider",
        True,
        rule["uuid"],
    )
    assert (cheap["auto_approved_cost_limit_snapshot"], cheap["consumer_reviewed_by"]) == (
        "15.00",
        "approval rule",
    )
    dear = ok(ask(world, sold, member, plan=sold["large"], attributes={"name": "L"}), 201)
    assert (dear["state"], dear["auto_approved"], dear["auto_approved_by_rule_uuid"]) == (
        "pending-consumer",
        False,
        None,
    )
    admin = ok(ask(world, sold, project_member(world, Role.PROJECT_ADMIN), attributes={"name": "A"}), 201)
    assert admin["state"] == "pending-consumer"  # another role
    ok(world.buyer.api.patch(f"{RULES}{rule['uuid']}/", {"enabled": False}))
    assert ok(ask(world, sold, member, attributes={"name": "B"}), 201)["state"] == "pending-consumer"


def test_a_rule_about_something_else_approves_nothing(world: World, sold: dict[str, str]) -> None:
    other = desk(world, name="Other")
    ok(consumer_rule(world, offering=other["offering"]), 201)
    assert ok(ask(world, sold, project_member(world)), 201)["state"] == "pending-consumer"
    assert (
        ok(ask(world, other, project_member(world, Role.PROJECT_ADMIN)), 201)["state"] == "pending-provider"
    )


def test_a_provider_s_rule_approves_for_its_customer(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.customer is not None and world.stranger.customer is not None
    ok(provider_rule(world, for_customer=world.stranger.customer.uuid), 201)
    assert ok(ask(world, sold), 201)["state"] == "pending-provider"
    ok(provider_rule(world, for_customer=world.buyer.customer.uuid, cost_limit="15"), 201)
    shown = ok(ask(world, sold, attributes={"name": "B"}), 201)
    assert (shown["state"], shown["provider_reviewed_by"]) == ("executing", "approval rule")
    dear = ok(ask(world, sold, plan=sold["large"], attributes={"name": "C"}), 201)
    assert dear["state"] == "pending-provider"
    member = project_member(world)
    waits = ok(ask(world, sold, member, attributes={"name": "D"}), 201)
    assert waits["state"] == "pending-consumer"
    path = f"/api/marketplace-orders/{waits['uuid']}/"
    assert ok(world.buyer.api.post(f"{path}approve/"))["state"] == "executing"


def test_who_makes_and_sees_rules(world: World, sold: dict[str, str]) -> None:
    mine = ok(consumer_rule(world), 201)
    theirs = ok(provider_rule(world, offering=sold["offering"]), 201)
    seen = {
        name: {row["uuid"] for row in ok(api.get(RULES))}
        for name, api in {
            "operator": world.operator.api,
            "buyer": world.buyer.api,
            "provider": world.provider.api,
            "stranger": world.stranger.api,
            "member": project_member(world),
        }.items()
    }
    both = {mine["uuid"], theirs["uuid"]}
    assert seen == {
        "operator": both,
        "buyer": {mine["uuid"]},
        "provider": {theirs["uuid"]},
        "stranger": set(),
        "member": set(),
    }
    manager = customer_member(world, Role.CUSTOMER_MANAGER)
    path = f"{RULES}{mine['uuid']}/"
    assert manager.patch(path, {"enabled": False}).status_code == 403
    assert manager.delete(path).status_code == 403
    assert world.provider.api.delete(path).status_code == 404
    assert world.buyer.api.delete(path).status_code == 204
    assert world.buyer.api.get(path).status_code == 404


def test_a_rule_s_conditions_fit_together(world: World, sold: dict[str, str]) -> None:
    assert world.stranger.project is not None and world.provider.project is not None
    assert world.stranger.customer is not None and world.provider.customer is not None
    for answer, field in (
        (consumer_rule(world, cost_limit=None), "cost_limit"),
        (consumer_rule(world, cost_limit="-1"), "cost_limit"),
        (consumer_rule(world, role="KING"), "role"),
        (consumer_rule(world, side="both"), "side"),
        (consumer_rule(world, customer=world.stranger.customer.uuid), "customer"),
        (consumer_rule(world, project=world.stranger.project.uuid), "project"),
        (consumer_rule(world, for_customer=world.stranger.customer.uuid), "for_customer"),
        (provider_rule(world, role="PROJECT.MEMBER"), "side"),
        (provider_rule(world, project=world.provider.project.uuid), "side"),
    ):
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert ok(world.operator.api.get(RULES)) == []


def test_the_client_s_rules_of_a_project(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.project is not None and world.buyer.customer is not None
    body = {"project": f"/api/projects/{world.buyer.project.uuid}/", "monthly_cost_limit": "20"}
    rule = ok(world.buyer.api.post(PROJECT_RULES, body), 201)
    parsed = ProjectOrderAutoApproval.from_dict(rule)
    assert (parsed.monthly_cost_limit, parsed.project_name, parsed.created_by_username, parsed.enabled) == (
        "20.00",
        "Buyer Ltd project",
        "boris",
        True,
    )
    member = project_member(world)
    assert ok(ask(world, sold, member), 201)["state"] == "pending-provider"
    path = f"{PROJECT_RULES}{rule['uuid']}/"
    assert ok(world.buyer.api.patch(path, {"monthly_cost_limit": "1.50"}))["monthly_cost_limit"] == "1.50"
    assert ok(ask(world, sold, member, attributes={"name": "B"}), 201)["state"] == "pending-consumer"
    assert member.post(PROJECT_RULES, body).status_code == 403
    assert ok(world.buyer.api.get(PROJECT_RULES, enabled="true", project_uuid=world.buyer.project.uuid))
    assert ok(world.buyer.api.get(PROJECT_RULES, enabled="false")) == []
    assert world.buyer.api.delete(path).status_code == 204
