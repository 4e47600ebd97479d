"""The buyer's settings of an agent: version, origins, widget, budget, and its keys in their turn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from tests.support.desk import project_member
from tests.support.flows import echo_flow
from tests.support.market import CONFIGS, RESOURCES, agent, buy, ok, publish
from tests.support.runtime import RememberingRuntime
from tests.support.world import World

from agentmart.access import services as access
from agentmart.access import tasks
from agentmart.access.models import GrantRow
from agentmart.agents.models import FlowVersion
from agentmart.identity.models import Quota
from agentmart.infra import clock, tenancy
from agentmart.infra.jobs import is_alive

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(world: World) -> str:
    """The address of an agent of the buyer's provider."""
    return agent(world, echo_flow())


@pytest.fixture
def config(world: World, path: str, runtime: RememberingRuntime, signing_key: None, settings: Any) -> str:
    """The buyer's settings, at version 1; what the provider publishes is on offer at once."""
    settings.PROVIDER_PUBLISH = "direct"
    return f"{CONFIGS}{buy(world, publish(world, path, approval=False, activate=False))['agent_config']}/"


def second_version(world: World, path: str, *, offered: bool = True) -> None:
    """Import version 2, and put it on offer."""
    flow = {**echo_flow(), "description": "better"}
    ok(world.provider.api.post(f"{path}import_flow/", {"flow": flow}), 201)
    if offered:
        ok(world.provider.api.post(f"{path}publish/", {}))


def wanted(config: str) -> dict[str, str]:
    """The deployment that the buyer asked for."""
    with tenancy.as_system("test"):
        newest = FlowVersion.objects.order_by("-version").first()
        assert newest is not None
        uuid = config.rstrip("/").rsplit("/", 1)[-1]
        return {"config_id": uuid, "version_id": newest.id.hex}


def test_a_buyer_keeps_its_version_until_it_asks_for_another(
    world: World, path: str, config: str, runtime: RememberingRuntime
) -> None:
    ok(world.buyer.api.post(f"{config}api-keys/", {"name": "K"}), 201)
    shown = ok(world.buyer.api.get(config))
    assert (shown["flow_version"], shown["running_version"]) == (1, 1)
    second_version(world, path, offered=False)
    refused = world.buyer.api.patch(config, {"flow_version": 2})
    assert (refused.status_code, list(refused.json())) == (400, ["flow_version"])  # imported, not on offer
    ok(world.provider.api.post(f"{path}publish/", {}))
    assert ok(world.buyer.api.get(config))["running_version"] == 1
    ok(world.buyer.api.patch(config, {"flow_version": 2}))
    assert ok(world.buyer.api.get(config))["running_version"] == 1  # until the job has deployed it
    assert is_alive(tasks.JOB, **wanted(config))
    tasks.deploy_version(**wanted(config))
    shown = ok(world.buyer.api.get(config))
    assert (shown["flow_version"], shown["running_version"]) == (2, 2)
    (deployment,) = runtime.deployments.values()
    assert deployment.flow["description"] == "better"
    with tenancy.as_system("test"):
        assert GrantRow.objects.get().flow_version_id == FlowVersion.objects.get(version=2).id
    tasks.deploy_version(**wanted(config))  # a second run changes nothing more
    assert ok(world.buyer.api.get(config))["running_version"] == 2


def test_who_follows_the_latest_gets_it(world: World, path: str, config: str) -> None:
    assert ok(world.buyer.api.patch(config, {"flow_version": "latest"}))["flow_version"] == "latest"
    with tenancy.as_system("test") as actor:
        assert access.follow_latest(actor=actor, now=clock.now()) == 0
    second_version(world, path)
    with tenancy.as_system("test") as actor:
        assert access.follow_latest(actor=actor, now=clock.now()) == 1
        assert access.follow_latest(actor=actor, now=clock.now()) == 0  # its job waits
    tasks.deploy_version(**wanted(config))
    shown = ok(world.buyer.api.get(config))
    assert (shown["flow_version"], shown["running_version"]) == ("latest", 2)


def test_a_version_that_cannot_be_deployed_leaves_the_old_one(
    world: World, path: str, config: str, runtime: RememberingRuntime
) -> None:
    second_version(world, path)
    ok(world.buyer.api.patch(config, {"flow_version": "latest"}))
    runtime.fail_next("bad_flow", "It cannot be built.")
    tasks.deploy_version(**wanted(config))
    assert ok(world.buyer.api.get(config))["running_version"] == 1
    (resource,) = ok(world.buyer.api.get("/api/marketplace-resources/"))
    assert (resource["state"], resource["error_message"]) == ("OK", "It cannot be built.")
    with tenancy.as_system("test") as actor:
        assert access.follow_latest(actor=actor, now=clock.now()) == 0  # not every minute again


SETTINGS: dict[str, Any] = {
    "allowed_origins": ["https://www.example.com", "http://localhost:3000", "https://[2001:db8::1]:8443"],
    "widget": {
        "position": "bottom-left",
        "theme": "dark",
        "title": "Ask",
        "greeting": "Hi",
        "color": "#00ff00",
    },
    "budget": {"monthly": "250.00", "currency": "USD", "action": "stop"},
}


