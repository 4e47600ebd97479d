"""What the desk does with an issue, and what the caller says of it in the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentmart.identity.models import User
from agentmart.identity.permissions import require
from agentmart.infra import audit, jobs
from agentmart.infra.actors import Actor
from agentmart.infra.models import snapshot
from agentmart.infra.transitions import IllegalTransition
from agentmart.kit.errors import Conflict, Forbidden, Invalid
from agentmart.support.models import Issue
from agentmart.support.services import clocks, rights, talking
from agentmart.support.services.opening import require_desk
from agentmart.support.states import ENDED, OPEN, TRANSITIONS, IssueState


def require_state(issue: Issue, states: Collection[str]) -> None:
    """Raise IllegalTransition (409) unless the issue is in one of the states."""
    if issue.state not in states:
        valid = ", ".join(str(state) for state in states)
        raise IllegalTransition(f"Valid states for operation: {valid}.", extra={"state": str(issue.state)})


def statuses_for(actor: Actor, issue: Issue) -> list[str]:
    """Return the states the actor may move the issue to, in their usual order."""
    if not rights.handles(actor):
        return []
    steps = TRANSITIONS[IssueState(issue.state)]
    return [state.value for state in IssueState if state in steps]


@transaction.atomic
def update_issue(issue: Issue, changes: Mapping[str, Any], *, actor: Actor, now: datetime) -> Issue:
    """Change what an issue says, its priority or who works on it; for the desk.

    Raises Forbidden, Invalid for an assignee who is not of the desk. A new priority sets both deadlines anew,
    from when the issue was opened.
    """
    require(actor, "issue.handle", customer_id=issue.customer_id)
    require_desk(changes.get("assignee"))
    issue = clocks.locked(issue.id)
    changed = {name: value for name, value in changes.items() if _value(issue, name) != _plain(value)}
    if not changed:
        return issue
    names = [f"{name}_id" if name == "assignee" else name for name in changed]
    before = snapshot(issue, *names)
    if "priority" in changed:
        clocks.settle(issue, now=now)
    for name, value in changed.items():
        setattr(issue, name, value)
    columns = [*changed, *(clocks.set_targets(issue) if "priority" in changed else ())]
    issue.modified = now
    issue.save(update_fields=[*columns, "modified"])
    audit.record("issue.updated", issue, actor=actor, now=now, before=before, after=snapshot(issue, *names))
    return issue


def _value(issue: Issue, name: str) -> Any:
    return issue.assignee_id if name == "assignee" else getattr(issue, name)


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, User) else value


@transaction.atomic
def set_status(issue: Issue, status: str, *, actor: Actor, now: datetime) -> Issue:
    """Move an issue to another state; Forbidden, or IllegalTransition (409) where there is no such step."""
    require(actor, "issue.handle", customer_id=issue.customer_id)
    issue = clocks.locked(issue.id)
    clocks.move(issue, IssueState(status), actor=actor, now=now, action="issue.status_set")
    return issue


@transaction.atomic
def resolve_issue(
    issue: Issue, *, resolution: str = "", comment: str = "", actor: Actor, now: datetime
) -> Issue:
    """Note that an open issue is solved, with a word to the customer where one is given.

    Raises Forbidden, IllegalTransition (409) unless it is open. It is the first response if there was none.
    """
    require(actor, "issue.handle", customer_id=issue.customer_id)
    issue = clocks.locked(issue.id)
    require_state(issue, OPEN)
    if comment:  # before the end: the word of a caller would reopen
        talking.comment(issue, comment, actor=actor, now=now)
        issue = clocks.locked(issue.id)
    clocks.move(
        issue, IssueState.RESOLVED, actor=actor, now=now, action="issue.resolved", resolution=resolution
    )
    return issue


@transaction.atomic
def reopen_issue(issue: Issue, *, comment: str = "", actor: Actor, now: datetime) -> Issue:
    """Open an ended issue again: the desk always, the customer's side within 7 days of the resolution.

    Raises Forbidden, IllegalTransition (409) for an open issue and, for the customer's side, a closed one.
    """
    rights.require_comment(actor, issue)
    issue = clocks.locked(issue.id)
    by_desk = rights.handles(actor)
    require_state(issue, ENDED if by_desk else (IssueState.RESOLVED,))
    if not by_desk and not talking.is_fresh(issue, now):
        raise Conflict("It was resolved more than 7 days ago; please open a new issue.", code="too_late")
    clocks.move(issue, IssueState.OPEN, actor=actor, now=now, action="issue.reopened", resolution="")
    if comment:
        talking.comment(issue, comment, actor=actor, now=now)
    return issue


@transaction.atomic
def escalate_issue(issue: Issue, reason: str, *, actor: Actor, now: datetime) -> Issue:
    """Mark an open issue as urgent, for a reason, and tell the desk; a later escalation replaces the reason."""
    require(actor, "issue.handle", customer_id=issue.customer_id)
    issue = clocks.locked(issue.id)
    require_state(issue, OPEN)
    before = snapshot(issue, "is_escalated", "escalation_reason")
    clocks.store(issue, now=now, is_escalated=True, escalated_at=now, escalation_reason=reason)
    audit.record(
        "issue.escalated", issue, actor=actor, now=now, before=before, after={"escalation_reason": reason}
    )
    jobs.enqueue(clocks.NOTIFY_JOB, issue_id=str(issue.id), event="escalated", clock="")
    return issue


@transaction.atomic
def bulk_update(
    issue_ids: Collection[UUID], changes: Mapping[str, Any], *, actor: Actor, now: datetime
) -> list[Issue]:
    """Change priority, assignee or status of several issues: all of them, or none.

    Raises Forbidden, Invalid (field issue_uuids) where one does not exist, IllegalTransition (409) where one
    cannot take the status; an issue that has it already stays as it is.
    """
    require(actor, "issue.handle")
    rows = Issue.objects.visible_to(actor).select_for_update(of=("self",))
    issues = list(rows.filter(pk__in=issue_ids).order_by("id"))
    if len(issues) != len(set(issue_ids)):
        raise Invalid("Object does not exist.", field="issue_uuids")
    plain = {name: value for name, value in changes.items() if name != "status"}
    for number, issue in enumerate(issues):
        changed = update_issue(issue, plain, actor=actor, now=now) if plain else issue
        if "status" in changes and changed.state != changes["status"]:
            changed = set_status(changed, changes["status"], actor=actor, now=now)
        issues[number] = changed
    return issues


@transaction.atomic
def delete_issue(issue: Issue, *, actor: Actor, now: datetime) -> None:
    """Remove an issue with its comments and files; for staff. The audit log keeps what it was."""
    require(actor, "issue.delete", customer_id=issue.customer_id)
    audit.record(
        "issue.deleted",
        issue,
        actor=actor,
        now=now,
        before=snapshot(issue, "key", "summary", "state", "priority", "caller_id"),
    )
    issue.delete()


@transaction.atomic
def give_feedback(issue: Issue, evaluation: int, *, comment: str = "", actor: Actor, now: datetime) -> Issue:
    """Say, once, how well an ended issue was handled (1 to 5); only its caller may.

    Raises Forbidden, IllegalTransition (409) while it is open, Conflict (409) the second time.
    """
    if not rights.is_caller(actor, issue):
        raise Forbidden("Only the caller may judge how an issue was handled.")
    issue = clocks.locked(issue.id)
    require_state(issue, ENDED)
    if issue.feedback is not None:
        raise Conflict("Feedback was given already.", code="feedback_exists")
    given = {"evaluation": evaluation, "comment": comment}
    clocks.store(issue, now=now, feedback=given)
    audit.record("issue.feedback_given", issue, actor=actor, now=now, after=given)
    return issue
