"""A sale whose flow runs on a Langflow server: its order deploys it there, its end removes it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from tests.adapters.runtimes.flows import call
from tests.adapters.runtimes.langflow_server import KEY, LangflowStub, running_langflow
from tests.support import market
from tests.support.flows import echo_flow
from tests.support.world import World

from agentmart.access.models import GrantRow
from agentmart.adapters.runtimes import build
from agentmart.resources.models import Resource

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("signing_key")]


@pytest.fixture
def stub() -> Iterator[LangflowStub]:
    """The stand-in for a Langflow server, in a thread of its own."""
    found: list[LangflowStub] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running_langflow() as stub:
            found.append(stub)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    yield found[0]
    done.set()
    thread.join()


@pytest.fixture
def installation(stub: LangflowStub, settings: Any) -> dict[str, Any]:
    """Settings of an installation that runs new resources on the server; the server's parameters."""
    parameters = {"url": stub.url, "api_key": KEY}
    settings.RUNTIME = "langflow"
    settings.ADAPTERS = {"runtimes": {"langflow": parameters}}
    return parameters


def test_a_sale_on_a_langflow_server(world: World, stub: LangflowStub, installation: dict[str, Any]) -> None:
    resource = market.buy(world, market.publish(world, market.agent(world, echo_flow())))
    [flow] = stub.flows.values()
    assert flow["id"] == str(UUID(resource["uuid"]))
    assert world.buyer.customer is not None
    assert stub.projects[flow["folder_id"]] == f"am-{world.buyer.customer.uuid}"

    config = f"{market.CONFIGS}{resource['agent_config']}/"
    market.ok(world.buyer.api.post(f"{config}api-keys/", {"name": "CI"}), 201)
    grant = GrantRow.objects.get()
    assert (grant.runtime, grant.deployment_id) == ("langflow", resource["uuid"])

    async def run() -> str:
        runtime = build(grant.runtime, **installation)
        try:
            return (await runtime.invoke(call(grant.deployment_id, "Hello"))).text
        finally:
            await runtime.close()

    assert asyncio.run(run()) == "Hello"  # the stand-in only repeats, where it finds no template of its own

    market.ok(world.buyer.api.post(f"{market.RESOURCES}{resource['uuid']}/terminate/"))
    market.run_order_jobs()
    assert stub.flows == {}
    assert stub.chats == {}


def test_a_flow_the_server_cannot_build_fails_the_order_with_its_reason(
    world: World, stub: LangflowStub, installation: dict[str, Any]
) -> None:
    stub.blocked = "Prompt"
    sold = market.publish(world, market.agent(world, echo_flow()), approval=False)
    path = market.order(world, sold)
    market.run_order_jobs()
    assert market.ok(world.buyer.api.get(path))["state"] == "erred"
    assert "components: Prompt" in Resource.objects.get().error_message
    assert stub.flows == {}


def test_an_order_for_a_runtime_that_is_not_set_up_says_so(world: World, settings: Any) -> None:
    settings.RUNTIME = "langflow"
    settings.ADAPTERS = {"runtimes": {}}
    sold = market.publish(world, market.agent(world, echo_flow()), approval=False)
    path = market.order(world, sold)
    market.run_order_jobs()
    assert market.ok(world.buyer.api.get(path))["state"] == "erred"
    expected = "This installation has no runtime langflow; an operator must set it up."
    assert Resource.objects.get().error_message == expected
