"""Reads of the support desk: who works at it, what is late, and what the desk is told by e-mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat, NullIf, Trim

from agentmart.identity.models import User
from agentmart.support.models import Attachment, Comment, Issue, SlaTarget
from agentmart.support.states import OPEN, RUNNING, Priority


def full_name(user: User | None) -> str:
    """Return how a person is shown: first and last name, the username where there are none."""
    return "" if user is None else user.get_full_name() or user.username


def name_column(prefix: str = "") -> Coalesce:
    """Return the same as a column, to sort and search by."""
    first, last, username = (f"{prefix}{name}" for name in ("first_name", "last_name", "username"))
    return Coalesce(NullIf(Trim(Concat(F(first), Value(" "), F(last))), Value("")), F(username))


PRIORITY_RANK = Case(
    *(When(priority=priority, then=Value(rank)) for rank, priority in enumerate(Priority)),
    output_field=IntegerField(),
)
"""Low is first; `-priority` shows what is critical on top."""


def is_late(now: datetime) -> Q:
    """Return the condition of issues whose promise is broken at `now`, whether the job has noted it or not."""
    return (
        Q(sla_breached=True)
        | Q(state__in=OPEN, first_response_at=None, first_response_deadline__lt=now)
        | Q(state__in=RUNNING, resolution_deadline__lt=now)
    )


def desk_people() -> QuerySet[User]:
    """Return staff and support, each with the counts that their row shows."""
    people: QuerySet[User] = User.objects.filter(Q(is_staff=True) | Q(is_support=True)).annotate(
        shown_name=name_column(),
        reported_issues_count=_count(Issue.objects.filter(reporter=OuterRef("pk")), "reporter"),
        assigned_issues_count=_count(Issue.objects.filter(assignee=OuterRef("pk")), "assignee"),
        comments_count=_count(Comment.objects.filter(author=OuterRef("pk")), "author"),
        attachments_count=_count(Attachment.objects.filter(uploader=OuterRef("pk")), "uploader"),
    )
    return people


def _count(rows: QuerySet[Issue] | QuerySet[Comment] | QuerySet[Attachment], owner: str) -> Coalesce:
    """Return the number of a person's rows as a column."""
    counted = rows.order_by().values(owner).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def sla_targets() -> list[SlaTarget]:
    """Return what is promised, the most urgent priority first."""
    order = list(reversed(Priority.values))
    return sorted(SlaTarget.objects.all(), key=lambda row: order.index(row.priority))


def content_of(attachment: Attachment) -> bytes:
    """Return the bytes of a file."""
    return bytes(attachment.content)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to the desk."""

    recipients: tuple[str, ...]
    subject: str
    text: str


_TOLD = {
    "at_risk": "The {clock} of {key} is due soon, at {deadline}.",
    "breached": "The {clock} of {key} was due at {deadline}; it is escalated.",
    "escalated": "{key} was escalated: {reason}",
}


def letter_to_desk(issue_id: UUID, event: str, clock: str) -> Letter | None:
    """Return what the desk is told of an event; None where the issue is gone or nobody has an address.

    The setting AGENTMART_SUPPORT_EMAIL names who is told; without it, everybody who works at the desk.
    """
    issue = Issue.objects.filter(pk=issue_id).select_related("customer").first()
    recipients = tuple(settings.SUPPORT_EMAIL) or tuple(
        desk_people()
        .filter(is_active=True)
        .exclude(email="")
        .order_by("email")
        .values_list("email", flat=True)
    )
    if issue is None or not recipients:
        return None
    deadline = issue.first_response_deadline if clock == "first response" else issue.resolution_deadline
    told = _TOLD[event].format(
        clock=clock, key=issue.key, deadline=f"{deadline:%Y-%m-%d %H:%M} UTC", reason=issue.escalation_reason
    )
    facts = [
        f"Summary: {issue.summary}",
        f"Priority: {issue.priority}",
        f"Status: {issue.state}",
        f"Customer: {issue.customer.name if issue.customer else '-'}",
    ]
    subject = " ".join(f"[{issue.key}] {issue.priority}, {event.replace('_', ' ')}: {issue.summary}".split())
    return Letter(recipients, subject[:200], "\n".join([told, "", *facts, ""]))
