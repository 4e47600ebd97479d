"""What an actor may do with an issue, as the services ask and the answers show."""

from __future__ import annotations

from uuid import UUID

from agentmart.identity.models import Customer, Project, User
from agentmart.identity.permissions import permitted, require
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden
from agentmart.support.models import Attachment, Comment, Issue


def handles(actor: Actor) -> bool:
    """Return whether the actor works at the desk."""
    return permitted(actor, "issue.handle")


def person(actor: Actor) -> UUID:
    """Return who speaks; raises Forbidden (403) for a job, which is nobody."""
    if actor.user_id is None:
        raise Forbidden("Only people open issues, comment and send files.")
    return actor.user_id


def is_caller(actor: Actor, issue: Issue) -> bool:
    """Return whether the issue is the actor's own."""
    return actor.user_id is not None and issue.caller_id == actor.user_id


def may_comment(actor: Actor, issue: Issue) -> bool:
    """Return whether the actor may speak and send files: the desk, the customer's people, and the caller."""
    return is_caller(actor, issue) or permitted(actor, "issue.comment", customer_id=issue.customer_id)


def require_comment(actor: Actor, issue: Issue) -> None:
    """Raise Forbidden (403) unless the actor may speak and send files."""
    if not is_caller(actor, issue):
        require(actor, "issue.comment", customer_id=issue.customer_id)


def may_change(actor: Actor, part: Comment | Attachment) -> bool:
    """Return whether the actor may change or remove a comment or file: whoever sent it, and staff."""
    owner = part.author_id if isinstance(part, Comment) else part.uploader_id
    return owner == actor.user_id or permitted(actor, "issue.moderate")


def require_change(actor: Actor, part: Comment | Attachment) -> None:
    """Raise Forbidden (403) unless the actor may change or remove it."""
    if not may_change(actor, part):
        require(actor, "issue.moderate")


def may_open(actor: Actor, customer: Customer | None, project: Project | None) -> bool:
    """Return whether the actor may open an issue there; without a customer everybody may who is not only a reader."""
    if customer is None:
        return permitted(actor, "issue.open") or not actor.operator_roles
    projects = {project.id} if project else {None, *(grant.project_id for grant in actor.grants)}
    return any(
        permitted(
            actor, "issue.open", customer_id=customer.id, project_id=project_id, provider_id=customer.id
        )
        for project_id in projects
    )


def require_open(actor: Actor, customer: Customer | None, project: Project | None) -> None:
    """Raise Forbidden (403) unless the actor may open an issue there."""
    if not may_open(actor, customer, project):
        raise Forbidden(
            "You do not have permission to perform this action.", extra={"operation": "issue.open"}
        )


def require_for_others(actor: Actor, *, caller: User | None, assignee: User | None) -> None:
    """Raise Forbidden (403), naming the key, where somebody who is not of the desk speaks for others or assigns."""
    if handles(actor):
        return
    if caller is not None and caller.id != actor.user_id:
        raise Forbidden("Only staff and support may open issues for others.", extra={"field": "caller"})
    if assignee is not None:
        raise Forbidden("Only staff and support may assign issues.", extra={"field": "assignee"})
