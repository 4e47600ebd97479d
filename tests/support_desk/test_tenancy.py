"""Who sees and does what, over REST and with PostgreSQL alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from tests.support.market import member, ok, operator
from tests.support.world import NOW, Api, World
from tests.support_desk.desk import COMMENTS, FILES, ISSUES, PEOPLE, customer_of, opened, path_of, project_of
from tests.support_desk.test_files import send
from waldur_api_client.models.support_user import SupportUser
from waldur_api_client.models.support_user_o_enum import SupportUserOEnum

from agentmart.identity import selectors as identity_reads
from agentmart.identity import services as identity
from agentmart.identity.models import Role, User
from agentmart.infra import tenancy
from agentmart.infra.actors import ANONYMOUS, Actor
from agentmart.kit.errors import Forbidden
from agentmart.support import services
from agentmart.support.models import Comment, Issue

pytestmark = pytest.mark.django_db


def cast(world: World) -> dict[str, Api]:
    """Everybody around the buyer's issue."""
    buyer, project, provider = world.buyer.customer, world.buyer.project, world.provider.customer
    return {
        "St": world.operator.api,
        "Su": operator("is_support"),
        "Fi": operator("is_finance"),
        "Ca": operator("is_catalog_manager"),
        "CO": world.buyer.api,
        "CM": member(buyer, Role.CUSTOMER_MANAGER),
        "CS": member(buyer, Role.CUSTOMER_SUPPORT),
        "PA": member(buyer, Role.PROJECT_ADMIN, project),
        "PM": member(buyer, Role.PROJECT_MANAGER, project),
        "Pm": member(buyer, Role.PROJECT_MEMBER, project),
        "PO": world.provider.api,
        "OM": member(provider, Role.OFFERING_MANAGER),
        "stranger": world.stranger.api,
    }


SEES = ["St", "Su", "Fi", "CO", "CM", "CS"]
SPEAKS = ["St", "Su", "CO", "CM", "CS"]
WORKS = ["St", "Su"]


def test_the_buyer_s_issue_is_seen_and_answered_by_whom_the_matrix_names(world: World) -> None:
    issue = opened(world.buyer.api, world, project=project_of(world).uuid)
    path = path_of(issue)
    spoken: list[str] = []
    for who, api in cast(world).items():
        seen = [row["uuid"] for row in ok(api.get(ISSUES))]
        assert seen == ([issue["uuid"]] if who in SEES else []), who
        assert api.get(path).status_code == (200 if who in SEES else 404), who
        said = api.post(f"{path}comment/", {"description": who}).status_code
        assert said == (201 if who in SPEAKS else 403 if who in SEES else 404), who
        spoken += [who] * (who in SPEAKS)
        heard = [row["description"] for row in ok(api.get(COMMENTS, o="created"))]
        assert heard == (spoken if who in SEES else []), who
        shown = ok(api.get(path)) if who in SEES else None
        if shown:
            assert (
                shown["add_comment_is_available"] is shown["add_attachment_is_available"] is (who in SPEAKS)
            )
            assert shown["update_is_available"] is (who in WORKS)
            assert shown["destroy_is_available"] is (who == "St")
            assert bool(shown["available_statuses"]) is (who in WORKS)


def test_the_desk_s_work_is_the_desk_s(world: World) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "escalate/": {"reason": "X"},
        "set_status/": {"status": "In Progress"},
        "resolve/": {},
    }
    for who, api in cast(world).items():
        issue = opened(world.buyer.api, world)
        path = path_of(issue)
        refused = 403 if who in SEES else 404
        for name, body in bodies.items():
            assert api.post(f"{path}{name}", body).status_code == (200 if who in WORKS else refused), (
                who,
                name,
            )
        assert api.patch(path, {"assignee": None}).status_code == (200 if who in WORKS else refused), who
        bulk = api.post(f"{ISSUES}bulk_update/", {"issue_uuids": [issue["uuid"]], "priority": "Low"})
        assert bulk.status_code == (200 if who in WORKS else 403), who
        assert api.delete(path).status_code == (204 if who == "St" else refused), who
        kept = 0 if who == "St" else 1
        with tenancy.as_system("test"):
            rows = list(Issue.objects.filter(pk=issue["uuid"]))
            assert len(rows) == kept
            if who not in WORKS:
                assert (rows[0].state, rows[0].priority, rows[0].is_escalated) == ("Open", "Medium", False)


