"""Projects over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.market import member, ok, operator, run_order_jobs
from tests.support.shop import Shop
from tests.support.world import NOW, Api, World

from agentmart.access import tenants
from agentmart.identity import services
from agentmart.identity.models import Membership, Project, Quota, Role
from agentmart.infra import clock, tenancy
from agentmart.kit.errors import Conflict

pytestmark = pytest.mark.django_db

PROJECTS = "/api/projects/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "shop" not in request.fixturenames:
        monkeypatch.setattr(clock, "now", lambda: NOW)


def new(world: World, **details: Any) -> dict[str, Any]:
    assert world.buyer.customer is not None
    body = {"name": "New", "customer": world.buyer.customer.uuid, **details}
    made: dict[str, Any] = ok(world.buyer.api.post(PROJECTS, body), 201)
    return made


def names(api: Api, **query: Any) -> list[str]:
    return [row["name"] for row in ok(api.get(PROJECTS, **query))]


def test_every_detail_is_kept_and_shown(world: World) -> None:
    assert world.buyer.customer is not None
    details = {
        "description": "For tests",
        "type": "internal",
        "kind": "course",
        "backend_id": "B-1",
        "start_date": "2026-03-01",
        "end_date": "2026-03-10",
    }
    made = new(world, **details)
    shown = ok(world.buyer.api.get(f"{PROJECTS}{made['uuid']}/"))
    assert made == shown
    assert {name: shown[name] for name in details} == details
    assert shown["customer"] == f"http://testserver/api/customers/{world.buyer.customer.uuid}/"
    assert (shown["customer_uuid"], shown["customer_name"]) == (world.buyer.customer.uuid, "Buyer Ltd")
    assert (shown["resources_count"], shown["is_removed"]) == (0, False)
    assert (shown["marketplace_resource_count"], shown["billing_price_estimate"]) == ({}, {})
    bare = new(world)
    assert bare["kind"] == "default"
    assert [name for name, value in bare.items() if value is None] == ["start_date", "end_date"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"kind": "private"}, "kind"),
        ({"start_date": "soon"}, "start_date"),
        ({"end_date": "2026-03-09"}, "end_date"),
        ({"start_date": "2026-04-02", "end_date": "2026-04-01"}, "end_date"),
        ({"customer": "00000000000000000000000000000000"}, "customer"),
        ({"customer": 7}, "customer"),
    ],
)
def test_wrong_bodies(world: World, changes: dict[str, Any], field: str) -> None:
    assert world.buyer.customer is not None and world.buyer.project is not None
    body = {"name": "New", "customer": world.buyer.customer.uuid, **changes}
    made = world.buyer.api.post(PROJECTS, body)
    assert (made.status_code, list(made.json())) == (400, [field])
    changed = world.buyer.api.patch(f"{PROJECTS}{world.buyer.project.uuid}/", changes)
    assert (changed.status_code, list(changed.json())) == (400, [field])
    assert names(world.buyer.api) == ["Buyer Ltd project"]


def test_who_creates_edits_and_deletes(world: World) -> None:
    assert world.buyer.project is not None and world.buyer.customer is not None
    customer, home = world.buyer.customer, world.buyer.project
    path = f"{PROJECTS}{home.uuid}/"
    cast = {
        "owner": world.buyer.api,
        "CM": member(customer, Role.CUSTOMER_MANAGER),
        "CS": member(customer, Role.CUSTOMER_SUPPORT),
        "PA": member(customer, Role.PROJECT_ADMIN, home),
        "PM": member(customer, Role.PROJECT_MANAGER, home),
        "Pm": member(customer, Role.PROJECT_MEMBER, home),
        "support": operator("is_support"),
        "stranger": world.stranger.api,
    }
    body = {"name": "X", "customer": customer.uuid}
    created = {who: api.post(PROJECTS, body).status_code for who, api in cast.items()}
    assert created == {
        "owner": 201,
        "CM": 201,
        "CS": 403,
        "PA": 403,
        "PM": 403,
        "Pm": 403,
        "support": 403,
        "stranger": 400,
    }
    edited = {who: api.patch(path, {"name": who}).status_code for who, api in cast.items()}
    assert edited == {
        "owner": 200,
        "CM": 200,
        "CS": 403,
        "PA": 403,
        "PM": 200,
        "Pm": 403,
        "support": 403,
        "stranger": 404,
    }
    deleted = {who: api.delete(path).status_code for who, api in reversed(cast.items())}
    assert deleted == {
        "stranger": 404,
        "support": 403,
        "Pm": 403,
        "PM": 403,
        "PA": 403,
        "CS": 403,
        "CM": 403,
        "owner": 204,
    }


def test_a_project_stays_with_its_customer(world: World) -> None:
    assert world.buyer.project is not None and world.stranger.customer is not None
    path = f"{PROJECTS}{world.buyer.project.uuid}/"
    answer = world.operator.api.patch(path, {"customer": world.stranger.customer.uuid})
    assert (answer.status_code, answer.json()) == (
        400,
        {"customer": ["A project stays with its customer."]},
    )
    shown = ok(world.buyer.api.get(path))
    assert ok(world.buyer.api.put(path, {**shown, "name": "Renamed"})) == {**shown, "name": "Renamed"}
    refused = world.buyer.api.put(path, {"name": "Renamed"})
    assert (refused.status_code, list(refused.json())) == (400, ["customer"])


def test_an_end_that_has_come_does_not_stop_other_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new(world, end_date="2026-03-10")
    path = f"{PROJECTS}{made['uuid']}/"
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=5))
    assert ok(world.buyer.api.patch(path, {"name": "Old", "end_date": "2026-03-10"}))["name"] == "Old"
    assert ok(world.buyer.api.patch(path, {"end_date": None}))["end_date"] is None


def test_an_empty_project_goes_for_good_with_its_roles(world: World) -> None:
    made = new(world)
    path = f"{PROJECTS}{made['uuid']}/"
    body = {"user": world.stranger.user.uuid, "role": "PROJECT.MEMBER"}
    ok(world.operator.api.post(f"{path}add_user/", body), 201)
    answer = world.buyer.api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.buyer.api.get(path).status_code == 404
    with tenancy.as_system("test"):
        assert not Project.objects.filter(pk=made["uuid"]).exists()
        usage = dict(
            Quota.objects.filter(customer=world.buyer.customer).values_list("name", "usage").order_by("name")
        )
    assert (usage["nc_project_count"], usage["nc_user_count"]) == (1, 1)
    assert Membership.objects.filter(user=world.stranger.user).count() == 1


def test_a_project_with_live_resources_stays_and_goes_once_they_are_ended(shop: Shop) -> None:
    assert shop.world.buyer.project is not None
    assert ok(shop.world.buyer.api.get(shop.project))["resources_count"] == 2
    refused = shop.world.buyer.api.delete(shop.project)
    assert (refused.status_code, refused.json()["code"]) == (409, "has_dependents")
    assert refused.json()["extra"] == {"dependents": {"resources": 2}}
    ok(shop.world.buyer.api.post(f"{shop.order}cancel/"), 202)
    ok(shop.world.buyer.api.post(f"{shop.resource}terminate/"))
    run_order_jobs()
    assert ok(shop.world.buyer.api.get(shop.project))["resources_count"] == 0
    assert shop.world.buyer.api.delete(shop.project).status_code == 204
    for api in (shop.world.buyer.api, shop.world.operator.api):
        assert api.get(shop.project).status_code == 404
        assert names(api, name="Buyer Ltd project") == []
    with tenancy.as_system("test"):
        assert Project.objects.get(pk=shop.world.buyer.project.pk).removed_at is not None
    refused = shop.world.operator.api.delete(shop.customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "has_dependents")


def test_filters_and_order(world: World) -> None:
    assert world.buyer.customer is not None
    ok(
        world.operator.api.patch(
            f"/api/customers/{world.buyer.customer.uuid}/", {"native_name": "Käufer", "abbreviation": "KG"}
        )
    )
    made = new(world, description="Something", backend_id="B-1", end_date="2027-01-01")
    everything = ["New", "Buyer Ltd project"]
    api = world.buyer.api
    for query in (
        {"name": "ew"},
        {"name_exact": "New"},
        {"description": "some"},
        {"backend_id": "B-1"},
        {"query": "thing"},
    ):
        assert names(api, **query) == ["New"], query
    for query in (
        {"customer": world.buyer.customer.uuid},
        {"customer_uuid": str(world.buyer.customer.id)},
        {"customer_name": "uyer"},
        {"customer_native_name": "käuf"},
        {"customer_abbreviation": "kg"},
        {"user_uuid": world.buyer.user.uuid},
        {"created": "2026-03-10"},
        {"modified": "2026-03-10"},
        {"created_before": "2026-03-11"},
        {"modified_before": "2026-03-11"},
    ):
        assert sorted(names(api, **query)) == sorted(everything), query
    assert names(api, created_before="2026-03-10") == []
    assert names(api, user_uuid=world.provider.user.uuid) == []
    body = {"user": world.stranger.user.uuid, "role": "PROJECT.MEMBER"}
    ok(world.operator.api.post(f"{PROJECTS}{made['uuid']}/add_user/", body), 201)
    assert names(api, user_uuid=world.stranger.user.uuid) == ["New"]
    assert names(api, o="name") == ["Buyer Ltd project", "New"] == names(api, o="-name")[::-1]
    assert names(api, o="end_date")[0] == "New"
    for name in (
        "created",
        "customer_name",
        "customer_native_name",
        "customer_abbreviation",
        "start_date",
        "estimated_cost",
    ):
        assert sorted(names(api, o=name)) == sorted(names(api, o=f"-{name}")) == sorted(everything)
    assert api.get(PROJECTS, o="cost").status_code == 400


def test_people_of_one_project_see_that_one(world: World) -> None:
    made = new(world)
    with tenancy.as_system("test"):
        project = Project.objects.get(pk=made["uuid"])
    colleague = member(world.buyer.customer, Role.PROJECT_ADMIN, project)
    assert names(colleague) == ["New"]
    assert world.buyer.project is not None
    assert colleague.get(f"{PROJECTS}{world.buyer.project.uuid}/").status_code == 404


def test_nobody_joins_a_project_that_was_deleted_meanwhile(world: World) -> None:
    project = world.buyer.project
    assert project is not None
    with tenancy.as_system("test") as actor:
        Project.objects.filter(pk=project.pk).update(removed_at=NOW)
        with pytest.raises(Conflict) as refused:
            services.add_member(
                actor=actor,
                now=NOW,
                user=world.stranger.user,
                role=Role.PROJECT_MEMBER,
                customer=project.customer,
                project=project,
            )
        assert not Membership.objects.filter(project=project).exists()
    assert refused.value.code == "project_deleted"


def test_a_hidden_project_does_not_count(world: World) -> None:
    project = world.buyer.project
    assert project is not None
    with tenancy.as_system("test"):
        Project.objects.filter(pk=project.pk).update(removed_at=NOW)
        tenants.recount(project.customer_id, now=NOW)
        assert Quota.objects.get(customer=project.customer_id, name="nc_project_count").usage == 0
