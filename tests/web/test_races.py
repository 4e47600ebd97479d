"""Two people do the same at the same moment: one of them has done it, the others are told so; commits are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.flows import echo_flow
from tests.support.market import (
    CONFIGS,
    OFFERINGS,
    ORDERS,
    RESOURCES,
    agent,
    buy,
    ok,
    order,
    order_body,
    publish,
)
from tests.support.market import category as new_category
from tests.support.racing import race
from tests.support.runtime import RememberingRuntime
from tests.support.waiting import until
from tests.support.world import World, make_world

from agentmart.access import services as access
from agentmart.access.models import GrantRow
from agentmart.agents.models import FlowVersion
from agentmart.config.database import DatabaseUrls
from agentmart.identity.models import User
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.ordering.models import Order
from agentmart.resources.models import Resource


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls, runtime: RememberingRuntime, signing_key: None) -> World:
    """The cast, committed."""
    return make_world()


@pytest.fixture
def sold(cast: World) -> dict[str, str]:
    return publish(cast, agent(cast, echo_flow()))


def statuses(times: int, call: Callable[[], Any]) -> Counter[int]:
    """How often each status came back from the same call made at once."""
    return Counter(answer.status_code for answer in race([call] * times))


def count(rows: Any) -> int:
    """The number of rows, of all tenants."""
    with tenancy.as_system("test"):
        return int(rows.count())


def told(action: str) -> int:
    """How often the audit log tells of it."""
    with tenancy.as_system("test"):
        return AuditEntry.objects.filter(action=action).count()


def test_one_of_sixteen_approvals_counts(cast: World, sold: dict[str, str]) -> None:
    path = order(cast, sold)
    assert statuses(16, lambda: cast.provider.api.post(f"{path}approve/")) == {200: 1, 409: 15}
    assert told("order.approved") == 1
    assert count(ProcrastinateJob.objects.filter(task_name="ordering.execute_order")) == 1


def test_approval_and_cancellation_and_rejection_exclude_each_other(
    cast: World, sold: dict[str, str]
) -> None:
    path = order(cast, sold)
    answers = race(
        [
            *([lambda: cast.provider.api.post(f"{path}approve/")] * 4),
            *([lambda: cast.provider.api.post(f"{path}reject/")] * 4),
            *([lambda: cast.buyer.api.post(f"{path}cancel/")] * 4),
        ]
    )
    done = [answer.status_code for answer in answers if answer.status_code != 409]
    # An approved order may still be withdrawn until it is done; nothing else goes together.
    assert done in ([200], [202], [200, 202])
    shown = ok(cast.buyer.api.get(path))
    resource = ok(cast.buyer.api.get(f"{RESOURCES}{shown['marketplace_resource_uuid']}/"))
    assert (shown["state"], resource["state"]) in {
        ("executing", "Creating"),
        ("rejected", "Terminated"),
        ("canceled", "Terminated"),
    }


def test_one_of_two_orders_of_the_same_name_is_placed(cast: World, sold: dict[str, str]) -> None:
    assert statuses(8, lambda: cast.buyer.api.post(ORDERS, order_body(cast, sold))) == {201: 1, 409: 7}
    assert (count(Order.objects), count(Resource.objects)) == (1, 1)


def test_the_last_place_of_a_plan_is_sold_once(cast: World, sold: dict[str, str]) -> None:
    body = {"name": "Few", "unit_price": "1", "max_amount": 2, "offering": sold["offering"]}
    plan = ok(cast.provider.api.post("/api/marketplace-plans/", body), 201)["uuid"]
    bodies = [order_body(cast, sold, plan=plan, attributes={"name": f"N{number}"}) for number in range(8)]
    answers = race([lambda body=body: cast.buyer.api.post(ORDERS, body) for body in bodies])
    assert Counter(answer.status_code for answer in answers) == {201: 2, 409: 6}
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json() == {
        "detail": "Plan Few is sold out.",
        "code": "capacity_reached",
        "extra": {"limit": 2},
    }


def test_parallel_imports_of_one_flow_make_one_version(cast: World) -> None:
    path, flow = agent(cast), echo_flow()
    assert statuses(6, lambda: cast.provider.api.post(f"{path}import_flow/", {"flow": flow})) == {
        201: 1,
        200: 5,
    }
    assert count(FlowVersion.objects) == 1


def test_parallel_imports_of_different_flows_are_numbered_without_gaps(cast: World) -> None:
    path = agent(cast)
    flows = [{**echo_flow(), "description": f"number {number}"} for number in range(5)]
    answers = race(
        [lambda flow=flow: cast.provider.api.post(f"{path}import_flow/", {"flow": flow}) for flow in flows]
    )
    assert sorted(ok(answer, 201)["version"] for answer in answers) == [1, 2, 3, 4, 5]


def test_parallel_first_publications_make_one_offering(cast: World) -> None:
    path, category = agent(cast, echo_flow()), new_category(cast)
    body = {"category": category, "plans": [{"name": "P", "unit_price": "1"}]}
    answers = race([lambda: cast.provider.api.post(f"{path}publish/", body)] * 6)
    assert len({ok(answer)["offering_uuid"] for answer in answers}) == 1


def test_parallel_offerings_of_one_name_get_slugs_of_their_own(cast: World) -> None:
    category = new_category(cast)
    body = {"name": "Same", "category": category, "type": "Marketplace.Basic"}
    answers = race([lambda: cast.operator.api.post(OFFERINGS, body)] * 6)
    assert len({ok(answer, 201)["slug"] for answer in answers}) == 6


def test_parallel_people_of_one_name_are_one(cast: World) -> None:
    call = lambda: cast.operator.api.post("/api/users/", {"username": "twin", "email": "t@w.example"})  # noqa: E731
    assert statuses(6, call) == {201: 1, 400: 5}
    assert count(User.objects.filter(username="twin")) == 1


def test_parallel_registrations_of_a_provider_are_one(cast: World) -> None:
    assert cast.buyer.customer is not None
    body = {"customer": cast.buyer.customer.uuid}
    answers = race([lambda: cast.operator.api.post("/api/marketplace-service-providers/", body)] * 6)
    assert len({ok(answer, 201)["uuid"] for answer in answers}) == 1
    assert told("service_provider.registered") == 1


def test_parallel_revocations_are_told_once(cast: World, sold: dict[str, str]) -> None:
    keys = f"{CONFIGS}{buy(cast, sold)['agent_config']}/api-keys/"
    key = ok(cast.buyer.api.post(keys, {"name": "CI"}), 201)["uuid"]
    assert statuses(6, lambda: cast.buyer.api.delete(f"{keys}{key}/")) == {204: 6}
    assert told("api_key.revoked") == 1


def test_parallel_terminations_make_one_order(cast: World, sold: dict[str, str]) -> None:
    resource = buy(cast, sold)
    call = lambda: cast.buyer.api.post(f"{RESOURCES}{resource['uuid']}/terminate/")  # noqa: E731
    assert statuses(6, call) == {200: 1, 409: 5}
    assert count(Order.objects.filter(type="Terminate")) == 1


def while_blocking(cast: World, request: Callable[[], Any]) -> Any:
    """The answer to a request that meets a block of the buyer's customer that is not committed yet."""
    assert cast.buyer.customer is not None
    with ThreadPoolExecutor(1) as pool:
        with tenancy.as_system("test") as actor:
            access.set_blocked(cast.buyer.customer, True, actor=actor, now=clock.now())
            answer = pool.submit(race, [request])
            until(waits_for_a_lock)
        return answer.result(30)[0]


