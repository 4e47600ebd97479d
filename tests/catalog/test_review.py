"""New versions of what is live wait for an operator; the emergency stop reaches keys; agents off sale."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import echo_flow, template
from tests.support.market import AGENTS, OFFERINGS, PLAN, agent, member, ok, operator, publish
from tests.support.shop import Shop
from tests.support.world import World

from agentmart.access.models import GrantRow
from agentmart.catalog.models import Plan
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


def second(world: World, path: str) -> None:
    """Import a second version."""
    ok(world.provider.api.post(f"{path}import_flow/", {"flow": {**echo_flow(), "description": "2"}}), 201)


@pytest.fixture
def revised(world: World) -> tuple[str, dict[str, str]]:
    """An active offering whose second version, name and plan wait."""
    path = agent(world, echo_flow())
    sold = publish(world, path)
    second(world, path)
    plan = {**PLAN, "name": "New", "unit_price": "5"}
    ok(world.provider.api.post(f"{path}publish/", {"name": "Better", "plans": [plan]}))
    return path, sold


def test_what_waits_is_seen_by_its_provider_and_sold_to_nobody(
    world: World, revised: tuple[str, dict[str, str]]
) -> None:
    offering = f"{OFFERINGS}{revised[1]['offering']}/"
    shown = ok(world.buyer.api.get(offering))
    assert (shown["flow_version"], shown["name"], len(shown["plans"])) == (1, "Helper", 1)
    assert "pending_version" not in shown and "pending_details" not in shown
    mine = ok(world.provider.api.get(offering))
    assert (mine["review"], mine["pending_version"], mine["pending_details"]) == (
        "pending",
        2,
        {"name": "Better"},
    )
    waiting = next(plan for plan in mine["plans"] if plan["pending"])
    assert (waiting["name"], waiting["archived"], waiting["is_active"]) == ("New", True, False)
    assert world.buyer.api.get(waiting["url"]).status_code == 404
    assert world.buyer.api.get(f"{offering}plans/{waiting['uuid']}/").status_code == 404
    assert len(ok(world.buyer.api.get(f"{offering}plans/"))) == 1
    released = world.provider.api.patch(waiting["url"], {"archived": False})
    assert (released.status_code, released.json()["code"]) == (409, "wrong_state")
    for verb in ("approve_revision", "activate", "reject_revision"):
        assert world.provider.api.post(f"{offering}{verb}/").status_code == 403
    assert world.provider.api.post(f"{offering}pause/").status_code == 200
    assert world.provider.api.post(f"{offering}unpause/").status_code == 200
    assert ok(world.buyer.api.get(offering))["flow_version"] == 1


@pytest.mark.parametrize("verb", ["approve_revision", "activate"])
def test_an_operator_lets_it_go_live_once(
    world: World, revised: tuple[str, dict[str, str]], verb: str
) -> None:
    offering = f"{OFFERINGS}{revised[1]['offering']}/"
    answer = ok(operator("is_catalog_manager").post(f"{offering}{verb}/"))
    assert answer == {"detail": "The revision is approved.", "state": "Active"}
    shown = ok(world.buyer.api.get(offering))
    assert (shown["flow_version"], shown["name"], shown["review"]) == (2, "Better", "")
    assert [(plan["name"], plan["is_active"]) for plan in shown["plans"]] == [
        ("Professional", True),
        ("New", True),
    ]
    again = world.operator.api.post(f"{offering}approve_revision/")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert ok(world.provider.api.get(offering))["pending_version"] is None


def test_a_rejected_revision_leaves_what_is_live(world: World, revised: tuple[str, dict[str, str]]) -> None:
    offering = f"{OFFERINGS}{revised[1]['offering']}/"
    ok(world.operator.api.post(f"{offering}reject_revision/", {"comment": "Too dear."}))
    mine = ok(world.provider.api.get(offering))
    assert (mine["review"], mine["review_comment"], mine["pending_version"]) == (
        "rejected",
        "Too dear.",
        None,
    )
    assert (mine["flow_version"], mine["name"], len(mine["plans"])) == (1, "Helper", 1)
    with tenancy.as_system("test"):
        assert not Plan.objects.filter(pending=True).exists()
        assert AuditEntry.objects.filter(action="offering.revision_rejected").count() == 1
    assert world.operator.api.post(f"{offering}reject_revision/").status_code == 409


def test_nothing_new_waits_for_nobody_and_two_revisions_become_one(world: World) -> None:
    path = agent(world, echo_flow())
    sold = publish(world, path)
    same = ok(world.provider.api.post(f"{path}publish/", {}))
    assert (same["detail"], same["review"]) == ("Published.", "")
    second(world, path)
    ok(world.provider.api.post(f"{path}publish/", {"description": "Long"}))
    ok(world.provider.api.post(f"{path}publish/", {"version": 1, "name": "Back"}))
    mine = ok(world.provider.api.get(f"{OFFERINGS}{sold['offering']}/"))
    assert (mine["pending_version"], mine["pending_details"]) == (1, {"description": "Long", "name": "Back"})


def test_operators_and_direct_installations_publish_at_once(world: World, settings: Any) -> None:
    path = agent(world, echo_flow())
    sold = publish(world, path)
    second(world, path)
    by_operator = ok(world.operator.api.post(f"{path}publish/", {}))
    assert (by_operator["review"], by_operator["live_version"]) == ("", 2)
    settings.PROVIDER_PUBLISH = "direct"
    ok(world.provider.api.post(f"{path}publish/", {"version": 1}))
    assert ok(world.buyer.api.get(f"{OFFERINGS}{sold['offering']}/"))["flow_version"] == 1
    manager = member(world.provider.customer, Role.OFFERING_MANAGER)
    ok(manager.post(f"{path}publish/", {"version": 2}))
    shown = ok(manager.get(f"{OFFERINGS}{sold['offering']}/"))
    assert (shown["flow_version"], shown["pending_version"]) == (1, 2)


def test_a_permission_withdrawn_meanwhile_stops_a_revision(world: World) -> None:
    path = agent(world, echo_flow())
    sold = publish(world, path)
    provider = f"/api/customers/{world.provider.customer.uuid}/"  # type: ignore[union-attr]
    ok(world.operator.api.patch(provider, {"custom_code_allowed": True}))
    flow = echo_flow()
    template(flow, "Prompt")["code"]["value"] += "\n# our own\n"
    ok(world.provider.api.post(f"{path}import_flow/", {"flow": flow}), 201)
    ok(world.provider.api.post(f"{path}publish/", {}))
    ok(world.operator.api.patch(provider, {"custom_code_allowed": False}))
    offering = f"{OFFERINGS}{sold['offering']}/"
    answer = world.operator.api.post(f"{offering}approve_revision/")
    assert (answer.status_code, answer.json()["code"]) == (409, "permission_required")
    shown = ok(world.buyer.api.get(offering))
    assert (shown["flow_version"], shown["custom_code"]) == (1, False)


# --- the emergency stop ---


def grants(shop: Shop) -> set[str]:
    """The states of the shop's keys at the gateway."""
    with tenancy.as_system("test"):
        return set(GrantRow.objects.values_list("state", flat=True))


