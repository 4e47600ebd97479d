"""A provider imports flows out of a real Langflow, by its address and key; `make test-langflow` starts one."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.adapters.runtimes import real_langflow as real
from tests.adapters.runtimes.flows import call
from tests.support.flows import echo_flow, exports, template
from tests.support.market import ok
from tests.support.studio import FLOW_KEYS, HEADER_KEYS, STUDIOS
from tests.support.waiting import until
from tests.support.world import World

from agentmart.adapters.runtimes import Deployment
from agentmart.adapters.runtimes.langflow.client import LangflowRuntime
from agentmart.agents.models import Agent, FlowVersion

pytestmark = [pytest.mark.langflow, real.needed, pytest.mark.django_db]

FLOWS = "/api/v1/flows/"


def langflow(method: str, path: str, body: Any = None) -> Any:
    """What the server answers to its own user."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"x-api-key": real.KEY, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{real.URL}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def built() -> Iterator[Any]:
    """Builds flows in the studio; they are removed after the test."""
    made: list[str] = []

    def build(flow: dict[str, Any], name: str, **more: Any) -> str:
        body = {"name": name, "description": flow.get("description"), "data": flow["data"], **more}
        made.append(langflow("POST", FLOWS, body)["id"])
        return made[-1]

    yield build
    for flow_id in made:
        try:
            langflow("DELETE", f"{FLOWS}{flow_id}")
        except urllib.error.HTTPError as error:
            assert error.code == 404


@pytest.fixture
def path(world: World, settings: Any) -> str:
    """The provider's studio: the real server."""
    settings.STUDIO_HOSTS = frozenset({"127.0.0.1"})
    settings.STORED_SECRETS_KEYS = ("a secret of this test",)
    return connected(world)


def connected(world: World, *, address: str = real.URL, key: str = real.KEY) -> str:
    """The path of a studio."""
    body = {"name": "Real", "backend_url": address, "api_key": key}
    return f"{STUDIOS}{ok(world.provider.api.post(STUDIOS, body), 201)['uuid']}/"


def picked(world: World, path: str, *flows: str) -> list[dict[str, Any]]:
    """What became of picked flows."""
    done: list[dict[str, Any]] = ok(world.provider.api.post(f"{path}import_flows/", {"flows": flows}))
    return done


def test_the_stand_in_speaks_as_the_real_one_does(world: World, path: str, built: Any) -> None:
    flow_id = built(echo_flow(), f"Shape {uuid.uuid4().hex}")
    rows = langflow("GET", f"{FLOWS}?get_all=true&header_flows=true&remove_example_flows=true")
    assert {frozenset(row) for row in rows} == {HEADER_KEYS}
    flow = langflow("GET", f"{FLOWS}{flow_id}")
    assert frozenset(flow) == FLOW_KEYS
    assert next(row["updated_at"] for row in rows if row["id"] == flow_id) == flow["updated_at"]
    assert {"version", "main_version", "package"} == set(langflow("GET", "/api/v1/version"))


def test_flows_are_listed_picked_and_imported(world: World, path: str, built: Any) -> None:
    mark = uuid.uuid4().hex
    echo = built(echo_flow(), f"Grüße 😀 {mark}", endpoint_name=f"echo-{mark}")
    built(echo_flow(), f"Part {mark}", is_component=True)
    found = ok(world.provider.api.post(f"{path}check_connection/"))
    assert (found["status"], found["version"]) == ("ok", langflow("GET", "/api/v1/version")["version"])
    (row,) = ok(world.provider.api.get(f"{path}importable_flows/", query=mark))
    assert (row["backend_id"], row["name"]) == (echo.replace("-", ""), f"Grüße 😀 {mark}")
    assert (row["endpoint_name"], row["is_imported"]) == (f"echo-{mark}", False)
    assert row["updated"] is not None

    (one,) = picked(world, path, echo)
    assert (one["outcome"], one["version"]) == ("created", 1)
    assert Agent.objects.get().name == f"Grüße 😀 {mark}"
    (row,) = ok(world.provider.api.get(f"{path}importable_flows/", query=mark))
    assert (row["agent_uuid"], row["version"], row["is_changed"]) == (one["agent_uuid"], 1, False)
    print(f"studio: {found['flows_count']} flows found, picked and imported, version {found['version']}")


