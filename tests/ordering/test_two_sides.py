"""An order is approved by its buyer and by its provider, each where nobody has approved it already."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.desk import ask, customer_member, desk, placed, project_member, running
from tests.support.flows import echo_flow
from tests.support.market import ORDERS, RESOURCES, agent, ok, order_body, publish, run_order_jobs
from tests.support.world import Api, World

from agentmart.identity.models import Quota, Role
from agentmart.identity.quotas import RESOURCES as RESOURCE_QUOTA
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry
from agentmart.ordering import services
from agentmart.ordering.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(world: World, runtime: Any) -> dict[str, str]:
    return desk(world)


def state(api: Api, path: str) -> str:
    found: str = ok(api.get(path))["state"]
    return found


def resource_of(world: World, path: str) -> dict[str, Any]:
    uuid = ok(world.buyer.api.get(path))["marketplace_resource_uuid"]
    found: dict[str, Any] = ok(world.buyer.api.get(f"{RESOURCES}{uuid}/"))
    return found


def used(world: World) -> int:
    """How many resources the buyer's quota counts."""
    with tenancy.as_system("test"):
        return Quota.objects.get(customer=world.buyer.customer, name=RESOURCE_QUOTA).usage


def test_an_order_goes_through_both_sides_and_is_fulfilled_by_people(
    world: World, sold: dict[str, str]
) -> None:
    member = project_member(world)
    path = placed(world, sold, member)
    shown = ok(member.get(path))
    assert (shown["state"], shown["consumer_reviewed_by"], shown["consumer_reviewed_at"]) == (
        "pending-consumer",
        "",
        None,
    )
    assert world.provider.api.post(f"{path}approve_by_provider/").status_code == 409
    assert world.provider.api.post(f"{path}approve/").status_code == 403
    assert member.post(f"{path}approve/").status_code == 403
    answer = ok(world.buyer.api.post(f"{path}approve_by_consumer/"))
    assert answer == {"detail": "Order has been approved.", "state": "pending-provider"}
    shown = ok(member.get(path))
    assert (shown["consumer_reviewed_by"], shown["provider_reviewed_by"]) == ("boris", "")
    assert ok(world.provider.api.post(f"{path}approve_by_provider/", {"attributes": {"desk": 7}})) == {
        "detail": "Order has been approved.",
        "state": "executing",
    }
    assert run_order_jobs() == 0  # nobody but the provider carries it out
    assert resource_of(world, path)["state"] == "Creating"
    assert ok(world.provider.api.post(f"{path}set_backend_id/", {"backend_id": "d-7"})) == {
        "status": "Backend ID has been set."
    }
    assert ok(world.provider.api.post(f"{path}set_state_done/"))["state"] == "done"
    shown = ok(member.get(path))
    assert (shown["state"], shown["provider_reviewed_by"], shown["backend_id"], shown["attributes"]) == (
        "done",
        "petra",
        "d-7",
        {"name": "Front desk", "desk": 7},
    )
    assert shown["completed_at"] is not None
    resource = resource_of(world, path)
    assert (resource["state"], resource["backend_id"], resource["limits"]) == ("OK", "d-7", {})
    again = world.provider.api.post(f"{path}set_state_done/")
    assert (again.status_code, again.json()) == (
        409,
        {
            "detail": "Valid states for operation: executing.",
            "code": "wrong_state",
            "extra": {"state": "done"},
        },
    )


@pytest.mark.parametrize(
    ("role", "shared", "skipped"),
    [
        (Role.CUSTOMER_MANAGER, True, True),
        (Role.PROJECT_ADMIN, True, False),
        (Role.PROJECT_MANAGER, True, False),
        (Role.PROJECT_MEMBER, True, False),
    ],
)
def test_who_may_approve_for_the_buyer_is_not_asked(
    world: World, sold: dict[str, str], role: Role, shared: bool, skipped: bool
) -> None:
    of_project = role.startswith("PROJECT")
    api = project_member(world, role) if of_project else customer_member(world, role)
    shown = ok(ask(world, sold, api), 201)
    assert shown["state"] == ("pending-provider" if skipped else "pending-consumer")
    assert shown["created_by_username"] != "boris"


