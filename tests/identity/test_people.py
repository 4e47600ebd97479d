"""People, roles and tokens over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World

from agentmart.identity import services as identity
from agentmart.identity.models import ApiToken, Customer, Membership, Role, User
from agentmart.infra import clock, tenancy

pytestmark = pytest.mark.django_db

ROLES_ARE = f'"BOSS" is not a valid choice. Roles are: {", ".join(Role.values)}.'


def names(api: Api, path: str = "/api/users/") -> list[str]:
    return [row["username"] for row in ok(api.get(path))]


def test_who_sees_whom(world: World) -> None:
    colleague = member(world.buyer.customer, Role.CUSTOMER_SUPPORT)
    everybody = sorted(User.objects.values_list("username", flat=True))
    finance, support = operator("is_finance"), operator("is_support")
    assert len(names(world.operator.api)) == len(everybody) + 2
    assert len(names(support)) == len(everybody) + 2
    assert names(finance) == ["is_finance"]
    assert names(world.buyer.api) == names(colleague)
    assert [name.partition("-")[0] for name in names(colleague)] == ["CUSTOMER.SUPPORT", "boris"]
    assert names(world.stranger.api) == ["sam"]
    foreign = f"/api/users/{world.buyer.user.uuid}/"
    assert world.stranger.api.get(foreign).status_code == 404
    assert finance.get(foreign).status_code == 404
    assert world.stranger.api.post(f"{foreign}refresh_token/").status_code == 404
    assert colleague.post(f"{foreign}refresh_token/").status_code == 403
    assert ok(world.buyer.api.get("/api/users/me/"))["username"] == "boris"


def test_a_new_token_ends_the_old_one_at_once(world: World) -> None:
    path = f"/api/users/{world.buyer.user.uuid}/refresh_token/"
    answer = ok(world.buyer.api.post(path))
    assert answer["user_username"] == "boris" and len(answer["token"]) == 40
    old = world.buyer.api.get("/api/users/me/")
    assert (old.status_code, old.json()) == (401, {"detail": "Invalid token."})
    assert ok(Api(answer["token"]).get("/api/users/me/"))["username"] == "boris"
    assert answer["token"] not in str(ok(world.operator.api.get(f"/api/users/{world.buyer.user.uuid}/")))


def test_an_inactive_person_s_token_is_invalid(world: World) -> None:
    with tenancy.as_system("test"):
        User.objects.filter(pk=world.buyer.user.pk).update(is_active=False)
    answer = world.buyer.api.get("/api/users/me/")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})
    assert world.buyer.api.get("/api/marketplace-categories/").status_code == 401


def test_an_expired_token_is_invalid(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with tenancy.as_system("test"):
        ApiToken.objects.filter(user=world.buyer.user).update(expires_at=NOW + timedelta(seconds=1))
    assert world.buyer.api.get("/api/users/me/").status_code == 200
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(seconds=1))
    assert world.buyer.api.get("/api/users/me/").status_code == 401


def test_a_role_is_in_force_until_it_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.buyer.customer is not None
    monkeypatch.setattr(clock, "now", lambda: NOW)
    body = {
        "user": f"/api/users/{world.stranger.user.uuid}/",
        "role": "CUSTOMER.MANAGER",
        "expiration_time": "2026-03-10T13:00:00Z",
    }
    path = f"/api/customers/{world.buyer.customer.uuid}/"
    assert ok(world.operator.api.post(f"{path}add_user/", body), 201) == {
        "expiration_time": "2026-03-10T13:00:00.000000Z"
    }
    project = {"name": "New", "customer": path}
    assert world.stranger.api.get(path).status_code == 200
    assert world.stranger.api.post("/api/projects/", project).status_code == 201
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=1))
    assert world.stranger.api.get(path).status_code == 404
    assert world.stranger.api.post("/api/projects/", project).status_code == 400
    assert len(ok(world.stranger.api.get("/api/projects/"))) == 1


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "This password is too short. It must contain at least 10 characters."),
        ("newperson1", "The password is too similar to the username."),
        ("qwertyuiop", "This password is too common."),
    ],
)
def test_passwords_are_checked(world: World, password: str, said: str) -> None:
    body = {"username": "newperson", "email": "n@p.example", "password": password}
    answer = world.operator.api.post("/api/users/", body)
    assert (answer.status_code, answer.json()) == (400, {"password": [said]})
    assert not User.objects.filter(username="newperson").exists()


def test_a_good_password_is_kept_hashed_and_never_shown(world: World) -> None:
    body = {"username": "newperson", "password": "correct horse battery", "email": "n@p.example"}
    shown = ok(world.operator.api.post("/api/users/", body), 201)
    assert "password" not in shown
    assert User.objects.get(username="newperson").check_password("correct horse battery")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "a@b.example"}, "username"),
        ({"username": "boris", "email": "a@b.example"}, "username"),
        ({"username": "two words", "email": "a@b.example"}, "username"),
        ({"username": "x" * 151, "email": "a@b.example"}, "username"),
        ({"username": "ok"}, "email"),
        ({"username": "ok", "email": ""}, "email"),
        ({"username": "ok", "email": "nobody"}, "email"),
        ({"username": "ok", "email": "a@b.example", "is_staff": "perhaps"}, "is_staff"),
        ({"username": "ok", "email": "a@b.example", "token_lifetime": 59}, "token_lifetime"),
    ],
)
def test_wrong_people_are_refused(world: World, body: dict[str, Any], field: str) -> None:
    before = User.objects.count()
    answer = world.operator.api.post("/api/users/", body)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert User.objects.count() == before


def test_unicode_names_are_kept(world: World) -> None:
    name = "Ünïcødé ☃ \U0001f600 株式会社"
    shown = ok(world.operator.api.post("/api/customers/", {"name": name}), 201)
    assert shown["name"] == name
    assert ok(world.operator.api.get("/api/customers/", name="株式"))[0]["uuid"] == shown["uuid"]
    person = {"username": "zoë", "email": "zoe@z.example"}
    assert ok(world.operator.api.post("/api/users/", person), 201)["username"] == "zoë"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"country": "usa"}, "country"),
        ({"country": "us"}, "country"),
        ({"currency": "XXX"}, "currency"),
        ({"email": "x"}, "email"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"vat_code": "x" * 21}, "vat_code"),
        ({"vat_code": "DE1"}, "vat_code"),
        ({"vat_code": "DE136695975"}, "vat_code"),
        ({"homepage": "nowhere"}, "homepage"),
        ({"notification_emails": "a@b.example, nobody"}, "notification_emails"),
        ({"default_tax_percent": "-1"}, "default_tax_percent"),
        ({"default_tax_percent": "100.01"}, "default_tax_percent"),
        ({"default_tax_percent": "1.001"}, "default_tax_percent"),
        ({"accounting_start_date": "yesterday"}, "accounting_start_date"),
        ({"blocked": "maybe"}, "blocked"),
        ({"quotas": {"nc_cat_count": 1}}, "quotas"),
        ({"quotas": {"nc_project_count": -2}}, "quotas"),
        ({"quotas": {"nc_project_count": "1"}}, "quotas"),
        ({"quotas": {"nc_project_count": True}}, "quotas"),
        ({"quotas": {"nc_project_count": 2**53 + 1}}, "quotas"),
        ({"quotas": [{"name": "nc_project_count"}]}, "quotas"),
        ({"quotas": [7]}, "quotas"),
        ({"quotas": None}, "quotas"),
        ({"custom_code_allowed": "maybe"}, "custom_code_allowed"),
    ],
)
def test_wrong_details_of_a_customer_change_nothing(
    world: World, changes: dict[str, Any], field: str
) -> None:
    assert world.buyer.customer is not None
    path = f"/api/customers/{world.buyer.customer.uuid}/"
    before = ok(world.operator.api.get(path))
    answer = world.operator.api.patch(path, {"address": "1 Road", **changes})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert ok(world.operator.api.get(path)) == before


def test_finance_changes_billing_details_only(world: World) -> None:
    assert world.buyer.customer is not None
    path, finance = f"/api/customers/{world.buyer.customer.uuid}/", operator("is_finance")
    changed = ok(finance.patch(path, {"vat_code": "DE136695976", "address": "1 Road"}))
    assert changed["vat_code"] == "DE136695976"
    refused = finance.patch(path, {"address": "2 Road", "name": "Renamed"})
    assert (refused.status_code, refused.json()["extra"]) == (403, {"field": "name"})
    assert ok(finance.get(path))["address"] == "1 Road"
    refused = world.buyer.api.patch(path, {"currency": "EUR"})
    assert (refused.status_code, refused.json()["extra"]) == (403, {"field": "currency"})


def test_what_is_only_read_is_ignored_with_a_warning(world: World) -> None:
    assert world.buyer.customer is not None
    path = f"/api/customers/{world.buyer.customer.uuid}/"
    answer = world.operator.api.patch(path, {"projects_count": 7, "payment_profiles": [1]})
    assert ok(answer)["projects_count"] == 1
    assert answer["Warning"].count("ignored") == 2


# --- roles ---------------------------------------------------------------------------------------


def test_a_project_s_manager_gives_roles_up_to_their_own_in_that_project(world: World) -> None:
    customer, project = world.buyer.customer, world.buyer.project
    assert customer is not None and project is not None
    manager = member(customer, Role.PROJECT_MANAGER, project)
    member(customer, Role.PROJECT_MEMBER, project)
    path = f"/api/projects/{project.uuid}/add_user/"
    for role, status in (
        (Role.PROJECT_MEMBER, 201),
        (Role.PROJECT_MANAGER, 201),
        (Role.PROJECT_ADMIN, 403),
        (Role.CUSTOMER_OWNER, 403),
    ):
        body = {"user": world.buyer.user.uuid, "role": role}
        assert manager.post(path, body).status_code == status
    other = ok(world.operator.api.post("/api/projects/", {"name": "O", "customer": customer.uuid}), 201)
    refused = manager.post(f"/api/projects/{other['uuid']}/add_user/", {})
    assert refused.status_code == 404


@pytest.mark.parametrize(
    ("place", "role", "said"),
    [
        ("customers", "PROJECT.MEMBER", "PROJECT.MEMBER is a role of a project."),
        ("projects", "CUSTOMER.OWNER", "CUSTOMER.OWNER is a role of a customer."),
        ("customers", "BOSS", ROLES_ARE),
    ],
)
def test_roles_belong_to_their_place(world: World, place: str, role: str, said: str) -> None:
    assert world.buyer.customer is not None and world.buyer.project is not None
    target = {"customers": world.buyer.customer, "projects": world.buyer.project}[place]
    before = Membership.objects.count()
    body = {"user": world.buyer.user.uuid, "role": role}
    answer = world.operator.api.post(f"/api/{place}/{target.uuid}/add_user/", body)
    assert (answer.status_code, answer.json()) == (400, {"role": [said]})
    assert Membership.objects.count() == before


def test_nobody_adds_people_they_cannot_see(world: World) -> None:
    assert world.buyer.customer is not None
    body = {"user": world.stranger.user.uuid, "role": "CUSTOMER.MANAGER"}
    answer = world.buyer.api.post(f"/api/customers/{world.buyer.customer.uuid}/add_user/", body)
    assert (answer.status_code, answer.json()) == (
        400,
        {"user": ["Invalid hyperlink - Object does not exist."]},
    )


def test_the_same_role_again_is_one_row_with_the_new_end(world: World) -> None:
    assert world.buyer.customer is not None
    path = f"/api/customers/{world.buyer.customer.uuid}/add_user/"
    body = {"user": world.stranger.user.uuid, "role": "CUSTOMER.SUPPORT"}
    before = Membership.objects.count()
    for end in ("2030-01-01T00:00:00Z", None, "2031-01-01T00:00:00Z"):
        ok(world.operator.api.post(path, {**body, "expiration_time": end}), 201)
    assert Membership.objects.count() == before + 1
    row = Membership.objects.get(user=world.stranger.user, customer=world.buyer.customer)
    assert row.expires_at == datetime(2031, 1, 1, tzinfo=UTC)


# --- what is made at install ---------------------------------------------------------------------


def test_install_and_staff_can_be_repeated(world: World) -> None:
    first = identity.install(now=NOW, operator_name="Other", currency="EUR")
    with tenancy.as_system("test"):
        assert Customer.objects.filter(is_operator=True).count() == 1
    assert first.name == "Operator Inc"
    user, token = identity.create_staff(username="root", password="correct horse battery", now=NOW)
    again, newer = identity.create_staff(username="root", password="battery staple horse", now=NOW)
    assert (user.id, token != newer) == (again.id, True)
    assert Api(token).get("/api/users/me/").status_code == 401
    assert ok(Api(newer).get("/api/users/me/"))["is_staff"] is True


def test_nobody_learns_by_renaming_which_names_are_taken(world: World) -> None:
    path = f"/api/users/{world.stranger.user.uuid}/"
    for name in ("boris", "nobody-has-this-one", "not a name"):
        answer = world.stranger.api.patch(path, {"username": name})
        assert (answer.status_code, answer.json()["extra"]) == (403, {"field": "username"})
    ok(world.stranger.api.patch(path, {"username": "sam"}))
    assert world.operator.api.patch(path, {"username": "boris"}).status_code == 400


def test_a_person_whom_other_rows_need_is_not_deleted(world: World) -> None:
    ok(world.stranger.api.post("/api/support-issues/", {"summary": "Help"}), 201)
    path = f"/api/users/{world.stranger.user.uuid}/"
    answer = world.operator.api.delete(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "has_dependents")
    assert answer.json()["extra"] == {"dependents": {"issues": 1}}
    assert len(ok(world.stranger.api.get("/api/users/me/"))["permissions"]) == 1
