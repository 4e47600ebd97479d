"""Customers, projects and people over REST."""

from __future__ import annotations

import pytest
from tests.support.world import World, make_world

from agentmart.identity.models import Customer, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def test_operator_creates_a_customer(world: World) -> None:
    answer = world.operator.api.post(
        "/api/customers/", {"name": "Acme Corp", "email": "billing@acme.com", "country": "US"}
    )
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["country"], body["is_active"]) == ("Acme Corp", "US", True)
    assert len(body["uuid"]) == 32
    assert body["url"] == f"http://testserver/api/customers/{body['uuid']}/"


def test_stranger_sees_only_itself(world: World) -> None:
    answer = world.stranger.api.get("/api/customers/")
    assert [row["name"] for row in answer.json()] == ["Stranger SA"]
    assert answer["X-Result-Count"] == "1"
    assert world.buyer.customer is not None
    foreign = f"/api/customers/{world.buyer.customer.uuid}/"
    assert world.stranger.api.get(foreign).status_code == 404
    assert world.stranger.api.patch(foreign, {"name": "Stolen"}).status_code == 404
    assert world.stranger.api.post("/api/customers/", {"name": "Mine"}).status_code == 403
    assert sorted(Customer.objects.values_list("name", flat=True)) == ["Stranger SA"]


def test_project_in_a_foreign_customer_does_not_exist_for_a_stranger(world: World) -> None:
    assert world.buyer.customer is not None
    answer = world.stranger.api.post(
        "/api/projects/", {"name": "Trojan", "customer": world.buyer.customer.uuid}
    )
    assert answer.status_code == 400
    assert answer.json() == {"customer": ["Invalid hyperlink - Object does not exist."]}
    assert not Project.objects.filter(name="Trojan").exists()


def test_no_login_is_401_with_challenge(world: World) -> None:
    answer = world.visitor.get("/api/customers/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


def test_bad_uuid_and_unrouted_paths_are_json_404(world: World) -> None:
    answer = world.operator.api.get("/api/customers/00000000000000000000000000000000/")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert world.operator.api.get("/api/nothing/").json()["code"] == "not_found"
