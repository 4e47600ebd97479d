"""Invitations: sent by mail, accepted with the mail's token by the person they name, and by nobody else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.signing import Signer
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World

from agentmart.identity import tasks
from agentmart.identity.models import Invitation, Membership, Role
from agentmart.identity.roles import ROLE_IDS
from agentmart.infra import clock, tenancy
from agentmart.infra.models import AuditEntry

INVITATIONS = "/api/user-invitations/"
SAM = "sam@stranger.example"


@pytest.fixture
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]


@pytest.fixture
def scope(world: World) -> str:
    assert world.buyer.customer is not None
    return f"/api/customers/{world.buyer.customer.uuid}/"


def invite(world: World, scope: str, **changes: Any) -> dict[str, Any]:
    body = {"email": SAM, "role": "CUSTOMER.SUPPORT", "scope": scope, **changes}
    made: dict[str, Any] = ok(world.buyer.api.post(INVITATIONS, body), 201)
    return made


def posted() -> list[str]:
    """The mails that the queued jobs send, their texts."""
    queued = ProcrastinateJob.objects.filter(task_name="identity.send_invitation").order_by("id")
    already = len(mail.outbox)
    for job in list(queued)[already:]:
        tasks.send_invitation(invitation_id=job.args["invitation_id"])
    return [str(message.body) for message in mail.outbox]


def token_of(text: str) -> str:
    found = re.search(r"\?token=(\S+)", text)
    assert found is not None
    return found.group(1)


def named(person: Any, email: str = SAM) -> Api:
    """The person's client, once they have that e-mail."""
    api: Api = person.api
    ok(api.patch(f"/api/users/{person.user.uuid}/", {"email": email}))
    return api


def test_an_invited_person_becomes_a_member(world: World, scope: str) -> None:
    made = invite(world, scope, full_name="Sam S", extra_invitation_text="Welcome!")
    assert made["state"] == "pending" and made["execution_state"] == "Scheduled"
    assert (made["expires"], made["created"]) == (
        "2026-03-17T12:00:00.000000Z",
        "2026-03-10T12:00:00.000000Z",
    )
    text = posted()[-1]
    assert mail.outbox[0].to == [SAM] and mail.outbox[0].subject == "Invitation to Buyer Ltd"
    for part in ("Dear Sam S,", "boris invites you to Buyer Ltd as Customer Support.", "Welcome!", SAM):
        assert part in text
    assert f"/invitations/{made['uuid']}/?token=" in text
    assert "17 March 2026, 12:00 UTC" in text
    shown = ok(world.buyer.api.get(f"{INVITATIONS}{made['uuid']}/"))
    assert shown == {**made, "execution_state": "OK"}
    assert token_of(text) not in str(shown)
    sam = named(world.stranger)
    answer = ok(sam.post(f"{INVITATIONS}{made['uuid']}/accept/", {"token": token_of(text)}))
    assert answer == {"detail": "The invitation is accepted.", "state": "accepted"}
    assert ok(sam.get(scope))["users_count"] == 2
    given = Membership.objects.get(user=world.stranger.user, role="CUSTOMER.SUPPORT")
    assert given.customer == world.buyer.customer
    with tenancy.as_system("test"):
        entry = AuditEntry.objects.get(action="invitation.accepted")
    assert (entry.actor_name, entry.customer_id) == ("sam", given.customer_id)
    again = sam.post(f"{INVITATIONS}{made['uuid']}/accept/", {"token": token_of(text)})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_what_the_client_reads_is_there(world: World, scope: str) -> None:
    assert world.buyer.project is not None and world.buyer.customer is not None
    project = f"/api/projects/{world.buyer.project.uuid}/"
    made = invite(world, project, role=str(ROLE_IDS["PROJECT.ADMIN"]))
    assert made["role"] == ROLE_IDS["PROJECT.ADMIN"].hex
    expected = {
        "role_name": "PROJECT.ADMIN",
        "scope": f"http://testserver{project}",
        "scope_uuid": world.buyer.project.uuid,
        "scope_name": "Buyer Ltd project",
        "scope_description": "",
        "scope_type": "project",
        "customer_uuid": world.buyer.customer.uuid,
        "customer_name": "Buyer Ltd",
        "email": SAM,
        "created_by_username": "boris",
        "created_by_full_name": "",
        "created_by_image": None,
        "error_message": "",
        "full_name": "",
        "url": f"http://testserver{INVITATIONS}{made['uuid']}/",
    }
    assert {name: made[name] for name in expected} == expected
    assert made["role_description"]