def test_an_emergency_stop_reaches_the_keys_and_ends(shop: Shop) -> None:
    world = shop.world
    path = f"{OFFERINGS}{shop.sold['offering']}/"
    assert grants(shop) == {"active"}
    for api in (world.provider.api, world.buyer.api, world.stranger.api):
        assert api.post(f"{path}make_unavailable/").status_code == 403
    assert world.operator.api.post(f"{path}make_available/").status_code == 409
    stopped = ok(operator("is_catalog_manager").post(f"{path}make_unavailable/"))
    assert stopped == {"detail": "Offering is Unavailable.", "state": "Unavailable"}
    assert grants(shop) == {"unavailable"}
    assert world.operator.api.post(f"{path}make_unavailable/").status_code == 409
    shown = ok(world.buyer.api.get(path))  # a holder sees it, nobody else
    assert (shown["state"], shown["is_orderable"]) == ("Unavailable", False)
    assert world.stranger.api.get(path).status_code == 404
    body = {"offering": shop.sold["offering"], "project": world.buyer.project.uuid}  # type: ignore[union-attr]
    refused = world.buyer.api.post("/api/marketplace-orders/", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_orderable")
    ok(world.operator.api.post(f"{path}make_available/"))
    assert grants(shop) == {"active"}
    ok(world.operator.api.post(f"{path}make_unavailable/"))
    ok(world.operator.api.post(f"{path}archive/"))
    assert grants(shop) == {"active"}


def test_owners_who_publish_directly_stop_and_start_theirs(shop: Shop, settings: Any) -> None:
    settings.PROVIDER_PUBLISH = "direct"
    path = f"{OFFERINGS}{shop.sold['offering']}/"
    manager = member(shop.world.provider.customer, Role.OFFERING_MANAGER)
    assert manager.post(f"{path}make_unavailable/").status_code == 403
    ok(shop.world.provider.api.post(f"{path}make_unavailable/"))
    ok(shop.world.provider.api.post(f"{path}make_available/"))
    ok(shop.world.provider.api.post(f"{path}draft/"))
    ok(shop.world.provider.api.post(f"{path}activate/"))


def test_holders_keep_reading_what_they_hold(shop: Shop) -> None:
    world = shop.world
    path = f"{OFFERINGS}{shop.sold['offering']}/"
    ok(world.provider.api.post(f"{path}pause/", {"paused_reason": "rest"}))
    assert ok(world.buyer.api.get(path))["paused_reason"] == "rest"
    assert world.stranger.api.get(path).status_code == 404
    assert world.visitor.get(path).status_code == 404
    ok(world.provider.api.post(f"{path}archive/"))
    assert world.buyer.api.get(path).status_code == 404
    assert ok(world.buyer.api.get(shop.resource))["offering_name"] == "Helper"


def test_new_limits_of_a_plan_reach_the_keys(shop: Shop) -> None:
    path = f"/api/marketplace-plans/{shop.sold['plan']}/"
    ok(shop.world.provider.api.patch(path, {"limits": {"requests_per_minute": 7}}))
    with tenancy.as_system("test"):
        assert [row.limits for row in GrantRow.objects.all()] == [{"requests_per_minute": 7}]


# --- agents ---


def test_an_agent_off_sale_rests_until_it_is_published_again(shop: Shop) -> None:
    world = shop.world
    path = f"{OFFERINGS}{shop.sold['offering']}/"
    assert world.buyer.api.post(f"{shop.agent}unpublish/").status_code == 404
    assert ok(world.provider.api.post(f"{shop.agent}unpublish/"))["state"] == "unpublished"
    shown = ok(world.provider.api.get(path))
    assert (shown["state"], shown["paused_reason"]) == ("Paused", "Taken off sale by its provider.")
    again = world.provider.api.post(f"{shop.agent}unpublish/")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert ok(world.provider.api.post(f"{shop.agent}publish/", {}))["state"] == "published"
    assert ok(world.buyer.api.get(path))["state"] == "Active"
    second(world, shop.agent)
    ok(world.provider.api.post(f"{shop.agent}unpublish/"))
    ok(world.provider.api.post(f"{shop.agent}publish/", {}))
    assert ok(world.provider.api.get(path))["state"] == "Paused"  # the new version waits


def test_only_drafts_without_versions_are_deleted(world: World) -> None:
    path = agent(world)
    for api, status in (
        (world.stranger.api, 404),
        (world.buyer.api, 404),
        (operator("is_catalog_manager"), 403),
        (world.visitor, 401),
    ):
        assert api.delete(path).status_code == status
    assert world.provider.api.delete(path).status_code == 204
    assert world.provider.api.get(path).status_code == 404
    used = agent(world, echo_flow())
    answer = world.provider.api.delete(used)
    assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")


def test_agents_are_found(world: World) -> None:
    agent(world, name="Alpha", description="first", tags=["a"])
    path = agent(world, echo_flow(), name="Beta")

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in ok(world.provider.api.get(AGENTS, **query))]

    assert names(o="name") == ["Alpha", "Beta"]
    assert names(o="-name") == ["Beta", "Alpha"]
    assert names(state="Validated") == ["Beta"]
    assert names(name="alp") == ["Alpha"]
    assert names(query="FIRST") == ["Alpha"]
    assert names(name_exact="Alph") == []
    assert names(runtime="embedded", o="created") == ["Alpha", "Beta"]
    assert world.provider.api.get(AGENTS, state="x").status_code == 400
    assert names(customer=ok(world.provider.api.get(path))["customer"], name="beta") == ["Beta"]
