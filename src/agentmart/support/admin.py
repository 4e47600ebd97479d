"""Back office: the support desk."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin

from agentmart.infra.actors import Actor
from agentmart.infra.admin_base import Deed, OperatorAdmin, text_question
from agentmart.support import services
from agentmart.support.models import Comment, Issue
from agentmart.support.states import OPEN


def escalate(row: Issue, *, actor: Actor, now: datetime, reason: str) -> None:
    """Call for more attention."""
    services.escalate_issue(row, reason, actor=actor, now=now)


def resolve(row: Issue, *, actor: Actor, now: datetime, resolution: str) -> None:
    """Say that the matter is settled."""
    services.resolve_issue(row, resolution=resolution, actor=actor, now=now)


@admin.register(Issue)
class IssueAdmin(OperatorAdmin):
    """Tickets."""

    list_display = ("key", "summary", "state", "priority", "customer", "assignee", "sla_breached", "created")
    list_filter = ("state", "priority", "type", "sla_breached", "is_escalated", "created")
    search_fields = ("key", "summary", "customer__name", "caller__username", "assignee__username")
    deeds = (
        Deed(
            "escalate",
            "Escalate",
            "The ticket is marked, and the desk is told.",
            escalate,
            {"reason": text_question("Why", required=True)},
            lambda row: row.state in OPEN,
        ),
        Deed(
            "resolve",
            "Resolve",
            "The caller is told that the matter is settled.",
            resolve,
            {"resolution": text_question("How it was settled")},
            lambda row: row.state in OPEN,
        ),
    )


@admin.register(Comment)
class CommentAdmin(OperatorAdmin):
    """What was said."""

    list_display = ("issue", "author", "is_public", "created", "description")
    list_filter = ("is_public", "created")
    search_fields = ("issue__key", "description", "author__username")
