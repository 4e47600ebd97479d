"""The way of a sale over REST, each step by the person who does it, and more people to try it with."""

from __future__ import annotations

from typing import Any

from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.world import NOW, Api, World

from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Project
from agentmart.infra import tenancy
from agentmart.ordering import tasks

AGENTS = "/api/site-agent/provider-agents/"
CONFIGS = "/api/site-agent/customer-agent-configs/"
ORDERS = "/api/marketplace-orders/"
OFFERINGS = "/api/marketplace-offerings/"
RESOURCES = "/api/marketplace-resources/"

PLAN: dict[str, Any] = {
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


def ok(answer: Any, status: int = 200) -> Any:
    """The body of an answer that must have this status."""
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    return answer.json() if answer.content else None


def operator(flag: str) -> Api:
    """The client of an operator with one flag (`is_support` …)."""
    with tenancy.as_system("test") as actor:
        user = identity.create_user(actor=actor, now=NOW, username=flag, **{flag: True})
        return Api(identity.refresh_token(user, actor=actor, now=NOW))


def member(customer: Customer | None, role: str, project: Project | None = None) -> Api:
    """The client of one more person with a role in a customer, or in one project of it."""
    assert customer is not None
    with tenancy.as_system("test") as actor:
        name = f"{role}-{customer.uuid[:6]}-{project.uuid[:6] if project else ''}"
        user = identity.create_user(actor=actor, now=NOW, username=name)
        identity.add_member(actor=actor, now=NOW, user=user, role=role, customer=customer, project=project)
        return Api(identity.refresh_token(user, actor=actor, now=NOW))


def category(world: World) -> str:
    """The address of a category."""
    url: str = ok(world.operator.api.post("/api/marketplace-categories/", {"title": "AI"}), 201)["url"]
    return url


def agent(world: World, flow: dict[str, Any] | None = None, **details: Any) -> str:
    """The path of a new agent of the provider, with a version where a flow is given."""
    made = ok(world.provider.api.post(AGENTS, {"name": "Helper", **details}), 201)
    path = f"{AGENTS}{made['uuid']}/"
    if flow is not None:
        ok(world.provider.api.post(f"{path}import_flow/", {"flow": flow}), 201)
    return path


def publish(
    world: World, path: str, *, approval: bool = True, activate: bool = True, **options: Any
) -> dict[str, str]:
    """Publish an agent and activate its offering; the uuids of offering and plan."""
    body = {
        "category": category(world),
        "plans": [PLAN],
        "plugin_options": {"require_provider_approval": approval},
        **options,
    }
    offering = ok(world.provider.api.post(f"{path}publish/", body))["offering_uuid"]
    if activate:
        ok(world.operator.api.post(f"{OFFERINGS}{offering}/activate/"))
    plans = ok(world.provider.api.get(f"{OFFERINGS}{offering}/plans/"))
    return {"offering": offering, "plan": plans[0]["uuid"]}


def order_body(world: World, sold: dict[str, str], **changes: Any) -> dict[str, Any]:
    """What the buyer sends to order."""
    assert world.buyer.project is not None
    body = {"offering": sold["offering"], "project": world.buyer.project.uuid, "plan": sold["plan"]}
    return {**body, "attributes": {"name": "Our helper"}, **changes}


def order(world: World, sold: dict[str, str], **changes: Any) -> str:
    """The path of an order that the buyer places."""
    placed = ok(world.buyer.api.post(ORDERS, order_body(world, sold, **changes)), 201)
    return f"{ORDERS}{placed['uuid']}/"


def run_order_jobs() -> int:
    """Carry out the queued orders as the worker would; returns how many."""
    queued = list(ProcrastinateJob.objects.filter(task_name=tasks.JOB).order_by("id"))
    for row in queued:
        tasks.execute_order(order_id=row.args["order_id"])
    return len(queued)


def buy(world: World, sold: dict[str, str], **changes: Any) -> dict[str, Any]:
    """The buyer's running resource, ordered, approved and provisioned."""
    path = order(world, sold, **changes)
    if ok(world.buyer.api.get(path))["state"] == "pending-provider":
        ok(world.provider.api.post(f"{path}approve/"))
    run_order_jobs()
    done = ok(world.buyer.api.get(path))
    assert done["state"] == "done", done
    resource: dict[str, Any] = ok(world.buyer.api.get(f"{RESOURCES}{done['marketplace_resource_uuid']}/"))
    return resource
