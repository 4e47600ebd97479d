"""Code of a provider's own: refused by default, allowed by an operator, shown to buyers, withdrawn again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import echo_flow, node, template
from tests.support.market import OFFERINGS, PLAN, agent, category, ok
from tests.support.world import World

from agentmart.agents.models import FlowVersion
from agentmart.catalog.models import Offering
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


def own_code() -> dict[str, Any]:
    """A flow whose prompt component was edited."""
    flow = echo_flow()
    template(flow, "Prompt")["code"]["value"] += "\n# our own\n"
    return flow


@pytest.fixture
def prompt() -> str:
    found: str = node(own_code(), "Prompt")["id"]
    return found


def allow(world: World, allowed: bool) -> None:
    assert world.provider.customer is not None
    path = f"/api/customers/{world.provider.customer.uuid}/"
    assert (
        ok(world.operator.api.patch(path, {"custom_code_allowed": allowed}))["custom_code_allowed"] is allowed
    )


def test_without_permission_the_import_names_node_and_reason(world: World, prompt: str) -> None:
    path = agent(world)
    told = ok(world.provider.api.post(f"{path}validate_flow/", {"flow": own_code()}))
    assert (told["valid"], told["trust"]) == (True, "custom")
    assert [row["node"] for row in told["needs_permission"]] == [prompt]
    refused = world.provider.api.post(f"{path}import_flow/", {"flow": own_code()})
    assert refused.status_code == 400
    (error,) = refused.json()["errors"]
    assert (error["code"], error["node"]) == ("permission_required", prompt)
    assert error["message"] == told["needs_permission"][0]["reason"]
    assert FlowVersion.objects.count() == 0


def test_only_staff_gives_the_permission_and_the_audit_log_has_it(world: World) -> None:
    assert world.provider.customer is not None
    path = f"/api/customers/{world.provider.customer.uuid}/"
    refused = world.provider.api.patch(path, {"name": "Renamed", "custom_code_allowed": True})
    assert (refused.status_code, refused.json()) == (
        403,
        {
            "detail": "Only staff may change custom_code_allowed.",
            "code": "permission_denied",
            "extra": {"field": "custom_code_allowed"},
        },
    )
    unchanged = ok(world.provider.api.get(path))
    assert (unchanged["name"], unchanged["custom_code_allowed"]) == ("Provider GmbH", False)
    same = world.provider.api.patch(path, {"custom_code_allowed": False})
    assert same.status_code == 200
    allow(world, True)
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.filter(action="customer.updated").latest("at", "id")
        entries = AuditEntry.objects.filter(action="customer.updated", after={"custom_code_allowed": True})
        assert (entry.customer_id, entries.count()) == (world.provider.customer.id, 1)
        assert entries.get().before == {"custom_code_allowed": False}
        assert entries.get().actor_name == "olga"


def test_the_offering_shows_it_to_everybody(world: World) -> None:
    allow(world, True)
    path = agent(world, own_code())
    assert [row["trust"] for row in ok(world.provider.api.get(f"{path}versions/"))] == ["custom"]
    shelf = category(world)
    options = {"custom_code": False, "require_provider_approval": False}
    body = {"category": shelf, "plans": [PLAN], "plugin_options": options}
    offering = ok(world.provider.api.post(f"{path}publish/", body))["offering_uuid"]
    ok(world.operator.api.post(f"{OFFERINGS}{offering}/activate/"))
    for api in (world.visitor, world.buyer.api, world.stranger.api, world.provider.api, world.operator.api):
        assert ok(api.get(f"{OFFERINGS}{offering}/"))["custom_code"] is True


def test_known_code_does_not_claim_to_be_custom(world: World) -> None:
    path = agent(world, echo_flow())
    body = {"category": category(world), "plans": [PLAN], "plugin_options": {"custom_code": True}}
    offering = ok(world.provider.api.post(f"{path}publish/", body))["offering_uuid"]
    assert ok(world.provider.api.get(f"{OFFERINGS}{offering}/"))["custom_code"] is False


def test_after_the_permission_is_withdrawn_nothing_more_is_imported_or_published(
    world: World, prompt: str
) -> None:
    allow(world, True)
    path = agent(world, own_code())
    body = {"category": category(world), "plans": [PLAN]}
    allow(world, False)
    again = world.provider.api.post(f"{path}import_flow/", {"flow": own_code()})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "permission_required")
    refused = world.provider.api.post(f"{path}publish/", body)
    assert refused.status_code == 409
    assert refused.json() == {
        "detail": f"Version 1 of Helper needs permission for code of its own (nodes {prompt}); "
        "an operator must allow it for Provider GmbH.",
        "code": "permission_required",
        "extra": {"version": 1, "nodes": [prompt]},
    }
    assert Offering.objects.count() == 0
    ok(world.provider.api.post(f"{path}import_flow/", {"flow": echo_flow()}), 201)
    published = ok(world.provider.api.post(f"{path}publish/", body))
    assert published["version"] == 2
    assert ok(world.provider.api.get(f"{OFFERINGS}{published['offering_uuid']}/"))["custom_code"] is False
    back = world.provider.api.post(f"{path}publish/", {"version": 1})
    assert back.status_code == 409
