"""The support desk by Waldur's own client (operator-api §8 A)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.acceptance.waldur import Party


def issue(party: Party, by: Any = None, **details: Any) -> Any:
    """An issue of the buyer."""
    body = {
        "summary": f"It is slow ({party.number})",
        "type": "INCIDENT",
        "description": "Since noon",
        "customer": party.buying.url,
        **details,
    }
    return (by or party.buyer)("support_issues_create", body=body)


def test_an_issue_s_life(party: Party) -> None:
    made = issue(party, priority="High")
    assert (made.summary, made.type_, made.status) == (f"It is slow ({party.number})", "INCIDENT", "Open")
    assert (made.priority, made.customer_uuid) == ("High", party.buying.uuid)
    assert made.caller_uuid == party.buyer("users_me_retrieve").uuid
    assert made.key and made.sla_breached is False
    for person in (party.staff, party.buyer):
        assert person("support_issues_retrieve", made.uuid).uuid == made.uuid
        assert made.uuid in [row.uuid for row in person.all("support_issues_list")]
    assert party.stranger("support_issues_list") == []
    assert party.stranger.refused("support_issues_retrieve", made.uuid) == 404
    assert party.stranger.refused("support_issues_comment", made.uuid, body={"description": "x"}) == 404

    said = party.buyer.answer("support_issues_comment", made.uuid, body={"description": "Any news?"})
    assert (said.status_code, said.parsed.description) == (201, "Any news?")
    party.staff("support_issues_comment", made.uuid, body={"description": "Looking", "is_public": True})
    party.staff(
        "support_issues_comment", made.uuid, body={"description": "It is the disk", "is_public": False}
    )
    comments = "support_comments_list"
    url = made.url
    assert {row.description for row in party.staff(comments, issue=url)} == {
        "Any news?",
        "Looking",
        "It is the disk",
    }
    assert {row.description for row in party.buyer(comments, issue=url)} == {"Any news?", "Looking"}
    assert party.stranger(comments) == []

    me = party.staff("users_me_retrieve")
    assert me.uuid in [row.uuid for row in party.staff.all("support_users_list")]
    assignee = {"assignee": f"/api/users/{me.uuid.hex}/"}
    assert party.buyer.refused("support_issues_partial_update", made.uuid, body=assignee) == 403
    assert party.staff("support_issues_partial_update", made.uuid, body=assignee).assignee_uuid == me.uuid
    named = party.staff("support_issues_partial_update", made.uuid, body={"summary": "It is very slow"})
    assert named.summary == "It is very slow"

    status = {"status": "In Progress"}
    assert party.buyer.refused("support_issues_set_status", made.uuid, body=status) == 403
    assert party.staff("support_issues_set_status", made.uuid, body=status).status == "In Progress"
    assert party.buyer.refused("support_issues_escalate", made.uuid, body={"reason": "x"}) == 403
    party.staff("support_issues_escalate", made.uuid, body={"reason": "An important customer"})
    told = party.staff("support_issues_retrieve", made.uuid)
    assert (told.is_escalated, told.escalation_reason) == (True, "An important customer")


def test_many_issues_at_once_and_their_end(party: Party) -> None:
    issues = [issue(party) for _ in range(2)]
    body = {"issue_uuids": [row.uuid.hex for row in issues], "priority": "Low"}
    assert party.buyer.refused("support_issues_bulk_update", body=body) == 403
    party.staff("support_issues_bulk_update", body=body)
    for row in issues:
        assert party.staff("support_issues_retrieve", row.uuid).priority == "Low"
    wrong = {**body, "issue_uuids": [issues[0].uuid.hex, uuid4().hex], "priority": "High"}
    assert party.staff.refused("support_issues_bulk_update", body=wrong) == 400
    assert party.staff("support_issues_retrieve", issues[0].uuid).priority == "Low"  # all or none
    assert party.stranger.refused("support_issues_destroy", issues[0].uuid) == 404
    assert party.staff.answer("support_issues_destroy", issues[0].uuid).status_code == 204
    assert party.staff.refused("support_issues_retrieve", issues[0].uuid) == 404
