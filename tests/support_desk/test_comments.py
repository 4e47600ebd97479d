"""What is said about an issue: to whom, what it moves, who may change it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.market import member, ok, operator
from tests.support.world import World
from tests.support_desk.conftest import Time
from tests.support_desk.desk import COMMENTS, customer_of, opened, path_of, shown
from waldur_api_client.models.comment import Comment as ClientComment
from waldur_api_client.models.comment_o_enum import CommentOEnum

from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


def said(api: Any, issue: dict[str, Any], text: str = "Hello", **body: Any) -> dict[str, Any]:
    """A comment."""
    made: dict[str, Any] = ok(api.post(f"{path_of(issue)}comment/", {"description": text, **body}), 201)
    return made


def test_a_comment_has_every_key(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    made = said(world.buyer.api, issue)
    uuid = world.buyer.user.uuid
    assert made == {
        "url": f"http://testserver{COMMENTS}{made['uuid']}/",
        "uuid": made["uuid"],
        "issue": f"http://testserver{path_of(issue)}",
        "issue_uuid": issue["uuid"],
        "issue_key": issue["key"],
        "description": "Hello",
        "is_public": True,
        "author_name": "boris",
        "author_uuid": uuid,
        "author_user": f"http://testserver/api/users/{uuid}/",
        "author_email": "",
        "author_image": "",
        "backend_id": "",
        "created": time.text(),
        "modified": time.text(),
        "update_is_available": True,
        "destroy_is_available": True,
    }
    assert ClientComment.from_dict(made).issue_key == issue["key"]
    assert ok(world.buyer.api.get(COMMENTS)) == [made]
    assert ok(world.buyer.api.get(f"{COMMENTS}{made['uuid']}/")) == made
    assert world.buyer.api.post(COMMENTS, {"description": "X"}).status_code == 405


def test_what_operators_say_among_themselves_stays_there(world: World) -> None:
    issue = opened(world.buyer.api, world)
    public = said(world.operator.api, issue, "For all")
    private = said(world.operator.api, issue, "For us", is_public=False)
    assert [row["uuid"] for row in ok(world.buyer.api.get(COMMENTS))] == [public["uuid"]]
    assert world.buyer.api.get(f"{COMMENTS}{private['uuid']}/").status_code == 404
    assert ok(world.buyer.api.get(COMMENTS, is_public="false")) == []
    for flag in ("is_support", "is_finance"):
        seen = ok(operator(flag).get(COMMENTS, o="created"))
        assert {row["uuid"] for row in seen} == {public["uuid"], private["uuid"]}
    with tenancy.as_system("test"):
        rows = AuditEntry.objects.filter(action="issue.commented").order_by("at")
        assert {(row.after["is_public"], row.customer_id) for row in rows} == {
            (True, customer_of(world).id),
            (False, None),
        }


def test_only_the_desk_comments_in_private(world: World) -> None:
    issue = opened(world.buyer.api, world)
    answer = world.buyer.api.post(f"{path_of(issue)}comment/", {"description": "X", "is_public": False})
    assert (answer.status_code, answer.json()) == (
        403,
        {
            "detail": "Only staff and support may comment in private.",
            "code": "permission_denied",
            "extra": {"field": "is_public"},
        },
    )
    assert ok(world.operator.api.get(COMMENTS)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, {"description": ["This field is required."]}),
        ({"description": ""}, {"description": ["This field may not be blank."]}),
        ({"description": "x", "is_public": "maybe"}, {"is_public": ["Must be a valid boolean."]}),
        (
            {"description": "x" * 20_001},
            {"description": ["Ensure this field has no more than 20000 characters."]},
        ),
    ],
)
def test_comments_that_cannot_be_meant(world: World, body: Any, problem: Any) -> None:
    issue = opened(world.buyer.api, world)
    answer = world.buyer.api.post(f"{path_of(issue)}comment/", body)
    assert (answer.status_code, answer.json()) == (400, problem)


def test_the_customer_s_word_reopens_what_waits_for_them(world: World) -> None:
    issue = opened(world.buyer.api, world)
    path = f"{path_of(issue)}set_status/"
    ok(world.operator.api.post(path, {"status": "Waiting for customer"}))
    said(world.operator.api, issue, "Please tell.")
    assert shown(world.buyer.api, issue)["status"] == "Waiting for customer"
    said(member(world.buyer.customer, Role.CUSTOMER_SUPPORT), issue, "This one.")
    assert shown(world.buyer.api, issue)["status"] == "Open"
    ok(world.operator.api.post(path, {"status": "In Progress"}))
    said(world.buyer.api, issue, "And?")
    assert shown(world.buyer.api, issue)["status"] == "In Progress"


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "Open"), (7 * 86400, "Open"), (7 * 86400 + 1, "Resolved")]
)
def test_the_customer_s_word_reopens_within_a_week(
    world: World, time: Time, seconds: int, status: str
) -> None:
    issue = opened(world.buyer.api, world)
    ok(world.operator.api.post(f"{path_of(issue)}resolve/", {"resolution": "Done."}))
    said(world.operator.api, issue, "All good?")
    time.go(seconds=seconds)
    said(world.buyer.api, issue, "No.")
    after = shown(world.buyer.api, issue)
    assert after["status"] == status
    assert after["resolution"] == ("" if status == "Open" else "Done.")


@pytest.mark.parametrize("status", ["Closed", "Canceled"])
def test_a_word_on_an_ended_issue_moves_nothing(world: World, status: str) -> None:
    issue = opened(world.buyer.api, world)
    ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": status}))
    said(world.buyer.api, issue, "Thanks.")
    assert shown(world.buyer.api, issue)["status"] == status


def test_the_word_of_a_caller_at_the_desk_is_the_customer_s(world: World) -> None:
    issue = opened(world.operator.api)
    said(world.operator.api, issue, "It is me.")
    assert shown(world.operator.api, issue)["first_response_at"] is None
    ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": "Waiting for customer"}))
    said(world.operator.api, issue, "Here.")
    assert shown(world.operator.api, issue)["status"] == "Open"


def test_a_comment_is_changed_by_its_author_and_staff(world: World) -> None:
    issue = opened(world.buyer.api, world)
    made = said(world.buyer.api, issue, "Helo")
    path = f"{COMMENTS}{made['uuid']}/"
    colleague, support = member(world.buyer.customer, Role.CUSTOMER_MANAGER), operator("is_support")
    for api in (colleague, support):
        assert ok(api.get(path))["update_is_available"] is False
        assert api.patch(path, {"description": "X"}).status_code == 403
        assert api.delete(path).status_code == 403
    assert world.stranger.api.patch(path, {"description": "X"}).status_code == 404
    assert ok(world.buyer.api.patch(path, {"description": "Hello"}))["description"] == "Hello"
    assert ok(world.operator.api.patch(path, {"description": "Hello!"}))["description"] == "Hello!"
    assert ok(world.operator.api.patch(path, {"description": "Hello!"}))["description"] == "Hello!"
    with tenancy.as_system("test"):
        edits = [
            (row.actor_name, row.before, row.after, row.customer_id)
            for row in AuditEntry.objects.filter(action="issue.comment_edited").order_by("at")
        ]
    customer = customer_of(world).id
    assert edits == [
        ("boris", {"description": "Helo"}, {"description": "Hello"}, customer),
        ("olga", {"description": "Hello"}, {"description": "Hello!"}, customer),
    ]
    hide = world.buyer.api.patch(path, {"is_public": False})
    assert (hide.status_code, hide.json()["extra"]) == (403, {"field": "is_public"})
    assert world.buyer.api.patch(path, {"description": ""}).json() == {
        "description": ["This field may not be blank."]
    }
    assert world.buyer.api.delete(path).status_code == 204
    assert world.buyer.api.get(path).status_code == 404


def test_a_comment_can_be_taken_back_from_the_customer(world: World) -> None:
    issue = opened(world.buyer.api, world)
    made = said(world.operator.api, issue, "Wrong window")
    ok(world.operator.api.patch(f"{COMMENTS}{made['uuid']}/", {"is_public": False}))
    assert ok(world.buyer.api.get(COMMENTS)) == []
    assert world.operator.api.delete(f"{COMMENTS}{made['uuid']}/").status_code == 204
    with tenancy.as_system("test"):
        told = AuditEntry.objects.filter(action__startswith="issue.comment_").order_by("at")
        assert [(row.action, row.customer_id) for row in told] == [
            ("issue.comment_edited", None),
            ("issue.comment_deleted", None),
        ]


def test_filters_and_orders(world: World, time: Time) -> None:
    first, second = opened(world.buyer.api, world), opened(world.stranger.api)
    texts = []
    for api, issue, text in (
        (world.buyer.api, first, "alpha"),
        (world.operator.api, first, "beta"),
        (world.stranger.api, second, "gamma"),
    ):
        time.go(minutes=1)
        texts.append(said(api, issue, text)["description"])
    for name, value, found in (
        ("issue", f"/api/support-issues/{first['uuid']}/", ["alpha", "beta"]),
        ("issue_uuid", second["uuid"], ["gamma"]),
        ("description", "ET", ["beta"]),
        ("author_user", world.buyer.user.uuid, ["alpha"]),
        ("author_name", "olg", ["beta"]),
        ("is_public", "true", texts),
        ("is_public", "false", []),
        ("remote_id_is_set", "true", []),
        ("remote_id_is_set", "false", texts),
    ):
        rows = ok(world.operator.api.get(COMMENTS, **{name: value, "o": "created"}))
        assert [row["description"] for row in rows] == found, name
    for name in CommentOEnum:
        rows = ok(world.operator.api.get(COMMENTS, o=name.value))
        expected = texts[::-1] if name.value.startswith("-") else texts
        assert [row["description"] for row in rows] == expected