def test_nobody_else_accepts(world: World, scope: str) -> None:
    made = invite(world, scope)
    token = token_of(posted()[-1])
    path = f"{INVITATIONS}{made['uuid']}/accept/"
    other = world.stranger.api.post(path, {"token": token})
    assert (other.status_code, other.json()["code"]) == (403, "email_mismatch")
    sam = named(world.stranger)
    forged = Signer(key="x" * 50, salt="agentmart.identity.invitation").sign(f"{made['uuid']}.1")
    for text in (token[:-1], token + "x", f"{made['uuid']}.1", forged, "x", ":", "\U0001f600"):
        wrong = sam.post(path, {"token": text})
        assert (wrong.status_code, wrong.json()["code"]) == (404, "not_found"), text
    for body in ({}, {"token": ""}, {"token": None}, {"token": "x" * 201}):
        refused = sam.post(path, body)
        assert (refused.status_code, list(refused.json())) == (400, ["token"])
    assert world.visitor.post(path, {"token": token}).status_code == 401
    second = invite(world, scope)
    elsewhere = sam.post(f"{INVITATIONS}{second['uuid']}/accept/", {"token": token})
    assert elsewhere.status_code == 404
    assert not Membership.objects.filter(user=world.stranger.user, role="CUSTOMER.SUPPORT").exists()


def test_the_e_mail_s_case_does_not_matter(world: World, scope: str) -> None:
    made = invite(world, scope, email="Sam@Stranger.example")
    token = token_of(posted()[-1])
    ok(named(world.stranger).post(f"{INVITATIONS}{made['uuid']}/accept/", {"token": token}))


def test_a_newer_mail_ends_the_older_s_token(world: World, scope: str, monkeypatch: Any) -> None:
    made = invite(world, scope)
    path = f"{INVITATIONS}{made['uuid']}/"
    first = token_of(posted()[-1])
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=8))
    tasks.end_what_expired()
    assert ok(world.buyer.api.get(path))["state"] == "expired"
    answer = ok(world.buyer.api.post(f"{path}send/"))
    assert answer == {"detail": "The invitation is sent again.", "state": "pending"}
    assert ok(world.buyer.api.get(path))["expires"] == "2026-03-25T12:00:00.000000Z"
    sam = named(world.stranger)
    assert sam.post(f"{path}accept/", {"token": first}).status_code == 404
    ok(sam.post(f"{path}accept/", {"token": token_of(posted()[-1])}))
    assert world.buyer.api.post(f"{path}send/").status_code == 409


def test_an_invitation_ends_after_a_week(world: World, scope: str, monkeypatch: Any) -> None:
    made = invite(world, scope)
    token = token_of(posted()[-1])
    sam = named(world.stranger)
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(days=7))
    refused = sam.post(f"{INVITATIONS}{made['uuid']}/accept/", {"token": token})
    assert (refused.status_code, refused.json()["extra"]["state"]) == (409, "expired")
    assert not Membership.objects.filter(user=world.stranger.user, role="CUSTOMER.SUPPORT").exists()


def test_cancel_and_reject(world: World, scope: str) -> None:
    canceled, declined = invite(world, scope), invite(world, scope)
    tokens = [token_of(text) for text in posted()]
    sam = named(world.stranger)
    answer = ok(world.buyer.api.post(f"{INVITATIONS}{canceled['uuid']}/cancel/"))
    assert answer == {"detail": "The invitation is canceled.", "state": "canceled"}
    assert sam.post(f"{INVITATIONS}{canceled['uuid']}/accept/", {"token": tokens[0]}).status_code == 409
    assert world.provider.api.post(f"{INVITATIONS}reject/", {"token": tokens[1]}).status_code == 403
    answer = ok(sam.post(f"{INVITATIONS}reject/", {"token": tokens[1]}))
    assert answer == {"detail": "The invitation is declined.", "state": "rejected"}
    assert sam.post(f"{INVITATIONS}{declined['uuid']}/accept/", {"token": tokens[1]}).status_code == 409
    for made in (canceled, declined):
        assert world.buyer.api.post(f"{INVITATIONS}{made['uuid']}/cancel/").status_code == 409
    tasks.send_invitation(invitation_id=canceled["uuid"])
    assert len(mail.outbox) == 2


