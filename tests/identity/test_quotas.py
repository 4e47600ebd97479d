"""Quotas: counted with every row that begins or ends, exact under races, and set right again."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from tests.support.market import agent, member, ok
from tests.support.racing import race
from tests.support.shop import Shop
from tests.support.world import NOW, World, make_world

from agentmart.access import tasks as access_tasks
from agentmart.access import tenants
from agentmart.access.models import ApiKey
from agentmart.config.database import DatabaseUrls
from agentmart.identity import quotas
from agentmart.identity import services as identity
from agentmart.identity.models import Customer, Membership, Quota, Role
from agentmart.infra import clock, tenancy


def usage(customer_id: UUID) -> dict[str, int]:
    with tenancy.as_system("test"):
        return dict(Quota.objects.filter(customer_id=customer_id).values_list("name", "usage"))


def limit(customer: Customer, **limits: int) -> None:
    with tenancy.as_system("test"):
        quotas.set_limits(customer.id, limits, now=NOW)


@pytest.mark.django_db
def test_claim_and_release_count(world: World) -> None:
    customer = world.buyer.customer
    assert customer is not None
    limit(customer, nc_resource_count=3)
    quotas.claim(customer.id, quotas.RESOURCES, now=NOW, amount=2)
    with pytest.raises(quotas.QuotaExceeded) as refused:
        quotas.claim(customer.id, quotas.RESOURCES, now=NOW, amount=2)
    assert refused.value.extra == {"quota": "nc_resource_count", "limit": 3, "usage": 2}
    quotas.claim(customer.id, quotas.RESOURCES, now=NOW)
    quotas.release(customer.id, quotas.RESOURCES, now=NOW, amount=2)
    assert usage(customer.id)["nc_resource_count"] == 1
    quotas.release(customer.id, quotas.RESOURCES, now=NOW, amount=5)
    assert usage(customer.id)["nc_resource_count"] == 0


@pytest.mark.django_db
def test_a_customer_without_rows_gets_them_when_it_claims(world: World) -> None:
    customer = world.buyer.customer
    assert customer is not None
    with tenancy.as_system("test"):
        Quota.objects.filter(customer=customer).delete()
    quotas.claim(customer.id, quotas.AGENTS, now=NOW)
    assert usage(customer.id) == {**dict.fromkeys(quotas.NAMES, 0), "nc_agent_count": 1}


@pytest.mark.django_db
def test_people_count_once_whatever_their_roles(world: World) -> None:
    customer, project = world.buyer.customer, world.buyer.project
    assert customer is not None and project is not None
    path = f"/api/customers/{customer.uuid}/"
    body = {"user": world.stranger.user.uuid, "role": "CUSTOMER.SUPPORT"}
    in_project = {"user": world.stranger.user.uuid, "role": "PROJECT.MEMBER"}
    limit(customer, nc_user_count=2)
    ok(world.operator.api.post(f"{path}add_user/", body), 201)
    ok(world.operator.api.post(f"/api/projects/{project.uuid}/add_user/", in_project), 201)
    assert usage(customer.id)["nc_user_count"] == 2
    other = {"user": world.provider.user.uuid, "role": "CUSTOMER.SUPPORT"}
    refused = world.operator.api.post(f"{path}add_user/", other)
    assert (refused.status_code, refused.json()["extra"]["quota"]) == (409, "nc_user_count")
    ok(world.operator.api.post(f"{path}delete_user/", body))
    assert usage(customer.id)["nc_user_count"] == 2
    ok(world.operator.api.post(f"/api/projects/{project.uuid}/delete_user/", in_project))
    assert usage(customer.id)["nc_user_count"] == 1


@pytest.mark.django_db
def test_keys_and_agents_count(shop: Shop) -> None:
    buyer, provider = shop.world.buyer.customer, shop.world.provider.customer
    assert buyer is not None and provider is not None
    assert usage(buyer.id)["nc_api_key_count"] == 1
    limit(buyer, nc_api_key_count=2)
    second = ok(shop.world.buyer.api.post(f"{shop.config}api-keys/", {"name": "K"}), 201)
    refused = shop.world.buyer.api.post(f"{shop.config}api-keys/", {"name": "K"})
    assert (refused.status_code, refused.json()["extra"]["quota"]) == (409, "nc_api_key_count")
    for _ in range(2):
        shop.world.buyer.api.delete(f"{shop.config}api-keys/{second['uuid']}/")
    assert usage(buyer.id)["nc_api_key_count"] == 1
    ok(shop.world.buyer.api.post(f"{shop.config}api-keys/", {"name": "K"}), 201)
    assert usage(provider.id)["nc_agent_count"] == 1
    limit(provider, nc_agent_count=1)
    refused = shop.world.provider.api.post("/api/site-agent/provider-agents/", {"name": "A"})
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded")


@pytest.mark.django_db
def test_an_expired_key_makes_room(shop: Shop) -> None:
    buyer, api = shop.world.buyer.customer, shop.world.buyer.api
    assert buyer is not None
    limit(buyer, nc_api_key_count=1)
    assert api.post(f"{shop.config}api-keys/", {"name": "K"}).status_code == 409
    with tenancy.as_system("test"):
        ApiKey.objects.update(expires_at=clock.now())
    ok(api.post(f"{shop.config}api-keys/", {"name": "K"}), 201)
    assert usage(buyer.id)["nc_api_key_count"] == 1
    ok(api.delete(shop.key), 204)  # the expired one: its end frees nothing more
    assert usage(buyer.id)["nc_api_key_count"] == 1
    assert ok(api.get(f"{shop.config}api-keys/"))[-1]["state"] == "revoked"
    with tenancy.as_system("test"):
        ApiKey.objects.filter(revoked_at=None).update(expires_at=clock.now())
        tenants.recount(buyer.id, now=clock.now())
    assert usage(buyer.id)["nc_api_key_count"] == 0


@pytest.mark.django_db
def test_wrong_counters_are_set_right(shop: Shop) -> None:
    buyer, provider = shop.world.buyer.customer, shop.world.provider.customer
    assert buyer is not None and provider is not None
    agent(shop.world)
    member(buyer, Role.CUSTOMER_SUPPORT)
    before = usage(buyer.id), usage(provider.id)
    assert before[0]["nc_user_count"] == 2 and before[1]["nc_agent_count"] == 2
    with tenancy.as_system("test"):
        assert tenants.recount(buyer.id, now=NOW) == 0
        Quota.objects.filter(customer_id__in=[buyer.id, provider.id]).update(usage=77)
        assert tenants.recount(buyer.id, now=NOW) == 5
    assert (usage(buyer.id), usage(provider.id)["nc_agent_count"]) == (before[0], 77)
    access_tasks.recount_quotas()
    assert (usage(buyer.id), usage(provider.id)) == before


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls) -> World:
    """The cast, committed."""
    return make_world()


def test_of_64_for_the_last_project_one_gets_it(cast: World) -> None:
    customer = cast.buyer.customer
    assert customer is not None
    limit(customer, nc_project_count=2)
    body = {"name": "Last", "customer": customer.uuid}
    answers = race([lambda: cast.buyer.api.post("/api/projects/", body)] * 64)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 63}
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {entry["code"] for entry in refused} == {"quota_exceeded"}
    assert all(entry["extra"]["usage"] == 2 for entry in refused)
    assert len(ok(cast.buyer.api.get("/api/projects/"))) == 2
    assert usage(customer.id)["nc_project_count"] == 2


def test_two_roles_at_once_are_one_person(cast: World) -> None:
    customer = cast.buyer.customer
    assert customer is not None
    path = f"/api/customers/{customer.uuid}/add_user/"
    roles = ["CUSTOMER.OWNER", "CUSTOMER.MANAGER", "CUSTOMER.SUPPORT", "OFFERING.MANAGER"] * 3

    def give(role: str) -> int:
        body = {"user": cast.stranger.user.uuid, "role": role}
        return int(cast.operator.api.post(path, body).status_code)

    given = race([lambda role=role: give(role) for role in roles])  # type: ignore[misc]
    assert given == [201] * 12
    assert Membership.objects.filter(user=cast.stranger.user, customer=customer).count() == 4
    assert usage(customer.id)["nc_user_count"] == 2


def test_projects_and_a_block_at_once(cast: World) -> None:
    """Whatever comes first: after the block no project begins, and the counter fits the rows."""
    customer = cast.buyer.customer
    assert customer is not None
    body = {"name": "P", "customer": customer.uuid}
    path = f"/api/customers/{customer.uuid}/"
    calls = [lambda: cast.buyer.api.post("/api/projects/", body)] * 6
    answers = race([*calls, lambda: cast.operator.api.post(f"{path}block/")])
    begun = [answer.status_code for answer in answers[:-1]]
    assert set(begun) <= {201, 409} and answers[-1].status_code == 200
    assert cast.buyer.api.post("/api/projects/", body).status_code == 409
    assert usage(customer.id)["nc_project_count"] == 1 + begun.count(201)


@pytest.mark.django_db
def test_new_customers_have_every_quota(world: World) -> None:
    with tenancy.as_system("test") as actor:
        made = identity.create_customer(actor=actor, now=NOW, name="N", limits={"nc_user_count": 1})
        rows = dict(Quota.objects.filter(customer=made).values_list("name", "limit"))
    assert rows == {**dict.fromkeys(quotas.NAMES, -1), "nc_user_count": 1}