@pytest.mark.parametrize("role", [Role.CUSTOMER_SUPPORT])
def test_who_may_not_order_is_refused(world: World, sold: dict[str, str], role: Role) -> None:
    assert ask(world, sold, customer_member(world, role)).status_code == 403
    assert ok(world.buyer.api.get(ORDERS)) == []


def test_approve_takes_the_step_that_is_pending(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold, project_member(world))
    manager = customer_member(world, Role.CUSTOMER_MANAGER)
    support = customer_member(world, Role.CUSTOMER_SUPPORT)
    assert support.post(f"{path}approve/").status_code == 403
    assert ok(manager.post(f"{path}approve/"))["state"] == "pending-provider"
    assert manager.post(f"{path}approve/").status_code == 403  # the provider's step now
    assert ok(world.provider.api.post(f"{path}approve/"))["state"] == "executing"
    again = world.provider.api.post(f"{path}approve/")
    assert (again.status_code, again.json()) == (
        409,
        {
            "detail": "Valid states for operation: pending-consumer, pending-provider.",
            "code": "wrong_state",
            "extra": {"state": "executing"},
        },
    )
    assert support.post(f"{path}approve/").status_code == 403
    assert world.stranger.api.post(f"{path}approve/").status_code == 404


@pytest.mark.parametrize("who", ["placer", "owner"])
def test_a_buyer_rejects_its_own_order(world: World, sold: dict[str, str], who: str) -> None:
    member = project_member(world)
    path = placed(world, sold, member)
    assert used(world) == 1
    assert world.provider.api.post(f"{path}reject_by_consumer/").status_code == 403
    api = member if who == "placer" else world.buyer.api
    answer = api.post(f"{path}reject_by_consumer/", {"consumer_rejection_comment": "Too dear"})
    assert ok(answer) == {"detail": "Order has been rejected.", "state": "rejected"}
    shown = ok(member.get(path))
    assert (shown["consumer_rejection_comment"], shown["provider_rejection_comment"]) == ("Too dear", "")
    assert resource_of(world, path)["state"] == "Terminated"
    assert used(world) == 0
    assert api.post(f"{path}reject_by_consumer/").status_code == 409
    assert api.post(f"{path}reject/").status_code == 409


def test_a_provider_rejects(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold)
    assert world.buyer.api.post(f"{path}reject_by_provider/").status_code == 403
    assert world.buyer.api.post(f"{path}reject_by_consumer/").status_code == 409
    bad = world.provider.api.post(f"{path}reject_by_provider/", {"provider_rejection_comment": "x" * 2001})
    assert (bad.status_code, list(bad.json())) == (400, ["provider_rejection_comment"])
    ok(world.provider.api.post(f"{path}reject_by_provider/", {"provider_rejection_comment": "Full"}))
    shown = ok(world.buyer.api.get(path))
    assert (shown["state"], shown["provider_rejection_comment"]) == ("rejected", "Full")
    assert used(world) == 0


def test_lists_know_who_may_approve_what(world: World, sold: dict[str, str]) -> None:
    member = project_member(world)
    first = placed(world, sold, member, attributes={"name": "A"})
    second = placed(world, sold, attributes={"name": "B"})
    admin = project_member(world, Role.PROJECT_ADMIN)

    def listed(api: Api, side: str, value: str = "true") -> set[str]:
        return {row["resource_name"] for row in ok(api.get(ORDERS, **{f"can_approve_as_{side}": value}))}

    assert listed(world.buyer.api, "consumer") == {"A"}
    assert listed(world.operator.api, "consumer") == {"A"}
    assert (
        listed(member, "consumer")
        == listed(admin, "consumer")
        == listed(world.provider.api, "consumer")
        == set()
    )
    assert listed(world.provider.api, "provider") == listed(world.operator.api, "provider") == {"B"}
    assert listed(world.buyer.api, "provider") == set()
    assert listed(world.buyer.api, "consumer", "false") == {"B"}
    bad = world.buyer.api.get(ORDERS, can_approve_as_consumer="maybe")
    assert (bad.status_code, bad.json()) == (400, {"can_approve_as_consumer": ["Must be a valid boolean."]})
    assert first != second