def test_a_mail_that_cannot_be_sent_says_so(
    world: World, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = invite(world, scope)
    tasks._give_up(error=OSError("connection refused"), invitation_id=made["uuid"])
    shown = ok(world.buyer.api.get(f"{INVITATIONS}{made['uuid']}/"))
    assert shown["execution_state"] == "Erred"
    assert shown["error_message"] == "The mail server refused: connection refused"


def test_a_quota_or_a_block_stops_the_acceptance_too(world: World, scope: str) -> None:
    made = invite(world, scope)
    token = token_of(posted()[-1])
    sam, path = named(world.stranger), f"{INVITATIONS}{made['uuid']}/accept/"
    ok(world.operator.api.patch(scope, {"quotas": {"nc_user_count": 1}}))
    refused = sam.post(path, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded")
    ok(world.operator.api.patch(scope, {"quotas": {"nc_user_count": -1}, "blocked": True}))
    refused = sam.post(path, {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "customer_blocked")
    ok(world.operator.api.patch(scope, {"blocked": False}))
    ok(sam.post(path, {"token": token}))


def test_who_invites_and_who_sees(world: World, scope: str) -> None:
    customer, home = world.buyer.customer, world.buyer.project
    assert customer is not None and home is not None
    project = f"/api/projects/{home.uuid}/"
    cast = {
        "owner": world.buyer.api,
        "CM": member(customer, Role.CUSTOMER_MANAGER),
        "PM": member(customer, Role.PROJECT_MANAGER, home),
        "PA": member(customer, Role.PROJECT_ADMIN, home),
        "support": operator("is_support"),
        "finance": operator("is_finance"),
        "stranger": world.stranger.api,
    }

    def statuses(body: dict[str, str]) -> dict[str, int]:
        full = {"email": SAM, **body}
        return {who: api.post(INVITATIONS, full).status_code for who, api in cast.items()}

    refused = {"CM": 403, "PA": 403, "support": 403, "finance": 403, "stranger": 400}
    to_customer = statuses({"role": "CUSTOMER.SUPPORT", "scope": scope})
    assert to_customer == {"owner": 201, "PM": 403, **refused}
    to_project = statuses({"role": "PROJECT.MEMBER", "scope": project})
    assert to_project == {"owner": 201, "PM": 201, **refused}
    above = statuses({"role": "PROJECT.ADMIN", "scope": project})
    assert above == {"owner": 201, "PM": 403, **refused}
    seen = {who: len(ok(api.get(INVITATIONS))) for who, api in cast.items()}
    assert seen == {"owner": 4, "CM": 0, "PM": 3, "PA": 0, "support": 4, "finance": 0, "stranger": 0}
    with tenancy.as_system("test"):
        path = f"{INVITATIONS}{Invitation.objects.get(role='CUSTOMER.SUPPORT').uuid}/"
    for action in ("cancel", "send"):
        done = {who: api.post(f"{path}{action}/").status_code for who, api in cast.items() if who != "owner"}
        assert done == {"CM": 404, "PM": 404, "PA": 404, "support": 403, "finance": 404, "stranger": 404}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": None}, "email"),
        ({"role": "BOSS"}, "role"),
        ({"role": "PROJECT.ADMIN"}, "role"),
        ({"scope": "x"}, "scope"),
        ({"scope": "00000000000000000000000000000000"}, "scope"),
        ({"scope": "/api/projects/00000000000000000000000000000000/"}, "scope"),
        ({"scope": ["x"]}, "scope"),
        ({"scope": None}, "scope"),
        ({"extra_invitation_text": "x" * 251}, "extra_invitation_text"),
    ],
)
def test_wrong_invitations(world: World, scope: str, changes: dict[str, Any], field: str) -> None:
    body = {"email": SAM, "role": "CUSTOMER.SUPPORT", "scope": scope, **changes}
    answer = world.buyer.api.post(INVITATIONS, body)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    with tenancy.as_system("test"):
        assert not Invitation.objects.exists()
    assert posted() == []


def test_filters_and_order(world: World, scope: str) -> None:
    assert world.buyer.customer is not None and world.buyer.project is not None
    first = invite(world, scope)
    project = f"/api/projects/{world.buyer.project.uuid}/"
    second = invite(world, project, email="zoe@z.example", role="PROJECT.MEMBER")
    ok(world.buyer.api.post(f"{INVITATIONS}{first['uuid']}/cancel/"))

    def found(**query: Any) -> list[str]:
        return [row["email"] for row in ok(world.buyer.api.get(INVITATIONS, **query))]

    both = [SAM, "zoe@z.example"]
    assert found(o="email") == both == found(o="-email")[::-1]
    for name in ("created", "created_by", "state"):
        assert sorted(found(o=name)) == both
    for query in (
        {"email": "SAM"},
        {"email_exact": SAM},
        {"role_name": "CUSTOMER.SUPPORT"},
        {"role_uuid": ROLE_IDS["CUSTOMER.SUPPORT"].hex},
        {"state": "canceled"},
    ):
        assert found(**query) == [SAM], query
    assert found(state="pending") == found(project_uuid=world.buyer.project.uuid) == [second["email"]]
    assert sorted(found(customer_uuid=world.buyer.customer.uuid)) == both
    for query in ({"state": "lost"}, {"role_uuid": "x"}, {"customer_uuid": "x"}):
        assert world.buyer.api.get(INVITATIONS, **query).status_code == 400


def test_no_line_of_a_name_becomes_a_header(world: World, scope: str) -> None:
    ok(world.operator.api.patch(scope, {"name": "Evil\nBcc: all@x.example"}))
    invite(world, scope)
    posted()
    assert mail.outbox[0].subject == "Invitation to Evil Bcc: all@x.example"


# --- how many mails ------------------------------------------------------------------------------


def test_a_customer_s_mails_are_limited_by_the_day(
    world: World, scope: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INVITATIONS_PER_DAY = 3
    made = invite(world, scope)
    invite(world, scope, email="a@b.example")
    ok(world.buyer.api.post(f"{INVITATIONS}{made['uuid']}/send/"))
    body = {"email": "c@d.example", "role": "CUSTOMER.SUPPORT", "scope": scope}
    for path, sent in ((INVITATIONS, body), (f"{INVITATIONS}{made['uuid']}/send/", None)):
        refused = world.buyer.api.post(path, sent)
        assert (refused.status_code, refused["Retry-After"]) == (429, str(12 * 3600))
        assert refused.json()["code"] == "too_many_invitations"
    assert len(ProcrastinateJob.objects.filter(task_name="identity.send_invitation")) == 3
    assert Invitation.objects.count() == 2
    ok(world.operator.api.post(INVITATIONS, body), 201)  # staff's are not counted
    assert world.provider.customer is not None
    other = f"/api/customers/{world.provider.customer.uuid}/"
    ok(world.provider.api.post(INVITATIONS, {**body, "scope": other}), 201)  # nor another customer's
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=12))
    ok(world.buyer.api.post(f"{INVITATIONS}{made['uuid']}/send/"))


def test_nobody_s_mailbox_is_flooded(world: World, scope: str) -> None:
    made = invite(world, scope)
    for person in (world.buyer, world.operator):
        for _ in range(2):
            ok(person.api.post(f"{INVITATIONS}{made['uuid']}/send/"))
    for person in (world.buyer, world.operator):
        assert person.api.post(f"{INVITATIONS}{made['uuid']}/send/").status_code == 429
        again = {"email": SAM.upper(), "role": "CUSTOMER.OWNER", "scope": scope}
        assert person.api.post(INVITATIONS, again).status_code == 429
    invite(world, scope, email="another@stranger.example")
    assert ok(world.buyer.api.get(f"{INVITATIONS}{made['uuid']}/"))["state"] == "pending"
