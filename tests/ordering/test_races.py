"""Sixty-four people do the same to one order or resource at once: one has done it, the others are told so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.desk import ask, desk, placed, running
from tests.support.flows import echo_flow
from tests.support.market import ORDERS, RESOURCES, agent, buy, ok, order, order_body, publish
from tests.support.racing import race
from tests.support.runtime import RememberingRuntime
from tests.support.world import World, make_world

from agentmart.config.database import DatabaseUrls
from agentmart.identity.models import Quota
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.ordering import tasks
from agentmart.ordering.models import Order
from agentmart.resources.models import PlanPeriod, Resource

RACERS = 64


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls, runtime: RememberingRuntime, signing_key: None) -> World:
    """The cast, committed."""
    return make_world()


def answers(call: Callable[[], Any], times: int = RACERS) -> list[Any]:
    """The answers to the same call made at once; each refusal is a clean one."""
    found = race([call] * times)
    for answer in found:
        assert answer.status_code < 500, answer.content
        if answer.status_code == 409:
            assert set(answer.json()) >= {"detail", "code"}
    return found


def counted(found: list[Any]) -> Counter[tuple[int, str]]:
    """How often each status and code came back."""
    return Counter((answer.status_code, answer.json().get("code", "")) for answer in found)


def rows(query: Any) -> int:
    """The number of rows, of all tenants."""
    with tenancy.as_system("test"):
        return int(query().count())


def test_one_of_sixty_four_approvals_counts(cast: World) -> None:
    path = order(cast, publish(cast, agent(cast, echo_flow())))
    found = answers(lambda: cast.provider.api.post(f"{path}approve/"))
    assert counted(found) == {(200, ""): 1, (409, "wrong_state"): 63}
    assert rows(lambda: AuditEntry.objects.filter(action="order.approved")) == 1
    assert rows(lambda: ProcrastinateJob.objects.filter(task_name=tasks.JOB)) == 1


def test_one_of_sixty_four_terminations_counts(cast: World) -> None:
    resource = buy(cast, publish(cast, agent(cast, echo_flow())))
    path = f"{RESOURCES}{resource['uuid']}/"
    found = answers(lambda: cast.buyer.api.post(f"{path}terminate/"))
    codes = counted(found)
    assert codes.pop((200, "")) == 1
    assert sum(codes.values()) == 63
    assert set(codes) <= {(409, "wrong_state"), (409, "open_order_exists")}
    assert rows(lambda: Order.objects.filter(type="Terminate")) == 1


def test_one_of_sixty_four_orders_takes_the_last_place_of_a_quota(cast: World) -> None:
    sold = desk(cast)
    with tenancy.as_system("test"):
        Quota.objects.filter(customer=cast.buyer.customer, name="nc_resource_count").update(limit=1)
    names = iter(range(RACERS))
    bodies = [{"attributes": {"name": f"N{number}"}} for number in names]
    found = race([lambda body=body: ask(cast, sold, **body) for body in bodies])
    assert counted(found) == {(201, ""): 1, (409, "quota_exceeded"): 63}
    assert rows(lambda: Resource.objects) == 1


def test_one_of_many_changes_of_plan_counts(cast: World) -> None:
    sold = desk(cast, plugin_options={"require_provider_approval": False})
    path = running(cast, sold)
    found = answers(lambda: cast.buyer.api.post(f"{path}switch_plan/", {"plan": sold["large"]}), 16)
    codes = counted(found)
    assert codes.pop((200, "")) == 1
    assert set(codes) <= {(409, "wrong_state"), (409, "open_order_exists")}
    (changed,) = ok(cast.buyer.api.get(ORDERS, type="Update"))
    done = answers(lambda: cast.provider.api.post(f"{ORDERS}{changed['uuid']}/set_state_done/"), 16)
    assert counted(done) == {(200, ""): 1, (409, "wrong_state"): 15}
    assert rows(lambda: PlanPeriod.objects) == 2


def test_one_of_many_decisions_counts(cast: World) -> None:
    path = placed(cast, desk(cast))
    found = race(
        [
            *([lambda: cast.provider.api.post(f"{path}approve/")] * 6),
            *([lambda: cast.provider.api.post(f"{path}reject/")] * 6),
            *([lambda: cast.buyer.api.patch(path, {"start_date": "2998-01-01"})] * 4),
        ]
    )
    assert all(answer.status_code in (200, 409) for answer in found)
    shown = ok(cast.buyer.api.get(path))
    decided = [answer for answer in found[:12] if answer.status_code == 200]
    assert len(decided) == (0 if shown["state"] == "pending-start-date" else 1)
    with tenancy.as_system("test"):
        usage = Quota.objects.get(customer=cast.buyer.customer, name="nc_resource_count").usage
    assert usage == (0 if shown["state"] == "rejected" else 1)


def test_a_deletion_and_an_approval_exclude_each_other(cast: World) -> None:
    path = placed(cast, desk(cast))
    found = race([lambda: cast.buyer.api.delete(path), lambda: cast.provider.api.post(f"{path}approve/")] * 4)
    assert {answer.status_code for answer in found} <= {200, 204, 404, 409}
    assert sum(answer.status_code in (200, 204) for answer in found) == 1


def test_a_project_is_deleted_or_ordered_for_never_both(cast: World) -> None:
    assert cast.buyer.customer is not None
    sold = publish(cast, agent(cast, echo_flow()))
    for number in range(4):
        body = {"name": f"P{number}", "customer": cast.buyer.customer.uuid}
        project = ok(cast.buyer.api.post("/api/projects/", body), 201)
        wanted = order_body(cast, sold, project=project["uuid"])
        tasks = [lambda: cast.buyer.api.post(ORDERS, wanted)] * 4  # noqa: B023 - called within the round
        tasks += [lambda: cast.buyer.api.delete(f"/api/projects/{project['uuid']}/")] * 4  # noqa: B023
        found = race(tasks)
        ordered = sorted(answer.status_code for answer in found[:4])
        deleted = sorted(answer.status_code for answer in found[4:])
        if 204 in deleted:
            assert deleted.count(204) == 1 and set(ordered) <= {400, 409}, (ordered, deleted)
        else:  # one order; the others ask for the same name beside it
            assert (ordered, set(deleted)) == ([201, 409, 409, 409], {409}), (ordered, deleted)
        with tenancy.as_system("test"):
            live = Resource.objects.filter(project__removed_at__isnull=False).exclude(state="Terminated")
            assert not live.exists()
