"""The periodic look at all clocks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from agentmart.infra import tenancy
from agentmart.support.models import Issue
from agentmart.support.services import clocks
from agentmart.support.states import OPEN, REOPENING_PERIOD, RUNNING, IssueState


def check_clocks(*, now: datetime) -> dict[str, int]:
    """Warn, note breaches, and close what was resolved a week ago; returns how many issues each.

    One transaction for each issue; one that somebody works on at this moment waits for the next look.
    """
    old = Q(state=IssueState.RESOLVED, resolved_at__lte=now - REOPENING_PERIOD)
    with tenancy.as_system(clocks.JOB):
        late = list(Issue.objects.filter(_due(now)).order_by("id").values_list("id", flat=True))
        done = list(Issue.objects.filter(old).order_by("id").values_list("id", flat=True))
    told = [_settle(issue_id, now) for issue_id in late]
    closed = [_close(issue_id, old, now) for issue_id in done]
    return {"told": sum(told), "closed": sum(closed)}


def _due(now: datetime) -> Q:
    """Return the condition of issues whose clocks have something new to tell."""
    unanswered = Q(state__in=OPEN, first_response_at=None)
    running = Q(state__in=RUNNING)
    return (
        (unanswered & Q(response_at_risk_after__lt=now, response_warned_at=None))
        | (unanswered & Q(first_response_deadline__lt=now, response_breached_at=None))
        | (running & Q(resolution_at_risk_after__lt=now, resolution_warned_at=None))
        | (running & Q(resolution_deadline__lt=now, resolution_breached_at=None))
    )


def _free(issue_id: UUID, condition: Q) -> Issue | None:
    """Return the issue locked, None where it is in other hands or the condition does not hold any more."""
    rows = Issue.objects.select_for_update(of=("self",), skip_locked=True)
    return rows.filter(condition, pk=issue_id).first()


def _settle(issue_id: UUID, now: datetime) -> bool:
    with tenancy.as_system(clocks.JOB):
        issue = _free(issue_id, _due(now))
        if issue is not None:
            clocks.settle(issue, now=now)
    return issue is not None


def _close(issue_id: UUID, condition: Q, now: datetime) -> bool:
    with tenancy.as_system(clocks.JOB) as actor:
        issue = _free(issue_id, condition)
        if issue is not None:
            clocks.move(issue, IssueState.CLOSED, actor=actor, now=now, action="issue.closed")
    return issue is not None