def test_a_private_offering_s_orders_are_approved_in_the_project(world: World, runtime: Any) -> None:
    sold = desk(world, shared=False)
    path = placed(world, sold, world.operator.api)  # a buyer's people do not see what is not shared with them
    with tenancy.as_system("test"):
        Order.objects.update(state="pending-consumer")
    member, admin = project_member(world), project_member(world, Role.PROJECT_ADMIN)
    assert member.post(f"{path}approve_by_consumer/").status_code == 403
    assert [row["state"] for row in ok(admin.get(ORDERS, can_approve_as_consumer="true"))] == [
        "pending-consumer"
    ]
    assert ok(admin.post(f"{path}approve_by_consumer/"))["state"] == "pending-provider"


def test_an_order_waits_for_its_day(world: World, sold: dict[str, str]) -> None:
    today = clock.now().date()
    past = ask(world, sold, start_date=(today - timedelta(days=1)).isoformat())
    assert (past.status_code, past.json()) == (400, {"start_date": ["The start date has passed already."]})
    path = placed(world, sold, start_date=(today + timedelta(days=3)).isoformat())
    assert state(world.buyer.api, path) == "pending-start-date"
    assert world.provider.api.post(f"{path}approve/").status_code == 409
    assert services.release_waiting("test", now=clock.now() + timedelta(days=2)) == 0
    assert state(world.buyer.api, path) == "pending-start-date"
    assert services.release_waiting("test", now=clock.now() + timedelta(days=3)) == 1
    assert state(world.buyer.api, path) == "pending-provider"
    assert services.release_waiting("test", now=clock.now() + timedelta(days=4)) == 0


def test_a_waiting_order_of_an_agent_begins_by_itself(world: World, runtime: Any, signing_key: None) -> None:
    sold = publish(world, agent(world, echo_flow()), approval=False)
    tomorrow = clock.now() + timedelta(days=1)
    body = order_body(world, sold, start_date=tomorrow.date().isoformat())
    path = f"{ORDERS}{ok(world.buyer.api.post(ORDERS, body), 201)['uuid']}/"
    assert run_order_jobs() == 0
    assert services.release_waiting("test", now=tomorrow) == 1
    assert state(world.buyer.api, path) == "executing"
    assert run_order_jobs() == 1
    assert state(world.buyer.api, path) == "done"


def project_path(world: World) -> str:
    assert world.buyer.project is not None
    return f"/api/projects/{world.buyer.project.uuid}/"


def test_an_order_waits_for_its_project_s_first_day_then_for_its_own(
    world: World, sold: dict[str, str]
) -> None:
    now = clock.now()
    today = now.date()
    ok(world.buyer.api.patch(project_path(world), {"start_date": (today + timedelta(days=2)).isoformat()}))
    path = placed(world, sold, start_date=(today + timedelta(days=4)).isoformat())
    assert state(world.buyer.api, path) == "pending-project"
    assert resource_of(world, path)["state"] == "Creating"
    waiting = ok(world.buyer.api.get(ORDERS, state="pending project"))
    assert [f"{ORDERS}{row['uuid']}/" for row in waiting] == [path]
    assert [row["uuid"] for row in ok(world.buyer.api.get(ORDERS, state="pending approval"))] == [
        waiting[0]["uuid"]
    ]
    assert world.provider.api.post(f"{path}approve/").status_code == 409
    for days, released, after in (
        (1, 0, "pending-project"),
        (2, 1, "pending-start-date"),
        (3, 0, "pending-start-date"),
        (4, 1, "pending-provider"),
    ):
        assert services.release_waiting("test", now=now + timedelta(days=days)) == released
        assert state(world.buyer.api, path) == after