@pytest.mark.parametrize("who", ["Ca", "PA", "PM", "Pm", "PO", "OM"])
def test_whoever_sees_only_their_own_sees_and_answers_their_own(world: World, who: str) -> None:
    people = cast(world)
    api, own = people[who], {}
    if who in ("PA", "PM", "Pm"):
        own = {"customer": customer_of(world).uuid}
    elif who in ("PO", "OM"):
        own = {"customer": customer_of(world, "provider").uuid}
    opened(world.buyer.api, world)
    issue = opened(api, **own)
    assert [row["uuid"] for row in ok(api.get(ISSUES))] == [issue["uuid"]]
    ok(api.post(f"{path_of(issue)}comment/", {"description": "Hello"}), 201)
    assert [row["description"] for row in ok(api.get(COMMENTS))] == ["Hello"]
    kept = ok(send(api, issue["uuid"]), 201)
    assert ok(api.get(f"{FILES}{kept['uuid']}/"))["uuid"] == kept["uuid"]
    assert api.post(f"{path_of(issue)}resolve/").status_code == 403


def test_who_may_open_where(world: World) -> None:
    customer, project = customer_of(world).uuid, project_of(world).uuid
    with tenancy.as_system("test") as actor:
        second = identity.create_project(actor=actor, now=NOW, customer=customer_of(world), name="Second")
    opens = ["St", "Su", "Ca", "CO", "CM", "CS", "PA", "PM", "Pm"]
    for who, api in cast(world).items():
        for body in ({"customer": customer}, {"project": project}):
            answer = api.post(ISSUES, {"summary": "X", **body})
            if who in opens:
                assert answer.status_code == 201, (who, answer.content)
            elif who == "Fi":
                assert answer.status_code == 403
            else:
                assert (answer.status_code, b"Object does not exist" in answer.content) == (400, True), who
        elsewhere = api.post(ISSUES, {"summary": "X", "project": second.uuid})
        allowed = who in opens and who not in ("PA", "PM", "Pm")
        assert elsewhere.status_code == (201 if allowed else 403 if who == "Fi" else 400), who
        alone = api.post(ISSUES, {"summary": "X"})
        assert alone.status_code == (403 if who == "Fi" else 201), who
    assert world.visitor.post(ISSUES, {"summary": "X"}).status_code == 401


def test_who_belongs_to_nobody_yet_may_ask_too(world: World) -> None:
    with tenancy.as_system("test") as actor:
        user = identity.create_user(actor=actor, now=NOW, username="newcomer")
        api = Api(identity.refresh_token(user, actor=actor, now=NOW))
    issue = opened(api)
    assert (issue["customer"], issue["customer_name"]) == (None, "")
    assert [row["uuid"] for row in ok(api.get(ISSUES))] == [issue["uuid"]]
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "Welcome"}), 201)
    assert [row["description"] for row in ok(api.get(COMMENTS))] == ["Welcome"]
    assert world.buyer.api.get(path_of(issue)).status_code == 404


def test_a_job_opens_no_issue() -> None:
    with tenancy.as_system("test") as actor:
        place = services.place_of(actor)
        with pytest.raises(Forbidden, match="Only people open issues"):
            services.open_issue(actor=actor, now=NOW, place=place, summary="X")


# -- the people of the desk


def test_the_people_of_the_desk(world: World) -> None:
    support = operator("is_support")
    operator("is_finance")
    issue = opened(world.operator.api, world, assignee=world.operator.user.uuid)
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "X"}), 201)
    ok(world.operator.api.post(f"{path_of(issue)}comment/", {"description": "Y"}), 201)
    ok(send(world.operator.api, issue["uuid"]), 201)
    rows = ok(support.get(PEOPLE))
    assert [row["name"] for row in rows] == ["is_support", "olga"]
    uuid = world.operator.user.uuid
    assert rows[1] == {
        "url": f"http://testserver{PEOPLE}{uuid}/",
        "uuid": uuid,
        "name": "olga",
        "user": f"http://testserver/api/users/{uuid}/",
        "user_full_name": "",
        "user_email": "",
        "is_active": True,
        "backend_id": "",
        "backend_name": "basic",
        "reported_issues_count": 1,
        "assigned_issues_count": 1,
        "comments_count": 2,
        "attachments_count": 1,
    }
    assert SupportUser.from_dict(rows[0]).comments_count == 0
    assert ok(support.get(f"{PEOPLE}{uuid}/")) == rows[1]
    for api in (world.buyer.api, world.stranger.api, operator("is_catalog_manager")):
        assert ok(api.get(PEOPLE)) == []
        assert api.get(f"{PEOPLE}{uuid}/").status_code == 404
    assert support.post(PEOPLE, {"name": "X"}).status_code == 405