def test_what_changes_in_the_studio_becomes_the_next_version(world: World, path: str, built: Any) -> None:
    flow = echo_flow()
    flow_id = built(flow, f"Changing {uuid.uuid4().hex}")
    assert picked(world, path, flow_id)[0]["outcome"] == "created"
    flow["data"]["viewport"] = {"x": 99.5, "y": 1, "zoom": 0.5}
    flow["data"]["nodes"][0]["selected"] = True

    def saved_later() -> bool:
        langflow("PATCH", f"{FLOWS}{flow_id}", {"data": flow["data"]})
        (row,) = ok(world.provider.api.get(f"{path}importable_flows/", is_imported="true"))
        return bool(row["is_changed"])

    until(saved_later)  # Langflow tells whole seconds
    assert picked(world, path, flow_id)[0]["outcome"] == "unchanged"
    template(flow, "Prompt")["template"]["value"] = "You asked: {text}"
    langflow("PATCH", f"{FLOWS}{flow_id}", {"data": flow["data"]})
    (new,) = picked(world, path, flow_id)
    assert (new["outcome"], new["version"]) == ("new_version", 2)
    langflow("DELETE", f"{FLOWS}{flow_id}")
    (gone,) = picked(world, path, flow_id)
    assert (gone["outcome"], gone["code"]) == ("failed", "studio_flow_gone")
    assert FlowVersion.objects.count() == 2


def test_what_was_imported_runs(world: World, path: str, built: Any) -> None:
    picked(world, path, built(echo_flow(), f"Runs {uuid.uuid4().hex}"))
    flow = FlowVersion.objects.get().flow

    async def run() -> str:
        runtime, deployment_id = LangflowRuntime(real.URL, real.KEY, timeout=120), uuid.uuid4().hex
        try:
            await runtime.deploy(Deployment(deployment_id, "buyer", "provider", flow, "known"))
            return (await runtime.invoke(call(deployment_id, "Hello"))).text
        finally:
            await runtime.remove(deployment_id)
            await runtime.close()

    assert asyncio.run(run()) == "You said: Hello"


def test_the_starter_projects_come_over_as_their_exports_do(world: World, path: str, built: Any) -> None:
    """Every starter project built there is imported, or refused for the reasons that its export is refused for."""
    outcomes: dict[str, int] = {}
    for file in exports("1.13.0"):
        export = json.loads(file.read_text("utf-8"))
        agent = ok(world.provider.api.post("/api/site-agent/provider-agents/", {"name": file.stem}), 201)
        told = ok(world.provider.api.post(f"{agent['url'][17:]}validate_flow/", {"flow": export}))
        (one,) = picked(world, path, built(export, f"{file.stem} {uuid.uuid4().hex}"))
        outcomes[one["outcome"]] = outcomes.get(one["outcome"], 0) + 1
        reasons = {error["code"] for error in one["errors"]} - {"permission_required"}
        assert reasons == {error["code"] for error in told["errors"]}, (file.stem, one)
    print(f"studio: of {sum(outcomes.values())} starter projects {outcomes}")
    assert outcomes.get("created", 0) > 20 and "failed" not in outcomes


def test_a_wrong_key_and_a_wrong_address_are_told(world: World, path: str) -> None:
    wrong = connected(world, key="sk-wrong")
    elsewhere = connected(world, address=f"{real.URL}/nowhere")
    for place, code in ((wrong, "studio_key_refused"), (elsewhere, "studio_not_langflow")):
        for answer in (
            world.provider.api.get(f"{place}importable_flows/"),
            world.provider.api.post(f"{place}check_connection/"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, code)
        (one,) = picked(world, place, str(uuid.uuid4()))
        assert one["outcome"] == "failed"
    (one,) = picked(world, path, str(uuid.uuid4()))
    assert one["code"] == "studio_flow_gone"
