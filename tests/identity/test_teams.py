"""Waldur's lists of a customer's people, of who is not in a project yet, and what else its clients ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World
from waldur_api_client.models import BasicUser, CustomerUser, EventCount, ProfileCompleteness, Version

from agentmart import __version__
from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Membership, Project, Role, User
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def customer(world: World) -> Customer:
    assert world.buyer.customer is not None
    return world.buyer.customer


@pytest.fixture
def project(world: World) -> Project:
    assert world.buyer.project is not None
    return world.buyer.project


@pytest.fixture
def team(world: World, customer: Customer, project: Project) -> dict[str, Api]:
    """A manager, and a member of one project with a second role there; somebody whose role has ended."""
    people = {
        "manager": member(customer, Role.CUSTOMER_MANAGER),
        "member": member(customer, Role.PROJECT_MEMBER, project),
        "gone": member(customer, Role.CUSTOMER_SUPPORT),
    }
    with tenancy.as_system("test") as actor:
        of = {row.role: row for row in Membership.objects.filter(customer=customer).select_related("user")}
        Membership.objects.filter(pk=of[Role.CUSTOMER_SUPPORT].pk).update(expires_at=NOW)
        identity.add_member(
            actor=actor,
            now=NOW,
            user=of[Role.PROJECT_MEMBER].user,
            role=Role.PROJECT_ADMIN,
            customer=customer,
            project=project,
            expires_at=NOW + timedelta(days=1),
        )
        identity.add_member(
            actor=actor,
            now=NOW,
            user=of[Role.CUSTOMER_MANAGER].user,
            role=Role.CUSTOMER_SUPPORT,
            customer=customer,
        )
    return people


def name_of(role: str, customer: Customer) -> str:
    with tenancy.as_system("test"):
        found = Membership.objects.filter(customer=customer, role=role).select_related("user").first()
        assert found is not None
        return found.user.username


def test_everybody_of_a_customer_stands_once_with_all_roles(
    world: World, customer: Customer, project: Project, team: dict[str, Api]
) -> None:
    path = f"/api/customers/{customer.uuid}/users/"
    rows = {row["username"]: row for row in ok(world.buyer.api.get(path))}
    manager, helper = name_of(Role.CUSTOMER_MANAGER, customer), name_of(Role.PROJECT_ADMIN, customer)
    assert {name: row["role_name"] for name, row in rows.items()} == {
        "boris": "CUSTOMER.OWNER",
        manager: "CUSTOMER.MANAGER",
        helper: None,
    }
    place = {
        "url": f"http://testserver/api/projects/{project.uuid}/",
        "uuid": project.uuid,
        "name": project.name,
    }
    assert rows[helper]["projects"] == [
        {**place, "role_name": "PROJECT.ADMIN", "expiration_time": "2026-03-11T12:00:00.000000Z"},
        {**place, "role_name": "PROJECT.MEMBER", "expiration_time": None},
    ]
    assert (rows["boris"]["projects"], rows["boris"]["expiration_time"]) == ([], None)
    for row in rows.values():
        read = CustomerUser.from_dict(row)
        assert (read.uuid.hex, read.username) == (row["uuid"], row["username"])  # type: ignore[union-attr]
    answer = world.buyer.api.head(path)
    assert (answer["X-Result-Count"], answer.content) == ("3", b"")


def test_who_may_list_a_customer_s_people(world: World, customer: Customer, team: dict[str, Api]) -> None:
    path = f"/api/customers/{customer.uuid}/users/"
    for api, status in (
        (world.visitor, 401),
        (world.stranger.api, 404),
        (team["member"], 403),
        (team["gone"], 404),
        (team["manager"], 200),
        (world.operator.api, 200),
        (operator("is_support"), 200),
        (operator("is_finance"), 403),
    ):
        assert api.get(path).status_code == status


def test_filters_and_order_of_people(world: World, customer: Customer, team: dict[str, Api]) -> None:
    path = f"/api/customers/{customer.uuid}/users/"
    manager, helper = name_of(Role.CUSTOMER_MANAGER, customer), name_of(Role.PROJECT_ADMIN, customer)
    with tenancy.as_system("test"):
        User.objects.filter(username="boris").update(
            first_name="Zoe", last_name="Zed", organization="Zed Inc"
        )

    def found(**query: Any) -> list[str]:
        return [row["username"] for row in ok(world.buyer.api.get(path, **query))]

    assert found(o="concatenated_name")[-1] == "boris"
    assert found(o="-concatenated_name")[0] == "boris"
    assert found(full_name="zoe z") == found(organization="zed") == found(user_keyword="zed") == ["boris"]
    assert found(organization_role="CUSTOMER.SUPPORT") == [manager]
    assert found(project_role=["PROJECT.ADMIN", "PROJECT.MANAGER"]) == [helper]
    assert found(organization_role="OFFERING.MANAGER") == []
    assert found(username="boris", is_active="true") == ["boris"]
    assert found(is_active="false") == []
    for name in ("organization_role", "project_role", "is_active", "o", "date_joined"):
        refused = world.buyer.api.get(path, **{name: "x"})
        assert (refused.status_code, list(refused.json())) == (400, [name])
    assert "x" in world.buyer.api.get(path, x="1")["Warning"]
    assert set(ok(world.buyer.api.get(path, field="username"))[0]) == {"username"}


def test_the_lists_cost_the_same_whatever_they_hold(
    world: World, customer: Customer, project: Project, django_assert_max_num_queries: Any
) -> None:
    for role in (Role.CUSTOMER_MANAGER, Role.CUSTOMER_SUPPORT, Role.OFFERING_MANAGER):
        member(customer, role)
    for role in (Role.PROJECT_ADMIN, Role.PROJECT_MANAGER, Role.PROJECT_MEMBER):
        member(customer, role, project)
    for path, rows in (
        (f"/api/customers/{customer.uuid}/users/", 7),
        (f"/api/projects/{project.uuid}/other_users/", 4),
        ("/api/roles/", 7),
    ):
        ok(world.buyer.api.get(path))
        with django_assert_max_num_queries(8 + 2):  # the savepoint of the test's own transaction
            assert len(ok(world.buyer.api.get(path))) == rows


def test_who_is_not_in_a_project_yet(
    world: World, customer: Customer, project: Project, team: dict[str, Api]
) -> None:
    path = f"/api/projects/{project.uuid}/other_users/"
    manager = name_of(Role.CUSTOMER_MANAGER, customer)
    rows = ok(world.buyer.api.get(path, o="concatenated_name"))
    assert sorted(row["username"] for row in rows) == sorted(["boris", manager])
    assert set(rows[0]) == {"url", "uuid", "username", "full_name", "native_name", "email", "image"}
    for row in rows:
        assert BasicUser.from_dict(row).to_dict() == {**row, "uuid": str(BasicUser.from_dict(row).uuid)}
    assert [row["username"] for row in ok(world.buyer.api.get(path, user_keyword="BORIS"))] == ["boris"]
    assert len(ok(team["member"].get(path))) == 2
    for api, status in ((world.visitor, 401), (world.stranger.api, 404), (team["gone"], 404)):
        assert api.get(path).status_code == status


def test_roles_are_filtered_and_sorted(world: World, customer: Customer, team: dict[str, Api]) -> None:
    def names(**query: Any) -> list[str]:
        return [row["name"] for row in ok(world.operator.api.get("/api/roles/", **query))]

    assert names() == list(Role.values)
    assert names(o="-name")[0] == "PROJECT.MEMBER"
    assert names(o=["scope", "-name"])[0] == "OFFERING.MANAGER"
    assert names(name="owner") == ["CUSTOMER.OWNER"]
    assert names(query="sells") == ["OFFERING.MANAGER"]
    assert names(content_type="project") == ["PROJECT.ADMIN", "PROJECT.MANAGER", "PROJECT.MEMBER"]
    assert names(is_active="false") == []
    assert len(names(is_system_role="true")) == 7
    for name in ("o", "content_type", "is_active"):
        assert world.operator.api.get("/api/roles/", **{name: "x"}).status_code == 400
    counts = {row["name"]: row["users_count"] for row in ok(world.buyer.api.get("/api/roles/"))}
    assert (counts["CUSTOMER.OWNER"], counts["CUSTOMER.SUPPORT"], counts["PROJECT.ADMIN"]) == (1, 2, 1)
    everywhere = {row["name"]: row["users_count"] for row in ok(world.operator.api.get("/api/roles/"))}
    assert everywhere["CUSTOMER.OWNER"] == 3


def test_events_are_counted_and_named(world: World, customer: Customer) -> None:
    ok(world.operator.api.patch(f"/api/customers/{customer.uuid}/", {"description": "x"}))
    mine = ok(world.buyer.api.get("/api/events/"))
    counted = ok(world.buyer.api.get("/api/events/count/"))
    assert EventCount.from_dict(counted).count == len(mine) > 1
    assert ok(world.buyer.api.get("/api/events/count/", event_type="customer.updated")) == {"count": 1}
    assert world.buyer.api.get("/api/events/count/", scope="x").status_code == 400
    groups = ok(world.buyer.api.get("/api/events/event_groups/"))
    assert "customer.updated" in groups["customer"]
    assert {name for names in groups.values() for name in names} == {row["event_type"] for row in mine}
    kinds = ok(world.buyer.api.get("/api/events/scope_types/"))
    assert kinds == sorted({row["context"]["scope_type"] for row in mine})
    with tenancy.as_system("test"):
        assert ok(world.operator.api.get("/api/events/count/")) == {"count": AuditEntry.objects.count()}
    for name in ("count", "event_groups", "scope_types"):
        assert world.visitor.get(f"/api/events/{name}/").status_code == 401


def test_small_answers_that_clients_ask_for(world: World) -> None:
    version = ok(world.buyer.api.get("/api/version/"))
    assert Version.from_dict(version).version == __version__
    assert world.visitor.get("/api/version/").status_code == 401
    profile = ok(world.buyer.api.get("/api/users/profile_completeness/"))
    assert ProfileCompleteness.from_dict(profile).is_complete is True
    for path in ("/api/users/me/", "/api/users/profile_completeness/"):
        head = world.buyer.api.head(path)
        assert (head.status_code, head["X-Result-Count"]) == (200, "1")
        assert world.visitor.get(path).status_code == 401