def test_a_project_that_has_begun_holds_no_order_up(world: World, sold: dict[str, str]) -> None:
    ok(world.buyer.api.patch(project_path(world), {"start_date": clock.now().date().isoformat()}))
    assert state(world.buyer.api, placed(world, sold)) == "pending-provider"


def test_an_order_that_waits_for_its_project_is_withdrawn(world: World, sold: dict[str, str]) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    ok(world.buyer.api.patch(project_path(world), {"start_date": tomorrow.date().isoformat()}))
    path = placed(world, sold)
    ok(world.buyer.api.post(f"{path}cancel/"), 202)
    assert (state(world.buyer.api, path), resource_of(world, path)["state"]) == ("canceled", "Terminated")
    assert services.release_waiting("test", now=tomorrow) == 0


def test_after_its_project_s_last_day_a_resource_is_ended_by_order(
    world: World, sold: dict[str, str]
) -> None:
    path = running(world, sold)
    later = running(world, sold, attributes={"name": "With a last day of its own"})
    now = clock.now()
    own = (now + timedelta(days=9)).date().isoformat()
    ok(world.buyer.api.patch(later, {"end_date": own}))
    ok(world.buyer.api.patch(project_path(world), {"end_date": (now + timedelta(days=1)).date().isoformat()}))
    assert services.order_ends_that_are_due("test", now=now) == 0
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=1)) == 0  # inclusive
    assert [state(world.buyer.api, each) for each in (path, later)] == ["OK", "OK"]
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=2)) == 2
    orders = ok(world.buyer.api.get(ORDERS, type="Terminate"))
    assert [(row["state"], row["termination_comment"]) for row in orders] == [
        ("executing", "The end date has passed.")
    ] * 2
    assert [state(world.buyer.api, each) for each in (path, later)] == ["Terminating", "Terminating"]
    assert services.order_ends_that_are_due("test", now=now + timedelta(days=3)) == 0


def test_a_blocked_buyer_s_waiting_order_goes_on_waiting(world: World, sold: dict[str, str]) -> None:
    assert world.buyer.customer is not None
    tomorrow = clock.now() + timedelta(days=1)
    path = placed(world, sold, start_date=tomorrow.date().isoformat())
    customer = f"/api/customers/{world.buyer.customer.uuid}/"
    ok(world.operator.api.post(f"{customer}block/"))
    assert services.release_waiting("test", now=tomorrow) == 0
    ok(world.operator.api.post(f"{customer}unblock/"))
    assert services.release_waiting("test", now=tomorrow) == 1
    assert state(world.buyer.api, path) == "pending-provider"


def test_every_decision_is_audited_with_who_and_from_where(world: World, sold: dict[str, str]) -> None:
    path = placed(world, sold, project_member(world))
    ok(world.buyer.api.post(f"{path}approve/"))
    ok(world.provider.api.post(f"{path}approve/"))
    ok(world.provider.api.post(f"{path}set_state_done/"))
    with tenancy.as_system("test"):
        uuid = path.rstrip("/").rsplit("/", 1)[-1]
        rows = AuditEntry.objects.filter(object_id=uuid).order_by("at", "id")
        told = {(row.action, row.actor_name, row.before.get("state"), row.after.get("state")) for row in rows}
    assert {
        ("order.approved_by_consumer", "boris", "pending-consumer", "pending-provider"),
        ("order.approved", "petra", "pending-provider", "executing"),
        ("order.done", "petra", "executing", "done"),
    } <= told