def test_origins_widget_and_budget_are_kept(world: World, config: str) -> None:
    shown = ok(world.buyer.api.patch(config, SETTINGS))
    assert {name: shown[name] for name in SETTINGS} == SETTINGS
    assert shown["endpoints"] == {
        "invoke": f"{settings.GATEWAY_URL}/api/agent-gateway/invoke/",
        "openai": f"{settings.GATEWAY_URL}/v1",
    }
    resource = ok(world.buyer.api.get(f"{RESOURCES}{shown['resource_uuid']}/"))
    assert {row["name"]: row["url"] for row in resource["endpoints"]} == shown["endpoints"]
    again = ok(
        world.buyer.api.patch(config, {"allowed_origins": ["HTTPS://A.example:443/", "https://a.example"]})
    )
    assert again["allowed_origins"] == ["https://a.example"]
    assert again["widget"] == SETTINGS["widget"]
    for api, status in ((world.operator.api, 403), (project_member(world), 403), (world.provider.api, 404)):
        assert api.patch(config, {"widget": {}}).status_code == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"allowed_origins": ["https://x.example/path"]}, "allowed_origins"),
        ({"allowed_origins": ["javascript:alert(1)"]}, "allowed_origins"),
        ({"allowed_origins": ["*"]}, "allowed_origins"),
        ({"allowed_origins": "https://x.example"}, "allowed_origins"),
        ({"widget": {"color": "red"}}, "widget"),
        ({"widget": {"position": "middle"}}, "widget"),
        ({"budget": {"monthly": -1}}, "budget"),
        ({"budget": {"currency": "XXX"}}, "budget"),
        ({"budget": {"action": "explode"}}, "budget"),
        ({"budget": {"monthly": "5.00", "currency": "EUR"}}, "budget"),  # the plan charges in USD
        ({"knowledge_bases": ["a"]}, "knowledge_bases"),  # there are none
        ({"system_settings": {"temperature": 1}}, "system_settings"),
        ({"allowed_origins": ["https://*.example.org"]}, "allowed_origins"),
        ({"flow_version": 7}, "flow_version"),
        ({"flow_version": "newest"}, "flow_version"),
        ({"flow_version": True}, "flow_version"),
        ({"flow_version": None}, "flow_version"),
        ({"name": ""}, "name"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    world: World, config: str, change: dict[str, Any], field: str
) -> None:
    before = ok(world.buyer.api.get(config))
    answer = world.buyer.api.patch(config, change)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert ok(world.buyer.api.get(config)) == before


def test_settings_are_found_by_each_filter(world: World, config: str) -> None:
    shown = ok(world.buyer.api.get(config))
    for name in ("resource_uuid", "offering_uuid", "customer_uuid", "project_uuid"):
        assert len(ok(world.buyer.api.get(CONFIGS, **{name: shown[name]}))) == 1
        assert ok(world.buyer.api.get(CONFIGS, **{name: shown["uuid"]})) == []
    for name, hit, miss in (("state", "ok", "erred"), ("name", "helper", "x"), ("query", "OUR", "zzz")):
        assert len(ok(world.buyer.api.get(CONFIGS, **{name: hit}))) == 1, name
        assert ok(world.buyer.api.get(CONFIGS, **{name: miss})) == [], name


# --- keys ----------------------------------------------------------------------------------------


def grants() -> dict[str, tuple[str, bool]]:
    """State of each Grant, and whether its key ends soon."""
    with tenancy.as_system("test"):
        return {row.key_id.hex: (row.state, row.accept_until is not None) for row in GrantRow.objects.all()}


def test_a_key_is_rotated_at_once_or_with_an_overlap(world: World, config: str) -> None:
    first = ok(world.buyer.api.post(f"{config}api-keys/", {"name": "CI", "scopes": ["agent:invoke"]}), 201)
    second = ok(world.buyer.api.post(f"{config}api-keys/{first['uuid']}/rotate/"), 201)
    assert (second["name"], second["scopes"], second["state"]) == ("CI", ["agent:invoke"], "active")
    assert second["key"].startswith("ar_sk_live_") and second["key"] != first["key"]
    assert grants() == {first["uuid"]: ("revoked", False), second["uuid"]: ("active", False)}
    body = {"overlap_seconds": 3600}
    third = ok(world.buyer.api.post(f"{config}api-keys/{second['uuid']}/rotate/", body), 201)
    assert grants() == {
        first["uuid"]: ("revoked", False),
        second["uuid"]: ("active", True),
        third["uuid"]: ("active", False),
    }
    with tenancy.as_system("test"):
        until = GrantRow.objects.get(key_id=second["uuid"]).accept_until
        assert until is not None and timedelta(minutes=59) < until - clock.now() <= timedelta(hours=1)
        quota = Quota.objects.get(customer=world.buyer.customer, name="nc_api_key_count")
        assert quota.usage == 1
    listed = {row["uuid"]: row["state"] for row in ok(world.buyer.api.get(f"{config}api-keys/"))}
    assert listed == {first["uuid"]: "revoked", second["uuid"]: "active", third["uuid"]: "active"}
    again = world.buyer.api.post(f"{config}api-keys/{second['uuid']}/rotate/", body)
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert (
        world.buyer.api.delete(f"{config}api-keys/{second['uuid']}/").status_code == 204
    )  # not even an hour
    assert grants()[second["uuid"]][0] == "revoked"
    with tenancy.as_system("test"):
        quota.refresh_from_db()
        assert quota.usage == 1


def test_who_may_not_rotate_a_key(world: World, config: str) -> None:
    key = ok(world.buyer.api.post(f"{config}api-keys/", {"name": "CI"}), 201)["uuid"]
    path = f"{config}api-keys/{key}/rotate/"
    assert project_member(world).post(path).status_code == 403
    assert world.operator.api.post(path).status_code == 403
    for api in (world.provider.api, world.stranger.api):
        assert api.post(path).status_code == 404
    for seconds in (-1, 7 * 24 * 3600 + 1, "soon"):
        answer = world.buyer.api.post(path, {"overlap_seconds": seconds})
        assert (answer.status_code, list(answer.json())) == (400, ["overlap_seconds"])
    assert world.buyer.api.post(f"{config}api-keys/{'0' * 32}/rotate/").status_code == 404
    assert grants() == {key: ("active", False)}