def waits_for_a_lock() -> bool:
    """Whether some connection to this database waits for another's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or the transaction keeps its first answer
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def grant_states() -> list[str]:
    with tenancy.as_system("test"):
        return list(GrantRow.objects.values_list("state", flat=True))


def test_settings_saved_during_a_block_do_not_bring_keys_back_to_life(
    cast: World, sold: dict[str, str]
) -> None:
    config = f"{CONFIGS}{buy(cast, sold)['agent_config']}/"
    ok(cast.buyer.api.post(f"{config}api-keys/", {"name": "K"}), 201)
    answer = while_blocking(cast, lambda: cast.buyer.api.patch(config, {"name": "Renamed"}))
    assert ok(answer)["name"] == "Renamed"
    assert grant_states() == ["customer_blocked"]


def test_a_key_made_during_a_block_is_refused(cast: World, sold: dict[str, str]) -> None:
    config = f"{CONFIGS}{buy(cast, sold)['agent_config']}/"
    answer = while_blocking(cast, lambda: cast.buyer.api.post(f"{config}api-keys/", {"name": "K"}))
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_blocked")
    assert grant_states() == []


def test_block_keys_and_settings_at_once_end_without_a_live_key(cast: World, sold: dict[str, str]) -> None:
    """Whatever comes first: after a block no Grant of the customer is active, after the unblock all are again."""
    assert cast.buyer.customer is not None
    config = f"{CONFIGS}{buy(cast, sold)['agent_config']}/"
    customer = f"/api/customers/{cast.buyer.customer.uuid}/"
    answers = race(
        [
            lambda: cast.operator.api.post(f"{customer}block/"),
            *([lambda: cast.buyer.api.post(f"{config}api-keys/", {"name": "K"})] * 4),
            *([lambda: cast.buyer.api.patch(config, {"name": "Renamed"})] * 2),
        ]
    )
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert set(grant_states()) <= {"customer_blocked"}
    ok(cast.operator.api.post(f"{customer}unblock/"))
    assert set(grant_states()) <= {"active"}


def test_a_patch_does_not_undo_a_block(cast: World) -> None:
    assert cast.buyer.customer is not None
    customer = f"/api/customers/{cast.buyer.customer.uuid}/"
    answer = while_blocking(cast, lambda: cast.buyer.api.patch(customer, {"address": "1 Road"}))
    assert ok(answer)["address"] == "1 Road"
    shown = ok(cast.buyer.api.get(customer))
    assert (shown["address"], shown["blocked"]) == ("1 Road", True)


def test_parallel_roles_of_one_person_are_one(cast: World) -> None:
    assert cast.buyer.customer is not None
    body = {"user": cast.stranger.user.uuid, "role": "CUSTOMER.MANAGER"}
    path = f"/api/customers/{cast.buyer.customer.uuid}/add_user/"
    assert statuses(6, lambda: cast.operator.api.post(path, body)) == {201: 6}
    assert len(ok(cast.stranger.api.get("/api/customers/"))) == 2
