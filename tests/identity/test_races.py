"""Several people accept, rotate and delete the same thing at once; commits are real."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.support.market import ok
from tests.support.racing import race
from tests.support.world import Api, World, make_world

from agentmart.config.database import DatabaseUrls
from agentmart.identity.invitation_tokens import make_token
from agentmart.identity.models import ApiToken, Invitation, Membership, Project
from agentmart.infra import tenancy


@pytest.fixture
def cast(django_on_fresh_database: DatabaseUrls) -> World:
    """The cast, committed."""
    return make_world()


def test_of_sixteen_acceptances_one_counts(cast: World) -> None:
    assert cast.buyer.customer is not None
    body = {"email": "s@s.example", "role": "CUSTOMER.SUPPORT", "scope": cast.buyer.customer.uuid}
    made = ok(cast.buyer.api.post("/api/user-invitations/", body), 201)
    ok(cast.stranger.api.patch(f"/api/users/{cast.stranger.user.uuid}/", {"email": "s@s.example"}))
    with tenancy.as_system("test"):
        token = make_token(Invitation.objects.get().id, 1)
    path = f"/api/user-invitations/{made['uuid']}/accept/"
    answers = race([lambda: cast.stranger.api.post(path, {"token": token}).status_code] * 16)
    assert Counter(answers) == {200: 1, 409: 15}
    assert Membership.objects.filter(user=cast.stranger.user, role="CUSTOMER.SUPPORT").count() == 1


def test_of_several_rotations_of_a_token_one_holds(cast: World) -> None:
    made = ok(cast.buyer.api.post("/api/api-tokens/", {"name": "T"}), 201)
    path = f"/api/api-tokens/{made['uuid']}/rotate/"
    answers = race([lambda: cast.buyer.api.post(path)] * 8)
    texts = [answer.json()["token"] for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    alive = [text for text in texts if Api(text).get("/api/users/me/").status_code == 200]
    assert len(alive) == 1
    assert ApiToken.objects.filter(user=cast.buyer.user, login=False).count() == 1


def test_of_several_new_login_tokens_one_holds(cast: World) -> None:
    path = f"/api/users/{cast.buyer.user.uuid}/refresh_token/"
    answers = race([lambda: cast.operator.api.post(path)] * 8)
    assert [answer.status_code for answer in answers] == [200] * 8
    texts = [answer.json()["token"] for answer in answers]
    assert sum(Api(text).get("/api/users/me/").status_code == 200 for text in texts) == 1


def test_a_project_is_deleted_once(cast: World) -> None:
    assert cast.buyer.project is not None and cast.buyer.customer is not None
    path = f"/api/projects/{cast.buyer.project.uuid}/"
    answers = race([lambda: cast.buyer.api.delete(path).status_code] * 8)
    assert answers.count(204) == 1 and set(answers) <= {204, 404, 409}
    with tenancy.as_system("test"):
        assert not Project.objects.filter(pk=cast.buyer.project.pk).exists()
    shown = ok(cast.buyer.api.get(f"/api/customers/{cast.buyer.customer.uuid}/"))
    assert shown["projects_count"] == 0


def test_uses_of_one_token_at_once_wait_for_nobody(cast: World) -> None:
    made = ok(cast.buyer.api.post("/api/api-tokens/", {"name": "T"}), 201)
    answers = race([lambda: Api(made["token"]).get("/api/users/me/").status_code] * 8)
    assert answers == [200] * 8
    assert ApiToken.objects.get(pk=made["uuid"]).use_count >= 1
