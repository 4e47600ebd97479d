"""What is said about an issue."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agentmart.infra import audit
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden
from agentmart.support.models import Comment, Issue
from agentmart.support.services import clocks, rights
from agentmart.support.states import REOPENING_PERIOD, IssueState


@transaction.atomic
def comment(
    issue: Issue, description: str, *, is_public: bool = True, actor: Actor, now: datetime
) -> Comment:
    """Say something: the desk's first public word is the first response, the customer's word reopens.

    A comment of the customer's side reopens an issue that waits for them, and one resolved at most 7 days ago.
    Raises Forbidden, also for a private comment of somebody who is not of the desk.
    """
    rights.require_comment(actor, issue)
    require_public(actor, is_public)
    issue = clocks.locked(issue.id)
    made = Comment.objects.create(
        issue=issue,
        author_id=rights.person(actor),
        description=description,
        is_public=is_public,
        created=now,
        modified=now,
    )
    audit.record(
        "issue.commented",
        made,
        actor=actor,
        now=now,
        customer_id=_told_to(issue, is_public),
        after={"issue": issue.key, "is_public": is_public},
    )
    if rights.handles(actor) and not rights.is_caller(actor, issue):
        if is_public and issue.first_response_at is None:
            clocks.settle(issue, now=now)
            clocks.store(issue, now=now, first_response_at=now)
    elif _reopens(issue, now):
        clocks.move(issue, IssueState.OPEN, actor=actor, now=now, action="issue.reopened", resolution="")
    return made


def _told_to(issue: Issue, is_public: bool) -> UUID | None:
    """Return the customer whose audit log tells of a comment: nobody's but the operators' for a private one."""
    return issue.customer_id if is_public else None


def require_public(actor: Actor, is_public: bool) -> None:
    """Raise Forbidden (403), naming the key, for a private comment of somebody who is not of the desk."""
    if not is_public and not rights.handles(actor):
        raise Forbidden("Only staff and support may comment in private.", extra={"field": "is_public"})


def _reopens(issue: Issue, now: datetime) -> bool:
    """Return whether the customer's word means that there is something to do again."""
    if issue.state == IssueState.WAITING:
        return True
    return issue.state == IssueState.RESOLVED and is_fresh(issue, now)


def is_fresh(issue: Issue, now: datetime) -> bool:
    """Return whether the issue was resolved so lately that the customer may reopen it."""
    return issue.resolved_at is not None and now <= issue.resolved_at + REOPENING_PERIOD


@transaction.atomic
def edit_comment(made: Comment, changes: dict[str, Any], *, actor: Actor, now: datetime) -> Comment:
    """Change a comment's text, or (the desk) whether the customer sees it; its author and staff may."""
    rights.require_change(actor, made)
    made = Comment.objects.select_for_update(of=("self",)).select_related("issue").get(pk=made.pk)
    changed = {name: value for name, value in changes.items() if getattr(made, name) != value}
    if "is_public" in changed and not rights.handles(actor):
        raise Forbidden("Only staff and support may change is_public.", extra={"field": "is_public"})
    if not changed:
        return made
    before = {name: getattr(made, name) for name in changed}
    for name, value in changed.items():
        setattr(made, name, value)
    made.modified = now
    made.save(update_fields=[*changed, "modified"])
    audit.record(
        "issue.comment_edited",
        made,
        actor=actor,
        now=now,
        customer_id=_told_to(made.issue, made.is_public and before.get("is_public", True)),
        before=before,
        after=changed,
    )
    return made


@transaction.atomic
def delete_comment(made: Comment, *, actor: Actor, now: datetime) -> None:
    """Remove a comment; its author and staff may. What it said stays in the audit log."""
    rights.require_change(actor, made)
    audit.record(
        "issue.comment_deleted",
        made,
        actor=actor,
        now=now,
        customer_id=_told_to(made.issue, made.is_public),
        before={"description": made.description, "is_public": made.is_public},
    )
    made.delete()
