"""The issue's section "Bad input", sentence by sentence: a clear refusal that names the place, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.flows import echo_flow, edge, export, node, renamed
from tests.support.market import (
    OFFERINGS,
    ORDERS,
    agent,
    category,
    ok,
    order_body,
    publish,
)
from tests.support.world import World

from agentmart.agents.models import FlowVersion
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.ordering.models import Order
from agentmart.resources.models import Resource

pytestmark = pytest.mark.django_db


def refused_import(world: World, flow: Any) -> tuple[int, dict[str, Any]]:
    """The refusal of an import; nothing may be stored."""
    answer = world.provider.api.post(f"{agent(world)}import_flow/", {"flow": flow})
    with tenancy.as_system("test"):
        assert FlowVersion.objects.count() == 0
        assert not AuditEntry.objects.filter(action="flow_version.imported").exists()
    body: dict[str, Any] = answer.json()
    return answer.status_code, body


def first_error(body: dict[str, Any]) -> dict[str, str]:
    if "detail" in body:  # too large
        assert body["code"] == "invalid_flow"
        error: dict[str, str] = body["extra"]["errors"][0]
        assert body["detail"].startswith(error["message"])
        return error
    assert set(body) == {"flow", "errors"}
    assert body["flow"] == [error["message"] for error in body["errors"]]
    first: dict[str, str] = body["errors"][0]
    assert set(first) == {"code", "path", "node", "message"}
    return first


def test_a_flow_of_twenty_megabytes(world: World) -> None:
    status, body = refused_import(world, {**echo_flow(), "padding": "x" * (20 * 1024 * 1024)})
    assert (status, body["code"]) == (413, "request_too_large")


def test_a_flow_above_the_flow_s_own_limit(world: World) -> None:
    status, body = refused_import(world, {**echo_flow(), "padding": "x" * (5 * 1024 * 1024)})
    assert (status, first_error(body)["code"]) == (413, "too_large")
    assert first_error(body)["message"] == "The flow is larger than the limit of 5 MiB."


def test_a_cycle(world: World) -> None:
    flow = echo_flow()
    second = renamed(node(flow, "Prompt"), "Prompt-second")
    flow["data"]["nodes"].append(second)
    there = edge(flow, "Prompt", "prompt", "Prompt", "text")
    first = there["source"]
    forth, back = json.loads(json.dumps(there)), json.loads(json.dumps(there))
    for line, source, target in ((forth, first, "Prompt-second"), (back, "Prompt-second", first)):
        line.pop("sourceHandle"), line.pop("targetHandle")
        line |= {"id": f"{source}-{target}", "source": source, "target": target}
        line["data"]["sourceHandle"]["id"], line["data"]["targetHandle"]["id"] = source, target
        flow["data"]["edges"].append(line)
    status, body = refused_import(world, flow)
    error = first_error(body)
    assert (status, error["code"]) == (400, "cycle")
    assert first in error["message"] and "Prompt-second" in error["message"]


def test_a_missing_component(world: World) -> None:
    flow = export("Basic Prompting")
    gone = flow["data"]["nodes"].pop(0)["id"]
    status, body = refused_import(world, flow)
    assert status == 400
    assert gone in first_error(body)["message"]


@pytest.mark.parametrize("text", ["", "{", "hello", '{"data": {"nodes": [}'])
def test_not_json(world: World, text: str) -> None:
    status, body = refused_import(world, text)
    assert (status, first_error(body)["code"]) == (400, "not_json")
    assert "line 1, column" in body["flow"][0]


@pytest.mark.parametrize("flow", [[], 1, None, True, [{}]])
def test_no_object_and_no_text(world: World, flow: Any) -> None:
    status, body = refused_import(world, flow)
    assert (status, body) == (400, {"flow": ["A Langflow export is one JSON object, or its text."]})


def test_no_flow_at_all(world: World) -> None:
    answer = world.provider.api.post(f"{agent(world)}import_flow/", {"note": "n"})
    assert (answer.status_code, list(answer.json())) == (400, ["flow"])


@pytest.mark.parametrize("version", ["0.6.19", "2.0.0", "latest"])
def test_an_unsupported_langflow_version(world: World, version: str) -> None:
    status, body = refused_import(world, {**echo_flow(), "last_tested_version": version})
    error = first_error(body)
    assert (status, error["code"], error["path"]) == (400, "unsupported_version", "last_tested_version")
    assert version in error["message"]


def test_a_note_that_is_too_long(world: World) -> None:
    body = {"flow": echo_flow(), "note": "x" * 301}
    answer = world.provider.api.post(f"{agent(world)}import_flow/", body)
    assert answer.status_code == 400
    assert answer.json() == {"note": ["Ensure this field has no more than 300 characters."]}
    assert FlowVersion.objects.count() == 0


# --- orders --------------------------------------------------------------------------------------


@pytest.fixture
def sold(world: World) -> dict[str, str]:
    return publish(world, agent(world, echo_flow()))


def refused_order(world: World, sold: dict[str, str], **changes: Any) -> tuple[int, Any]:
    """The refusal of the buyer's order; nothing may change."""
    with tenancy.as_system("test"):
        before = Order.objects.count(), Resource.objects.count(), AuditEntry.objects.count()
    answer = world.buyer.api.post(ORDERS, order_body(world, sold, **changes))
    with tenancy.as_system("test"):
        assert (Order.objects.count(), Resource.objects.count(), AuditEntry.objects.count()) == before
    return answer.status_code, answer.json()


