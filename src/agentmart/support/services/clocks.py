"""Writes of an issue's row: its state, and the clocks that start, stop and run out with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from agentmart.infra import audit, jobs, transitions
from agentmart.infra.actors import Actor, system_actor
from agentmart.kit.errors import NotFound
from agentmart.support import sla
from agentmart.support.models import Issue, SlaTarget
from agentmart.support.states import RUNNING, TRANSITIONS, IssueState

JOB = "support.check_clocks"
"""Also who the audit log names for what nobody did: time passed."""
NOTIFY_JOB = "support.notify"

_COLUMNS = {sla.Clock.RESPONSE: "response", sla.Clock.RESOLUTION: "resolution"}


def locked(issue_id: UUID) -> Issue:
    """Return the issue for a change, its row locked until the transaction ends; raises NotFound."""
    found = Issue.objects.select_for_update(of=("self",)).filter(pk=issue_id).first()
    if found is None:
        raise NotFound("The issue does not exist any more.")
    return found


def store(issue: Issue, *, now: datetime, **changes: Any) -> None:
    """Write columns of a locked issue."""
    for name, value in changes.items():
        setattr(issue, name, value)
    issue.modified = now
    issue.save(update_fields=[*changes, "modified"])


def deadlines(issue: Issue) -> dict[str, Any]:
    """Return the columns that say when the issue's targets are due, from `created` on."""
    calendar: sla.Calendar = settings.SUPPORT_CALENDAR
    response = sla.due(issue.created, timedelta(minutes=issue.response_minutes), calendar=calendar)
    target = timedelta(minutes=issue.resolution_minutes)
    resolution = sla.due(issue.created, target, paused=issue.paused, calendar=calendar)
    return {
        "first_response_deadline": response.deadline,
        "response_at_risk_after": response.at_risk_after,
        "resolution_deadline": resolution.deadline,
        "resolution_at_risk_after": resolution.at_risk_after,
    }


def set_targets(issue: Issue) -> list[str]:
    """Give the issue the targets of its priority as they are today; returns the columns that changed."""
    target = SlaTarget.objects.get(priority=issue.priority)
    issue.response_minutes = target.response_minutes
    issue.resolution_minutes = target.resolution_minutes
    due = deadlines(issue)
    for name, value in due.items():
        setattr(issue, name, value)
    return ["response_minutes", "resolution_minutes", *due]


def settle(issue: Issue, *, now: datetime) -> None:
    """Note, once each, which of an open issue's clocks are at risk or breached; a breach escalates the issue.

    Called before whatever stops or moves a clock, so that lateness is not lost between two looks of the job.
    The issue's row must be locked.
    """
    if not issue.is_open:
        return
    changed: dict[str, Any] = {}
    for clock, level in issue.clocks().levels(now).items():
        warned, breached = f"{_COLUMNS[clock]}_warned_at", f"{_COLUMNS[clock]}_breached_at"
        if getattr(issue, breached if level is sla.Level.BREACHED else warned) is not None:
            continue
        deadline = issue.first_response_deadline if clock is sla.Clock.RESPONSE else issue.resolution_deadline
        if getattr(issue, warned) is None:
            changed[warned] = now  # who is told of a breach needs no warning of it any more
        if level is sla.Level.BREACHED:
            changed |= {breached: now, "sla_breached": True}
            if not issue.is_escalated:
                reason = f"SLA breached: {clock} was due {deadline:%Y-%m-%d %H:%M} UTC."
                changed |= {"is_escalated": True, "escalated_at": now}
                changed.setdefault("escalation_reason", reason)
        _tell(issue, clock, level, deadline, now=now)
    if changed:
        store(issue, now=now, **changed)


def _tell(issue: Issue, clock: sla.Clock, level: sla.Level, deadline: datetime, *, now: datetime) -> None:
    """Write the event of a clock, and let a job mail it to the desk."""
    audit.record(
        f"issue.sla_{level}",
        issue,
        actor=system_actor(JOB),
        now=now,
        after={"clock": str(clock), "deadline": deadline.isoformat(), "priority": issue.priority},
    )
    jobs.enqueue(NOTIFY_JOB, issue_id=str(issue.id), event=str(level), clock=str(clock))


def move(issue: Issue, to: str, *, actor: Actor, now: datetime, action: str, **changes: Any) -> None:
    """Move a locked issue to another state, and start or stop its clocks with it.

    Raises IllegalTransition (409) for a step that does not exist. Only Open and In Progress count against the
    resolution's target: what passes while the customer is asked, or after the end, is added to the deadline.
    """
    settle(issue, now=now)
    issue_runs, will_run = issue.state in RUNNING, to in RUNNING
    if issue_runs and not will_run:
        changes["clock_stopped_at"] = now
    elif will_run and issue.clock_stopped_at is not None:
        calendar: sla.Calendar = settings.SUPPORT_CALENDAR
        stood = calendar.between(issue.clock_stopped_at, now)
        issue.paused_seconds += int(stood.total_seconds())
        changes |= {"clock_stopped_at": None, "paused_seconds": issue.paused_seconds, **deadlines(issue)}
    if to == IssueState.RESOLVED:
        changes["resolved_at"] = now
        if issue.first_response_at is None:
            changes["first_response_at"] = now
    elif to != IssueState.CLOSED:
        changes["resolved_at"] = None
    transitions.move(issue, to, transitions=TRANSITIONS, actor=actor, now=now, action=action, **changes)