def test_people_are_filtered_and_ordered(world: World) -> None:
    operator("is_support")
    with tenancy.as_system("test"):
        User.objects.filter(username="olga").update(first_name="Zoe", last_name="Young", is_active=True)
    for name, value, found in (
        ("name", "zoe you", ["olga"]),
        ("query", "OLG", ["olga"]),
        ("query", "support", ["is_support"]),
        ("is_active", "false", []),
        ("backend_name", "basic", ["is_support", "olga"]),
        ("backend_name", "zammad", []),
        ("backend_id", "7", []),
        ("user", world.operator.user.uuid, ["olga"]),
    ):
        rows = ok(world.operator.api.get(PEOPLE, **{name: value}))
        by_uuid = {world.operator.user.uuid: "olga"}
        assert [by_uuid.get(row["uuid"], "is_support") for row in rows] == found, name
    for name in SupportUserOEnum:
        assert len(ok(world.operator.api.get(PEOPLE, o=name.value))) == 2
    names = [row["name"] for row in ok(world.operator.api.get(PEOPLE, o="name"))]
    assert names == ["Zoe Young", "is_support"]
    assert [row["name"] for row in ok(world.operator.api.get(PEOPLE, o="-name"))] == names[::-1]
    answer = world.operator.api.get(PEOPLE, backend_name="jira")
    assert (answer.status_code, list(answer.json())) == (400, ["backend_name"])


# -- PostgreSQL alone


def rows_seen_by(actor: Actor, table: str, column: str = "id") -> set[UUID]:
    """What a raw read finds with nothing but the row-level security in the way."""
    tenancy.enter(actor)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        return {row[0] for row in cursor.fetchall()}


@pytest.fixture
def mixed(world: World) -> dict[str, UUID]:
    """Issues of two tenants and of nobody, with comments and files."""
    made = {}
    for name, api, customer in (
        ("buyer", world.buyer.api, customer_of(world).uuid),
        ("stranger", world.stranger.api, customer_of(world, "stranger").uuid),
        ("personal", world.stranger.api, None),
    ):
        issue = opened(api, customer=customer)
        made[name] = UUID(issue["uuid"])
        for public in (True, False):
            body = {"description": name, "is_public": public}
            comment = ok(world.operator.api.post(f"{path_of(issue)}comment/", body), 201)
            made[f"{name} {'public' if public else 'private'}"] = UUID(comment["uuid"])
        made[f"{name} file"] = UUID(ok(send(api, issue["uuid"]), 201)["uuid"])
    return made


def actor_of(user: User) -> Actor:
    """The person with all roles."""
    with tenancy.as_system("test"):
        return identity_reads.actor_of(user, now=NOW)


def test_without_the_application_s_filter_nothing_foreign_or_private_is_seen(
    world: World, mixed: dict[str, UUID]
) -> None:
    buyer, stranger, provider = (
        actor_of(getattr(world, name).user) for name in ("buyer", "stranger", "provider")
    )
    for actor, mine in (
        (buyer, ["buyer"]),
        (stranger, ["stranger", "personal"]),
        (provider, []),
        (ANONYMOUS, []),
    ):
        assert rows_seen_by(actor, "support_issue") == {mixed[name] for name in mine}
        assert rows_seen_by(actor, "support_comment") == {mixed[f"{name} public"] for name in mine}
        assert rows_seen_by(actor, "support_attachment") == {mixed[f"{name} file"] for name in mine}
    assert len(rows_seen_by(actor_of(world.operator.user), "support_comment")) == 6
    assert len(rows_seen_by(ANONYMOUS, "support_sla_target")) == 4


def test_without_the_application_s_filter_nothing_foreign_is_written(
    world: World, mixed: dict[str, UUID]
) -> None:
    tenancy.enter(actor_of(world.buyer.user))
    for table in ("support_issue", "support_comment", "support_attachment"):
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET modified = now() WHERE id::text = ANY(%s)", [_others(mixed)])
            assert cursor.rowcount == 0
            cursor.execute(f"DELETE FROM {table} WHERE id::text = ANY(%s)", [_others(mixed)])
            assert cursor.rowcount == 0
    values = {"author_id": world.buyer.user.id, "description": "X", "created": NOW, "modified": NOW}
    for issue, public in ((mixed["stranger"], True), (mixed["personal"], True), (mixed["buyer"], False)):
        with pytest.raises(Exception, match="row-level security"), transaction.atomic():
            Comment.objects.create(issue_id=issue, is_public=public, **values)
    with pytest.raises(Exception, match="row-level security"), transaction.atomic():
        Issue.objects.filter(pk=mixed["buyer"]).update(customer_id=customer_of(world, "stranger").id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE support_sla_target SET response_minutes = 1")
        assert cursor.rowcount == 0


def _others(mixed: dict[str, UUID]) -> list[str]:
    """The rows that the buyer must not touch."""
    return [
        str(row) for name, row in mixed.items() if not name.startswith("buyer") or name.endswith("private")
    ]