def test_a_plan_of_another_offering(world: World, sold: dict[str, str]) -> None:
    other = publish(world, agent(world, echo_flow()))
    assert refused_order(world, sold, plan=other["plan"]) == (
        400,
        {"plan": ["Plan Professional belongs to another offering."]},
    )


def test_a_plan_nobody_can_see(world: World, sold: dict[str, str]) -> None:
    hidden = publish(world, agent(world, echo_flow()), activate=False)
    missing = {"plan": ["Invalid hyperlink - Object does not exist."]}
    assert refused_order(world, sold, plan=hidden["plan"]) == (400, missing)
    assert refused_order(world, sold, plan="0" * 32) == (400, missing)


def test_a_second_order_while_one_is_open(world: World, sold: dict[str, str]) -> None:
    ok(world.buyer.api.post(ORDERS, order_body(world, sold)), 201)
    assert refused_order(world, sold) == (
        409,
        {
            "detail": "An order for Our helper is open already; wait for it or withdraw it.",
            "code": "open_order_exists",
        },
    )


def test_a_blocked_customer(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.customer is not None
    path = f"/api/customers/{world.buyer.customer.uuid}/"
    ok(world.operator.api.post(f"{path}block/", {"reason": "unpaid"}))
    blocked = (
        409,
        {
            "detail": "Buyer Ltd is blocked; an operator must unblock it first.",
            "code": "customer_blocked",
        },
    )
    assert refused_order(world, sold) == blocked
    for address, body in (
        ("/api/projects/", {"name": "New", "customer": path}),
        (f"{path}add_user/", {"user": world.buyer.user.uuid, "role": "CUSTOMER.MANAGER"}),
    ):
        answer = world.buyer.api.post(address, body)
        assert (answer.status_code, answer.json()) == blocked
    ok(world.operator.api.post(f"{path}unblock/"))
    ok(world.buyer.api.post(ORDERS, order_body(world, sold)), 201)


def test_another_tenant_s_project(world: World, sold: dict[str, str]) -> None:
    assert world.stranger.project is not None
    assert refused_order(world, sold, project=world.stranger.project.uuid) == (
        400,
        {"project": ["Invalid hyperlink - Object does not exist."]},
    )


def test_an_offering_that_is_not_for_sale(world: World, sold: dict[str, str]) -> None:
    for verb in ("pause", "archive"):
        ok(world.provider.api.post(f"{OFFERINGS}{sold['offering']}/{verb}/"))
        status, body = refused_order(world, sold)
        assert (status, body["offering"]) == (400, ["Invalid hyperlink - Object does not exist."])


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"limits": {"seats": 3}}, {"limits": {"seats": ["Basic has no limit seats; it has none."]}}),
        (
            {"limits": {"seats": -1}},
            {"limits": {"seats": ["Ensure this value is greater than or equal to 0."]}},
        ),
        ({"limits": [1]}, {"limits": ['Expected a dictionary of items but got type "list".']}),
        ({"attributes": {"name": {}}}, {"attributes": {"name": ["Not a valid string."]}}),
        (
            {"attributes": {"name": "x" * 151}},
            {"attributes": {"name": ["Ensure this field has no more than 150 characters."]}},
        ),
        ({"attributes": {"x": "y" * 20000}}, {"attributes": ["At most 16384 bytes of JSON."]}),
        ({"attributes": "name"}, {"attributes": ['Expected a dictionary of items but got type "str".']}),
        ({"project": 1}, {"project": ["Give the object's URL or uuid."]}),
        ({"offering": None}, {"offering": ["This field may not be null."]}),
    ],
)
def test_wrong_values_of_an_order(world: World, changes: dict[str, Any], refusal: dict[str, Any]) -> None:
    basic = ok(
        world.operator.api.post(
            OFFERINGS,
            {
                "name": "Basic",
                "type": "Marketplace.Basic",
                "category": category(world),
                "state": "Active",
                "plans": [{"name": "P", "unit_price": "1"}],
            },
        ),
        201,
    )
    sold = {"offering": basic["uuid"], "plan": basic["plans"][0]["uuid"]}
    assert refused_order(world, sold, **changes) == (400, refusal)


def test_a_limit_that_the_offering_has_is_kept(world: World) -> None:
    component = {"type": "seats", "name": "Seats", "billing_type": "limit"}
    offering = ok(
        world.operator.api.post(
            OFFERINGS,
            {
                "name": "Seats",
                "type": "Marketplace.Basic",
                "category": category(world),
                "state": "Active",
                "components": [component],
                "plans": [{"name": "P", "unit_price": "1"}],
            },
        ),
        201,
    )
    sold = {"offering": offering["uuid"], "plan": offering["plans"][0]["uuid"]}
    placed = ok(world.buyer.api.post(ORDERS, order_body(world, sold, limits={"seats": 3})), 201)
    assert placed["limits"] == {"seats": 3}
