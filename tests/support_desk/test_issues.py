"""Issues over REST: opened by whom, about what, changed by the desk, found by filters."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.support.flows import echo_flow
from tests.support.market import PLAN, agent, buy, ok, operator, publish
from tests.support.shop import Shop
from tests.support.world import NOW, Api, World
from tests.support_desk.conftest import Time
from tests.support_desk.desk import ISSUES, customer_of, opened, path_of, project_of, shown
from waldur_api_client.models.issue import Issue as ClientIssue
from waldur_api_client.models.issue_o_enum import IssueOEnum

from agentmart.identity import services as identity
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry
from agentmart.support.models import Attachment, Comment, Issue

pytestmark = pytest.mark.django_db

KEYS = [
    "url",
    "uuid",
    "type",
    "key",
    "backend_id",
    "backend_name",
    "summary",
    "status",
    "resolution",
    "caller_uuid",
    "caller_full_name",
    "reporter",
    "reporter_uuid",
    "reporter_name",
    "assignee_uuid",
    "assignee_name",
    "customer_uuid",
    "customer_name",
    "project_uuid",
    "project_name",
    "resource_type",
    "resource_name",
    "created",
    "modified",
    "feedback",
    "resolved",
    "update_is_available",
    "destroy_is_available",
    "available_statuses",
    "add_comment_is_available",
    "add_attachment_is_available",
    "order_uuid",
    "order_project_uuid",
    "order_customer_uuid",
    "order_resource_name",
    "first_response_deadline",
    "resolution_deadline",
    "first_response_at",
    "sla_breached",
    "sla_status",
    "parent_issue",
    "provider_helpdesk",
    "is_escalated",
    "escalated_at",
    "escalation_reason",
    "is_routed",
    "provider_ticket_info",
]
MAY_BE_NULL = {
    *("assignee", "assignee_uuid", "customer", "customer_uuid", "project", "project_uuid", "resource_uuid"),
    *("order_uuid", "order_project_uuid", "order_customer_uuid", "first_response_at", "resolved_at"),
    *("escalated_at", "feedback", "provider_ticket_info"),
}


def entries(action: str) -> list[AuditEntry]:
    """The audit entries of an action."""
    with tenancy.as_system("test"):
        return list(AuditEntry.objects.filter(action=action).order_by("at", "id"))


def put(api: Api, path: str, body: Any) -> Any:
    """Replace."""
    return api._client.put(path, body, content_type="application/json", headers=api._headers)


# -- opening


def test_an_issue_with_nothing_but_a_summary_has_every_key(world: World, time: Time) -> None:
    issue = opened(world.buyer.api)
    assert len(KEYS) == 47
    assert set(KEYS) <= set(issue)
    assert {name for name, value in issue.items() if value is None} == MAY_BE_NULL
    assert ClientIssue.from_dict(issue).key == issue["key"]
    uuid = world.buyer.user.uuid
    expected = {
        "url": f"http://testserver{path_of(issue)}",
        "type": "SERVICE_REQUEST",
        "priority": "Medium",
        "status": "Open",
        "summary": "It does not answer",
        "description": "",
        "resolution": "",
        "resolved": False,
        "is_open": True,
        "caller": f"http://testserver/api/users/{uuid}/",
        "caller_uuid": uuid,
        "caller_full_name": "boris",
        "reporter": f"http://testserver/api/users/{uuid}/",
        "reporter_uuid": uuid,
        "reporter_name": "boris",
        "assignee_name": "",
        "resource": "",
        "resource_type": "",
        "created": time.text(),
        "modified": time.text(),
        "available_statuses": [],
        "update_is_available": False,
        "destroy_is_available": False,
        "add_comment_is_available": True,
        "add_attachment_is_available": True,
        "is_routed": False,
    }
    assert {name: issue[name] for name in expected} == expected


def test_keys_count_up(world: World) -> None:
    numbers = [int(opened(world.buyer.api)["key"].removeprefix("AM-")) for _ in range(3)]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_an_issue_about_a_resource_takes_customer_and_project_from_it(shop: Shop) -> None:
    issue = opened(shop.world.buyer.api, resource=shop.resource, type="incident", priority="CRITICAL")
    assert (issue["type"], issue["priority"]) == ("INCIDENT", "Critical")
    assert issue["resource"] == f"http://testserver{shop.resource}"
    assert (issue["resource_type"], issue["resource_name"]) == ("Marketplace.Resource", "Our helper")
    assert issue["customer_uuid"] == customer_of(shop.world).uuid
    assert issue["customer_name"] == "Buyer Ltd"
    assert issue["project_uuid"] == project_of(shop.world).uuid
    assert issue["project_name"] == "Buyer Ltd project"
    assert ClientIssue.from_dict(issue).resource_name == "Our helper"


def test_the_provider_opens_an_issue_about_what_it_runs_for_a_buyer(shop: Shop) -> None:
    issue = opened(shop.world.provider.api, resource=shop.resource)
    assert issue["customer_name"] == "Provider GmbH"
    assert (issue["resource_name"], issue["project_uuid"]) == ("Our helper", None)
    assert shop.world.buyer.api.get(path_of(issue)).status_code == 404


def test_an_issue_about_an_order(shop: Shop) -> None:
    issue = opened(shop.world.buyer.api, order=shop.order)
    placed = ok(shop.world.buyer.api.get(shop.order))
    assert issue["order_uuid"] == placed["uuid"]
    assert issue["order_customer_uuid"] == customer_of(shop.world).uuid
    assert issue["order_project_uuid"] == project_of(shop.world).uuid
    assert issue["order_resource_name"] == "Second"
    assert issue["resource_name"] == "Second"
    answer = shop.world.buyer.api.post(
        ISSUES, {"summary": "X", "order": shop.order, "resource": shop.resource}
    )
    assert (answer.status_code, answer.json()) == (400, {"order": ["The order is not one of this resource."]})
    answer = shop.world.stranger.api.post(ISSUES, {"summary": "X", "order": shop.order})
    assert answer.json() == {"order": ["Invalid hyperlink - Object does not exist."]}


def test_a_plan_with_priority_support_raises_the_usual_priority(
    world: World, runtime: Any, signing_key: None
) -> None:
    plan = {**PLAN, "limits": {"priority": True}}
    sold = publish(world, agent(world, echo_flow()), plans=[plan])
    resource = buy(world, sold)
    assert opened(world.buyer.api, resource=resource["uuid"])["priority"] == "High"
    assert opened(world.buyer.api, resource=resource["uuid"], priority="Low")["priority"] == "Low"
    assert opened(world.buyer.api, world)["priority"] == "Medium"


def test_the_desk_opens_for_somebody_else(world: World) -> None:
    issue = opened(
        world.operator.api,
        world,
        caller=f"/api/users/{world.buyer.user.uuid}/",
        assignee=world.operator.user.uuid,
        first_comment="You called us.",
    )
    assert (issue["caller_full_name"], issue["reporter_name"], issue["assignee_name"]) == (
        "boris",
        "olga",
        "olga",
    )
    assert issue["assignee"] == f"http://testserver/api/support-users/{world.operator.user.uuid}/"
    assert issue["first_response_at"] is not None
    comments = ok(world.buyer.api.get("/api/support-comments/", issue_uuid=issue["uuid"]))
    assert [(row["description"], row["author_name"]) for row in comments] == [("You called us.", "olga")]
    [entry] = entries("issue.opened")
    assert entry.actor_name == "olga" and entry.customer_id == customer_of(world).id
    assert entry.after == {
        "key": issue["key"],
        "type": "SERVICE_REQUEST",
        "priority": "Medium",
        "caller": "boris",
        "assignee": "olga",
    }


def test_a_blocked_customer_may_still_use_the_desk(world: World) -> None:
    ok(world.operator.api.post(f"/api/customers/{customer_of(world).uuid}/block/"))
    issue = opened(world.buyer.api, world, project=project_of(world).uuid)
    ok(world.buyer.api.post(f"{path_of(issue)}comment/", {"description": "Why?"}), 201)


def test_others_cannot_speak_for_somebody_or_assign(world: World) -> None:
    for body, field, said in (
        (
            {"caller": world.operator.user.uuid},
            "caller",
            "Only staff and support may open issues for others.",
        ),
        (
            {"caller": uuid4().hex, "summary": ""},
            "caller",
            "Only staff and support may open issues for others.",
        ),
        ({"assignee": world.operator.user.uuid}, "assignee", "Only staff and support may assign issues."),
    ):
        answer = world.buyer.api.post(ISSUES, {"summary": "X", **body})
        assert answer.status_code == 403
        assert answer.json() == {"detail": said, "code": "permission_denied", "extra": {"field": field}}
    assert opened(world.buyer.api, caller=world.buyer.user.uuid)["caller_uuid"] == world.buyer.user.uuid


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, {"summary": ["This field is required."]}),
        ({"summary": ""}, {"summary": ["This field may not be blank."]}),
        ({"summary": "x" * 256}, {"summary": ["Ensure this field has no more than 255 characters."]}),
        ({"summary": "X", "type": "Bug"}, {"type": ['"Bug" is not a valid choice.']}),
        ({"summary": "X", "priority": ["High"]}, {"priority": ["\"['High']\" is not a valid choice."]}),
        ({"summary": "X", "customer": "me"}, {"customer": ["Give the object's URL or uuid."]}),
        (
            {"summary": "X", "resource": uuid4().hex},
            {"resource": ["Invalid hyperlink - Object does not exist."]},
        ),
    ],
)
def test_bodies_that_cannot_be_meant(world: World, body: Any, said: Any) -> None:
    answer = world.buyer.api.post(ISSUES, body)
    assert (answer.status_code, answer.json()) == (400, said)
    with tenancy.as_system("test"):
        assert Issue.objects.count() == 0


def test_what_an_issue_is_about_must_agree(shop: Shop) -> None:
    api, world = shop.world.operator.api, shop.world
    stranger, provider = customer_of(world, "stranger"), customer_of(world, "provider")
    with tenancy.as_system("test") as actor:
        other = identity.create_project(actor=actor, now=NOW, customer=customer_of(world), name="Other")
    for body, said in (
        (
            {"customer": stranger.uuid, "project": project_of(world).uuid},
            {"project": ["Project Buyer Ltd project is not one of Stranger SA."]},
        ),
        (
            {"customer": stranger.uuid, "resource": shop.resource},
            {"resource": ["Resource Our helper is not one of this customer."]},
        ),
        (
            {"project": other.uuid, "resource": shop.resource},
            {"resource": ["Resource Our helper is not in project Other."]},
        ),
        (
            {"customer": stranger.uuid, "caller": world.buyer.user.uuid},
            {"caller": ["boris does not belong to Stranger SA."]},
        ),
        ({"assignee": world.buyer.user.uuid}, {"assignee": ["Only staff and support can be assigned."]}),
    ):
        answer = api.post(ISSUES, {"summary": "X", **body})
        assert (answer.status_code, answer.json()) == (400, said)
    assert opened(api, customer=provider.uuid, resource=shop.resource)["customer_name"] == "Provider GmbH"


def test_a_stranger_s_things_do_not_exist(world: World) -> None:
    for name, thing in (("customer", customer_of(world)), ("project", project_of(world))):
        answer = world.stranger.api.post(ISSUES, {"summary": "X", name: thing.uuid})
        assert (answer.status_code, answer.json()) == (
            400,
            {name: ["Invalid hyperlink - Object does not exist."]},
        )


# -- the desk's work


def test_the_guide_s_way_to_assign_takes_any_address_of_a_person(world: World) -> None:
    issue = opened(world.buyer.api, world)
    support = operator("is_support")
    uuid = ok(support.get("/api/users/me/"))["uuid"]
    for given in (f"/api/users/{uuid}/", f"http://elsewhere/api/support-users/{uuid}/", uuid):
        ok(world.operator.api.patch(path_of(issue), {"assignee": None}))
        assigned = ok(world.operator.api.patch(path_of(issue), {"assignee": given}))
        assert (assigned["assignee_uuid"], assigned["assignee_name"]) == (uuid, "is_support")
    freed = ok(support.patch(path_of(issue), {"assignee": None}))
    assert (freed["assignee_uuid"], freed["assignee"], freed["assignee_name"]) == (None, None, "")
    for wrong, said in (
        (world.buyer.user.uuid, "Only staff and support can be assigned."),
        (uuid4().hex, "Invalid hyperlink - Object does not exist."),
        (7, "Give the object's URL or uuid."),
    ):
        answer = world.operator.api.patch(path_of(issue), {"assignee": wrong})
        assert (answer.status_code, answer.json()) == (400, {"assignee": [said]})


def test_finance_and_catalog_managers_are_not_of_the_desk(world: World) -> None:
    issue = opened(world.buyer.api, world)
    for flag in ("is_finance", "is_catalog_manager"):
        uuid = ok(operator(flag).get("/api/users/me/"))["uuid"]
        answer = world.operator.api.patch(path_of(issue), {"assignee": uuid})
        assert answer.json() == {"assignee": ["Only staff and support can be assigned."]}


def test_the_desk_changes_what_an_issue_says(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    time.go(minutes=5)
    body = {
        "summary": "No answer",
        "description": "At all.",
        "type": "INCIDENT",
        "is_reported_manually": False,
    }
    answer = world.operator.api.patch(path_of(issue), body)
    assert answer["Warning"] == '299 agentmart "Unknown or read-only key ignored: is_reported_manually"'
    changed = ok(answer)
    assert (changed["summary"], changed["description"], changed["type"]) == (
        "No answer",
        "At all.",
        "INCIDENT",
    )
    assert changed["modified"] == time.text(minutes=5)
    [entry] = entries("issue.updated")
    assert entry.before == {"summary": "It does not answer", "description": "", "type": "SERVICE_REQUEST"}
    assert entry.after == {"summary": "No answer", "description": "At all.", "type": "INCIDENT"}
    ok(world.operator.api.patch(path_of(issue), body))
    assert len(entries("issue.updated")) == 1
    whole = ok(put(world.operator.api, path_of(issue), {"summary": "Whole"}))
    assert whole["summary"] == "Whole"
    assert put(world.operator.api, path_of(issue), {}).json() == {"summary": ["This field is required."]}


def test_resolving(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    assert [row["uuid"] for row in ok(world.operator.api.get(ISSUES, state="open"))] == [issue["uuid"]]
    body = {"resolution": "Restarted it.", "comment": "It runs again."}
    done = ok(world.operator.api.post(f"{path_of(issue)}resolve/", body))
    assert (done["status"], done["resolution"], done["resolved"]) == ("Resolved", "Restarted it.", True)
    assert ok(world.operator.api.get(ISSUES, state="open")) == []
    comments = ok(world.buyer.api.get("/api/support-comments/"))
    assert [row["description"] for row in comments] == ["It runs again."]
    again = world.operator.api.post(f"{path_of(issue)}resolve/", {"resolution": 7 * "x"})
    assert again.status_code == 409
    assert again.json() == {
        "detail": "Valid states for operation: Open, In Progress, Waiting for customer.",
        "code": "wrong_state",
        "extra": {"state": "Resolved"},
    }
    [entry] = entries("issue.resolved")
    assert (entry.before, entry.after) == ({"state": "Open"}, {"state": "Resolved"})


def test_a_caller_at_the_desk_resolves_their_own_issue_with_a_word(world: World) -> None:
    issue = opened(world.operator.api)
    done = ok(world.operator.api.post(f"{path_of(issue)}resolve/", {"comment": "Never mind."}))
    assert done["status"] == "Resolved"


STEPS = {
    "Open": ["In Progress", "Waiting for customer", "Resolved", "Closed", "Canceled"],
    "In Progress": ["Open", "Waiting for customer", "Resolved", "Closed", "Canceled"],
    "Waiting for customer": ["Open", "In Progress", "Resolved", "Closed", "Canceled"],
    "Resolved": ["Open", "In Progress", "Closed"],
    "Closed": ["Open"],
    "Canceled": ["Open"],
}


@pytest.mark.parametrize("start", STEPS)
def test_available_statuses_are_those_that_can_be_set(world: World, start: str) -> None:
    for target in STEPS:
        issue = opened(world.buyer.api, world)
        if start != "Open":
            issue = ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": start}))
        assert shown(world.operator.api, issue)["available_statuses"] == STEPS[start]
        assert shown(world.buyer.api, issue)["available_statuses"] == []
        answer = world.operator.api.post(f"{path_of(issue)}set_status/", {"status": target})
        if target in STEPS[start]:
            assert ok(answer)["status"] == target
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
            assert answer.json()["extra"] == {"state": start}


def test_a_status_is_folded_and_an_unknown_one_is_refused(world: World) -> None:
    path = f"{path_of(opened(world.buyer.api, world))}set_status/"
    assert ok(world.operator.api.post(path, {"status": "in_progress"}))["status"] == "In Progress"
    assert (
        ok(world.operator.api.post(path, {"status": "WAITING-FOR-CUSTOMER"}))["status"]
        == "Waiting for customer"
    )
    answer = world.operator.api.post(path, {"status": "Done"})
    assert (answer.status_code, answer.json()) == (400, {"status": ['"Done" is not a valid choice.']})
    assert world.operator.api.post(path).json() == {"status": ["This field is required."]}


def test_reopening(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    path = f"{path_of(issue)}reopen/"
    assert world.buyer.api.post(path).status_code == 409
    ok(world.operator.api.post(f"{path_of(issue)}resolve/", {"resolution": "Done."}))
    again = ok(world.buyer.api.post(path, {"comment": "No."}))
    assert (again["status"], again["resolution"], again["resolved"]) == ("Open", "", False)
    ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    time.go(days=7, seconds=1)
    late = world.buyer.api.post(path)
    assert (late.status_code, late.json()["code"]) == (409, "too_late")
    assert late.json()["detail"] == "It was resolved more than 7 days ago; please open a new issue."
    assert ok(world.operator.api.post(path))["status"] == "Open"
    ok(world.operator.api.post(f"{path_of(issue)}set_status/", {"status": "Closed"}))
    closed = world.buyer.api.post(path)
    assert (closed.status_code, closed.json()["detail"]) == (409, "Valid states for operation: Resolved.")
    assert ok(world.operator.api.post(path))["status"] == "Open"


def test_escalating(world: World, time: Time) -> None:
    issue = opened(world.buyer.api, world)
    path = f"{path_of(issue)}escalate/"
    assert world.operator.api.post(path).json() == {"reason": ["This field is required."]}
    urgent = ok(world.operator.api.post(path, {"reason": "The boss asks."}))
    assert (urgent["is_escalated"], urgent["escalated_at"]) == (True, time.text())
    assert urgent["escalation_reason"] == "The boss asks."
    [entry] = entries("issue.escalated")
    assert entry.before == {"is_escalated": False, "escalation_reason": ""}
    ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    assert world.operator.api.post(path).status_code == 409


def test_feedback_is_the_caller_s_and_given_once(world: World) -> None:
    issue = opened(world.buyer.api, world)
    path = f"{path_of(issue)}feedback/"
    assert world.buyer.api.post(path, {"evaluation": 5}).status_code == 409
    ok(world.operator.api.post(f"{path_of(issue)}resolve/"))
    assert world.operator.api.post(path, {"evaluation": 5}).status_code == 403
    for wrong in (0, 6, "good"):
        assert list(world.buyer.api.post(path, {"evaluation": wrong}).json()) == ["evaluation"]
    said = ok(world.buyer.api.post(path, {"evaluation": 4, "comment": "Quick."}))
    assert said["feedback"] == {
        "evaluation": 4,
        "evaluation_number": 4,
        "state": "submitted",
        "comment": "Quick.",
    }
    feedback = ClientIssue.from_dict(said).feedback
    assert feedback is not None and feedback.evaluation == 4
    again = world.buyer.api.post(path, {"evaluation": 1})
    assert (again.status_code, again.json()["code"]) == (409, "feedback_exists")


def test_bulk_update(world: World) -> None:
    first, second = opened(world.buyer.api, world), opened(world.stranger.api)
    path = f"{ISSUES}bulk_update/"
    body = {
        "issue_uuids": [first["uuid"], second["uuid"], first["uuid"]],
        "status": "In Progress",
        "priority": "High",
        "assignee": world.operator.user.uuid,
    }
    rows = ok(world.operator.api.post(path, body))
    assert [row["uuid"] for row in rows] == [first["uuid"], second["uuid"]]
    for row in rows:
        assert (row["status"], row["priority"], row["assignee_name"]) == ("In Progress", "High", "olga")
    rows = ok(world.operator.api.post(path, {"issue_uuids": [first["uuid"]], "assignee": None}))
    assert rows[0]["assignee"] is None
    assert ok(world.operator.api.post(path, body))[0]["status"] == "In Progress"  # again: nothing to move


def test_bulk_update_is_all_or_none(world: World) -> None:
    first, second = opened(world.buyer.api, world), opened(world.buyer.api, world)
    ok(world.operator.api.post(f"{path_of(second)}set_status/", {"status": "Canceled"}))
    path, ids = f"{ISSUES}bulk_update/", [first["uuid"], second["uuid"]]
    answer = world.operator.api.post(path, {"issue_uuids": ids, "status": "Resolved", "priority": "Low"})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    body = {"issue_uuids": [first["uuid"], uuid4().hex], "priority": "Low"}
    answer = world.operator.api.post(path, body)
    assert (answer.status_code, answer.json()) == (400, {"issue_uuids": ["Object does not exist."]})
    left = [shown(world.operator.api, issue) for issue in (first, second)]
    assert [(row["status"], row["priority"]) for row in left] == [("Open", "Medium"), ("Canceled", "Medium")]
    for wrong, field in (
        ({"issue_uuids": []}, "issue_uuids"),
        ({"issue_uuids": "x"}, "issue_uuids"),
        ({"issue_uuids": [first["uuid"]]}, "non_field_errors"),
        ({"issue_uuids": [first["uuid"]] * 101, "priority": "Low"}, "issue_uuids"),
        ({"issue_uuids": [first["uuid"]], "status": "Done"}, "status"),
    ):
        answer = world.operator.api.post(path, wrong)
        assert (answer.status_code, list(answer.json())) == (400, [field])


def test_staff_removes_an_issue_with_all_that_belongs_to_it(world: World) -> None:
    issue = opened(world.buyer.api, world, first_comment="Hello")
    assert operator("is_support").delete(path_of(issue)).status_code == 403
    assert world.buyer.api.delete(path_of(issue)).status_code == 403
    assert world.operator.api.delete(path_of(issue)).status_code == 204
    assert world.operator.api.get(path_of(issue)).status_code == 404
    with tenancy.as_system("test"):
        assert (Issue.objects.count(), Comment.objects.count(), Attachment.objects.count()) == (0, 0, 0)
    [entry] = entries("issue.deleted")
    assert entry.before["key"] == issue["key"]


# -- finding


@pytest.fixture
def three(shop: Shop, time: Time) -> tuple[Shop, list[dict[str, Any]]]:
    """Three issues that differ in everything, oldest first."""
    world = shop.world
    first = opened(world.buyer.api, resource=shop.resource, summary="Alpha", priority="Low", type="INCIDENT")
    time.go(hours=1)
    second = opened(world.stranger.api, summary="Beta", description="the reason", priority="Critical")
    time.go(hours=1, seconds=1)
    third = opened(world.operator.api, summary="gamma", priority="High", assignee=world.operator.user.uuid)
    ok(world.operator.api.post(f"{path_of(second)}set_status/", {"status": "Waiting for customer"}))
    ok(world.operator.api.post(f"{path_of(third)}resolve/"))
    ok(world.operator.api.post(f"{path_of(first)}escalate/", {"reason": "X"}))
    return shop, [first, second, third]


def test_filters(three: tuple[Shop, list[dict[str, Any]]]) -> None:
    shop, issues = three
    world, names = shop.world, "123"
    uuids = [issue["uuid"] for issue in issues]
    project, customer = project_of(world), customer_of(world)
    resource, provider = ok(world.buyer.api.get(shop.resource)), customer_of(world, "provider")
    for name, value, found in (
        ("state", "open", "12"),
        ("state", "closed", "3"),
        ("state", "waiting for customer", "2"),
        ("state", ["resolved", "waiting_for_customer"], "23"),
        ("status", "Open", "1"),
        ("status", "Resolved", "3"),
        ("status", "closed", ""),
        ("status", "cancelled", ""),
        ("is_open", "true", "12"),
        ("is_open", "false", "3"),
        ("is_open", ["true", "false"], "123"),
        ("type", "incident", "1"),
        ("type", "SERVICE_REQUEST", "23"),
        ("priority", ["low", "Critical"], "12"),
        ("is_escalated", "true", "12"),
        ("is_escalated", "0", "3"),
        ("sla_breached", "true", "2"),
        ("sla_breached", ["true", "false"], "123"),
        ("assignee", "none", "12"),
        ("assignee", f"/api/support-users/{world.operator.user.uuid}/", "3"),
        ("assignee", ["none", world.operator.user.uuid], "123"),
        ("assignee", world.buyer.user.uuid, ""),
        ("assignee_name", "OLG", "3"),
        ("caller", f"http://x/api/users/{world.stranger.user.uuid}/", "2"),
        ("caller_full_name", "bor", "1"),
        ("reporter", world.operator.user.uuid, "3"),
        ("reporter_name", "sam", "2"),
        ("customer", f"/api/customers/{customer.uuid}/", "1"),
        ("customer_uuid", str(customer.id), "1"),
        ("project", f"/api/projects/{project.uuid}/", "1"),
        ("project_uuid", project.uuid, "1"),
        ("resource", shop.resource, "1"),
        ("resource_uuid", resource["uuid"], "1"),
        ("resource_uuid", uuid4().hex, ""),
        ("order", shop.order, ""),
        ("provider_uuid", provider.uuid, "1"),
        ("key", issues[1]["key"], "2"),
        ("summary", "A", "123"),
        ("summary", "alph", "1"),
        ("query", "REASON", "2"),
        ("query", ["alpha", "gamma"], "13"),
        ("resolution_year_month", "2026-03", "3"),
        ("resolution_year_month", "2026-02", ""),
        ("is_parent", "true", ""),
        ("is_parent", "false", "123"),
        ("is_routed", "true", ""),
        ("created", "2026-03-10T13:00:00Z", "23"),
        ("created_before", "2026-03-10T13:00:00Z", "1"),
        ("modified", "2026-03-10T14:00:00Z", "123"),
        ("modified_before", "2026-03-10T14:00:00Z", ""),
    ):
        rows = ok(world.operator.api.get(ISSUES, **{name: value, "o": "created"}))
        assert "".join(names[uuids.index(row["uuid"])] for row in rows) == found, (name, value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("state", "x", "Select a valid choice. x is not one of the available choices."),
        ("status", "done", "Select a valid choice. done is not one of the available choices."),
        ("type", "bug", "Select a valid choice. bug is not one of the available choices."),
        ("priority", "urgent", "Select a valid choice. urgent is not one of the available choices."),
        ("is_open", "maybe", "Must be a valid boolean."),
        ("sla_breached", "maybe", "Must be a valid boolean."),
        ("is_parent", "maybe", "Must be a valid boolean."),
        ("assignee", "nobody", "Enter a valid UUID, or none."),
        ("caller", "me", "Enter a valid UUID."),
        ("resolution_year_month", "2026-13", "Enter a month like 2026-03."),
        ("resolution_year_month", "202603", "Enter a month like 2026-03."),
        ("resolution_year_month", "99999999999-01", "Enter a month like 2026-03."),
        ("resolution_year_month", "0000-01", "Enter a month like 2026-03."),
        ("created", "yesterday", "Enter a valid date/time."),
        ("o", "deadline", "Select a valid choice. deadline is not one of the available choices."),
    ],
)
def test_filters_that_cannot_be_meant(world: World, name: str, value: str, said: str) -> None:
    answer = world.operator.api.get(ISSUES, **{name: value})
    assert (answer.status_code, answer.json()) == (400, {name: [said]})


def test_every_order_of_the_client_is_served(three: tuple[Shop, list[dict[str, Any]]]) -> None:
    shop, issues = three
    names, uuids = "123", [issue["uuid"] for issue in issues]
    expected = {
        "priority": "132",
        "-priority": "231",
        "key": "123",
        "-key": "321",
        "summary": None,
        "created": "123",
        "-created": "321",
        "status": None,
        "type": "132",
        "reporter_name": "132",
        "-reporter_name": "231",
    }
    for name in IssueOEnum:
        rows = ok(shop.world.operator.api.get(ISSUES, o=name.value))
        found = "".join(names[uuids.index(row["uuid"])] for row in rows)
        assert sorted(found) == list(names)
        if expected.get(name.value):
            assert found == expected[name.value], name


def test_a_field_can_be_chosen_and_the_list_counted(world: World) -> None:
    issue = opened(world.buyer.api, world)
    rows = ok(world.buyer.api.get(ISSUES, field=["uuid", "sla_status"]))
    assert rows == [{"uuid": issue["uuid"], "sla_status": "ok"}]
    client = world.buyer.api
    answer = client._client.head(ISSUES, headers=client._headers)
    assert (answer.status_code, answer["X-Result-Count"]) == (200, "1")
